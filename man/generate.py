"""Write the man pages: ``python man/generate.py``.

SYNOPSIS, OPTIONS, EXIT STATUS and EXAMPLES come from the tables of the command line, the rest from
``prose.py``. A test holds the pages to what this writes.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

HERE = Path(__file__).parent
TUTORIAL = HERE.parent / "docs" / "tutorial.md"
sys.path[:0] = [str(HERE), str(HERE.parent)]

import click  # noqa: E402
import tutorial  # noqa: E402
from prose import (  # noqa: E402
    COMMON_ENVIRONMENT,
    DATE,
    ENVIRONMENT,
    FILES,
    LAYERS,
    MAIN_EXAMPLES,
    PROSE,
    SEE_ALSO,
    SUBSECTIONS,
)

from smolctl import __version__  # noqa: E402
from smolctl.cli.exit import meanings  # noqa: E402
from smolctl.cli.main import NOUNS, ROOT, TAUGHT  # noqa: E402
from smolctl.cli.nouns.explain import row  # noqa: E402
from smolctl.cli.words.aliases import NOUN_ALIASES, VERB_ALIASES  # noqa: E402
from smolctl.cli.words.command import Noun, Verb  # noqa: E402
from smolctl.cli.words.grammar import Place, Word  # noqa: E402
from smolctl.stack.reason import MEANINGS as MEANINGS_OF_KINDS  # noqa: E402
from smolctl.stack.reason import REASONS, Reason  # noqa: E402


def pages() -> dict[str, str]:
    """Return the text of every page by file name."""
    nouns = [name for name in NOUNS if name != "help"]
    made = {f"smolctl-{name}.8": _noun_page(name) for name in nouns}
    return {
        "smolctl.8": _main_page(nouns),
        "smolctl-reasons.7": _reasons_page(),
        "smolctl-tutorial.7": tutorial.page(TUTORIAL.read_text(), _heading("smolctl-tutorial", 7)),
        **made,
    }


# --- roff ---------------------------------------------------------------------------------------
def _escape(text: str) -> str:
    """Return text for roff: its own backslashes, and hyphens that can be copied to a shell."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def _bold(text: str) -> str:
    return f"\\fB{_escape(text)}\\fR"


def _italic(text: str) -> str:
    return f"\\fI{_escape(text)}\\fR"


def _section(title: str, *lines: str) -> Iterator[str]:
    yield f".SH {title}"
    yield from lines


def _text(text: str) -> Iterator[str]:
    """Yield short lines; a sentence begins a line, so that a change shows as one."""
    for sentence in re.split(r"(?<=[.;:]) ", " ".join(text.split())):
        lines = wrap(sentence, 72, break_long_words=False, break_on_hyphens=False)
        yield from (_escape(line) for line in lines)


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield from _text(paragraph)


def _item(name: str, text: str) -> Iterator[str]:
    yield from (".TP", name, *_text(text))


def _heading(title: str, section: int = 8) -> str:
    number = f'{section} {DATE} "smolctl {__version__}" "smolctl manual"'
    # Words to be typed are not hyphenated, and lines not filled with blanks.
    return f".TH {_escape(title.upper())} {number}\n.nh\n.ad l"


# --- what the tables say ------------------------------------------------------------------------
def _value(word: str, metavar: str | None) -> str:
    return f"{_bold(word)} {_italic(metavar)}" if metavar else _bold(word)


def _word_synopsis(word: Word) -> str:
    words = word.words if word.choice else word.words[:1]
    if not word.bare:
        words = (f"-{word.short}",) if word.short else tuple(f"--{each}" for each in words)
    text = "|".join(_value(each, word.metavar) for each in words)
    if word.group:
        return "\n".join((f"[{text}", *map(_word_synopsis, word.group), "]..."))
    return text if word.required else f"[{text}]"


def _shown(params: Iterable[click.Parameter]) -> list[click.Parameter]:
    """Return the parameters that are taught, not those that only a habit would say."""
    return [param for param in params if not getattr(param, "hidden", False)]


def _synopsis(verb: Verb) -> Iterator[str]:
    yield f"{_bold('smolctl')} [{_italic('OPTIONS')}] {_bold(verb.path)}"
    for param in _shown(verb.params):
        if isinstance(param, Word):
            yield _word_synopsis(param)
        else:
            text = _italic(str(param.metavar)) + ("..." if param.nargs == -1 else "")
            yield text if param.required else f"[{text}]"


def _names(param: click.Parameter) -> str:
    """Return how one word of a command is written, with its other spellings."""
    if isinstance(param, Place):
        before = f"[{'|'.join(map(_bold, param.words))}] " if param.words else ""
        return before + _italic(str(param.metavar))
    names = param.names if isinstance(param, Word) else param.opts
    return ", ".join(_value(name, param.metavar) for name in names)


def _words(verb: Verb) -> Iterator[str]:
    for param in _shown(verb.params):
        text = param.explained if isinstance(param, Word) else param.help
        yield from _item(_names(param), _sentence(str(text)))
        for inner in getattr(param, "group", ()):
            name = f"{_bold(param.words[0])} {_names(inner)}"
            yield from _item(name, _sentence(inner.explained))


def _global_options() -> Iterator[str]:
    for option in _shown(TAUGHT):
        yield from _item(_names(option), _sentence(str(option.help)))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _exit_status(name: str) -> Iterator[str]:
    yield from _section("EXIT STATUS")
    for number, meaning in meanings(name).items():
        yield from _item(_bold(str(number)), meaning)


def _environment(name: str) -> Iterator[str]:
    yield from _section("ENVIRONMENT")
    for variable, text in (*COMMON_ENVIRONMENT, *ENVIRONMENT.get(name, ())):
        yield from _item(_bold(variable), text)


