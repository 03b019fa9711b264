"""Tells the service manager that started us that the stack serves (sd_notify(3))."""

import os
import socket
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"


def notify(state: str) -> None:
    """Send a state, as ``READY=1``, to whoever the environment says waits for it.

    Nothing is raised: who does not listen any more has no use for it, and the stack has.
    """
    path = os.environ.get(VARIABLE, "")
    # An abstract address is written with an @ for its leading zero byte.
    address = f"\0{path[1:]}" if path.startswith("@") else path
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto(state.encode(), address)
