"""Reasons of IGMP that comes in."""

from smolctl.stack.reason.model import Kind, Reason

IGMP_BAD_LENGTH = Reason(
    "igmp-bad-length", Kind.DROP, "RFC 3376 7.1", "silent",
    "an IGMP message of an impossible length",
    """The length of a query tells the versions of IGMP apart: 8 bytes are version 1 or 2, 12 and
    more are version 3, and anything between must be ignored (RFC 3376 7.1). A message that names
    more sources or groups than it has bytes for was cut off on its way, or built wrongly.""",
    why_template=("an IGMP message of {size} B: {what}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IGMP_BAD_CHECKSUM = Reason(
    "igmp-bad-checksum", Kind.DROP, "RFC 3376 4.1.2", "silent",
    "an IGMP checksum that is wrong",
    """The checksum covers the whole message. It is wrong, so something changed on the way, or the
    sender computed it wrongly. A host must check it before it processes a message (RFC 3376 4.1.2)
    and drops such a message silently.""",
    why_template=("checksum {got:#06x}, want {want:#06x}",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
IGMP_TYPE_UNKNOWN = Reason(
    "igmp-type-unknown", Kind.DROP, "RFC 3376 4", "silent",
    "an IGMP message of a type that a host does not know",
    """A host knows queries (0x11), reports (0x12, 0x16, 0x22) and leave messages (0x17). Other
    types are for routers, such as those of old multicast routing protocols. A host must ignore them
    silently (RFC 3376 4).""",
    why_template=("IGMP type {type} is not for hosts",),
    advice_template="usually harmless: it is for routers",
)  # fmt: skip
IGMP_QUERY_REFUSED = Reason(
    "igmp-query-refused", Kind.DROP, "RFC 3376 9.1", "silent",
    "an IGMP query that is not believed",
    """A router asks which groups have members on the link. Each answer costs something, so a query
    that no router would send is not answered: it asks about an address that is no group, or for
    sources without a group. With igmp.strict_queries=1, a query without the router alert option, or
    a general query that was not sent to 224.0.0.1, is not answered either, because forged queries
    from far away look like that (RFC 3376 9.1). Linux checks neither.""",
    why_template=("a query of {ip} {cause}",),
    causes={
        "group": "asks for {group}, which is not a group",
        "sources": "asks for all groups, but for some of their sources",
        "alert": "has no router alert option",
        "destination": "asks for all groups, but was not sent to 224.0.0.1",
    },
    fix_templates=("smolctl sysctl {knob}=0",),
    advice_template="the bytes and their sender: smolctl capture {dev} -v",
)  # fmt: skip
