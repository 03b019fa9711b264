"""A neighbor cache driven into every state by what happens to it, in virtual time."""

from collections.abc import Callable

from smolctl.stack.neighbor.cache import NeighborCache
from smolctl.stack.neighbor.entry import Advertisement, Neighbor, NeighborAction
from smolctl.stack.neighbor.states import KEPT, NudEvent, State
from smolctl.stack.packet import Packet
from smolctl.stack.sysctl.settings import Settings
from tests.kit.clock import SECOND_NS, ManualClock
from tests.kit.host import OTHER_MAC, PEER_MAC
from tests.kit.packets import bare_packet

IP = 0x0A000002
PACKET = b"p" * 100


class Drive:
    """One cache, one neighbor, and the clock; ``actions`` is what the last call asked for.

    Args:
        random: what the random function returns; 0.5 makes the reachable time 1.0 times its base.
        sysctls: settings, with "_" for ".": ``neigh_unres_qlen=3``.
    """

    def __init__(self, random: Callable[[], float] = lambda: 0.5, **sysctls: int) -> None:
        self.settings = Settings()
        for name, value in sysctls.items():
            self.set(name.replace("_", ".", 1), value)
        self.cache = NeighborCache(self.settings, random)
        self.clock = ManualClock()
        self.actions: list[NeighborAction] = []

    def set(self, key: str, value: int) -> None:
        self.settings.set(key, str(value), origin="command line")

    @property
    def entry(self) -> Neighbor:
        entry = self.cache.lookup(IP)
        assert entry is not None
        return entry

    def is_in(self, state: State) -> bool:
        return self.state is state

    @property
    def state(self) -> State:
        entry = self.cache.lookup(IP)
        return State.NONE if entry is None else entry.state

    @property
    def did(self) -> list[str]:
        """Return the kinds of the last actions, for short comparisons."""
        return [type(action).__name__ for action in self.actions]

    # --- events -----------------------------------------------------------------------------------

    def use(self, ip: int = IP, packet: bytes = PACKET) -> Packet:
        queued = bare_packet(packet)
        _, self.actions = self.cache.use(ip, queued, self.clock.now)
        return queued

    def replied(self, mac: bytes = PEER_MAC, *, create: bool = False) -> bool:
        taken, self.actions = self.cache.replied(IP, mac, self.clock.now, create=create)
        return taken

    def heard(self, mac: bytes = PEER_MAC, *, create: bool = True, override: bool = False) -> bool:
        taken, self.actions = self.cache.heard(
            IP, mac, self.clock.now, create=create, override=override
        )
        return taken

    def advertised(self, mac: bytes | None) -> None:
        """Take an advertisement that answers us and may not replace a MAC."""
        said = Advertisement(mac, solicited=True, override=False, router=False)
        _, self.actions = self.cache.advertised(IP, said, self.clock.now)

    def confirm(self) -> None:
        self.actions = []
        self.cache.confirm(IP, self.clock.now)

    def by_hand(self, state: State) -> None:
        self.actions = self.cache.set(IP, state, PEER_MAC, self.clock.now)

    # --- time -------------------------------------------------------------------------------------

    def expire(self) -> None:
        self.actions = self.cache.expire(self.clock.now)

    def next_timer(self) -> int:
        """Let time pass until the next timer, run it, and return how long it took."""
        due = self.cache.deadline()
        assert due is not None
        waited = due - self.clock.now
        self.clock.advance_to(due)
        self.expire()
        return waited

    def wait(self, ns: int) -> None:
        """Let time pass, running every timer at its time; the last one's actions stay."""
        end = self.clock.now + ns
        while (due := self.cache.deadline()) is not None and due <= end:
            self.next_timer()
        self.clock.advance_to(end)

    # --- states -----------------------------------------------------------------------------------

    def reach(self, state: State) -> None:
        """Go to a state by what happens on the way; nothing is set by hand but PERMANENT.

        FAILED is reached from PROBE, so the last MAC is known there. INCOMPLETE has a packet.
        """
        if state is State.INCOMPLETE:
            self.use()
        elif state is State.REACHABLE:
            self.reach(State.INCOMPLETE)
            self.replied()
        elif state is State.STALE:
            self.heard()
        elif state is State.DELAY:
            self.reach(State.STALE)
            self.use()
        elif state is State.PROBE:
            self.reach(State.DELAY)
            self.next_timer()
        elif state is State.FAILED:
            self.reach(State.PROBE)
            while self.state is State.PROBE:
                self.next_timer()
        elif state in KEPT:
            self.by_hand(state)
        assert self.state is state

    def happen(self, event: NudEvent) -> None:
        """Let an event happen; a timer's event by waiting for it."""
        happening: dict[NudEvent, Callable[[], object]] = {
            NudEvent.USED: self.use,
            NudEvent.REPLIED: lambda: self.replied(create=True),
            NudEvent.HEARD_SAME: self.heard,
            NudEvent.HEARD_OTHER: lambda: self.heard(OTHER_MAC, override=True),
            NudEvent.CONTRADICTED: lambda: self.advertised(OTHER_MAC),
            NudEvent.CONFIRMED: self.confirm,
            NudEvent.REACHABLE_EXPIRED: self.next_timer,
            NudEvent.REACHABLE_EXPIRED_IN_USE: self._use_late,
            NudEvent.DELAY_EXPIRED: self.next_timer,
            NudEvent.RETRANSMIT: self.next_timer,
            NudEvent.PROBES_EXHAUSTED: self._ask_in_vain,
        }
        happening[event]()

    def _use_late(self) -> None:
        due = self.cache.deadline()
        assert due is not None
        self.clock.advance_to(due - SECOND_NS)
        self.use()
        self.next_timer()

    def _ask_in_vain(self) -> None:
        if self.state is State.DELAY:
            self.set("neigh.ucast_solicit", 0)
            self.next_timer()
            return
        before = self.state
        while self.state is before:
            self.next_timer()