def _files() -> Iterator[str]:
    yield from _section("FILES")
    for path, text in FILES:
        yield from _item(_italic(path), text)


def _examples(verbs: list[Verb]) -> Iterator[str]:
    yield from _section("EXAMPLES")
    for verb in verbs:
        yield from (".TP", f"{_sentence(verb.summary)}")
        for example in verb.examples:
            yield from (".EX", _escape(example), ".EE")


def _see_also(name: str, nouns: list[str]) -> Iterator[str]:
    pages = (
        [("smolctl", "8")] if name != "smolctl" else [(f"smolctl-{noun}", "8") for noun in nouns]
    )
    pages += SEE_ALSO.get(name, [])
    text = [f".BR {_escape(page)} ({section})" for page, section in pages]
    yield from _section("SEE ALSO", *(f"{line} ," for line in text[:-1]), text[-1])


# --- pages --------------------------------------------------------------------------------------
def _verbs(name: str) -> list[Verb]:
    command = ROOT.get_command(click.Context(ROOT, info_name="smolctl"), name)
    if isinstance(command, Noun):
        return [verb for verb in command.commands.values() if isinstance(verb, Verb)]
    assert isinstance(command, Verb)
    return [command]


def _noun_page(name: str) -> str:
    verbs = _verbs(name)
    lines = [_heading(f"smolctl-{name}")]
    lines += _section("NAME", f"smolctl\\-{name} \\- {_escape(NOUNS[name])}")
    lines += _section("SYNOPSIS")
    for number, verb in enumerate(verbs):
        lines += [".PP"] if number else []
        lines += _synopsis(verb)
    lines += _section("DESCRIPTION", *_paragraphs(PROSE[name]))
    if name in SUBSECTIONS:
        title, text, items = SUBSECTIONS[name]
        lines += [f".SS {title}", *_paragraphs(text)]
        for words, meaning in items:
            lines += _item(_bold(words), meaning)
    lines += _section("OPTIONS")
    for verb in verbs:
        if len(verbs) > 1:
            lines.append(f".SS {_escape(verb.path)}")
        lines += _paragraphs(f"{_sentence(verb.summary)} {verb.notes}")
        lines += _words(verb)
    lines += [".PP", "Options of every command are in", ".BR smolctl (8)."]
    lines += [*_exit_status(name), *_environment(name), *_files(), *_examples(verbs)]
    lines += _see_also(name, [])
    return "\n".join(lines) + "\n"


def _main_page(nouns: list[str]) -> str:
    lines = [_heading("smolctl")]
    lines += _section("NAME", "smolctl \\- a stack of IPv4 and IPv6 that is driven like ip")
    lines += _section(
        "SYNOPSIS",
        f"{_bold('smolctl')} [{_italic('OPTIONS')}] {_italic('NOUN')} [{_italic('VERB')}]"
        f" [{_italic('WORDS')}]",
    )
    lines += _section("DESCRIPTION", *_paragraphs(PROSE["smolctl"]))
    lines += [".SS Nouns"]
    for noun in nouns:
        lines += [".TP", f".BR smolctl\\-{noun} (8)", *_text(_sentence(NOUNS[noun]))]
    lines += _item(_bold("help"), "Show the help text of a command: smolctl help NOUN VERB.")
    lines += [".SS Short forms", "Nouns and verbs have these other spellings, and no more:"]
    for aliases in (NOUN_ALIASES, VERB_ALIASES):
        for full in dict.fromkeys(aliases.values()):
            short = [alias for alias, name in aliases.items() if name == full]
            lines += _item(_bold(full), ", ".join(short))
    lines += _section("OPTIONS", "They may stand before and after the noun and the verb. A")
    lines += ["command's own option of the same letter wins after its verb.", *_global_options()]
    lines += [*_exit_status("smolctl"), *_environment("smolctl"), *_files()]
    lines += _section("EXAMPLES")
    for text, examples in MAIN_EXAMPLES:
        lines += [".PP"] if lines[-1] == ".RE" else []
        lines += [*_text(text), ".RS 4"]
        for example in examples:
            lines += [".EX", _escape(example), ".EE"]
        lines += [".RE"]
    lines += _see_also("smolctl", nouns)
    return "\n".join(lines) + "\n"


def _reasons_page() -> str:
    lines = [_heading("smolctl-reasons", 7)]
    lines += _section(
        "NAME", "smolctl\\-reasons \\- why packets are dropped, refused or delayed by smolctl"
    )
    lines += _section("SYNOPSIS", *_synopsis(_verbs("explain")[0]))
    lines += _section("DESCRIPTION", *_paragraphs(PROSE["reasons"]))
    for kind, meaning in MEANINGS_OF_KINDS.items():
        lines += _item(_bold(kind.value), _sentence(meaning))
    for layer in dict.fromkeys(reason.layer for reason in REASONS.values()):
        lines += _section(LAYERS[layer])
        for reason in REASONS.values():
            if reason.layer == layer:
                lines += _reason(reason)
    lines += _examples(_verbs("explain"))
    lines += _see_also("reasons", [])
    return "\n".join(lines) + "\n"


def _reason(reason: Reason) -> Iterator[str]:
    known = [text for text in (reason.kind.value, reason.source, reason.linux) if text != "-"]
    yield f".SS {_escape(reason.name)}"
    yield from _text(f"{_sentence(reason.summary)} ({'; '.join(known)})")
    yield from (".PP", *_text(reason.explanation))
    entry = row(reason)
    yield from _item("why:", entry["why"])
    for fix in entry["fix"]:
        yield from (".TP", "fix:", _bold(fix))
    if "look" in entry:
        yield from _item("look:", entry["look"])


if __name__ == "__main__":
    for file, text in pages().items():
        (HERE / file).write_text(text)
