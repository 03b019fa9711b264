"""A ``smolctl`` for PATH: it has its command forked by the server of ``warm.py``.

An interpreter runs it as a program, without ``site``, in a fifth of the time that the command takes
to start. It is the command itself where a forked one would not be the same: at a terminal, or with
variables that an interpreter looks at when it starts.

usage: python -IS warm_command.py SERVER NETNS PYTHON [ARG...]
    SERVER: path of the server's socket; NETNS: number of the file of its network namespace.
    PYTHON: the interpreter of the command.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import posix
import sys

_SPECIAL = (b"LANG", b"PYTHON", b"_SMOLCTL_COMPLETE")
"""As in ``warm.py``, which takes longer to import than all of this."""
_FORWARDED = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)
_STREAMS = (0, 1, 2)
_NETNS = "/proc/self/ns/net"


def is_usual() -> bool:
    """Return whether a forked command does what one does that is started here.

    Raises:
        OSError: a stream is closed.
    """
    environ = posix.environ
    return (
        environ.get(b"LC_ALL") == b"C.UTF-8"
        and not any(name.startswith(_SPECIAL) for name in environ)
        and not any(posix.isatty(fd) for fd in _STREAMS if posix.fstat(fd))
    )


def forked(server: str, netns: int, args: list[str]) -> tuple[_socket.socket, int]:
    """Have a command forked; return the connection that will tell how it ends, and its process."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    connection.connect(server)
    words = [arg.encode("utf-8", "surrogateescape") for arg in args]
    environ = [name + b"=" + value for name, value in posix.environ.items()]
    request = b"\0".join([posix.getcwdb(), b"%d" % len(words), *words, *environ])
    fds = list(_STREAMS)
    if posix.stat(_NETNS).st_ino != netns:
        fds.append(posix.open(_NETNS, posix.O_RDONLY))
    passed = b"".join(fd.to_bytes(4, sys.byteorder) for fd in fds)
    connection.sendmsg([request], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, passed)])
    return connection, int(connection.recv(32))


def main(server: str, netns: str, python: str, *args: str) -> None:
    """Be as the command: get its signals, and end as it does."""
    # A signal that comes before it is known who gets it waits.
    unblocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, _FORWARDED)
    try:
        connection, pid = forked(server, int(netns), list(args)) if is_usual() else (None, 0)
    except OSError:
        connection, pid = None, 0
    if connection is None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, unblocked)
        posix.execv(python, [python, "-m", "smolctl", *args])
    for number in _FORWARDED:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, lambda each, _: posix.kill(pid, each))
    _signal.pthread_sigmask(_signal.SIG_SETMASK, unblocked)
    status = int(connection.recv(32) or b"120")
    if status < 0:
        _signal.signal(-status, _signal.SIG_DFL)
        posix.kill(posix.getpid(), -status)
    posix._exit(status)


main(*sys.argv[1:])
