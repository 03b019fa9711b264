"""Whose an address is: it is tested before it is used, announced, and defended (RFC 5227).

No state is here: the claims of a link are in ``interface.claims``, what they decided in the
addresses. A packet changes claims alone; addresses and routes follow when time passes.
"""

from typing import TYPE_CHECKING

from smolctl.stack.explain import suggest
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.addresses import Address
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC, format_address, format_mac

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

from typing import TYPE_CHECKING

from smolctl.stack import events, reason
from smolctl.stack.ip.dad import Announce, Cede, Defence, Probe, Take
from smolctl.stack.ip.derived_routes import derived, sync
from smolctl.stack.neighbor.output import arp_output
from smolctl.stack.reason import Reason
from smolctl.stack.trace.trace import Direction
from smolctl.wire import arp

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack

Refused = tuple[Reason, dict[str, object]]

# --- what a user changes --------------------------------------------------------------------------


def added(stack: "Stack", interface: Interface, address: Address, now: int) -> None:
    """Begin to test a new address, or announce it."""
    if address.tentative:
        _test(stack, interface, address, now)
    elif stack.settings["arp.notify"]:
        announce(stack, interface, address, now)


def retest(stack: "Stack", interface: Interface, address: Address, now: int) -> None:
    """Use an address no more until it was tested, or tested again."""
    if not address.tentative:
        _settle(stack, interface, address, tentative=True)
    address.dadfailed, address.rival = False, None
    _test(stack, interface, address, now)


def take_untested(stack: "Stack", interface: Interface, address: Address, now: int) -> None:
    """Use an address at once, whoever has it."""
    interface.claims.forget(address)
    if address.tentative:
        address.rival = None
        _settle(stack, interface, address, tentative=False)
        if stack.settings["arp.notify"]:
            announce(stack, interface, address, now)


def activated(stack: "Stack", interface: Interface, now: int) -> None:
    """A link came up or got carrier: test its addresses again, or announce them.

    RFC 5227 2.1: also when an interface becomes active; but it MUST NOT be done periodically.
    Deviation: Linux announces when a link is set up, not when it gets carrier (arp_notify).
    """
    if not is_active(interface):
        return
    for address in list(interface.addresses.items):
        if wants_test(stack, interface, address):
            retest(stack, interface, address, now)
    notify(stack, interface, now)


def notify(stack: "Stack", interface: Interface, now: int) -> None:
    """Announce the addresses of a link, if that is wanted (Linux inetdev_send_gratuitous_arp)."""
    if stack.settings["arp.notify"]:
        for address in interface.addresses.items:
            announce(stack, interface, address, now)


def is_active(interface: Interface) -> bool:
    """Tell whether somebody may be on the link."""
    return interface.up and interface.carrier and interface.medium is Medium.ETHERNET


def _test(stack: "Stack", interface: Interface, address: Address, now: int) -> None:
    wait_ns = interface.claims.test(address, now, active=is_active(interface))
    if wait_ns:
        stack.ledger.record(
            reason.ARP_DAD_RATE_LIMITED, interface.name, now,
            ip=format_address(address.local), plen=address.plen, ms=wait_ns // 1_000_000,
            limit=stack.settings["arp.max_conflicts"],
        )  # fmt: skip


def _settle(
    stack: "Stack",
    interface: Interface,
    address: Address,
    *,
    tentative: bool,
    rival: bytes | None = None,
) -> None:
    """Begin or cease to use an address, with the routes that follow from it."""
    before = derived(stack, interface)
    address.tentative = tentative
    address.dadfailed = rival is not None
    address.rival = rival
    stack.events.addr(events.Action.CHANGED, interface, address)
    sync(stack, interface, before)


# --- time -----------------------------------------------------------------------------------------


