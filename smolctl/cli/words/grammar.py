"""The words of one command: literal tables, and the parser that reads a command line by them.

Parsing, help, completion and the man page all derive from the same table, so that they cannot
disagree. The grammar is that of ``ip``: ``dev X`` and ``--dev X`` mean the same, in any order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from smolctl.cli.words.aliases import WORD_HABITS
from smolctl.cli.words.index import Index as Index
from smolctl.cli.words.options import BY_FLAG, COLOR_WHEN, GlobalOption, Options
from smolctl.errors import SmolctlError
from smolctl.near import near

Args = dict[str, Any]


class UsageFault(SmolctlError):
    """The command line does not follow the grammar."""

    code = "usage"


class Keyword(NamedTuple):
    """A keyword and its value, or a word that stands alone.

    Attributes:
        words: its spellings, the canonical one first; ``--`` before one makes it an option.
        help: one line.
        metavar: name of its value; None for a word without value.
        key: name of the argument that it sets; by default the first word.
        short: letter of its one-letter option, or "".
        required: the command makes no sense without it.
        choice: the words are alternatives ("up", "down") and the one typed is the value.
        bare: the word counts without ``--`` too.
        complete: what completion offers as its value: a kind of ``live.LIVE``, or "".
        values: usual values, for help and completion; the stack decides which are right.
        prefix: a word that may stand before its value and sets an argument of its own: ``mtu lock
            1400`` sets mtu and mtu_lock; "" for none.
        within: key and value of another keyword that must stand before it; without it the word
            means what it does elsewhere in the table: ``name X`` and ``type cable name X``.
        many: it may come again; the argument is a list.
        group: the keywords that follow it and say one thing together, up to the next such word:
            ``nexthop via A weight 2 nexthop via B``. The value is a list of what each group says.
    """

    words: tuple[str, ...]
    help: str
    metavar: str | None = None
    key: str = ""
    short: str = ""
    required: bool = False
    choice: bool = False
    bare: bool = True
    complete: str = ""
    values: tuple[str, ...] = ()
    prefix: str = ""
    within: tuple[str, str] | None = None
    many: bool = False
    group: "tuple[Keyword, ...]" = ()

    def applies(self, args: Mapping[str, Any]) -> bool:
        """Tell whether the words before allow it; ``args`` is what they said."""
        return self.within is None or args.get(self.within[0]) == self.within[1]


def option(name: str, help_text: str, metavar: str | None = None, **more: Any) -> Keyword:
    """Return a keyword that counts only as ``--name``: probes take data and no bare words."""
    return Keyword((name,), help_text, metavar, bare=False, **more)


class Positional(NamedTuple):
    """A word known by its place.

    Attributes:
        key: name of the argument that it sets.
        metavar: its name in help.
        help: one line.
        required: the command makes no sense without it.
        words: keywords that may stand before it (``to``, ``dev``), or make it an option.
        before: words before which one of ``words`` says nothing: ``to root PREFIX``.
        complete: as in ``Keyword``.
        values: as in ``Keyword``.
        many: it takes all words that follow, a list; the last place only.
    """

    key: str
    metavar: str
    help: str
    required: bool = True
    words: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    complete: str = ""
    values: tuple[str, ...] = ()
    many: bool = False


class Table(NamedTuple):
    """The grammar of one command.

    Attributes:
        path: the words that lead to it: "addr add".
        summary: one line, an imperative without full stop.
        examples: command lines that show it, the most usual first.
        positionals: in their order.
        keywords: in the order of the help text.
        notes: a paragraph for help and man page, or "".
    """

    path: str
    summary: str
    examples: tuple[str, ...]
    positionals: tuple[Positional, ...] = ()
    keywords: tuple[Keyword, ...] = ()
    notes: str = ""


class EarlyExit(Exception):
    """``--help`` or ``--version`` was met; ``what`` says which."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


_NOTHING = Index(None)


