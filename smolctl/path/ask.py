"""Questions about a path in words: which stack asks, and what."""

from collections.abc import Mapping
from typing import Any

from smolctl.errors import InvalidArgument
from smolctl.near import did_you_mean
from smolctl.ops.args import Args
from smolctl.ops.why import asked
from smolctl.path.follow import follow
from smolctl.path.mend import mend
from smolctl.path.net import Net
from smolctl.path.story import PathQuestion
from smolctl.path.tell import Row, tell
from smolctl.stack.stack import Stack
from smolctl.wire.address import (
    Family,
    family_of,
    format_address,
    is_link_local,
    is_loopback,
    parse_zoned,
)

_WORDS = frozenset(
    {"proto", "src", "sport", "dst", "dport", "size", "dev", "tos", "ttl", "broadcast", "pmtudisc",
     "mark", "uid", "family"}
)  # fmt: skip


def ask(net: Net, words: Mapping[str, Any], stack: str = "") -> Row:
    """Return the row of a path.

    Args:
        words: as ``why.ask`` has them; "src" may be a stack, "NAME@ADDRESS" or an address, and
            "dst" a stack with one address.
        stack: the one that asks where the words leave a choice.

    Raises:
        InvalidArgument: it is no question, or it is not known which stack asks.
    """
    question = question_of(net, words, stack)
    net = net.around(question.node)
    story = follow(net, question)
    return tell(story, mend(net, story))


def question_of(net: Net, words: Mapping[str, Any], stack: str = "") -> PathQuestion:
    """Return a question that was asked in words.

    Raises: as ``ask``.
    """
    words = dict(words)
    node, src = _asker(net, words.pop("src", None), stack)
    if src is not None:
        words["src"] = src
    target = words.get("dst")
    if isinstance(target, str) and target in net.stacks:
        family = words.get("family") if src is None else family_of(parse_zoned(src)[0]).name
        words["dst"] = _only_address(target, net.stacks[target], family)
    args = Args("why.ask", words, _WORDS)
    packet = asked(args, net.stacks[node].networks)
    dev = args.device("src", "dst")
    if dev is not None:
        net.stacks[node].interface(dev)
    return PathQuestion(node, packet._replace(dev=dev))


def _asker(net: Net, src: str | None, stack: str) -> tuple[str, str | None]:
    """Return which stack asks, and from which address; None for the one that it would choose."""
    if src is None:
        return _named(net, stack), None
    if src in net.stacks:
        return src, None
    name, at, text = src.rpartition("@")
    if at:
        _named(net, name)
    try:
        address, _ = parse_zoned(text)
    except ValueError as error:
        # It is no address; perhaps it was to be the name of a stack.
        hint = did_you_mean(src, net.stacks, f"there are: {', '.join(sorted(net.stacks))}")
        raise InvalidArgument(f'"{src}" is no stack and no address: {error}', hint=hint) from None
    owners = [
        node
        for node, each in net.stacks.items()
        if each.networks.for_address(address).fib.is_local(address)
    ]
    if len(owners) > 1 and stack in net.stacks:
        near = net.around(stack).stacks
        owners = [owner for owner in owners if owner in near] or owners
    if at and name not in owners:
        raise InvalidArgument(f"{name} does not have {text}", hint=f"smolctl -n {name} addr show")
    if at or stack in owners:
        return name or stack, text
    if not owners:
        raise InvalidArgument(
            f"none of these stacks has {text}: {', '.join(sorted(net.stacks))}",
            hint="name the stack that asks, or any, in the place of the address",
        )
    if len(owners) > 1:
        choices = " or ".join(f"{owner}@{text}" for owner in sorted(owners))
        raise InvalidArgument(f"{len(owners)} stacks have {text}", hint=f"say {choices}")
    return owners[0], text


def _named(net: Net, name: str) -> str:
    """Return the name of a stack that is there.

    Raises:
        InvalidArgument: it is not.
    """
    if name in net.stacks:
        return name
    if not name or name == "default":
        if len(net.stacks) == 1:
            return next(iter(net.stacks))
        hint = "name it in the place of SRC"
        raise InvalidArgument(
            f"which stack asks? one of {', '.join(sorted(net.stacks))}", hint=hint
        )
    others = f"there are: {', '.join(sorted(net.stacks))}"
    raise InvalidArgument(
        f'"{name}" is none of these stacks', hint=did_you_mean(name, net.stacks, others)
    )


def _only_address(name: str, stack: Stack, family: object) -> str:
    """Return the one address of a stack.

    Raises:
        InvalidArgument: it has none, or several.
    """
    found = [
        format_address(item.local)
        for kind, network in stack.networks.items()
        for interface in stack.interfaces.values()
        for item in network.of(interface).addresses.items
        if _is_asked(kind, family) and not is_loopback(item.local) and not is_link_local(item.local)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidArgument(f"{name} has no address", hint=f"smolctl -n {name} addr show")
    raise InvalidArgument(f"{name} has {len(found)} addresses", hint=f"say one: {', '.join(found)}")


def _is_asked(kind: Family, family: object) -> bool:
    return family in (None, kind.name)
