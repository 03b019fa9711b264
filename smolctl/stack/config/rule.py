"""Changes of rules."""

from smolctl.stack.events import ChangeType
from smolctl.stack.fib.rule import Rule
from smolctl.stack.ip.network import Network


def add_rule(net: Network, rule: Rule) -> None:
    """Put a rule among the others.

    Raises:
        AlreadyExists, InvalidArgument: as ``Rules.insert``.
    """
    net.fib.rules.insert(rule)
    _changed(net)
    net.events.rule(ChangeType.NEW, rule)


def delete_rule(net: Network, rule: Rule) -> None:
    """Take a rule out."""
    net.fib.rules.remove(rule)
    _changed(net)
    net.events.rule(ChangeType.DELETED, rule)


def _changed(net: Network) -> None:
    """Let the rules decide from now on, for good (Linux fib_unmerge, fib_has_custom_rules)."""
    net.fib.obey_rules()
    net.generation.touch()
