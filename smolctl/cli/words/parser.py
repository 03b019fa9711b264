"""click's parser, taught to read words without dashes."""

from collections.abc import Iterable, Iterator
from typing import Any

import click

from smolctl.cli.words.aliases import WORD_HABITS
from smolctl.cli.words.grammar import Args, NotSupported, Place, Spoken, UsageFault, Word
from smolctl.near import near

try:
    from click.parser import _Option, _OptionParser, _ParsingState
except ImportError:  # click 8.1
    from click.parser import Option as _Option  # type: ignore[no-redef]
    from click.parser import OptionParser as _OptionParser  # type: ignore[no-redef]
    from click.parser import ParsingState as _ParsingState  # type: ignore[no-redef]


_WIDTHS = {"inet": "IPv4", "inet6": "IPv6"}
_FAMILIES = (*_WIDTHS, "link", "mpls", "bridge")


class Spelling(_Option):
    """One spelling of a parameter; click alone would let a second value replace the first."""

    obj: Any

    def process(self, value: Any, state: Any) -> None:
        """Keep a value.

        Raises:
            UsageFault: there is one already.
        """
        name = self.dest
        if self.action == "store_const":
            value = self.const
        elif self.action != "store":  # a word that may come again
            state.opts.setdefault(name, []).append(value)
            return
        if self.obj.refused:
            raise NotSupported(self.obj.names[0])
        if self.obj.type is not click.UNPROCESSED:
            value = self.obj.type.convert(value, self.obj, None)
        if name in state.opts and value is not True:
            word = (*self.obj.words, name)[0]
            said = f"{word} {value}" if self.takes_value else value
            raise UsageFault(f'"{said}" is a second value, after "{state.opts[name]}"')
        state.opts[name] = value


class AtOnce(_Option):
    """A spelling of an option of all commands, which counts from where it stands."""

    obj: Any
    parser: "Parser"

    def process(self, value: Any, state: Any) -> None:
        """Call what the option does.

        Raises:
            NotSupported: it does nothing here.
        """
        if self.obj.callback is None:
            raise NotSupported(self.parser.word.partition("=")[0])
        said = value if self.action == "store" else True
        self.obj.callback(self.parser.ctx, self.obj, said)


_NO_DEVICES = ("default", "all", "any")
"""Words that may stand in place of an address."""
_NUMERIC = frozenset({"ADDR", "BYTES", "ID", "MAC", "N", "NUMBER", "PREFIX", "SECONDS", "TIME"})
"""Labels of values that are no names, so that a word of the command is none of them."""


