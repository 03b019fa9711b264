"""Arguments back to words: the parser turned round."""

from collections.abc import Iterable, Mapping
from typing import Any

from smolctl.cli.words.grammar import Index, Keyword, Table


def unparse(table: Table, args: Mapping[str, Any]) -> list[str]:
    """Return words that ``Parser`` reads as these arguments, but for what leads to the table."""
    index, words = Index(table), []
    for place in table.positionals:
        if place.key in args:
            text = str(args[place.key])
            taken = text in index.bare or text.startswith("-")
            words += [f"--{place.words[0]}={text}"] if taken and place.words else [text]
    words += _keywords(table.keywords, args)
    return words


def _keywords(keywords: Iterable[Keyword], args: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    said = set()
    for keyword in keywords:
        key = keyword.key or keyword.words[0]
        value = args.get(key)
        name, mark = keyword.words[0], "" if keyword.bare else "--"
        if value is None or key in said:
            continue
        if keyword.group:
            for group in value:
                words += [mark + name, *_keywords(keyword.group, group)]
        elif keyword.metavar is None:
            if keyword.choice and value not in keyword.words:
                continue
            words.append(mark + (str(value) if keyword.choice else name))
        elif keyword.applies(args):
            text = str(value)
            words += [f"--{name}={text}"] if text.startswith("-") else [mark + name, text]
        said.add(key)
    return words
