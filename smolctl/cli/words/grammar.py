"""The words of a command: click's options and arguments, as ``ip`` has them.

``Word`` is a ``click.Option`` that counts without its dashes, too, and ``Place`` is a
``click.Argument``. Parsing, help, completion and the man page read the same objects.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self

import click

from smolctl.errors import SmolctlError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Args = dict[str, Any]


class Completer(Protocol):
    """Completion, as words and commands know it: ``complete``, while a shell asks for words."""

    def values(
        self, owner: click.Parameter, ctx: click.Context, start: str
    ) -> "list[CompletionItem]":
        """Return the values of a parameter that begin like this."""

    def words(
        self, params: list[click.Parameter], parser: Any, ctx: click.Context, start: str
    ) -> "list[CompletionItem]":
        """Return what may come next in the words of a command."""

    def names(self, entries: Mapping[str, str], start: str) -> "list[CompletionItem]":
        """Return the names, or the options of all commands, that may come next."""


def completer(ctx: click.Context) -> Completer:
    """Return what completes words; the command at the root has it."""
    found: Completer = ctx.find_root().command.completer  # type: ignore[attr-defined]
    return found


class UsageFault(SmolctlError):
    """The command line does not follow the grammar."""

    code = "usage"


class NotSupported(UsageFault):
    """Linux's tools know it, and this stack cannot mean it yet.

    Args:
        what: the words.
        hint: what there is instead.
    """

    code = "not-supported"

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(f"not supported: {what}", hint=hint)


class Spoken(click.Parameter):
    """The base of words and places.

    Attributes:
        words: spellings without dashes that stand before the value.
        bare: they count without dashes, too.
        complete: what completion offers as its value: a kind of ``live.LIVE``, or "".
        values: usual values, for help and completion; the stack decides which are right.
        prefix: a word that may stand before its value and sets an argument of its own: ``mtu lock
            1400`` sets mtu and mtu_lock; "" for none.
        family: the name of an address family may stand before its value: ``via inet ADDR``.
        in_zone: of what is required: arguments whose zone says it as well, ``fe80::2%eth0``.
        refused: Linux's tools know it, and this stack cannot mean it: it is an error that names it.
    """

    words: tuple[str, ...] = ()
    bare = True
    complete = ""
    values: tuple[str, ...] = ()
    prefix = ""
    family = False
    hidden = False
    refused = False
    in_zone: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    before: tuple[str, ...] = ()

    def but(self, **changes: Any) -> Self:
        """Return the same parameter with other attributes."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **changes)
        return changed


