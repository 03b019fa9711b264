"""Address conflict detection: addresses are tested, announced and defended (RFC 5227).

No state is here: the dad of a link are in its ``IpInterface``, what they decided in the
addresses. A packet changes dad alone; addresses and routes follow when time passes.
"""

from collections.abc import Callable

from smolctl.stack import reason
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.address_tests import settle
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.dad import Announce, Cede, DadAction, Defence, Probe, Take
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv4.arp_output import arp_output, arp_request
from smolctl.stack.reason import Reason
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.answers import dropped_answer
from smolctl.stack.trace.facts import Awaited
from smolctl.wire import arp
from smolctl.wire.address import BROADCAST_MAC, ZERO_MAC

Refusal = tuple[Reason, dict[str, object]]


class AcdRules:
    """The numbers of RFC 5227 on one link: ``ip.dad.DadRules``."""

    def __init__(self, settings: Values, random: Callable[[], float]) -> None:
        self._settings, self._random = settings, random

    def clone(self, settings: Values, random: Callable[[], float]) -> "AcdRules":
        """Return the same rules with other settings."""
        return AcdRules(settings, random)

    def spacing_ns(self, conflicts: int) -> int:
        """Return the time between two tests (RFC 5227 2.1.1, MAX_CONFLICTS)."""
        if conflicts <= self._settings["arp.max_conflicts"]:
            return 0
        return self._settings.ns("arp.rate_limit_interval_ms")

    def delay_ns(self, address: Address) -> int:
        """Return how long to wait, so that hosts switched on at once do not collide."""
        return int(self._random() * self._settings.ns("arp.probe_wait_ms"))

    def pause_ns(self, sent: int) -> int:
        """Return how long to listen after a probe (RFC 5227 2.1.1)."""
        settings = self._settings
        if sent >= settings["arp.probe_num"]:
            return settings.ns("arp.announce_wait_ms")
        low, high = settings.ns("arp.probe_min_ms"), settings.ns("arp.probe_max_ms")
        return low + int(self._random() * (high - low))

    def nonce(self) -> None:
        """Return nothing: ARP has no room for it."""

    @property
    def probes(self) -> int:
        """PROBE_NUM."""
        return self._settings["arp.probe_num"]

    @property
    def announcements(self) -> int:
        """ANNOUNCE_NUM."""
        return self._settings["arp.announce_num"]

    @property
    def announce_interval_ns(self) -> int:
        """ANNOUNCE_INTERVAL."""
        return self._settings.ns("arp.announce_interval_ms")

    @property
    def defence(self) -> int:
        """Value of arp.defend."""
        return self._settings["arp.defend"]

    @property
    def defend_interval_ns(self) -> int:
        """DEFEND_INTERVAL."""
        return self._settings.ns("arp.defend_interval_ms")


# --- what a user changes --------------------------------------------------------------------------


