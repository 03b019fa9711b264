"""Options that a program sets on a connection whose way is known."""

import pytest

from smolctl.ops.args import Args
from smolctl.ops.stream_options import change
from tests.kit.tcp import Pair


@pytest.mark.parametrize(
    ("option", "value", "at", "expected"), [("ttl", 9, 22, 9), ("mtu_discover", 0, 20, 0)]
)
def test_an_option_counts_from_the_next_segment(
    option: str, value: int, at: int, expected: int
) -> None:
    pair = Pair()
    client, server = pair.connect()
    assert pair.transfer(client, server, b"before") == b"before"
    assert client.flow is not None
    args = Args("set", {option: value}, frozenset({option}))
    change(pair.client.stack, client, args, pair.now)
    sent = len(pair.sent)
    assert pair.transfer(client, server, b"after") == b"after"
    frames = [frame for _, end, frame in pair.sent[sent:] if end == 0]
    assert frames[0][at] == expected
