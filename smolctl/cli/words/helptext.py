"""The help texts, written from the tables: examples first, then the grammar."""

from collections.abc import Iterable, Iterator, Mapping
from textwrap import fill

from smolctl.cli.words.grammar import Keyword, Positional, Table
from smolctl.cli.words.options import GLOBAL_OPTIONS

_WIDTH = 80


def verb(table: Table) -> str:
    """Return the help text of one command."""
    lines = ["Examples:", *(f"  {example}" for example in table.examples), ""]
    lines += [usage(table), ""]
    lines.append(fill(f"{_sentence(table.summary)} {table.notes}".strip(), _WIDTH))
    entries = [(place_name(place), place.help) for place in table.positionals]
    entries += [(keyword_name(word), keyword_help(word)) for word in table.keywords]
    if entries:
        lines += ["", "Words:" if any(word.bare for word in table.keywords) else "Options:"]
        lines += columns(entries)
    lines += ["", 'Options of every command, such as --json and --stack: "smolctl --help".']
    return "\n".join(lines) + "\n"


def noun(name: str, summary: str, tables: Iterable[Table], default: str | None) -> str:
    """Return the help text of a noun."""
    tables = list(tables)
    lines = ["Examples:", *(f"  {table.examples[0]}" for table in tables), ""]
    lines += [f"Usage: smolctl {name} {'VERB' if default is None else '[VERB]'} [WORDS]", ""]
    lines += [_sentence(summary), "", "Verbs:"]
    for table in tables:
        word = table.path.rpartition(" ")[2]
        mark = f"{word} (or no verb)" if word == default else word
        lines += columns([(mark, table.summary)])
    lines += ["", f'Words and options of a verb: "smolctl {name} VERB --help".']
    return "\n".join(lines) + "\n"


def root(nouns: Mapping[str, str]) -> str:
    """Return the help text of ``smolctl`` itself."""
    lines = [
        "Examples:",
        "  smolctl link add tap0 type tap",
        "  smolctl addr add 10.0.0.1/24 dev tap0",
        "  smolctl route add default via 10.0.0.2",
        "  smolctl udp send 10.0.0.2:9 hello",
        "  smolctl -j neigh show",
        "",
        "Usage: smolctl [OPTIONS] NOUN [VERB] [WORDS]",
        "",
        "A user-space IPv4 stack that is driven like ip, and that can tell you why.",
        "A stack is started when it is first needed; it needs no privileges.",
        "",
        "Nouns:",
        *columns(nouns.items()),
        "",
        "Options of every command, before or after its noun and verb:",
        *columns(
            (
                ", ".join(flag for flag in option.flags if not _is_long_with_one_dash(flag))
                + (f" {option.metavar}" if option.metavar else ""),
                option.help,
            )
            for option in GLOBAL_OPTIONS
        ),
        "",
        'Help for a command: "smolctl NOUN --help" or "smolctl help NOUN VERB".',
    ]
    return "\n".join(lines) + "\n"


def usage(table: Table) -> str:
    """Return the usage line, wrapped."""
    words = [place_usage(place) for place in table.positionals]
    words += [keyword_usage(word) for word in table.keywords]
    start = f"Usage: smolctl {table.path}"
    return fill(
        " ".join((start, *(word.replace(" ", "\0") for word in words))),
        _WIDTH,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\0", " ")


def place_usage(place: Positional) -> str:
    """Return a place as the usage line has it."""
    name = place.metavar + ("..." if place.many else "")
    return name if place.required else f"[{name}]"


def keyword_usage(word: Keyword) -> str:
    """Return a keyword as the usage line has it."""
    names = "|".join(word.words) if word.choice else word.words[0]
    if not word.bare:
        names = f"-{word.short}" if word.short else f"--{names}"
    text = f"{names} {word.metavar}" if word.metavar else names
    if word.group:
        return f"[{' '.join((text, *map(keyword_usage, word.group)))}]..."
    return text if word.required else f"[{text}]"


def place_name(place: Positional) -> str:
    """Return a place as the list of words has it."""
    return f"[{'|'.join(place.words)}] {place.metavar}" if place.words else place.metavar


def keyword_name(word: Keyword) -> str:
    """Return a keyword's spellings as the list of words has them."""
    names = list(word.words) if word.bare else ["--" + name for name in word.words]
    if word.short:
        names.insert(0, "-" + word.short)
    text = (" | " if word.choice else ", ").join(names)
    if word.group:
        return " ".join((text, *map(keyword_usage, word.group)))
    return f"{text} {word.metavar}" if word.metavar else text


def keyword_help(word: Keyword) -> str:
    """Return a keyword's help with its usual values."""
    values = [value for value in word.values if value not in "+-"]
    return f"{word.help} ({', '.join(values)})" if values else word.help


def columns(entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield lines of two columns."""
    for name, text in entries:
        # A name that is too long gets a line of its own.
        head = f"  {name}".ljust(26)
        if len(head) > 26 or head[-1] != " ":
            yield head.rstrip()
            head = " " * 26
        yield fill(text, _WIDTH, initial_indent=head, subsequent_indent=" " * 26)


def _is_long_with_one_dash(flag: str) -> bool:
    # ip's -json and the like: accepted, but not taught.
    return not flag.startswith("--") and len(flag) > 3


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."
