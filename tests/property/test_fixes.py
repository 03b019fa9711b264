"""Every fix that is printed helps: made on the stack itself, the packet gets through."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.proof.again import Again
from smolctl.stack.proof.change import Trial
from smolctl.stack.proof.prover import Prover
from smolctl.stack.reason import Detail, shown
from smolctl.wire.address import parse_prefix
from tests.kit.amount import examples
from tests.kit.host import ip
from tests.property.events import Event, histories
from tests.property.frames import DEVS, IPS, ips, ports
from tests.property.test_predict import played
from tests.property.world import Config, World, configs

questions = st.tuples(
    st.sampled_from(["udp", "icmp", "arp"]),
    st.none() | st.sampled_from(IPS),
    ips,
    ports,
    st.sampled_from([0, 1473]),
    st.none() | st.sampled_from(DEVS),
    st.booleans(),
)


def made(world: World, question: Question, values: Any, command: str) -> Question:
    """Make a change on the stack itself; return what is asked afterwards."""
    trial = Trial(world.stack.udp, Again(question), values, world.host.now)
    trial.make(command)
    world.stack.poll(world.host.now)
    assert trial.again.question is not None
    return trial.again.question


def is_known(world: World, question: Question, address: int) -> bool:
    """Tell whether an address is in the configuration, a learned table or the question."""
    net = world.stack.ipv4
    if address in (question.src, question.dst):
        return True
    return any(
        address in (route.prefix, route.via, route.prefsrc)
        or any(address == hop.via for hop in getattr(route, "hops", ()))
        for route in net.fib
    ) or any(
        address == entry.ip for name in world.stack.interfaces for entry in net.neighbors[name]
    ) or any(
        address == item.local
        for link in world.stack.interfaces.values()
        for item in link.ipv4.addresses.items
    ) or any(address in (rule.src, rule.dst) for rule in net.fib.rules)  # fmt: skip


def addresses(command: str) -> list[int]:
    """Return the addresses that a command names."""
    found = []
    for word in command.replace(":", " ").split():
        if word.count(".") == 3:
            found.append(parse_prefix(word)[0])
    return found


@examples(60, times=1)
@given(configs, histories(sizes=(0, 8)), questions)
def test_every_fix_of_a_prediction_helps(
    config: Config, history: list[Event], asked: tuple[Any, ...]
) -> None:
    proto, src, dst, port, size, dev, comes_in = asked
    world = played(config, history)
    if dev not in world.stack.interfaces:
        dev = None
    comes_in = comes_in and dev is not None and src is not None
    where = {"iif": dev} if comes_in else {"dev": dev}
    source = None if src is None else ip(src)
    question = Question(proto, source, ip(dst), 9, port, size, **where)
    world.stack.ledger.prove = Prover(world.stack)
    trace = predict(world.stack, question, world.host.now)
    reason, detail = verdict.blame(trace)
    row = verdict.tell(trace)
    for fix in row["fix"][:1]:  # the stack is another one after it
        assert reason is not None
        assert isinstance(detail, Detail)
        assert all(is_known(world, question, each) for each in addresses(fix)), fix
        then = made(world, question, detail.recorded, fix)
        after = verdict.tell(predict(world.stack, then, world.host.now))
        assert after["ok"], (fix, row["verdict"], after["verdict"])
        assert after.get("reason") != reason.name


@examples(60, times=1)
@given(configs, histories(sizes=(4, 20)))
def test_every_fix_of_what_was_counted_can_be_made(config: Config, history: list[Event]) -> None:
    world = played(config, history)
    world.stack.ledger.prove = Prover(world.stack)
    for (reason, _), tally in list(world.stack.ledger.reasons.items()):
        detail = tally.detail
        assert isinstance(detail, Detail)
        for fix in reason.fixes(detail):
            assert shown(detail)
            assert fix in reason.candidates(detail)
