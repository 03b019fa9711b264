"""The API for programs: a stack's daemon, and the sockets of its stack.

``Client`` sends requests, as the command line does. ``DatagramSocket`` is a UDP socket of the
stack, ``StreamSocket`` a TCP socket, both used like those of ``socket``. For asyncio there are
``open_datagram_endpoint``, ``open_connection`` and ``start_server``. ``patch`` has programs that
know of no stack use one.
"""

from typing import TYPE_CHECKING, Any

from smolctl.client.control import (
    DEFAULT_TIMEOUT,
    Client,
    RemoteError,
    Stream,
    daemon_command,
    daemon_environment,
    start_daemon,
    stop_daemon,
)

if TYPE_CHECKING:
    from smolctl.client.datagram import DatagramSocket
    from smolctl.client.dropin import patch
    from smolctl.client.endpoint import open_connection, open_datagram_endpoint, start_server
    from smolctl.client.stream import StreamSocket

_SOCKETS = {
    "DatagramSocket": "datagram",
    "StreamSocket": "stream",
    "open_connection": "endpoint",
    "open_datagram_endpoint": "endpoint",
    "patch": "dropin",
    "start_server": "endpoint",
}

__all__ = [
    "DEFAULT_TIMEOUT",
    "Client",
    "DatagramSocket",
    "RemoteError",
    "Stream",
    "StreamSocket",
    "daemon_command",
    "daemon_environment",
    "open_connection",
    "open_datagram_endpoint",
    "patch",
    "start_daemon",
    "start_server",
    "stop_daemon",
]


def __getattr__(name: str) -> Any:
    """Import the sockets when they are asked for: no command needs them, and each would wait."""
    if name in _SOCKETS:
        from importlib import import_module

        return getattr(import_module(f"smolctl.client.{_SOCKETS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
