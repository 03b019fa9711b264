"""Linux's own names for the reasons for which packets are dropped, by smolctl's.

Source: Linux include/net/dropreason-core.h, enum skb_drop_reason, as the tracepoint skb:kfree_skb
shows it, without ``SKB_DROP_REASON_``; and the errno that a program gets.
"""

import re
from collections.abc import Mapping

from smolctl.stack.reason import REASONS

_NAME = re.compile(r"[A-Z][A-Z0-9_]+")


LINUX: Mapping[str, str] = {
    reason.name: reason.linux for reason in REASONS.values() if _NAME.fullmatch(reason.linux)
}
"""Each reason that Linux has one name for: ``ip-reverse-path`` is ``IP_RPFILTER``."""
