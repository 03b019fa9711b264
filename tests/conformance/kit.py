"""The kit of the conformance tests: frames as bytes, which no codec of ours may blur."""

from smolctl.stack.link.outbox import frames_of
from smolctl.wire.offload.run import MAX_SEGMENTS, coalesce
from tests.kit.host import Host


def raw(host: Host, dev: str = "tap0") -> list[bytes]:
    """Let the device take all that waits, and return the bytes."""
    interface = host.dev(dev)
    items = coalesce(interface.outbox, MAX_SEGMENTS)
    interface.outbox.clear()
    host.stack.transmitted(interface, items, host.now)
    return [bytes(frame) for item in items for frame in frames_of(item)]


def again(header: bytes) -> bytes:
    """Return an IPv4 header with the checksum that RFC 1071 asks for, by its own arithmetic."""
    bare = header[:10] + bytes(2) + header[12:]
    total = sum(int.from_bytes(bare[at : at + 2]) for at in range(0, len(bare), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return bare[:10] + (~total & 0xFFFF).to_bytes(2) + bare[12:]
