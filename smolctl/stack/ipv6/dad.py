"""Duplicate address detection: IPv6 addresses are tested before they are used (RFC 4862 5.4).

No state is here: the tests of a link are in its ``IpInterface``, their results in the addresses. A
packet changes tests alone; addresses and routes follow when time passes.
"""

from collections.abc import Callable

from smolctl.stack.fib.route import Scope
from smolctl.stack.interface import Interface, Medium
from smolctl.stack.ip.address_tests import settle
from smolctl.stack.ip.addresses import Address
from smolctl.stack.ip.dad import OFF, Announce, Cede, DadAction, Probe, Take
from smolctl.stack.ip.network import Network
from smolctl.stack.ipv6.addresses import Address6, asking_address, in_use
from smolctl.stack.ipv6.nd_output import advertisement_output, solicitation, solicitation_output
from smolctl.stack.sysctl.link_settings import Values
from smolctl.stack.trace.trace import Direction
from smolctl.wire.address import ALL_NODES, UNSPECIFIED6, ZERO_MAC, interface_id, link_local
from smolctl.wire.ndp import NeighborAdvertisement, Options

DELAY_NS = 1_000_000_000
"""MAX_RTR_SOLICITATION_DELAY: before the first probe, at random (RFC 4862 5.4.2)."""
_NONCE_LEN = 6


class NdDadRules:
    """The numbers of RFC 4862 on one link: ``ip.dad.DadRules``."""

    def __init__(self, settings: Values, random: Callable[[], float]) -> None:
        self._settings, self._random = settings, random

    def clone(self, settings: Values, random: Callable[[], float]) -> "NdDadRules":
        """Return the same rules with other settings."""
        return NdDadRules(settings, random)

    def spacing_ns(self, conflicts: int) -> int:
        """Return 0: each address is tested at once."""
        return 0

    def delay_ns(self, address: Address) -> int:
        """Return how long to wait, so that nodes switched on at once do not collide.

        An optimistic address is used already, and tested at once (Linux ``addrconf_dad_kick``).
        """
        if isinstance(address, Address6) and address.optimistic:
            return 0
        return int(self._random() * DELAY_NS)

    def pause_ns(self, sent: int) -> int:
        """Return how long to listen after a probe: RetransTimer."""
        return self._settings.ns("neigh.retrans_time_ms")

    def nonce(self) -> bytes | None:
        """Return what no other node puts into its probes."""
        if not self._settings["nd.enhanced_dad"]:
            return None
        return bytes(int(self._random() * 256) for _ in range(_NONCE_LEN))

    @property
    def probes(self) -> int:
        """DupAddrDetectTransmits."""
        return self._settings["nd.dad_transmits"]

    @property
    def announcements(self) -> int:
        """The number of advertisements of an address that was tested."""
        return self._settings["nd.notify"]

    @property
    def announce_interval_ns(self) -> int:
        """No time: one advertisement is sent."""
        return 0

    @property
    def defence(self) -> int:
        """No defence: an address in use is kept, whoever advertises it (Linux)."""
        return OFF

    @property
    def defend_interval_ns(self) -> int:
        """No time."""
        return 0


def wants_test(net: Network, interface: Interface, address: Address) -> bool:
    """Tell whether an address is tested before it is used: a wire is needed.

    Deviation: with nd.dad_transmits=0, Linux waits for the delay of a test that asks nobody.
    """
    settings = interface.settings
    if (
        interface.medium is not Medium.ETHERNET
        or not interface.arp
        or interface.of_program
        or address.autojoin
        or not settings["nd.dad_transmits"]
    ):
        return False
    return settings["nd.accept_dad"] > 0 if address.dad is None else address.dad


# --- what a user or a link changes ----------------------------------------------------------------


def added(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Begin to test a new address, or use it."""
    if address.tentative:
        _test(net, interface, address, now)
    else:
        _used(net, interface, address, now)


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
        _take(net, interface, address)
        _used(net, interface, address, now)


def activated(net: Network, interface: Interface, now: int) -> None:
    """A link has peers again: test what waits for that, or what others had before.

    Addresses in use are not tested again because the carrier was away (Linux ``addrconf_notify``);
    a link that was down has got its addresses anew.
    Deviation: Linux never tests a dadfailed address again; here the cable may be in another link.
    """
    if not interface.has_peers:
        return
    for address in list(net.of(interface).addresses.items):
        if address.tentative:
            retest(net, interface, address, now)
    notify(net, interface, now)


def notify(net: Network, interface: Interface, now: int) -> None:
    """Advertise the addresses of a link, if that is wanted (Linux ndisc_send_unsol_na)."""
    if interface.settings["nd.notify"]:
        for address in net.of(interface).addresses.items:
            announce(net, interface, address, now)


def _test(net: Network, interface: Interface, address: Address, now: int) -> None:
    net.of(interface).dad.test(address, now, active=interface.has_peers)


def _take(net: Network, interface: Interface, address: Address) -> None:
    settle(net, interface, address, tentative=False)
    if isinstance(address, Address6):
        address.optimistic = False


def _used(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Report groups anew, from the first link-local address of a link.

    What was reported before was from ``::``, which routers ignore (RFC 3590 4; Linux
    ``ipv6_mc_dad_complete``).
    """
    if address.scope is not Scope.LINK or not interface.has_peers:
        return
    items = net.of(interface).addresses.items
    if [item for item in items if item.scope is Scope.LINK and in_use(item)] == [address]:
        state = net.of(interface)
        state.reports.repeat(state.groups.filters)


# --- time -----------------------------------------------------------------------------------------


def perform(net: Network, interface: Interface, action: DadAction, now: int) -> None:
    """Do what is due for an address."""
    match action:
        case Probe(address, nonce):
            question = solicitation(interface, address.local, UNSPECIFIED6, nonce)
            trace = net.recorder.begin(Direction.OUT, now, None, interface.name)
            solicitation_output(net, interface, question, UNSPECIFIED6, trace, now)
            net.recorder.count("nd.probes_sent")
        case Take(address):
            mute = asking_address(interface) == UNSPECIFIED6
            _take(net, interface, address)
            _used(net, interface, address, now)
            if mute:
                net.neighbors.ask_again(interface, now)
        case Announce(address):
            announce(net, interface, address, now)
        case Cede(address, other_mac):
            settle(net, interface, address, tentative=True, other_mac=other_mac or ZERO_MAC)
            if isinstance(address, Address6):
                address.optimistic = False
            if interface.settings["nd.accept_dad"] > 1 and _is_by_mac(interface, address):
                _disable(net, interface)


def _is_by_mac(interface: Interface, address: Address) -> bool:
    """Tell whether an address is the link-local one that follows from the link's MAC."""
    return address.local == link_local(interface_id(interface.mac))


def _disable(net: Network, interface: Interface) -> None:
    """Do without IPv6 on a link: another node has its MAC (RFC 4862 5.4.5; Linux accept_dad)."""
    key = f"{interface.name}.ip6.disable"
    net.settings.set(key, "1")
    net.recorder.count("nd.links_disabled")
    net.sysctl_changed(key)


def announce(net: Network, interface: Interface, address: Address, now: int) -> None:
    """Advertise an address to all nodes of the link (RFC 4861 7.2.6)."""
    if not (interface.has_peers and in_use(address)):
        return
    own = Options(target=interface.mac)
    message = NeighborAdvertisement(net.is_router(interface), False, True, address.local, own)
    trace = net.recorder.begin(Direction.OUT, now, None, interface.name)
    advertisement_output(net, interface, message, ALL_NODES, trace, now)
    net.recorder.count("nd.announcements_sent")