def expire(stack: "Stack", interface: Interface, now: int) -> None:
    """Do what the claims of a link have to do by now."""
    for action in interface.claims.expire(now):
        match action:
            case Probe(address):
                _arp_request(stack, interface, 0, address.local, now)
                stack.ledger.count("arp.probes_sent")
            case Take(address):
                _settle(stack, interface, address, tentative=False)
            case Announce(address):
                announce(stack, interface, address, now)
            case Cede(address, rival):
                _settle(stack, interface, address, tentative=True, rival=rival or ZERO_MAC)


def announce(stack: "Stack", interface: Interface, address: Address, now: int) -> None:
    """Tell everybody on the link that an address is ours (RFC 5227 2.3, Linux's gratuitous ARP)."""
    if is_active(interface) and not (address.tentative or address.autojoin):
        _arp_request(stack, interface, address.local, address.local, now)
        stack.ledger.count("arp.announcements_sent")


def _arp_request(stack: "Stack", out: Interface, sender: int, target: int, now: int) -> None:
    trace = stack.journal.begin(Direction.OUT, now, None, out.name)
    arp_output(stack, out, arp.Op.REQUEST, sender, ZERO_MAC, target, BROADCAST_MAC, now, trace)


# --- ARP that comes in ----------------------------------------------------------------------------


def heard(stack: "Stack", interface: Interface, packet: arp.ArpPacket, now: int) -> Refused | None:
    """Return why ARP is a conflict about an address that is ours or tested; None if it is none.

    It is neither answered nor learned from (RFC 5227 2.4).
    """
    sender, claims = packet.sender_ip, interface.claims
    claim = None
    if claims:
        claim = claims.tested(sender)
        if claim is None and sender == 0 and packet.op == arp.Op.REQUEST:
            # RFC 5227 2.1.1: another host's probe for the same address is a conflict as well.
            claim = claims.tested(packet.target_ip)
    if claim is None and (sender == 0 or not stack.fib.is_local(sender)):
        return None
    mac = packet.sender_mac
    shown: dict[str, object] = {"ip": format_address(sender), "mac": format_mac(mac)}
    for link in stack.interfaces.values():
        if link.mac == mac:
            # RFC 5227 2.4: it does not match any of the host's own interface addresses.
            return reason.ARP_OWN_SENDER, {**shown, "home": link.name}
    if claim is None:
        return _challenged(stack, interface, packet, now, shown)
    claims.refuted(claim, mac, now)
    local = claim.address.local
    how = "tests" if sender != local else "has"
    return reason.ARP_DAD_FAILED, {
        **shown, "ip": format_address(local), "how": how, "plen": claim.address.plen,
    }  # fmt: skip


def _challenged(
    stack: "Stack",
    interface: Interface,
    packet: arp.ArpPacket,
    now: int,
    shown: dict[str, object],
) -> Refused:
    """Somebody else claims an address of ours: defend it as arp.defend says (RFC 5227 2.4)."""
    address = interface.addresses.find(packet.sender_ip, None)
    defence = Defence.NONE
    if address is not None:
        defence = interface.claims.challenged(address, packet.sender_mac, now)
        if defence is Defence.ANNOUNCE:
            announce(stack, interface, address, now)
    return reason.ARP_ADDRESS_CONFLICT, {**shown, "defence": _DEFENCES[defence]}


_DEFENCES = {
    Defence.NONE: "",
    Defence.ANNOUNCE: "defended by an announcement",
    Defence.SILENT: "not defended again so soon",
    Defence.CEDE: "given up",
}


def unanswered(interface: Interface, target: int, peer: int) -> Refused:
    """Return why a request for an address that is not ours, or not yet, gets no answer."""
    found = suggest.unusable(interface, target)
    if found is not None and "plen" in found:
        return reason.ARP_TARGET_TENTATIVE, found
    return reason.ARP_TARGET_NOT_OURS, suggest.missing(interface, target, peer)


def wants_test(stack: "Stack", interface: Interface, address: Address) -> bool:
    """Tell whether an address is tested before it is used (RFC 5227 2.1): a wire is needed."""
    if interface.medium is not Medium.ETHERNET or address.autojoin:
        return False
    return stack.settings["arp.dad"] == 1 if address.dad is None else address.dad
