"""Reasons of the way in, before a frame is known to be ARP or IPv4."""

from smolctl.stack.reason.model import Kind, Reason

RX_FRAME_SHORT = Reason(
    "rx-frame-short", Kind.DROP, "RFC 894", "HDR_TRUNC",
    "a frame that is shorter than an Ethernet header",
    """An Ethernet header has 14 bytes: two MAC addresses and the type of what follows. This frame
    ended before that, so that nobody can tell whom it is for. Real cables pad frames to 60 bytes;
    only a program that writes frames itself, or a broken driver, sends such ones. The sender hears
    nothing.""",
    why_template=("frame is {size} B, an Ethernet header needs 14",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_OFFLOAD_INVALID = Reason(
    "rx-offload-invalid", Kind.DROP, "virtio 1.2 5.1.6", "silent",
    "a frame whose virtio header asks for what cannot be done",
    """On a TAP with offloads each frame comes behind a virtio header, which says what its sender
    left undone: a checksum, or the cutting of a super-packet into datagrams. This one asked for a
    sum over bytes that are not there, for segments of another kind than was agreed on, or gave
    lengths that contradict each other. Linux makes no such header; whoever else holds the other end
    (an emulator, a test) did.""",
    why_template=("virtio header in front of the frame: {what}",),
    advice_template="do without offloads: smolctl link add NAME type tap offload off",
)  # fmt: skip
RX_ETHERTYPE_UNKNOWN = Reason(
    "rx-ethertype-unknown", Kind.DROP, "RFC 1122 2.3.3", "UNHANDLED_PROTO",
    "a frame that carries neither IPv4 nor ARP",
    """The ethertype says what a frame carries. This stack speaks IPv4 (0x0800) and ARP (0x0806);
    others are dropped without a word, as RFC 1122 2.3.3 and Linux have it. Most often it is 0x86dd:
    the peer has IPv6 switched on and looks for routers. It does no harm.""",
    why_template=("ethertype {ethertype} is not IPv4 (0x0800) or ARP (0x0806); 0x86dd is IPv6",),
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
RX_VLAN_TRUNCATED = Reason(
    "rx-vlan-truncated", Kind.DROP, "IEEE 802.1Q 9.5", "NOT_SPECIFIED",
    "a frame that ends within its VLAN tag",
    """The ethertype says that a VLAN tag follows, of four bytes, and behind it what the frame
    carries. This frame ended before that. Real cables pad frames to 60 bytes; only a program that
    writes frames itself, or a broken driver, sends such ones. The sender hears nothing.""",
    why_template=("frame is {size} B, with a VLAN tag its header needs 18",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_VLAN_UNKNOWN = Reason(
    "rx-vlan-unknown", Kind.DROP, "IEEE 802.1Q 8.6.2", "OTHERHOST",
    "a frame of a VLAN that no interface here is in",
    """The frame has a VLAN tag, and this stack has no interface in that VLAN. A switch sends
    tagged frames out of a trunk port only, so this link may hang on a trunk port where an access
    port was meant, or the other way round: the VLAN was meant and nobody made an interface for it.
    From outside this host looks as if it was off: it answers no ARP in that VLAN. A tag with VLAN
    ID 0 has a priority and no VLAN; such a frame is taken as if it had no tag. Linux does the
    same, and shows the frame as another host's.""",
    why_template=("the frame is tagged for VLAN {vid} ({kind}): {cause}",),
    advice_template="is the other end of {dev} a trunk port? Take part in the VLAN:"
    " smolctl link add link {dev} name {dev}.{vid} type vlan {words}",
)  # fmt: skip
RX_LLC_BAD_LENGTH = Reason(
    "rx-llc-bad-length", Kind.DROP, "IEEE 802.3 3.2.6", "NOT_SPECIFIED",
    "a frame of IEEE 802.3 that is shorter than it says",
    """Below 0x0600 the third field of a frame is no ethertype but the length of what follows,
    padding not counted. Here less follows than that. The frame was cut on its way, or its sender
    counts wrong. Nobody can tell what is missing, so it is dropped.""",
    why_template=("the length field says {claimed} B, {size} B arrived",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_FRAME_TOO_LONG = Reason(
    "rx-frame-too-long", Kind.DROP, "IEEE 802.3 3.2.7", "NOT_SPECIFIED",
    "a frame that is longer than the MTU at this end of the cable",
    """The ends of a cable have different MTUs: the sender's frame fits its own, and not ours. An
    interface takes frames of its MTU and the link header, with room for a VLAN tag; a longer one
    is lost, as Linux's veth and most network cards have it. Small packets pass, so ping and name
    lookups work and transfers hang. No ICMP error is sent, since no router is there. All hosts on
    a link need one MTU.""",
    why_template=("frame is {size} B; with mtu {mtu} {dev} takes {most} B at most",),
    advice_template="give all ends one MTU, here: smolctl link set {dev} mtu {needed}",
    stage="device",
)  # fmt: skip
RX_FRAME_SNAPPED = Reason(
    "rx-frame-snapped", Kind.DROP, "pcap(3PCAP)", "silent",
    "a frame of which the capture file has only the beginning",
    """The file was captured with a snapshot length: of a longer frame only its first bytes were
    kept, and nobody knows the others. So the frame is counted and named, and goes no further. It
    was whole on the wire: that the file has only a part of it is no fault of its sender.""",
    why_template=("the capture kept {kept} of {size} B",),
    advice_template="capture again with whole frames: tcpdump -s 0 -w FILE",
    stage="device",
)  # fmt: skip
RX_NOT_OUR_MAC = Reason(
    "rx-not-our-mac", Kind.DROP, "RFC 1122 2.4", "OTHERHOST",
    "a frame for another station's MAC address",
    """A frame with another station's MAC address is not for this host, even when the IP packet
    inside is. On a hub or a bridge one sees others' frames all the time, and they are none of our
    business. When the packet inside is for our address, the sender has an old MAC in its ARP cache:
    it sends into the void until its entry expires, or until we announce our MAC.""",
    why_template=(
        "destination MAC {mac}, ours is {ours}",
        ", yet the packet inside is for our {ip}: the sender's ARP entry for us is stale",
    ),
    advice_template="usually harmless: on a shared link one sees others' frames",
)  # fmt: skip
RX_SRC_MAC_INVALID = Reason(
    "rx-src-mac-invalid", Kind.DROP, "IEEE 802.3 3.2.3", "MAC_INVALID_SOURCE",
    "a frame whose source MAC no station can have",
    """A source MAC must be that of one station: not a group address (lowest bit of the first byte
    set), and not all zero. To answer or to learn from such a frame would poison caches, so it is
    dropped. The sender is broken, forged, or was given a MAC by a typing error.""",
    why_template=("source MAC {mac} is a group address or zero",),
    advice_template="give the sender the address of one station, such as 02:00:00:00:00:01",
)  # fmt: skip
RX_OWN_FRAME = Reason(
    "rx-own-frame", Kind.DROP, "-", "LOCAL_MAC",
    "a frame with our own MAC as its source",
    """What we send does not come back on a sound link. If it does, the link has a loop (two bridges
    joined twice, a hub that echoes), or another station uses our MAC. The frame is dropped, because
    to learn from it would make us our own neighbor. With two stations of one MAC, switches deliver
    to whichever spoke last, so that both lose packets.""",
    why_template=(
        "a frame with our own source MAC {mac} came in on {dev}",
        "; {sender}, its sender, is none of our addresses: another station has our MAC",
    ),
    advice_template="look for a loop, or for another station with {mac}: smolctl capture {dev} -v",
)  # fmt: skip
RX_IFACE_DOWN = Reason(
    "rx-iface-down", Kind.DROP, "-", "DEV_READY",
    "a frame came in on an interface that is down",
    """The device still delivers frames, but the interface was set down, and an interface that is
    down takes nothing. The sender sees no answer, not even to ARP. The peer may go on sending for a
    while, since nothing tells it.""",
    why_template=("{dev} is down",),
    fix_templates=("smolctl link set {dev} up",),
    stage="device",
)  # fmt: skip
