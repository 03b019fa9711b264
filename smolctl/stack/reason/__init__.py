"""The one table of reasons for which packets are dropped, refused or delayed.

Every path in the core that does not deliver or send names a reason of this table. The counters, the
messages of failed sends, ``why``, ``explain`` and smolctl-reasons(7) come from it. RFC 1122 1.3.3
asks for it: a "silent" discard should still be countable and explainable.

The order of the imports is the order of the list: the way in, from the wire to the socket, then the
way out.
"""

# ruff: noqa: F403, F405, I001
from smolctl.stack.reason import (
    arp,
    forward,
    icmp,
    igmp,
    impairment,
    ipv4,
    ipv6,
    link,
    mld,
    nd,
    neigh,
    output,
    tcp,
    udp,
)
from smolctl.stack.reason.model import *
from smolctl.stack.reason.link import *
from smolctl.stack.reason.arp import *
from smolctl.stack.reason.ipv4 import *
from smolctl.stack.reason.ipv6 import *
from smolctl.stack.reason.igmp import *
from smolctl.stack.reason.icmp import *
from smolctl.stack.reason.nd import *
from smolctl.stack.reason.mld import *
from smolctl.stack.reason.udp import *
from smolctl.stack.reason.tcp import *
from smolctl.stack.reason.forward import *
from smolctl.stack.reason.output import *
from smolctl.stack.reason.neigh import *
from smolctl.stack.reason.impairment import *

_LAYERS = (
    link, arp, ipv4, ipv6, igmp, icmp, nd, mld, udp, tcp, forward, output, neigh, impairment,
)  # fmt: skip
REASONS: dict[str, Reason] = {
    each.name: each
    for layer in _LAYERS
    for each in vars(layer).values()
    if isinstance(each, Reason)
}
"""Every reason by its name, in the order of a packet's life."""
