"""What every way in needs: to whom a frame was addressed, and what to do with malformed bytes."""

from enum import IntEnum
from typing import TYPE_CHECKING

from smolctl.stack import reason
from smolctl.stack.interface import Interface
from smolctl.stack.trace.trace import Trace
from smolctl.wire.fault import WireFault

if TYPE_CHECKING:
    from smolctl.stack.stack import Stack


class Cast(IntEnum):
    """To whom the frame was addressed (Linux PACKET_HOST, ...)."""

    HOST = 0
    BROADCAST = 1
    MULTICAST = 2


def wire_fault(
    stack: "Stack", interface: Interface, fault: WireFault, now: int, trace: Trace
) -> None:
    """Record malformed bytes under the reason that has the fault's name."""
    stack.ledger.record(reason.REASONS[fault.fault], interface.name, now, trace, **fault.detail)
    interface.counters.rx_errors += 1
