"""Why a packet was dropped, refused or delayed: the one table of reasons.

Every path in the core that does not deliver or send names a reason of this table. The counters, the
messages of failed sends, ``why``, ``explain`` and smolctl-reasons(7) come from it. RFC 1122 1.3.3
asks for it: a "silent" discard should still be countable and explainable.
"""

from smolctl.stack.reason.arp import *  # noqa: F403
from smolctl.stack.reason.ethernet import *  # noqa: F403
from smolctl.stack.reason.icmp import *  # noqa: F403
from smolctl.stack.reason.ip import *  # noqa: F403
from smolctl.stack.reason.model import *  # noqa: F403
from smolctl.stack.reason.neigh import *  # noqa: F403
from smolctl.stack.reason.tx import *  # noqa: F403
from smolctl.stack.reason.udp import *  # noqa: F403
