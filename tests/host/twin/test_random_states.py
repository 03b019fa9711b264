"""Twins of any state, right or wrong: none raises, nor does a question to it."""

from contextlib import suppress

import pytest

from smolctl.errors import SmolctlError
from smolctl.host.twin import twin
from tests.host.twin.asking import way, why
from tests.host.twin.random_states import RandomHost
from tests.kit.amount import amount

SEEDS = range(amount(2000, 40))
QUESTIONS = (
    "udp any 10.0.0.9#53", "tcp any 8.8.8.8#80", "icmp any 2001:db8::7",
    "udp 10.0.0.9#7 10.0.0.1#53 iif eth0", "tcp 2001:db8::9#7 2001:db8::1#80 iif eth1",
    "udp 10.0.0.9#7 8.8.8.8#53 iif eth2",
)  # fmt: skip


def ask_everything(seed: int) -> None:
    state = RandomHost(seed).state()
    made = twin(state, 5_000_000_000)
    assert {link.name for link in state.links} <= set(made.stack.interfaces)
    for question in QUESTIONS:
        try:
            row = why(made, question)
        except SmolctlError:  # such as a link that is not there
            continue
        assert row["verdict"]
    with suppress(SmolctlError):
        way(made, "10.0.0.77")


@pytest.mark.proof
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_state_has_a_twin(seed: int) -> None:
    ask_everything(seed)