class Word(Spoken, click.Option):
    """A word and its value, or a word that stands alone: ``dev X`` and ``--dev X`` mean the same.

    Args:
        words: its spellings without dashes, the usual one first.
        help: one line.
        metavar: name of its value; None for a word without a value.
        key: name of the argument that it sets; by default the first spelling.
        short: letter of its one-letter option, or "".
        traits: ``required``, ``many``, ``type``, ``hidden``, and the attributes below.

    Attributes:
        choice: the words are alternatives ("up", "down") and the one typed is the value.
        within: key and value of another word that must stand before it. Without that one, the
            spelling means what it means elsewhere: ``name X`` and ``type cable name X``.
        group: the words that may follow it, up to the next such word: ``nexthop via A weight 2
            nexthop via B``. The value is a list, with what each group says.
        many: it may come again; the argument is a list.
    """

    choice = False
    within: tuple[str, str] | None = None
    group: "tuple[Word, ...]" = ()

    def __init__(
        self,
        words: tuple[str, ...],
        help: str,
        metavar: str | None = None,
        key: str = "",
        short: str = "",
        **traits: Any,
    ) -> None:
        flags = [f"-{short}"] if short else []
        flags += [f"--{word}" for word in words]
        super().__init__(
            [*flags, key] if key else flags,
            metavar=metavar,
            is_flag=metavar is None,
            required=traits.pop("required", False),
            multiple=traits.pop("many", False) or "group" in traits,
            hidden=traits.pop("hidden", False),
            type=traits.pop("type", click.UNPROCESSED),
        )
        self.help = help
        self.words = words
        self.short = short
        for name, value in traits.items():
            setattr(self, name, value)

    @property
    def names(self) -> list[str]:
        """Return its spellings as they are typed."""
        names = list(self.words) if self.bare else [f"--{word}" for word in self.words]
        return [f"-{self.short}", *names] if self.short else names

    def applies(self, args: Mapping[str, Any]) -> bool:
        """Tell whether the words before allow it; ``args`` is what they said."""
        return self.within is None or args.get(self.within[0]) == self.within[1]

    def add_to_parser(self, parser: Any, ctx: Any) -> None:
        """Tell click's parser about it: of a choice, each word is a value."""
        if not self.choice:
            super().add_to_parser(parser, ctx)
            return
        for word in self.words:
            parser.add_option(self, [f"--{word}"], self.name, "store_const", const=word)

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the usage line has of it; click wraps at blanks, so these do not break."""
        if self.hidden:
            return []
        name = "|".join(self.words) if self.choice else self.words[0]
        if not self.bare:
            name = f"-{self.short}" if self.short else f"--{name}"
        text = f"{name} {self.metavar}" if self.metavar else name
        if self.group:
            inner = [piece for word in self.group for piece in word.get_usage_pieces(ctx)]
            return [f"[{' '.join((text, *inner))}]..."]
        return [(text if self.required else f"[{text}]").replace(" ", "\xa0")]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return its spellings, and its help with the usual values."""
        if self.hidden:
            return None
        text = (" | " if self.choice else ", ").join(self.names)
        if self.group:
            text = " ".join([text, *(word.get_usage_pieces(ctx)[0] for word in self.group)])
        return f"{text} {self.metavar}" if self.metavar else text, self.explained

    @property
    def explained(self) -> str:
        """Return its help with its usual values."""
        values = [value for value in self.values if value not in "+-"]
        return f"{self.help} ({', '.join(values)})" if values else str(self.help)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the values that may follow it."""
        return completer(ctx).values(self, ctx, incomplete)


def option(name: str, help: str, metavar: str | None = None, **more: Any) -> Word:
    """Return a word that counts only as ``--name``: probes take data and no bare words."""
    return Word((name,), help, metavar, bare=False, **more)


def refused(valued: str = "", flags: str = "") -> tuple[Word, ...]:
    """Return words that Linux's tools know and this stack cannot mean.

    Args:
        valued: those with a value, with blanks between.
        flags: those without one.
    """
    kinds = [(name, "VALUE") for name in valued.split()] + [(name, None) for name in flags.split()]
    return tuple(
        Word((name,), "not supported", metavar, hidden=True, refused=True)
        for name, metavar in kinds
    )


def refused_letters(switches: str, valued: str) -> tuple[Word, ...]:
    """Return one-letter options that Linux's tools know and this stack cannot mean."""
    letters = [(letter, None) for letter in switches] + [(letter, "VALUE") for letter in valued]
    return tuple(
        Word((), "not supported", metavar, f"no_{letter}", letter, bare=False, hidden=True,
             refused=True)
        for letter, metavar in letters
    )  # fmt: skip


class Place(Spoken, click.Argument):
    """A word known by its place.

    Args:
        key: name of the argument that it sets.
        metavar: its name in help.
        help: one line.
        required: the command makes no sense without it.
        words: words that may stand before it (``to``, ``dev``), or make it an option.
        traits: ``many``, and the attributes below.

    Attributes:
        before: words before which one of ``words`` says nothing: ``to root PREFIX``.
        many: it takes all words that follow, a list; the last place only.
        rest: all words behind the first one are its own, options too.
    """

    many = False
    rest = False

    def __init__(
        self,
        key: str,
        metavar: str,
        help: str,
        required: bool = True,
        words: tuple[str, ...] = (),
        **traits: Any,
    ) -> None:
        super().__init__(
            [key],
            metavar=metavar,
            required=required,
            nargs=-1 if traits.get("many") else 1,
            type=traits.pop("type", click.UNPROCESSED),
        )
        self.help = help
        self.words = words
        for name, value in traits.items():
            setattr(self, name, value)

    def option(self) -> Word:
        """Return the option that its words are."""
        traits: Args = {"complete": self.complete, "values": self.values, "hidden": True}
        return Word(self.words, str(self.help), str(self.metavar), **traits)

    def add_to_parser(self, parser: Any, ctx: Any) -> None:
        """Tell click's parser about it, and about the words that may stand before it."""
        super().add_to_parser(parser, ctx)
        if self.words:
            parser.add_option(self, [f"--{word}" for word in self.words], self.name)

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Return what the usage line has of it."""
        name = f"{self.metavar}..." if self.many else str(self.metavar)
        return [name if self.required else f"[{name}]"]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return its name with the words that may stand before it, and its help."""
        before = f"[{'|'.join(self.words)}] " if self.words else ""
        return f"{before}{self.metavar}", str(self.help)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return what may stand here: a value of this place, or a word."""
        return ctx.command.shell_complete(ctx, incomplete)


def without(args: Mapping[str, Any], *keys: str) -> Args:
    """Return arguments, or a row, without some keys."""
    return {key: value for key, value in args.items() if key not in keys}


def knows(params: Iterable[click.Parameter], word: str) -> bool:
    """Return whether a word is a spelling of one of the parameters."""
    return any(isinstance(param, Spoken) and word in param.words for param in params)
