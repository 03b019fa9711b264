"""Capture files: packets with their time, interface, direction and comments, as pcapng and pcap."""

from typing import NamedTuple

from smolctl.errors import SmolctlError

ETHERNET_HEADER_LEN = 14


class CaptureFileError(SmolctlError):
    """A file is not the capture that it was read as."""

    code = "capture-file"


class Interface(NamedTuple):
    """The interface on which packets were captured.

    Attributes:
        name: "" when the file does not say.
        loopback: its packets have no link header of their own.
    """

    name: str
    loopback: bool = False


class Record(NamedTuple):
    """One packet of a capture.

    Attributes:
        time_ns: since 1970; 0 when the file does not say.
        frame: the bytes captured.
        ethernet: they begin with an Ethernet header, else with that of IP.
        dev: name of the interface, "" when it is not known.
        direction: "in", "out", "local", or "" when it is not known.
        length: bytes that the packet had, at least those captured.
        comments: what is said about it.
        cooked: it had no Ethernet header in the file; an address of zeros is one that is not known.
    """

    time_ns: int
    frame: bytes
    ethernet: bool
    dev: str
    direction: str
    length: int
    comments: tuple[str, ...] = ()
    cooked: bool = False
