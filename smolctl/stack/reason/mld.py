"""Reasons of multicast listener discovery that comes in (RFC 3810)."""

from smolctl.stack.reason.model import Kind, Reason

_BYTES = "the bytes and their sender: smolctl capture {dev} -v"

MLD_BAD_LENGTH = Reason(
    "mld-bad-length", Kind.DROP, "RFC 3810 8.1", "-",
    "a listener message of an impossible length",
    """The length of a query tells the versions of MLD apart: 24 bytes are version 1, 28 and more
    are version 2, and anything between must be ignored (RFC 3810 8.1). A message that names more
    sources or groups than it has bytes for was cut off on its way, or built wrongly.""",
    why_template=("a message of {number} B: {what}",),
    advice_template=_BYTES,
)  # fmt: skip
MLD_BAD_HOP_LIMIT = Reason(
    "mld-bad-hop-limit", Kind.DROP, "RFC 3810 6.2", "-",
    "a listener message that may come from another link",
    """Every message of multicast listener discovery has the hop limit 1, since it is for one link.
    With another one it may have been sent from far away, to have this host answer. It is dropped
    silently (RFC 3810 6.2).""",
    why_template=("hop limit {number}, not 1",),
    advice_template=_BYTES,
)  # fmt: skip
MLD_NO_ALERT = Reason(
    "mld-no-alert", Kind.DROP, "RFC 3810 6.2", "-",
    "a listener message without router alert",
    """Every message of multicast listener discovery has a hop-by-hop header with the router alert
    option of value 0, so that routers look at it. One without it is built wrongly, and is dropped
    silently (RFC 3810 6.2).""",
    why_template=("the message {what}",),
    advice_template=_BYTES,
)  # fmt: skip
MLD_SOURCE = Reason(
    "mld-source", Kind.DROP, "RFC 3810 5.1.14", "-",
    "a listener message from an address of no neighbor",
    """Routers ask from their link-local address, and listeners report from theirs, or from :: while
    they have none (RFC 3590 4). A message from any other address was not sent by a node of this
    link, or is built wrongly. It is dropped silently (RFC 3810 6.2).""",
    why_template=("a message of type {number} that is not from a link-local address",),
    advice_template=_BYTES,
)  # fmt: skip
MLD_QUERY_REFUSED = Reason(
    "mld-query-refused", Kind.DROP, "RFC 3810 6.2", "-",
    "a listener query that is not believed",
    """A router asks which groups have listeners on the link. Each answer costs something, so a
    query that no router would send is not answered: it asks about an address that is no group, or
    for sources without a group. With mld.force_version=2, a query of version 1 is not answered
    either. Linux does the same.""",
    why_template=("a query of {ip} {cause}",),
    causes={
        "group": "asks for {group}, which is not a group",
        "sources": "asks for all groups, but for some of their sources",
        "version": "is of version 1, and mld.force_version is 2",
    },
    advice_template=_BYTES,
)  # fmt: skip