class Parser:
    """Reads the words after a command's name.

    Args:
        table: the command's grammar; None for the place before a noun or verb, where only global
            options are known and the first other word ends the reading.
        options: takes the global options.
        resilient: never raise: completion reads an unfinished line.
        index: of the table, where it is at hand.
    """

    def __init__(
        self,
        table: Table | None,
        options: Options,
        *,
        resilient: bool = False,
        index: Index | None = None,
    ) -> None:
        self.args: Args = {}
        self.rest: list[str] = []
        self.pending: Keyword | Positional | GlobalOption | None = None
        """Whose value the line breaks off before."""
        self._table = table
        self._options = options
        self._resilient = resilient
        self._tokens: list[str] = []
        self._at = 0
        index = index or (Index(table) if table else _NOTHING)
        self._words, self._within = index.words, index.within
        self._bare, self._short = index.bare, index.short
        self._path = table.path if table else ""
        self._group: dict[str, Keyword] = {}
        self._into: Args = self.args

    def parse(self, tokens: Sequence[str]) -> Args:
        """Read all words.

        Returns: the arguments by key; ``rest`` has what follows the first word that is no option
            when there is no table.

        Raises:
            UsageFault: the words do not follow the grammar.
            EarlyExit: ``--help`` or ``--version`` was met.
        """
        self._tokens = list(tokens)
        literal = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            try:
                if literal or not token.startswith("-") or token == "-":
                    if self._table is None:
                        self.rest = self._tokens[self._at - 1 :]
                        return self.args
                    self._word(token, literal)
                elif token == "--":
                    literal = True
                elif token.startswith("--"):
                    self._long(token)
                else:
                    self._letters(token)
            except UsageFault:
                if not self._resilient:
                    raise
        if self._table is not None and not self._resilient:
            self._check_complete(self._table)
        return self.args

    @property
    def group(self) -> dict[str, "Keyword"]:
        """Return the words of the group that the line is in, less those that were said."""
        return {
            word: keyword
            for word, keyword in self._group.items()
            if word == keyword.words[0] and (keyword.key or word) not in self._into
        }

    def free_positional(self) -> Positional | None:
        """Return the next place that no word has taken yet."""
        places = self._table.positionals if self._table else ()
        return next((place for place in places if place.many or place.key not in self.args), None)

    def _owner(self, word: str) -> Keyword | Positional | None:
        """Return what a word means at this place of the line."""
        for keyword in self._within:
            if word in keyword.words and keyword.applies(self.args):
                return keyword
        return self._words.get(word)

    # --- one word ---------------------------------------------------------------------------
    def _word(self, token: str, literal: bool) -> None:
        if not literal and token in self._group:
            self._keyword(token, self._group[token], None)
            return
        if not literal and token in self._bare:
            self._keyword(token, self._owner(token) or self._words[token], None)
            return
        place = self.free_positional()
        if place is None:
            raise self._unexpected(token)
        if place.many:
            self.args.setdefault(place.key, []).append(token)
        else:
            self.args[place.key] = token

    def _long(self, token: str) -> None:
        name, equals, text = token.partition("=")
        value = text if equals else None
        owner = self._owner(name[2:])
        if owner is not None:
            self._keyword(name[2:], owner, value)
            return
        option = BY_FLAG.get(name)
        if option is None:
            raise self._unknown_option(name)
        self._global(option, name, value)

    def _letters(self, token: str) -> None:
        # A command's own letters win over the global ones: -s is the size in ping, and -br is
        # broadcast and raw in arping, brief everywhere else.
        if token[1] not in self._short and token in BY_FLAG:
            self._global(BY_FLAG[token], token, None)
            return
        name, equals, value = token.partition("=")
        if equals and token[1] not in self._short and name in BY_FLAG:
            self._global(BY_FLAG[name], name, value)  # ip's -c=never
            return
        letters = token[1:]
        for position, letter in enumerate(letters, 1):
            flag = "-" + letter
            owner = self._short.get(letter)
            option = None if owner else BY_FLAG.get(flag)
            if owner is None and option is None:
                raise self._unknown_option(token if len(letters) == 1 else f"{flag} (in {token})")
            metavar = owner.metavar if owner else option.metavar if option else None
            attached = letters[position:] or None if metavar else None
            if owner is not None:
                self._keyword(flag, owner, attached)
            elif option is not None:
                self._global(option, flag, attached)
            if attached is not None:
                return

    # --- values -----------------------------------------------------------------------------
    def _keyword(self, word: str, owner: Keyword | Positional, value: str | None) -> None:
        if isinstance(owner, Positional):
            self._place_word(word, owner, value)
            return
        key = owner.key or owner.words[0]
        if owner.metavar is None:
            if value is not None:
                raise UsageFault(f'{self._path}: "{word}" takes no value')
            if owner.group:
                self._group = {spelt: inner for inner in owner.group for spelt in inner.words}
                self._into = {}
                self.args.setdefault(key, []).append(self._into)
                return
            self._set(key, word.lstrip("-") if owner.choice else True, word, again=not owner.choice)
            return
        text = self._value(word, owner, value)
        if owner.prefix and text == owner.prefix:
            self.args[f"{key}_{text}"] = True
            text = self._value(f"{word} {text}", owner, None)
        if text is not None and owner.many:
            self.args.setdefault(key, []).append(text)
        elif text is not None:
            self._set(key, text, word)

    def _place_word(self, word: str, place: Positional, value: str | None) -> None:
        following = self._tokens[self._at] if self._at < len(self._tokens) else None
        if value is None and following in place.before:
            return
        text = self._value(word, place, value)
        if text is not None:
            self._set(place.key, text, word)

    def _value(
        self, word: str, owner: Keyword | Positional | GlobalOption, value: str | None
    ) -> str | None:
        if value is not None:
            return value
        if self._at < len(self._tokens):
            following = self._tokens[self._at]
            # "--wait -1" is a bad value, which the stack will say; "--dev --json" has none.
            if not (following.startswith("-") and following[1:2].isalpha()) and (
                not following.startswith("--")
            ):
                self._at += 1
                return following
        elif self._resilient:
            self.pending = owner
            return None
        raise UsageFault(
            f'{self._where()}"{word}" needs a value: {word} {owner.metavar or "VALUE"}'
        )

    def _set(self, key: str, value: Any, word: str, *, again: bool = False) -> None:
        into = self._into if word.lstrip("-") in self._group else self.args
        if key in into and not again:
            said = value if word == value else f"{word} {value}"
            raise UsageFault(f'{self._where()}"{said}" is a second value beside "{into[key]}"')
        into[key] = value

    def _global(self, option: GlobalOption, flag: str, value: str | None) -> None:
        if option.name in ("help", "version"):
            if not self._resilient:
                raise EarlyExit(option.name)
        elif option.name == "color":
            self._options.color = self._color(value)
        elif option.metavar is not None:
            text = self._value(flag, option, value)
            if text is not None:
                setattr(self._options, option.name, text)
        elif value is not None:
            raise UsageFault(f'{self._where()}"{flag}" takes no value')
        else:
            setattr(self._options, option.name, True)

    def _color(self, value: str | None) -> str:
        following = self._tokens[self._at] if self._at < len(self._tokens) else ""
        if value is None and following in COLOR_WHEN:
            self._at += 1
            return following
        if value not in (None, *COLOR_WHEN):
            raise UsageFault(f'--color "{value}" is none of: {", ".join(COLOR_WHEN)}')
        return value or "always"

    # --- what is wrong ----------------------------------------------------------------------
    def _where(self) -> str:
        return f"{self._path}: " if self._path else ""

    def _check_complete(self, table: Table) -> None:
        wanted = [(place.key, place.metavar) for place in table.positionals if place.required]
        wanted += [
            (word.key or word.words[0], f"{word.words[0]} {word.metavar}")
            for word in table.keywords
            if word.required
        ]
        for key, name in wanted:
            if key not in self.args:
                example = table.examples[0]
                raise UsageFault(f"{self._where()}{name} is missing", hint=example)

    def _unexpected(self, token: str) -> UsageFault:
        # A misspelt keyword may have been taken for a place's value just before.
        taken = [self.args[place.key] for place in self._table.positionals] if self._table else []
        for suspect in (token, *taken):
            guess = near(WORD_HABITS.get(suspect, suspect), [*self._group, *self._bare])
            if guess is not None:
                return UsageFault(
                    f'{self._where()}"{suspect}" is not known here', hint=f'did you mean "{guess}"?'
                )
        hint = f"smolctl {self._path} --help"
        return UsageFault(f'{self._where()}"{token}" is one word too many', hint=hint)

    def _unknown_option(self, flag: str) -> UsageFault:
        known = [*BY_FLAG, *("--" + word for word in self._words)]
        known += ["-" + letter for letter in self._short]
        guess = near(flag, (name for name in known if name.startswith("--")))
        if guess is not None and flag.startswith("--"):
            hint = f'did you mean "{guess}"?'
        else:
            hint = " ".join(("smolctl", *self._path.split(), "--help"))
        return UsageFault(f'{self._where()}option "{flag}" is not known', hint=hint)
