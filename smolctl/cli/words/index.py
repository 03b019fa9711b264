"""The words of a table, found by what is typed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smolctl.cli.words.grammar import Keyword, Positional, Table


class Index:
    """The words of a table, and what each of them is."""

    def __init__(self, table: "Table | None") -> None:
        self.words: dict[str, Keyword | Positional] = {}
        self.within: list[Keyword] = []
        self.bare: set[str] = set()
        self.short: dict[str, Keyword] = {}
        for positional in table.positionals if table else ():
            for word in positional.words:
                self.words[word] = positional
                self.bare.add(word)
        for keyword in table.keywords if table else ():
            if keyword.within:
                self.within.append(keyword)
                continue
            for word in keyword.words:
                self.words[word] = keyword
            if keyword.bare:
                self.bare.update(keyword.words)
            if keyword.short:
                self.short[keyword.short] = keyword
