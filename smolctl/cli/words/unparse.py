"""Arguments back to words: the parser turned round."""

from collections.abc import Iterable, Mapping
from typing import Any

import click

from smolctl.cli.words.grammar import Place, Spoken, Word


def unparse(params: Iterable[click.Parameter], args: Mapping[str, Any]) -> list[str]:
    """Return words that are read as these arguments, but for what leads to the command."""
    owners = [param for param in params if isinstance(param, Spoken)]
    bare = {word for owner in owners if owner.bare for word in owner.words}
    words: list[str] = []
    for place in owners:
        if isinstance(place, Place) and place.name in args:
            text = str(args[place.name])
            taken = text in bare or text.startswith("-")
            words += [f"--{place.words[0]}={text}"] if taken and place.words else [text]
    return words + _spoken([owner for owner in owners if isinstance(owner, Word)], args)


def _spoken(own: Iterable[Word], args: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    said = set()
    for word in own:
        value = args.get(word.name)
        name, mark = word.words[0], "" if word.bare else "--"
        if value is None or word.name in said:
            continue
        if word.group:
            for group in value:
                words += [mark + name, *_spoken(word.group, group)]
        elif word.metavar is None:
            if word.choice and value not in word.words:
                continue
            words.append(mark + (str(value) if word.choice else name))
        elif word.applies(args):
            text = str(value)
            before = [word.prefix] if args.get(f"{word.name}_{word.prefix}") else []
            spoken = [mark + name, *before, text]
            words += [f"--{name}={text}"] if text.startswith("-") else spoken
        said.add(word.name)
    return words
