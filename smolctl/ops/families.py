"""Address families in requests: the networks that one is about."""

from smolctl.stack.ip.network import Network
from smolctl.stack.stack import Stack
from smolctl.wire.address import IPV4, Family


def networks(stack: Stack, family: Family | None) -> list[Network]:
    """Return the network of a family, or all, IPv4 first as ``ip`` has it."""
    return list(stack.networks.values()) if family is None else [stack.networks[family]]


def network(stack: Stack, family: Family | None) -> Network:
    """Return the network of a family; of IPv4 where none is said, as ``ip`` has it."""
    return stack.networks[family or IPV4]
