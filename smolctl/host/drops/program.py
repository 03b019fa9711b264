"""The program that copies what the kernel knows of a packet in the moment when it drops it."""

import struct
from typing import NamedTuple

from smolctl.host.drops.btf import Types, Unknown

_RESERVE, _SUBMIT, _READ, _NOW = 131, 132, 113, 5
"""Numbers of helpers (include/uapi/linux/bpf.h): bpf_ringbuf_reserve, ..., bpf_ktime_get_ns."""
_NETS_FROM = 0xEFFFFFF0
"""No namespace has a smaller inode number (include/linux/nsfs.h, include/linux/proc_fs.h)."""
SKB_MAX = 256
"""A longer structure is cut off, bytes; what is read of it is far in front."""
_HEADERS = 192
_TIME, _SKB_AT, _PLACE, _REASON, _IFINDEX, _NAME, _DEV_NET, _SOCKET_NET = (
    0,
    8,
    16,
    24,
    32,
    40,
    56,
    60,
)
_ETHERNET, _MAC, _STATE, _NETWORK, _COPY = 64, 80, 88, 96, 96 + _HEADERS
_SIZE = _COPY + SKB_MAX
_FIELDS = {
    "dev": 8, "sk": 8, "head": 8, "data_len": 4, "mark": 4, "skb_iif": 4, "tail": 4,
    "protocol": 2, "network_header": 2, "mac_header": 2,
}  # fmt: skip
_FORMATS = {2: "=H", 4: "=I", 8: "=Q"}


class Layout(NamedTuple):
    """The places of what the program reads.

    Attributes:
        skb: of each field of ``struct sk_buff``, bytes. size: of the whole, at most ``SKB_MAX``.
        ifindex, name, net, address, state: of ``struct net_device``.
        no_carrier: number of the bit of the state that says so.
        inode: of ``struct net``. socket_net: of ``struct sock``.
        reason, socket: numbers of the arguments of the tracepoint; None where it has no such one.
    """

    skb: dict[str, int]
    size: int
    ifindex: int
    name: int
    net: int
    address: int
    state: int
    no_carrier: int
    inode: int
    socket_net: int
    reason: int
    socket: int | None


def layout(types: Types) -> Layout:
    """Return where the running kernel has what the program reads.

    Raises:
        Unknown: it lacks one of them: it is older than 5.17, or very new.
    """
    skb = {name: types.offset("sk_buff", name) for name in _FIELDS}
    if max(skb.values()) + 8 > SKB_MAX:
        raise Unknown("sk_buff, within its first 256 bytes")
    arguments = types.parameters("btf_trace_kfree_skb")[1:]
    if "skb_drop_reason" not in arguments:
        raise Unknown("reasons of drops")
    return Layout(
        skb,
        min(types.size("sk_buff"), SKB_MAX),
        types.offset("net_device", "ifindex"),
        types.offset("net_device", "name"),
        types.offset("net_device", "nd_net.net"),
        types.offset("net_device", "dev_addr"),
        types.offset("net_device", "state"),
        next(bit for bit, name in types.values("netdev_state_t").items() if "NOCARRIER" in name),
        types.offset("net", "ns.inum"),
        types.offset("sock", "__sk_common.skc_net.net"),
        arguments.index("skb_drop_reason"),
        arguments.index("sock") if "sock" in arguments else None,
    )


class Copy(NamedTuple):
    """One packet as it was dropped.

    Attributes:
        time_ns: of CLOCK_MONOTONIC.
        skb, place: addresses of the packet and of the code that dropped it.
        reason: number of the kernel's reason.
        ifindex, name, net: of its device, and the inode of its namespace; 0, "" and 0 where the
            packet has none.
        socket_net: the same of its socket; 0 without one.
        iif: number of the device by which it came in; 0 of a packet of this host.
        mark, protocol: of the packet; the protocol is an ethertype.
        ethernet: its first 14 bytes; empty where it has none.
        mac, no_carrier: of its device.
        network: its bytes from the network header on, as far as they were copied.
        size: of all of them.
    """

    time_ns: int
    skb: int
    place: int
    reason: int
    ifindex: int
    name: str
    net: int
    socket_net: int
    iif: int
    mark: int
    protocol: int
    ethernet: bytes
    mac: bytes
    no_carrier: bool
    network: bytes
    size: int