class Parser(_OptionParser):
    """Reads the words after the name of a command.

    click splits options, letters and values, as its parameters told it. Added is what ``ip`` needs:
    words without dashes, places that are filled from left to right, and our errors.

    Args:
        path: the words that lead to the command; "" where a noun or verb is expected: then the
            first word that is no option ends the reading.
        params: what the command takes.
        resilient: never raise: completion reads an unfinished line.
    """

    def __init__(
        self, path: str, params: Iterable[click.Parameter], *, resilient: bool = False
    ) -> None:
        super().__init__()
        self.path = path
        self.resilient = resilient
        self.allow_interspersed_args = bool(path)
        self.pending: click.Parameter | None = None
        """The option without its value, at which the line breaks off."""
        self.group: dict[str, _Option] = {}
        """The words of the group that the line is in."""
        self.inner: tuple[Word, ...] = ()
        """The same as parameters."""
        self.into: Args = {}
        """Values of the group."""
        self.places: list[Place] = []
        self._bare: dict[str, _Option] = {}
        self._within: list[tuple[Word, _Option]] = []
        self._groups: dict[Any, dict[str, _Option]] = {}
        self._words: list[str] = []
        self.word = ""
        """As it was typed, the one that is being read."""
        self._left = 0
        for param in params:
            param.add_to_parser(self, None)  # type: ignore[arg-type]

    def read(self, ctx: click.Context, words: Iterable[str]) -> tuple[Args, list[str]]:
        """Return the arguments by their names, and the words from a noun or verb on.

        Raises:
            UsageFault: the words do not follow the grammar.
            click.exceptions.Exit: an option showed a text and ended the command.
        """
        self.ctx = ctx
        self.group = {}
        words = self._words = list(words)
        args, rest, _ = self.parse_args(list(words))
        return args, rest

    # --- what click's parameters tell -------------------------------------------------------------
    def add_option(
        self,
        obj: Any,
        opts: Any,
        dest: str | None,
        action: str | None = None,
        nargs: int = 1,
        const: Any = None,
    ) -> None:
        """Take an option; click has its own way to do so, which knows no bare words."""
        spelling: _Option
        if hasattr(obj, "words"):
            spelling = Spelling(obj, opts, dest, action, nargs, const)
        else:
            spelling = AtOnce(obj, opts, dest, action, nargs, const)
            spelling.parser = self
        if getattr(obj, "within", None):
            self._within.append((obj, spelling))
            return
        for flag in opts:
            self._long_opt[flag] = spelling  # a letter, too: it is found at once
            if len(flag) == 2:
                self._short_opt[flag] = spelling
            elif flag.startswith("--") and getattr(obj, "bare", False):
                self._bare[flag[2:]] = spelling

    def add_argument(self, obj: Any, dest: str | None, nargs: int = 1) -> None:
        """Take an argument."""
        self.places.append(obj)

    # --- one word after the other -----------------------------------------------------------------
    def _process_args_for_options(self, state: Any) -> None:
        rargs: list[str] = state.rargs
        bare = self._bare
        literal = False
        while rargs:
            word = self.word = rargs.pop(0)
            self._left = len(rargs)
            try:
                if literal:
                    self._place(word, state)
                elif word in self.group:
                    self._in_group(word, state)
                elif word in bare:
                    self._match_long_opt(f"--{word}", None, state)
                elif word[:1] != "-" or len(word) == 1:
                    if not self.allow_interspersed_args:
                        state.largs = [word, *rargs]
                        return
                    self._place(word, state)
                elif word == "--":
                    literal = True
                else:
                    self._process_opts(word, state)
            except click.NoSuchOption as error:
                if not self.resilient:
                    raise self._unknown_option(word, error.option_name) from None
            except UsageFault as fault:
                if not self.resilient:
                    raise self._placed(fault) from None

    def _process_args_for_args(self, state: Any) -> None:
        """Do nothing: the places have their words."""

    def _place(self, word: str, state: Any) -> None:
        for place in self.places:
            if place.nargs == -1:
                state.opts.setdefault(place.name, []).append(word)
            elif place.name not in state.opts:
                state.opts[place.name] = place.type.convert(word, place, None)
            else:
                continue
            if place.rest:
                state.opts[place.name] += state.rargs
                state.rargs.clear()
            return
        whole = self._completed(word)
        if whole is None:
            raise self._unexpected(word, state.opts)
        self._match_long_opt(f"--{whole}", None, state)

    def _completed(self, word: str) -> str | None:
        """Return the one word that begins like this, where nothing else can be meant."""
        found = {
            (spelling.const if obj.choice else obj): whole
            for whole, spelling in self._bare.items()
            if whole.startswith(word) and isinstance(obj := spelling.obj, Word) and len(word) > 1
        }
        return found.popitem()[1] if len(found) == 1 else None

    def _match_long_opt(self, opt: str, explicit_value: str | None, state: Any) -> None:
        spelling = self._long_opt.get(opt)
        for word, within in self._within:
            if opt[2:] in word.words and word.applies(state.opts):
                spelling = within
        if spelling is None:
            raise click.NoSuchOption(opt)
        if not spelling.takes_value:
            if explicit_value is not None:
                raise UsageFault(f'"{opt.removeprefix("--")}" takes no value')
            if spelling.obj.__class__ is Word and spelling.obj.group:
                self._begin_group(spelling, state)
            else:
                spelling.process(None, state)
            return
        if explicit_value is None:
            obj: Any = spelling.obj
            if state.rargs and state.rargs[0] in obj.before:
                return
            name = opt.removeprefix("--") if obj.bare else opt
            explicit_value = self._value(name, spelling, state)
        spelling.process(explicit_value, state)

    def _value(self, name: str, spelling: _Option, state: Any) -> Any:
        """Return the value that follows, behind the words that may stand before it."""
        obj: Any = spelling.obj
        value = self._get_value_from_state(name, spelling, state)
        if obj.prefix and value == obj.prefix:
            state.opts[f"{spelling.dest}_{value}"] = True
        elif not obj.family or value not in _FAMILIES:
            return value
        elif value not in _WIDTHS:
            raise NotSupported(f"{name} {value}", f"{name} inet {obj.metavar}")
        else:
            return self._address(f"{name} {value}", value, spelling, state)
        return self._get_value_from_state(f"{name} {value}", spelling, state)

    def _address(self, name: str, family: str, spelling: _Option, state: Any) -> Any:
        """Return the address that follows the name of its family."""
        value = self._get_value_from_state(name, spelling, state)
        if (":" in value) is not (family == "inet6") and not self.resilient:
            raise UsageFault(f'"{value}" is not an {_WIDTHS[family]} address')
        return value

    def _get_value_from_state(self, option_name: str, option: _Option, state: Any) -> Any:
        """Return the word that follows; what looks like an option is no value, but -1 is."""
        rargs: list[str] = state.rargs
        obj: Any = option.obj
        if rargs and len(rargs) > self._left:  # click took it off its letter: -c3
            return rargs.pop(0)
        if optional := obj.optional:
            return rargs.pop(0) if rargs and rargs[0] in optional else None
        if rargs:
            following = rargs[0]
            if following in self._bare and obj.metavar in _NUMERIC and not self.resilient:
                raise UsageFault(f'"{option_name}" needs a value: {option_name} {obj.metavar}')
            if following[:1] != "-" or not (following[1:2].isalpha() or following[1:2] == "-"):
                self._left -= 1
                return rargs.pop(0)
        elif self.resilient:
            self.pending = obj
        raise UsageFault(f'"{option_name}" needs a value: {option_name} {obj.metavar}')

    # --- groups -----------------------------------------------------------------------------------
    def _begin_group(self, spelling: _Option, state: Any) -> None:
        obj: Any = spelling.obj
        if obj not in self._groups:
            self._groups[obj] = Parser(self.path, obj.group)._bare
        self.group, self.inner = self._groups[obj], obj.group
        self.into = {}
        state.opts.setdefault(spelling.dest, []).append(self.into)

    def _in_group(self, word: str, state: Any) -> None:
        spelling = self.group[word]
        inner = _ParsingState(state.rargs)
        inner.opts = self.into
        value = self._value(word, spelling, state) if spelling.takes_value else None
        spelling.process(value, inner)

    # --- what is wrong ----------------------------------------------------------------------------
    def _placed(self, fault: UsageFault) -> UsageFault:
        """Return an error with the command in front that it is about."""
        if self.path and not fault.message.startswith(("--color", f"{self.path}: ")):
            fault.message = f"{self.path}: {fault.message}"
        return fault

    def _unexpected(self, word: str, args: Args) -> UsageFault:
        for spelling in self._long_opt.values():
            obj: Any = spelling.obj
            doubt = getattr(obj.type, "doubt", None)
            if doubt and obj.name in args and (fault := doubt(args[obj.name])):
                return fault  # type: ignore[no-any-return]
        if fault := self._device_first(word, args):
            return fault
        # A misspelt word may have been taken for a place's value just before.
        known = [word for word, each in self._bare.items() if not each.obj.hidden]
        for suspect in (word, *(args[place.name] for place in self.places)):
            guess = near(WORD_HABITS.get(suspect, suspect), [*self.group, *known])
            if guess is not None:
                return UsageFault(f'"{suspect}" is not known here', hint=f'did you mean "{guess}"?')
        if (option := f"--{word}") in self._long_opt:
            return UsageFault(f'"{word}" is an option here', hint=f"write {option}")
        hint = (
            self._joined(word, args)
            or self._with_its_name(word, args)
            or f"smolctl {self.path} --help"
        )
        return UsageFault(f'"{word}" is one word too many', hint=hint)

    def _with_its_name(self, word: str, args: Args) -> str | None:
        """Return the line with the name before a value, which was left out; None if none fits."""
        name = "via" if _is_number(word) else "dev" if word[:1].isalpha() else ""
        param = next((param for param in self._named() if name in param.words), None)
        if param is None or param.name in args:
            return None
        at = len(self._words) - self._left - 1
        if self._left and self._words[at + 1] not in self._bare and name == "dev":
            return None  # a device has no value: it is an unknown name with one
        return " ".join(("smolctl", self.path, *self._words[:at], name, *self._words[at:]))

    def _device_first(self, word: str, args: Args) -> UsageFault | None:
        """Return the error for ``addr add eth0 10.0.0.1/24``, as ifconfig has it; else None."""
        dev = next((param for param in self._named() if "dev" in param.words), None)
        place = next(iter(self.places), None)
        if dev is None or dev.name in args or place is None or not _is_number(word):
            return None
        taken = args[place.name]
        words = list(self._words)
        if not taken[:1].isalpha() or taken in _NO_DEVICES or taken not in words:
            return None
        words[len(words) - self._left - 1 : len(words) - self._left] = ["dev", taken]
        words[words.index(taken)] = word
        return UsageFault(
            f'expected {place.metavar}, not "{taken}"',
            hint=" ".join(("smolctl", self.path, *words)),
        )

    def _joined(self, word: str, args: Args) -> str | None:
        """Return the line with KEY=VALUE for ``KEY VALUE`` or ``KEY = VALUE``; None if not so."""
        place = next((each for each in self.places if "[=" in str(each.metavar)), None)
        if place is None:
            return None
        after = self._words[len(self._words) - self._left :]
        if args[place.name] in _VERBS and not after:
            return f"smolctl {self.path} {word}"
        key, value = args[place.name].removesuffix("="), word.removeprefix("=")
        if not value and after:
            value = after.pop(0)
        if "=" in key + value or not value or after:
            return None
        return f"smolctl {self.path} {key}={value}"

    def _named(self) -> Iterator[Any]:
        """Yield the parameters that have names."""
        yield from (spelling.obj for spelling in self._bare.values())
        yield from (place for place in self.places if place.words)

    def _unknown_option(self, word: str, flag: str) -> UsageFault:
        shown = word.partition("=")[0] if word.startswith("--") else flag
        if not word.startswith("--") and len(word) > 2:
            shown = f"{flag} (in {word})"
        known = [name for name, each in self._long_opt.items() if not each.obj.hidden]
        guess = near(shown, [name for name in known if name.startswith("--")])
        if guess is not None and shown.startswith("--"):
            hint = f'did you mean "{guess}"?'
        else:
            hint = " ".join(("smolctl", *self.path.split(), "--help"))
        return self._placed(UsageFault(f'option "{shown}" is not known', hint=hint))


_VERBS = frozenset({"show", "list", "ls", "get", "set", "dev"})
"""Words that other commands have before what is KEY[=VALUE] here."""


def _is_number(word: str) -> bool:
    """Return whether a word looks like an address or a prefix."""
    return word[:1].isdigit() and "." in word


def missing(params: Iterable[click.Parameter], args: Args) -> str | None:
    """Return the name of a parameter that is required and was not said, not by a zone either."""
    for param in params:
        zoned = isinstance(param, Spoken) and any("%" in str(args.get(a)) for a in param.in_zone)
        if param.name not in args and not zoned:
            return f"{param.words[0]} {param.metavar}" if isinstance(param, Word) else param.metavar
    return None
