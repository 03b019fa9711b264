"""Addresses that an interface may have, by IPv4."""

from smolctl.errors import InvalidArgument
from smolctl.stack.ip.addresses import Address
from smolctl.wire.address import (
    format_address,
    is_class_e,
    is_limited_broadcast,
    is_multicast,
    is_zeronet,
)


def check_address(new: Address) -> None:
    """Refuse what Linux lets pass and every packet would then trip over.

    Raises:
        InvalidArgument: it is no address that one host can have.

    Deviation: Linux takes 0.0.0.0, multicast and broadcast addresses; RFC 1122 3.2.1.3 forbids
    them as a source. A group that is joined is no source.
    """
    local = new.local
    shown = f"{format_address(local)}/{new.plen}"
    if is_zeronet(local):
        raise InvalidArgument(f"{shown} is in 0.0.0.0/8, which has no host addresses")
    if new.autojoin:
        if not is_multicast(local):
            raise InvalidArgument(
                f"{shown} is not a group that autojoin could join",
                hint="groups are 224.0.0.0 to 239.255.255.255",
            )
        return
    if is_multicast(local):
        raise InvalidArgument(
            f"{shown} is multicast: it cannot be an interface's own address",
            hint="to join the group, add the word autojoin",
        )
    if is_limited_broadcast(local) or is_class_e(local):
        raise InvalidArgument(f"{shown} is reserved or broadcast, not the address of a host")
    host_bits = 32 - new.plen
    if host_bits >= 2 and local & (1 << host_bits) - 1 == (1 << host_bits) - 1:
        raise InvalidArgument(f"{shown} is the broadcast address of its own network")