def parse(data: bytes, layout: Layout) -> Copy:
    """Return what the program wrote of a packet."""
    time_ns, skb, place, reason, ifindex = struct.unpack_from("=5Q", data)
    dev_net, socket_net = struct.unpack_from("=II", data, _DEV_NET)
    name = data[_NAME:_DEV_NET].partition(b"\0")[0].decode(errors="replace")

    def field(name: str) -> int:
        return int(struct.unpack_from(_FORMATS[_FIELDS[name]], data, _COPY + layout.skb[name])[0])

    if dev_net < _NETS_FROM or not name.isprintable():
        ifindex, name, dev_net = 0, "", 0  # other things are kept in that place, too
    network, mac, tail = field("network_header"), field("mac_header"), field("tail")
    has_ethernet = mac not in (0xFFFF, network) and network - mac >= 14
    protocol = field("protocol")
    return Copy(
        time_ns,
        skb,
        place,
        reason & 0xFFFFFFFF,
        ifindex & 0xFFFFFFFF,
        name,
        dev_net,
        socket_net if socket_net >= _NETS_FROM else 0,
        field("skb_iif"),
        field("mark"),
        int.from_bytes(protocol.to_bytes(2, "little"), "big"),
        data[_ETHERNET : _ETHERNET + 14] if has_ethernet else b"",
        data[_MAC : _MAC + 6],
        bool(struct.unpack_from("=Q", data, _STATE)[0] >> layout.no_carrier & 1),
        data[_NETWORK : _NETWORK + min(_HEADERS, max(0, tail - network))],
        max(0, tail - network) + field("data_len"),
    )


def code(layout: Layout, ring: int, lost: int, net: int) -> bytes:
    """Return the program.

    Args:
        layout: of the kernel.
        ring: descriptor of the map that takes the records.
        lost: descriptor of the map that counts those for which there is no room.
        net: inode of the namespace of which packets are wanted; those whose namespace is not known
            are told, too. 0 wants all.
    """
    out = _Code()
    _find_namespaces(out, layout)
    if net:
        _end_for_others(out, net)
    _reserve(out, ring, lost)
    _copy_device(out, layout)
    _copy_packet(out, layout)
    out.move(1, 9)
    out.set(2, 0)
    out.call(_SUBMIT)
    out.exit()
    return out.bytes()


# On the stack, by their places below its end, where r10 is.
_AT_PLACE, _AT_POINTER, _AT_DEV_NET, _AT_SOCKET_NET, _AT_KEY = -8, -16, -20, -24, -28


def _find_namespaces(out: "_Code", layout: Layout) -> None:
    """Put the inodes of both namespaces on the stack; r6 is the packet, r7 the reason, r8 the dev.

    What cannot be read is 0.
    """
    out.load(6, 1, 0)
    out.load(7, 1, 8 * layout.reason)
    out.load(9, 1, 8 * layout.socket) if layout.socket is not None else out.set(9, 0)
    out.load(8, 1, 8)
    out.store(10, _AT_PLACE, 8)
    out.read_pointer(8, 6, layout.skb["dev"])
    out.read_pointer(1, 8, layout.net)
    out.read((10, _AT_DEV_NET), 4, 1, layout.inode)
    out.unless_zero(9, "socket")
    out.read_pointer(9, 6, layout.skb["sk"])
    out.label("socket")
    out.read_pointer(1, 9, layout.socket_net)
    out.read((10, _AT_SOCKET_NET), 4, 1, layout.inode)


def _end_for_others(out: "_Code", net: int) -> None:
    """End if the packet is known to be of another namespace."""
    out.load_word(1, 10, _AT_DEV_NET)
    out.load_word(2, 10, _AT_SOCKET_NET)
    out.set_word(3, net)
    out.if_equal(1, 3, "tell")
    out.if_equal(2, 3, "tell")
    out.set_word(3, _NETS_FROM)
    out.if_at_least(1, 3, "other")
    out.if_below(2, 3, "tell")
    out.label("other")
    out.exit()
    out.label("tell")


def _reserve(out: "_Code", ring: int, lost: int) -> None:
    """Take a record, r9, or count what is lost; put what is known by now into it."""
    out.map(1, ring)
    out.set(2, _SIZE)
    out.set(3, 0)
    out.call(_RESERVE)
    out.unless_zero(0, "room")
    out.store_word(10, _AT_KEY, 0)
    out.add_to_counter(lost, _AT_KEY)
    out.exit()
    out.label("room")
    out.move(9, 0)
    out.call(_NOW)
    out.store(9, _TIME, 0)
    out.store(9, _SKB_AT, 6)
    out.load(1, 10, _AT_PLACE)
    out.store(9, _PLACE, 1)
    out.store(9, _REASON, 7)
    for place, there in ((_DEV_NET, _AT_DEV_NET), (_SOCKET_NET, _AT_SOCKET_NET)):
        out.load_word(1, 10, there)
        out.store_half_of(9, place, 1)


def _copy_device(out: "_Code", layout: Layout) -> None:
    """Copy what the kernel knows of the packet's device."""
    out.store_word(9, _IFINDEX + 4, 0)
    out.read((9, _IFINDEX), 4, 8, layout.ifindex)
    out.read((9, _NAME), 16, 8, layout.name)
    out.read((9, _STATE), 8, 8, layout.state)
    out.read_pointer(1, 8, layout.address)
    out.read((9, _MAC), 6, 1, 0)


