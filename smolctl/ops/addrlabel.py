"""``smolctl addrlabel``: the policy table of IPv6 source addresses (RFC 6724 2.1)."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved, Words
from smolctl.stack.ipv6.address_labels import (
    DEFAULT_LABELS,
    LABEL_MAX,
    AddressLabel,
)
from smolctl.wire.address import IPV6, format_address


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the rows in the order in which they are asked, as ``ip -j addrlabel``."""
    return [_row(label) for label in ctx.stack.ipv6.labels]


def _row(label: AddressLabel) -> Row:
    row: Row = {"address": format_address(label.prefix), "prefixlen": label.plen}
    if label.dev is not None:
        row["ifname"] = label.dev
    return row | {"label": label.label}


def add(ctx: Context, args: Args) -> Iterable[Row]:
    """Give the addresses of a prefix a label."""
    args.required("label")
    label = args.integer("label", 0, LABEL_MAX)
    assert label is not None
    ctx.stack.ipv6.labels.add(_parse(ctx, args)._replace(label=label))
    ctx.stack.generation.touch()
    return []


def delete(ctx: Context, args: Args) -> Iterable[Row]:
    """Take the label of a prefix away; which label it is does not matter, as in Linux."""
    args.integer("label", 0, LABEL_MAX)
    gone = ctx.stack.ipv6.labels.delete(_parse(ctx, args))
    ctx.stack.generation.touch()
    return [_row(gone)]


def flush(ctx: Context, args: Args) -> Iterable[Row]:
    """Take all labels away."""
    labels = ctx.stack.ipv6.labels
    gone = [labels.delete(label) for label in list(labels)]
    ctx.stack.generation.touch()
    return [_row(label) for label in gone]


def _parse(ctx: Context, args: Args) -> AddressLabel:
    """Return the row that is meant, without its label."""
    args.required("prefix")
    args.family = IPV6
    prefix, dev = args.prefix("prefix"), args.text("dev")
    if prefix is None:
        raise InvalidArgument("the prefix is missing")
    if dev is not None:
        ctx.stack.interface(dev)
    plen = IPV6.bits if prefix[1] is None else prefix[1]
    return AddressLabel(prefix[0], plen, 0, dev)


def save(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield what makes the labels from those that are there in the beginning.

    Their order is that of the prefixes' lengths; among rows of one length, of which one alone can
    be about an address, it means nothing.
    """
    usual, wanted = list(DEFAULT_LABELS), list(ctx.stack.ipv6.labels)
    for label in usual:
        if label not in wanted:
            args = _words(label)
            yield Saved("addrlabel.del", args, ("addrlabel.add", args), key=_key(label))
    for label in reversed(wanted):
        if label not in usual:
            args = _words(label)
            yield Saved("addrlabel.add", args, ("addrlabel.del", args), key=_key(label))


def _key(label: AddressLabel) -> str:
    return f"addrlabel {format_address(label.prefix)}/{label.plen} {label.dev or ''}"


def _words(label: AddressLabel) -> Words:
    args: Words = {"prefix": f"{format_address(label.prefix)}/{label.plen}"}
    if label.dev is not None:
        args["dev"] = label.dev
    return args | {"label": str(label.label)}
