"""``smolctl arping``: the options of both arpings, and the text of iputils."""

from typing import Any

import pytest

from smolctl.cli.nouns import arping
from smolctl.cli.words.grammar import UsageFault
from tests.cli.kit import read

REPLY = {
    "event": "reply",
    "from": "10.0.0.2",
    "lladdr": "02:00:00:00:00:0b",
    "unicast": True,
    "rtt_ns": 581_900,
    "seq": 1,
}


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("arping 10.0.0.2", {}),
        (
            "arping -c 2 -C 1 -w 5 -W 1 -i 0.2 -I v0 -s 10.0.0.1 10.0.0.2",
            {
                "count": "2",
                "replies": "1",
                "deadline": "5",
                "wait": "1",
                "interval": "0.2",
                "dev": "v0",
                "src": "10.0.0.1",
            },
        ),
        ("arping 10.0.0.2 --dev v0 -fbq", {"dev": "v0", "first": True, "broadcast": True,
                                           "quiet": True}),
        ("arping -rR 10.0.0.2", {"raw": True, "raw_address": True}),
        ("arping 10.0.0.2 dev v0", {"dev": "v0"}),
    ],
)  # fmt: skip
def test_words(line: str, args: dict[str, Any]) -> None:
    assert read(line)[:2] == ("arping", {"dst": "10.0.0.2", **args})


@pytest.mark.parametrize(
    ("letter", "mode"), [("D", "dad"), ("U", "announce-request"), ("A", "announce-reply")]
)
def test_modes(letter: str, mode: str) -> None:
    args = arping.request(read(f"arping -{letter} 10.0.0.2").args)
    assert args == {"dst": "10.0.0.2", "mode": mode}


def test_modes_exclude_each_other() -> None:
    with pytest.raises(UsageFault, match="--dad and --announce cannot be used together"):
        arping.request(read("arping -D -U 10.0.0.2").args)


def test_reply() -> None:
    assert arping.reply(REPLY) == "Unicast reply from 10.0.0.2 [02:00:00:00:00:0B]  0.581ms"
    assert arping.reply({**REPLY, "unicast": False}) == (
        "Broadcast reply from 10.0.0.2 [02:00:00:00:00:0B]  0.581ms"
    )


def test_summary() -> None:
    done: dict[str, Any] = {"sent": 2, "broadcasts": 1, "received": 2, "ok": True}
    assert arping.summary(done) == ["Sent 2 probes (1 broadcast(s))", "Received 2 response(s)"]
    done["rtt_ns"] = {"min": 571_000, "avg": 576_000, "max": 581_000, "mdev": 5_000}
    assert arping.summary(done)[2] == "rtt min/avg/max/mdev = 0.571/0.576/0.581/0.005 ms"


@pytest.mark.parametrize(
    ("mode", "sent", "ok", "status"),
    [
        ("request", 1, True, 0),
        ("request", 1, False, 1),
        ("request", 0, False, 1),
        ("dad", 2, True, 0),
        ("dad", 1, False, 1),
        # Nobody was asked: that is neither free nor taken.
        ("dad", 0, True, 2),
    ],
)
def test_exit_status(mode: str, sent: int, ok: bool, status: int) -> None:
    assert arping.exit_status({"sent": sent, "ok": ok}, mode) == status
