"""What a user changes: rules."""

from smolctl.stack.events import Action
from smolctl.stack.fib.rule import Rule
from smolctl.stack.stack import Stack


def add_rule(stack: Stack, rule: Rule) -> None:
    """Put a rule among the others.

    Raises:
        AlreadyExists, InvalidArgument: as ``Rules.insert``.
    """
    stack.rules.insert(rule)
    _changed(stack)
    stack.events.rule(Action.NEW, rule)


def delete_rule(stack: Stack, rule: Rule) -> None:
    """Take a rule out."""
    stack.rules.remove(rule)
    _changed(stack)
    stack.events.rule(Action.DELETED, rule)


def _changed(stack: Stack) -> None:
    """Let the rules decide from now on, for good (Linux fib_unmerge, fib_has_custom_rules)."""
    stack.fib.merged = False
    stack.touch()