def added(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Begin to test a new address, or announce it."""
    if address.tentative:
        _test(net, interface, address, now)
    elif interface.settings["arp.notify"]:
        announce(net, interface, address, now)


def retest(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Use an address no more until it was tested, or tested again."""
    if not address.tentative:
        settle(net, interface, address, tentative=True)
    address.dadfailed, address.other_mac = False, None
    _test(net, interface, address, now)


def take_untested(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Use an address at once, whoever has it."""
    net.of(interface).dad.forget(address)
    if address.tentative:
        address.other_mac = None
        settle(net, interface, address, tentative=False)
        if interface.settings["arp.notify"]:
            announce(net, interface, address, now)


def activated(net: Network, interface: Interface, now: int) -> None:
    """A link came up or got carrier: test its addresses again, or announce them.

    RFC 5227 2.1: also when an interface becomes active; but it MUST NOT be done periodically.
    Deviation: Linux announces when a link is set up, not when it gets carrier (arp_notify).
    """
    if not interface.has_peers:
        return
    for address in list(net.of(interface).addresses.items):
        if wants_test(net, interface, address):
            retest(net, interface, address, now)
    notify(net, interface, now)


def notify(net: Network, interface: Interface, now: int) -> None:
    """Announce the addresses of a link, if that is wanted (Linux inetdev_send_gratuitous_arp)."""
    if interface.settings["arp.notify"]:
        for address in net.of(interface).addresses.items:
            announce(net, interface, address, now)


def _test(net: Network, interface: Interface, address: Address, now: int) -> None:
    wait_ns = net.of(interface).dad.test(address, now, active=interface.has_peers)
    if wait_ns:
        net.recorder.record(
            reason.ARP_DAD_RATE_LIMITED, interface.name, now,
            ip=address.local, plen=address.plen, ms=wait_ns // 1_000_000,
            limit=interface.settings["arp.max_conflicts"],
        )  # fmt: skip


# --- time -----------------------------------------------------------------------------------------


def perform(net: Network, interface: Interface, action: DadAction, now: int) -> None:
    """Do what is due for an address."""
    match action:
        case Probe(address):
            _arp_request(net, interface, 0, address.local, now)
            net.recorder.count("arp.probes_sent")
        case Take(address):
            _note_unheard(net, interface, address, now)
            settle(net, interface, address, tentative=False)
        case Announce(address):
            announce(net, interface, address, now)
        case Cede(address, other_mac):
            settle(net, interface, address, tentative=True, other_mac=other_mac or ZERO_MAC)


def _note_unheard(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Take note that ARP of another host that has a tested address came, and was dropped."""
    entry = net.of(interface).dad.find(address)
    since = now if entry is None else entry.began_ns
    awaited = Awaited("arp", address.local, since, now, probe=True)
    answer = dropped_answer(net.recorder.journal, awaited)
    if answer is not None:
        values = {"ip": address.local, "_answer": answer}
        net.recorder.record(reason.ARP_DAD_UNHEARD, interface.name, now, **values)


def announce(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Tell everybody on the link that an address is ours (RFC 5227 2.3, Linux's gratuitous ARP)."""
    if interface.has_peers and not (address.tentative or address.autojoin):
        _arp_request(net, interface, address.local, address.local, now)
        net.recorder.count("arp.announcements_sent")


def _arp_request(net: Network, out: Interface, sender: int, target: int, now: int) -> None:
    arp_output(net, out, arp_request(out, sender, target), BROADCAST_MAC, now)


# --- ARP that comes in ----------------------------------------------------------------------------


def heard(net: Network, interface: Interface, packet: arp.ArpPacket, now: int) -> Refusal | None:
    """Return why ARP is a conflict about an address that is ours or tested; None if it is none.

    It is neither answered nor learned from (RFC 5227 2.4).
    """
    sender, dad = packet.sender_ip, net.of(interface).dad
    entry = None
    if dad:
        entry = dad.tested(sender)
        if entry is None and sender == 0 and packet.op == arp.Op.REQUEST:
            # RFC 5227 2.1.1: another host's probe for the same address is a conflict as well.
            entry = dad.tested(packet.target_ip)
    if entry is None and (sender == 0 or not net.fib.is_local(sender)):
        return None
    if entry is None and interface.settings["ip.accept_local"]:
        return None  # it may be ourselves, by another link
    mac = packet.sender_mac
    shown: dict[str, object] = {"ip": sender, "mac": mac}
    for link in net.interfaces.values():
        if link.mac == mac:
            # RFC 5227 2.4: it does not match any of the host's own interface addresses.
            return reason.ARP_OWN_SENDER, {**shown, "home": link.name}
    if entry is None:
        return _challenged(net, interface, packet, now, shown)
    dad.refuted(entry, mac, now)
    local = entry.address.local
    cause = "tester" if sender != local else "owner"
    return reason.ARP_DAD_FAILED, {
        **shown, "ip": local, "cause": cause, "plen": entry.address.plen,
    }  # fmt: skip


def _challenged(
    net: Network,
    interface: Interface,
    packet: arp.ArpPacket,
    now: int,
    shown: dict[str, object],
) -> Refusal:
    """Somebody else claims an address of ours: defend it as arp.defend says (RFC 5227 2.4)."""
    address = net.of(interface).addresses.find(packet.sender_ip, None)
    defence = Defence.NONE
    if address is not None:
        defence = net.of(interface).dad.challenged(address, packet.sender_mac, now)
        if defence is Defence.ANNOUNCE:
            announce(net, interface, address, now)
    return reason.ARP_ADDRESS_CONFLICT, {**shown, "defence": _DEFENCES[defence]}


_DEFENCES = {
    Defence.NONE: "",
    Defence.ANNOUNCE: "defended by an announcement",
    Defence.SILENT: "not defended again so soon",
    Defence.CEDE: "given up",
}


def unanswered(net: Network, interface: Interface, target: int, peer: int) -> Refusal:
    """Return why a request for an address that is not ours, or not yet, gets no answer."""
    tested = net.of(interface).addresses.tentative(target)
    if tested is not None and not tested.dadfailed:
        return reason.ARP_TARGET_TENTATIVE, {"ip": target, "_address": tested}
    return reason.ARP_TARGET_NOT_OURS, {"ip": target, "_peer": peer, "cause": "absent"}


def wants_test(net: Network, interface: Interface, address: Address) -> bool:
    """Tell whether an address is tested before it is used (RFC 5227 2.1): a wire is needed."""
    wire = interface.medium is Medium.ETHERNET and interface.arp
    if not wire or interface.of_program or address.autojoin:
        return False
    return interface.settings["arp.dad"] == 1 if address.dad is None else address.dad
