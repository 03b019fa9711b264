"""Silence explained: nothing came, or an answer came and was dropped."""

from collections.abc import Mapping
from typing import Any

from smolctl.stack.ip.network import Network
from smolctl.stack.neighbor.states import VALID
from smolctl.stack.trace.answers import dropped_answer, forgotten
from smolctl.stack.trace.facts import Awaited
from smolctl.stack.trace.trace import Trace
from smolctl.wire.address import IPV6

Values = Mapping[str, Any]
More = dict[str, object]


def silence(net: Network, values: Values) -> More:
    """Return ``cause``: "silent" only if nothing came that might have been the answer.

    Of what was dropped: ``dropped``, why, and ``packet``, its number.
    """
    awaited: Awaited | None = values.get("_awaited")
    if awaited is None:
        return {}
    journal = net.recorder.journal
    found = dropped_answer(journal, awaited)
    if found is not None:
        return {"cause": "dropped", **told(found)}
    return {"cause": "forgotten" if forgotten(journal, awaited) else "silent"}


def told(answer: Trace) -> More:
    """Return what is said about an answer that was dropped."""
    why = answer.reason
    text = "" if why is None else f"{why.name}: {why.why(answer.detail)}"
    return {"dropped": text, "packet": answer.id}


def dad_unheard(_net: Network, values: Values) -> More:
    """Tell of the answer to the test of an address that was dropped."""
    return told(values["_answer"])


def host_silence(net: Network, values: Values) -> More:
    """Return the same as ``silence``, and how far a host that did not answer is away.

    ``cause`` is "near" where the host itself answers when it is asked for its MAC, and "far" where
    its gateway, ``gateway``, does; a link without MAC addresses says neither. ``asking`` is how it
    is asked, and ``icmp`` what a filter calls the protocol of its ping.
    """
    six = net.family is IPV6
    found = silence(net, values)
    found |= {"asking": "neighbor discovery" if six else "ARP", "icmp": "icmp6" if six else "icmp"}
    if found.get("cause") != "silent":
        return found
    gateway, dst = values.get("_gateway"), values["_awaited"].dst
    cache = net.neighbors.get(values["dev"])
    entry = None if cache is None else cache.lookup(dst if gateway is None else gateway)
    if entry is None or entry.state not in VALID or entry.lladdr is None:
        return found
    if gateway is None:
        return {**found, "cause": "near"}
    return {**found, "cause": "far", "gateway": gateway}
