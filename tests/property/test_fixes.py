"""Every fix that is printed helps: made on the stack itself, the packet gets through."""

from contextlib import suppress
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.explain import verdict
from smolctl.stack.explain.predict import Question, predict
from smolctl.stack.proof.again import Again
from smolctl.stack.proof.change import Trial
from smolctl.stack.proof.prover import Prover
from smolctl.stack.reason import Detail, shown
from smolctl.stack.sysctl.settings import SCOPES
from smolctl.wire.address import Family, is_link_local, parse_address, split_zone
from tests.kit.amount import examples
from tests.kit.host import ip
from tests.property.events import Event, histories
from tests.property.frames import DEVS, ports
from tests.property.test_predict import ASKING, FAMILIES, hosts, of, ours, played, theirs
from tests.property.world import Config, World, configs

questions = st.tuples(
    st.sampled_from(["udp", "udp", "tcp", "icmp", "neighbor"]),
    st.none() | hosts | ours | theirs,
    hosts | ours | theirs,
    ports,
    st.sampled_from([0, 1473]),
    st.none() | st.sampled_from(DEVS),
    st.booleans(),
)


def made(world: World, question: Question, values: Any, command: str) -> Question:
    """Make a change on the stack itself; return what is asked afterwards."""
    trial = Trial(world.stack.udp, world.stack.tcp, Again(question), values, world.host.now)
    trial.make(command)
    world.stack.poll(world.host.now)
    assert trial.again.question is not None
    return trial.again.question


def is_known(world: World, question: Question, address: int) -> bool:
    """Tell whether an address is in the configuration, a learned table or the question."""
    net = world.stack.networks.for_address(address)
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
        for item in net.of(link).addresses.items
    ) or any(address in (rule.src, rule.dst) for rule in net.fib.rules)  # fmt: skip


def addresses(command: str) -> list[int]:
    """Return the addresses that a command names, with a prefix length, a zone or a port or not."""
    found = []
    for word in command.split():
        inside, bracket, _ = word.removeprefix("[").partition("]")
        plain = inside if bracket else word
        if plain.count(".") == 3:
            plain = plain.partition(":")[0]
        with suppress(ValueError):
            found.append(parse_address(split_zone(plain.partition("/")[0])[0]))
    return found


def test_addresses_in_commands_are_found() -> None:
    assert addresses("smolctl udp recv [2001:db8::1%tap0]:7 --dev tap0") == [ip("2001:db8::1")]
    assert addresses("smolctl udp recv 10.0.0.1:7") == [ip("10.0.0.1")]
    assert addresses("smolctl -6 rule del from all to 2001:db8:9::/48") == [ip("2001:db8:9::")]
    assert addresses("smolctl addr add 10.0.0.3/24 dev tap0") == [ip("10.0.0.3")]
    assert addresses("smolctl udp recv --group ff05::5 --dev tap0 7") == [ip("ff05::5")]


@FAMILIES
@examples(60, times=1)
@given(configs, histories(sizes=(0, 8)), questions)
def test_every_fix_of_a_prediction_helps(
    family: Family, config: Config, history: list[Event], asked: tuple[Any, ...]
) -> None:
    proto, srcs, dsts, port, size, dev, comes_in = asked
    proto = ASKING[family] if proto == "neighbor" else proto
    src, dst = srcs and of(family, srcs), of(family, dsts)
    world = played(config, history)
    if dev not in world.stack.interfaces:
        dev = None
    source = None if src is None else ip(src)
    if source is not None and dev is None and is_link_local(source):
        dev = DEVS[0] if DEVS[0] in world.stack.interfaces else "lo"  # it says nothing alone
    comes_in = comes_in and dev in DEVS and src is not None
    where = {"iif": dev} if comes_in else {"dev": dev}
    question = Question(proto, source, ip(dst), 9, port, size, **where)
    world.stack.ledger.prove = Prover(world.stack)
    assume(question.proto != "tcp" or question.dport)  # else it is no attempt at all
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
            assert without_scope(world, fix) in reason.candidates(detail)
            clone = clone_for_changes(world.stack)
            again = Again(Question("icmp", None, ip("10.0.0.2")))
            Trial(clone.udp, clone.tcp, again, detail.recorded, world.host.now).make(fix)


def without_scope(world: World, fix: str) -> str:
    """Return a command that sets a sysctl of one link as the one for the whole stack."""
    for scope in sorted((*SCOPES, *world.stack.interfaces), key=len, reverse=True):
        fix = fix.replace(f"sysctl {scope}.", "sysctl ")
    return fix
