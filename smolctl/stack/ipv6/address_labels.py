"""The policy table of source addresses: labels of prefixes (RFC 6724 2.1; ``ip addrlabel``)."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.wire.address import IPV6, format_address, parse_prefix

LABEL_MAX = 0xFFFFFFFE
"""Linux takes any number of 32 bits but the last, which says that there is none."""


class AddressLabel(NamedTuple):
    """One row: the addresses of a prefix have a label.

    Attributes:
        prefix, plen: address without host bits, and its length in bits.
        label: 0..``LABEL_MAX``. A source address whose label is that of the destination is
            preferred (RFC 6724 5, rule 6).
        dev: the interface that the row is for, None for all.
    """

    prefix: int
    plen: int
    label: int
    dev: str | None = None


def _row(text: str, label: int) -> AddressLabel:
    prefix, plen = parse_prefix(text)
    return AddressLabel(prefix, plen or 0, label)


DEFAULT_LABELS = (
    _row("::1/128", 0),
    _row("::/96", 3),
    _row("::ffff:0:0/96", 4),
    _row("2001::/32", 6),
    _row("2001:10::/28", 7),
    _row("3ffe::/16", 12),
    _row("2002::/16", 2),
    _row("fec0::/10", 11),
    _row("fc00::/7", 5),
    _row("::/0", 1),
)
"""The rows of a new stack. Source: Linux ``ip6addrlbl_init_table``; RFC 6724 2.1."""


class AddressLabels:
    """The rows of one stack, the longest prefix first.

    Of the same length those for one interface come first, and of these the oldest; of the others
    the newest.
    """

    def __init__(self, rows: Iterable[AddressLabel] = DEFAULT_LABELS) -> None:
        self._rows = list(rows)

    def __iter__(self) -> Iterator[AddressLabel]:
        return iter(self._rows)

    def clone(self) -> "AddressLabels":
        """Return the same rows, to be changed on their own."""
        return AddressLabels(self._rows)

    def label(self, address: int, dev: str) -> int | None:
        """Return the label of an address on an interface, None where no row is about it."""
        for prefix, plen, label, only in self._rows:
            if only in (None, dev) and not (address ^ prefix) >> IPV6.bits - plen:
                return label
        return None

    def add(self, row: AddressLabel) -> None:
        """Put a row in.

        Raises:
            InvalidArgument: host bits are set.
            AlreadyExists: its prefix and interface have one.
        """
        host_bits = IPV6.bits - row.plen
        if row.prefix & (1 << host_bits) - 1:
            network = row.prefix >> host_bits << host_bits
            raise InvalidArgument(
                f"{format_address(row.prefix)}/{row.plen} has host bits set",
                hint=f"the prefix is {format_address(network)}/{row.plen}",
            )
        if self._find(row) is not None:
            raise AlreadyExists("the prefix has a label already", hint="smolctl addrlabel list")
        # Those for one interface come first (Linux __ip6addrlbl_add).
        later = (
            at
            for at, old in enumerate(self._rows)
            if old.plen < row.plen or (old.plen == row.plen and old.dev is None)
        )
        self._rows.insert(next(later, len(self._rows)), row)

    def delete(self, row: AddressLabel) -> AddressLabel:
        """Take the row of a prefix and interface out, and return it; its label does not count.

        Raises:
            NotFound: there is none.
        """
        found = self._find(row)
        if found is None:
            raise NotFound(
                f"no label is for {format_address(row.prefix)}/{row.plen}",
                hint="smolctl addrlabel list",
            )
        self._rows.remove(found)
        return found

    def forget(self, dev: str) -> None:
        """Take the rows for an interface out.

        Deviation: Linux keeps them (``addrlabel.c`` hears of no link), under a number that no other
        link gets; here a link of the same name would.
        """
        self._rows = [row for row in self._rows if row.dev != dev]

    def _find(self, wanted: AddressLabel) -> AddressLabel | None:
        key = wanted.prefix, wanted.plen, wanted.dev
        return next((row for row in self._rows if (row.prefix, row.plen, row.dev) == key), None)