def _copy_packet(out: "_Code", layout: Layout) -> None:
    """Copy what the kernel knows of the packet, and its bytes."""
    out.read((9, _COPY), layout.size, 6, 0)
    out.load(7, 9, _COPY + layout.skb["head"])
    for place, field, size in (
        (_ETHERNET, "mac_header", 14),
        (_NETWORK, "network_header", _HEADERS),
    ):
        out.load_half(1, 9, _COPY + layout.skb[field])
        out.add(1, 7)
        out.read((9, place), size, 1, 0)


class _Code:
    """Instructions of BPF (Documentation/bpf/standardization/instruction-set.rst)."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int, int | str, int]] = []
        self._labels: dict[str, int] = {}

    def _add(
        self, op: int, to: int = 0, by: int = 0, offset: int | str = 0, value: int = 0
    ) -> None:
        self._rows.append((op, to, by, 0, offset, value))

    def label(self, name: str) -> None:
        """Name the next instruction."""
        self._labels[name] = len(self._rows)

    def load(self, to: int, base: int, offset: int) -> None:
        """Load 8 bytes."""
        self._add(0x79, to, base, offset)

    def load_word(self, to: int, base: int, offset: int) -> None:
        """Load 4 bytes."""
        self._add(0x61, to, base, offset)

    def load_half(self, to: int, base: int, offset: int) -> None:
        """Load 2 bytes."""
        self._add(0x69, to, base, offset)

    def store(self, base: int, offset: int, register: int) -> None:
        """Store 8 bytes."""
        self._add(0x7B, base, register, offset)

    def store_half_of(self, base: int, offset: int, register: int) -> None:
        """Store the lower 4 bytes."""
        self._add(0x63, base, register, offset)

    def store_word(self, base: int, offset: int, value: int) -> None:
        """Store a number of 4 bytes."""
        self._add(0x62, base, 0, offset, value)

    def set(self, to: int, value: int) -> None:
        """Set a register to a number of 31 bits."""
        self._add(0xB7, to, value=value)

    def set_word(self, to: int, value: int) -> None:
        """Set a register to a number of 32 bits."""
        self._add(0xB4, to, value=value - (1 << 32) if value >> 31 else value)

    def move(self, to: int, by: int) -> None:
        """Copy a register."""
        self._add(0xBF, to, by)

    def add(self, to: int, by: int) -> None:
        """Add a register."""
        self._add(0x0F, to, by)

    def call(self, helper: int) -> None:
        """Call a helper: its arguments are in r1 to r5, its result in r0."""
        self._add(0x85, value=helper)

    def exit(self) -> None:
        """End with the result 0."""
        self.set(0, 0)
        self._add(0x95)

    def map(self, to: int, fd: int) -> None:
        """Set a register to a map."""
        self._add(0x18, to, 1, value=fd)  # BPF_PSEUDO_MAP_FD
        self._add(0)

    def read(self, to: tuple[int, int], size: int, base: int, offset: int) -> None:
        """Copy the kernel's memory; zeros where it has none."""
        if base != 3:
            self.move(3, base)
        if offset:
            self._add(0x07, 3, value=offset)
        self.move(1, to[0])
        self._add(0x07, 1, value=to[1])
        self.set(2, size)
        self.call(_READ)

    def read_pointer(self, to: int, base: int, offset: int) -> None:
        """Set a register to an address in the kernel's memory; 0 where it has none."""
        self.read((10, _AT_POINTER), 8, base, offset)
        self.load(to, 10, _AT_POINTER)

    def add_to_counter(self, fd: int, key: int) -> None:
        """Add one to a counter, by the key that is there on the stack."""
        self.map(1, fd)
        self.move(2, 10)
        self._add(0x07, 2, value=key)
        self.call(1)  # bpf_map_lookup_elem
        self._add(0x15, 0, 0, "counted")
        self.set(1, 1)
        self._add(0xDB, 0, 1)  # an atomic addition of 8 bytes
        self.label("counted")

    def unless_zero(self, register: int, label: str) -> None:
        """Jump unless a register is 0."""
        self._add(0x55, register, 0, label)

    def if_equal(self, one: int, other: int, label: str) -> None:
        """Jump if two registers are the same."""
        self._add(0x1D, one, other, label)

    def if_below(self, one: int, other: int, label: str) -> None:
        """Jump if a register is below another."""
        self._add(0xAD, one, other, label)

    def if_at_least(self, one: int, other: int, label: str) -> None:
        """Jump if a register is not below another."""
        self._add(0x3D, one, other, label)

    def bytes(self) -> bytes:
        """Return the instructions as the kernel takes them."""
        made = b""
        for number, (op, to, by, _, offset, value) in enumerate(self._rows):
            if isinstance(offset, str):
                offset = self._labels[offset] - number - 1
            made += struct.pack("<BBhi", op, by << 4 | to, offset, value)
        return made
