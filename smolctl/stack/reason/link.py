"""Reasons of the way in, before a frame is known to be ARP or IPv4."""

from smolctl.stack.reason.model import Kind, Reason

RX_FRAME_SHORT = Reason(
    "rx-frame-short", Kind.DROP, "RFC 894", "HDR_TRUNC",
    "a frame that is shorter than an Ethernet header",
    """An Ethernet header has 14 bytes: two MAC addresses and the type of the payload. This frame is
    shorter, so nobody can tell which station it is for. Real cables pad frames to 60 bytes. Only a
    broken driver, or a program that writes frames itself, sends shorter ones. The sender hears
    nothing.""",
    why_template=("frame is {size} B, an Ethernet header needs 14",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_OFFLOAD_INVALID = Reason(
    "rx-offload-invalid", Kind.DROP, "virtio 1.2 5.1.6", "silent",
    "a frame whose virtio header makes no sense",
    """On a TAP with offloads, a virtio header in front of each frame says what the sender left
    undone: a checksum, or the cutting of a super-packet into datagrams. This header asks for a
    checksum over bytes that are not there, for segments of a kind that was not agreed on, or has
    lengths that contradict each other. Linux sends no such header. Whatever else holds the other
    end (an emulator, a test) does.""",
    why_template=("virtio header in front of the frame: {what}",),
    advice_template="do without offloads: smolctl link add NAME type tap offload off",
)  # fmt: skip
RX_ETHERTYPE_UNKNOWN = Reason(
    "rx-ethertype-unknown", Kind.DROP, "RFC 1122 2.3.3", "UNHANDLED_PROTO",
    "a frame that carries neither IP nor ARP",
    """The ethertype says what a frame carries. This stack takes IPv4 (0x0800), ARP (0x0806) and
    IPv6 (0x86dd) and drops everything else silently (RFC 1122 2.3.3), as Linux does. Most often
    switches and other hosts look for their like (LLDP, flow control). That does no harm. A value
    below 0x0600 is a length: the frame is one of IEEE 802.3, as switches send for spanning
    tree.""",
    why_template=("{cause}; this stack takes IPv4 (0x0800), ARP (0x0806) and IPv6 (0x86dd)",),
    causes={
        "ethertype": "ethertype {ethertype} is {name}",
        "length": "the frame is one of IEEE 802.3 (length {length}) that carries {name}",
    },
    advice_template="usually harmless; what it is: smolctl capture {dev} -v",
)  # fmt: skip
RX_VLAN_TRUNCATED = Reason(
    "rx-vlan-truncated", Kind.DROP, "IEEE 802.1Q 9.5", "NOT_SPECIFIED",
    "a frame that ends within its VLAN tag",
    """The ethertype says that a VLAN tag of four bytes follows, and then the payload. This frame is
    shorter. Real cables pad frames to 60 bytes. Only a broken driver, or a program that writes
    frames itself, sends shorter ones. The sender hears nothing.""",
    why_template=("frame is {size} B, with a VLAN tag its header needs 18",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_VLAN_UNKNOWN = Reason(
    "rx-vlan-unknown", Kind.DROP, "IEEE 802.1Q 8.6.2", "OTHERHOST",
    "a frame of a VLAN that no interface here is in",
    """The frame has a VLAN tag, and this stack has no interface in that VLAN. A switch sends tagged
    frames only out of a trunk port. So either this link hangs on a trunk port where an access port
    was meant, or the VLAN was meant and nobody made an interface for it. Seen from that VLAN, this
    host looks as if it were off: it answers no ARP. A tag with VLAN ID 0 has a priority and no
    VLAN, and such a frame is taken as if it had no tag. Linux does the same and shows the frame as
    another host's.""",
    why_template=("the frame is tagged for VLAN {vid} ({kind}), {cause}",),
    causes={
        "absent": "and {dev} has no interface in it (a trunk port?)",
        "reserved": "an ID that no frame may have",
    },
    advice_template="make the switch port an access port, or take part in the VLAN:"
    " smolctl link add link {dev} name {dev}.{vid} type vlan {words}",
)  # fmt: skip
RX_LLC_BAD_LENGTH = Reason(
    "rx-llc-bad-length", Kind.DROP, "IEEE 802.3 3.2.6", "NOT_SPECIFIED",
    "a frame of IEEE 802.3 that is shorter than it says",
    """Below 0x0600, the third field of a frame is not an ethertype but the length of the payload
    without padding. Fewer bytes follow here. The frame was cut off on its way, or its sender counts
    wrongly. Nobody can tell what is missing, so it is dropped.""",
    why_template=("the length field says {claimed} B, but only {size} B follow",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
RX_FRAME_TOO_LONG = Reason(
    "rx-frame-too-long", Kind.DROP, "IEEE 802.3 3.2.7", "NOT_SPECIFIED",
    "a frame that is longer than the MTU at this end of the cable",
    """The ends of a cable have different MTUs, and the frame fits the sender's MTU but not ours. An
    interface takes frames of its MTU plus the link header, with room for a VLAN tag; a longer frame
    is lost, as with Linux's veth and most network cards. Small packets pass, so ping and name
    lookups work while transfers hang. No ICMP error is sent, because there is no router. All hosts
    on a link need the same MTU.""",
    why_template=("frame is {size} B; with mtu {mtu} {dev} takes {most} B at most",),
    advice_template="use one MTU at all ends; here: smolctl link set {dev} mtu {needed}",
    stage="device",
)  # fmt: skip
RX_FRAME_SNAPPED = Reason(
    "rx-frame-snapped", Kind.DROP, "pcap(3PCAP)", "silent",
    "a frame of which the capture file has only the beginning",
    """The file was captured with a snapshot length: it has only the first bytes of longer frames.
    The others are not known, so this frame is counted and goes no further. It was complete on the
    wire; its sender made no mistake.""",
    why_template=("the capture file has only {kept} of the frame's {size} B",),
    advice_template="capture again with whole frames: tcpdump -s 0 -w FILE",
    stage="device",
)  # fmt: skip
RX_NOT_OUR_MAC = Reason(
    "rx-not-our-mac", Kind.DROP, "RFC 1122 2.4", "OTHERHOST",
    "a frame for another station's MAC address",
    """A frame with another station's MAC address is not for this host, even if the IP packet inside
    is. On a hub or a bridge such frames are normal. If the packet inside is for our address, the
    sender has an old MAC for us in its neighbor cache. It sends to nobody until its entry expires,
    or until we announce our MAC.""",
    why_template=(
        "destination MAC {mac}, ours is {ours}",
        ", yet the packet inside is for our {ip}: the sender's entry for us is stale",
    ),
    advice_template="usually harmless: on a shared link one sees others' frames",
)  # fmt: skip
RX_SRC_MAC_INVALID = Reason(
    "rx-src-mac-invalid", Kind.DROP, "IEEE 802.3 3.2.3", "MAC_INVALID_SOURCE",
    "a frame whose source MAC no station can have",
    """A source MAC must belong to one station: it is not a group address (lowest bit of the first
    byte set) and not all zeros. A host that answered such a frame, or learned from it, would fill
    caches with nonsense, so the frame is dropped. The sender is broken or forged, or somebody
    mistyped its MAC.""",
    why_template=("source MAC {mac} is {cause}",),
    causes={
        "group": "a group address: the lowest bit of its first byte is set",
        "zero": "all zeros",
    },
    advice_template="give the sender the address of one station, such as 02:00:00:00:00:01",
)  # fmt: skip
RX_OWN_FRAME = Reason(
    "rx-own-frame", Kind.DROP, "-", "LOCAL_MAC",
    "a frame with our own MAC as its source",
    """On a sound link, what we send does not come back. If it does, the link has a loop (two
    bridges joined twice, a hub that echoes), or another station uses our MAC. The frame is dropped,
    because a stack that learned from it would become its own neighbor. If two stations have one
    MAC, a switch sends frames to the one that spoke last, so both lose packets.""",
    why_template=(
        "a frame with our own source MAC {mac} came in on {dev}",
        " from {sender}, which is not our address: another station has our MAC",
    ),
    advice_template="look for a loop, or for another station with {mac}: smolctl capture {dev} -v",
)  # fmt: skip
RX_IFACE_DOWN = Reason(
    "rx-iface-down", Kind.DROP, "-", "DEV_READY",
    "a frame came in on an interface that is down",
    """The device still delivers frames, but the interface was set down, and an interface that is
    down takes nothing. The sender gets no answer, not even to ARP. Nothing tells it, so it may go
    on sending for a while.""",
    why_template=("{dev} is down",),
    fix_templates=("smolctl link set {dev} up",),
    advice_template="is {dev} to be up? smolctl link set {dev} up",
    stage="device",
)  # fmt: skip
