"""A stack that was made again from a snapshot predicts what the other one does."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.errors import SmolctlError
from smolctl.ops import snapshot
from smolctl.ops.context import Context
from smolctl.ops.restore import restore
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.ip.reassembly import Reassembly
from smolctl.stack.stack import Stack
from tests.kit.amount import examples
from tests.kit.host import ip
from tests.property.events import Event, histories
from tests.property.frames import DEVS, ports
from tests.property.test_predict import discs, hosts, ours, played, sizes, theirs, toses, ttls
from tests.property.world import Config, World, configs

LATER_NS = 7_777_777_777_777
"""By how much the clock of the copy is ahead: a snapshot has no time of any clock."""


class Nowhere:
    """The process of a stack that has none."""

    def status(self, now: int) -> dict[str, Any]:
        return {"name": "test"}

    def wall_time(self, now: int) -> float:
        return now / 1e9

    def details(self, name: str) -> dict[str, Any]:
        return {}


def rows_of(stack: Stack, now: int) -> list[dict[str, Any]]:
    """Return a snapshot, as it comes out of a file."""
    ctx = Context(stack, Nowhere(), Nowhere(), now)  # type: ignore[arg-type]
    rows = list(snapshot.rows(ctx))
    for row in rows:
        assert None not in row.values(), row
    return [json.loads(json.dumps(row, allow_nan=False)) for row in rows]


def told(stack: Stack, question: Question, now: int) -> Any:
    """Return what is said about a question."""
    try:
        return verdict.tell(predict(stack, question, now))
    except SmolctlError as error:
        return error.message


def taken_again(world: World, now: int) -> Stack:
    """Return the copy of a stack, as of ``now``."""
    stack = world.stack
    for net in stack.networks.values():  # fragments that wait are not carried over, and say so
        empty = Reassembly(net.fragment_rules, stack.settings, stack.timers.alarm)
        net.reassembly = empty
    for socket in stack.udp:  # a world names them when they are bound already
        if socket.bound is not None:
            socket.bound = socket.bound._replace(owner=socket.owner)
    copy = restore(rows_of(stack, world.host.now), now)
    copy.ledger.prove = None  # what helps has tests of its own
    # Nor are secrets, on which numbers and ephemeral ports depend.
    copy.tcp.secrets, copy.tcp._searched = stack.tcp.secrets, stack.tcp._searched
    return copy


questions = st.builds(
    lambda proto, family, src, dst, more: (proto, family, src, dst, more),
    st.sampled_from(["udp", "tcp", "icmp", "arp", "nd"]),
    st.sampled_from([0, 1]),
    st.none() | ours | theirs,
    hosts | theirs | ours,
    st.tuples(
        st.sampled_from([0, 7, 8, 9, 5000]), ports, sizes, st.none() | st.sampled_from(DEVS),
        st.booleans(), st.booleans(), discs, toses, ttls,
    ),
)  # fmt: skip


def asked(said: Any) -> Question:
    proto, family, src, dst, (sport, dport, size, dev, incoming, broadcast, disc, tos, ttl) = said
    family = {"arp": 0, "nd": 1}.get(proto, family)
    source = None if src is None else ip(src[family])
    iif = dev if incoming and source is not None else None
    return Question(
        proto, source, ip(dst[family]), sport, dport, size, None if iif else dev, iif, broadcast,
        disc, tos, ttl,
    )  # fmt: skip


@examples(30)
@given(configs, histories(sizes=(0, 8)), st.lists(questions, min_size=1, max_size=3))
def test_a_stack_from_a_snapshot_predicts_the_same(
    config: Config, history: list[Event], several: list[Any]
) -> None:
    world = played(config, history)
    now = world.host.now
    later = taken_again(world, now + LATER_NS)
    same = taken_again(world, now)
    for said in several:
        question = asked(said)
        wanted = told(world.stack, question, now)
        if question.proto == "tcp":  # its numbers and timestamps follow the clock
            assert told(same, question, now) == wanted
        else:
            assert told(later, question, now + LATER_NS) == wanted


MOMENTS_NS = [ms * 1_000_000 for ms in (1, 500, 1000, 3000, 30_000, 120_000)]
COUNTS = {"wall_time", "waiting", "drops", "rx_datagrams", "tx_datagrams"}


def learned(stack: Stack, now: int) -> list[dict[str, Any]]:
    """Return what a snapshot says, but for counts, and for TCP, whose timers are not restored."""
    return [
        {key: value for key, value in row.items() if key not in COUNTS}
        for row in rows_of(stack, now)
        if not row["part"].startswith("tcp")
    ]


def pass_time(stack: Stack, now: int, until: int) -> None:
    """Let everything happen at its time; the devices take what leaves, and nobody answers."""
    for _ in range(1000):
        due = stack.deadline()
        if due is None or due > until:
            break
        stack.poll(max(due, now))
        for link in stack.interfaces.values():
            link.outbox.clear()
    stack.poll(until)


@examples(15)
@given(configs, histories(sizes=(0, 8)))
def test_time_passes_in_both_alike(config: Config, history: list[Event]) -> None:
    world = played(config, history)
    stack, now = world.stack, world.host.now
    copy = taken_again(world, now)
    for passed in MOMENTS_NS:
        pass_time(stack, now, now + passed)
        pass_time(copy, now, now + passed)
        assert learned(copy, now + passed) == learned(stack, now + passed)
