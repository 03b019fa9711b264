"""The steps of packets to groups, and of IGMP, in words and in rows; a part of ``steps``."""

from collections.abc import Callable
from typing import Any

from smolctl.stack.explain.summary import igmp_words
from smolctl.stack.trace.facts import GroupMember, Planned
from smolctl.wire.address import format_address
from smolctl.wire.igmp import Membership, Message, Query, Report, Unknown

Row = dict[str, Any]
Told = tuple[str, Row]


def _member(facts: GroupMember) -> Told:
    group = format_address(facts.group)
    members = "1 member" if facts.users == 1 else f"{facts.users} members"
    text = f"{group} has {members} here on {facts.dev}"
    return text, {"group": group, "dev": facts.dev, "users": facts.users}


def _planned(facts: Planned) -> Told:
    row: Row = {"groups": facts.groups, "within_ms": facts.within_ms}
    if not facts.groups:
        return "nothing to report", row
    groups = "1 group" if facts.groups == 1 else f"{facts.groups} groups"
    return f"an answer for {groups} within {facts.within_ms / 1000:g} s", row


def _igmp(facts: Message) -> Told:
    row: Row = {}
    if isinstance(facts, Query):
        row["version"] = facts.version
    if isinstance(facts, Query | Membership) and facts.group:
        row["group"] = format_address(facts.group)
    return igmp_words(facts), row


TELLERS: dict[type, Callable[[Any], Told]] = {
    Query: _igmp,
    Membership: _igmp,
    Report: _igmp,
    Unknown: _igmp,
    GroupMember: _member,
    Planned: _planned,
}
