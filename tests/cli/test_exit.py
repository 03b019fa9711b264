"""The exit table."""

import pytest

from smolctl.cli import exit as exits
from smolctl.stack.reason import REASONS


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("usage", "", 2),
        ("invalid-argument", "", 2),
        ("exists", "", 2),
        ("not-found", "", 2),
        ("no-such-device", "", 2),
        ("address-in-use", "", 2),
        ("message-too-long", "", 2),
        ("internal", "", 2),
        ("a-code-of-tomorrow", "", 2),
        # What the caller of udp send must fix.
        ("tx-src-not-ours", "", 2),
        ("tx-no-source", "", 2),
        ("tx-broadcast-denied", "", 2),
        ("tx-dst-invalid", "", 2),
        ("tx-loopback-source", "", 2),
        ("tx-ttl-zero", "", 2),
        # What the network answered.
        ("tx-no-route", "", 1),
        ("tx-route-unreachable", "", 1),
        ("tx-route-prohibit", "", 1),
        ("tx-route-blackhole", "", 1),
        ("neigh-failed", "", 1),
        ("udp-port-closed", "", 1),
        ("tx-iface-down", "", 1),
        ("tx-no-carrier", "", 1),
        ("tx-queue-full", "", 1),
        ("udp-rcvbuf-full", "", 1),
        ("tx-too-big", "", 1),
        ("icmp-host-unreachable", "", 1),
        ("lab-loss", "", 1),
        ("lab-loss", "probe", 1),
        ("lab-queue-full", "", 1),
        # A verb that looks one thing up.
        ("tx-no-route", "get", 1),
        ("not-found", "get", 1),
        ("no-such-device", "get", 2),
        # ping and arping: 1 is "no reply", as in iputils.
        ("tx-no-route", "probe", 2),
        ("tx-iface-down", "probe", 2),
        # No daemon.
        ("not-running", "", 3),
        ("start-failed", "", 3),
        ("daemon-gone", "probe", 3),
        ("daemon-silent", "", 3),
        ("version-mismatch", "get", 3),
    ],
)
def test_status(code: str, kind: str, status: int) -> None:
    assert exits.status(code, kind) == status


def test_each_status_has_a_meaning() -> None:
    used = {*exits.STATUS.values(), *(s for e in exits.EXCEPTIONS.values() for s in e.values())}
    assert used | {exits.DONE, exits.FIX} <= exits.MEANINGS.keys()


def test_the_table_names_reasons_that_exist() -> None:
    network = {code for code, status in exits.STATUS.items() if status == exits.NO}
    assert network <= REASONS.keys()


def test_a_refused_send_has_a_status_on_purpose() -> None:
    refused = {name for name, reason in REASONS.items() if name.startswith("tx-")}
    fix = {name for name in refused if exits.status(name) == exits.FIX}
    assert fix == {
        "tx-beyond-scope",
        "tx-broadcast-denied",
        "tx-dst-invalid",
        "tx-loopback-source",
        "tx-no-device",
        "tx-no-port",
        "tx-no-scope",
        "tx-no-source",
        "tx-payload-too-long",
        "tx-src-invalid",
        "tx-src-not-ours",
        "tx-src-tentative",
        "tx-ttl-zero",
        "tx-wrong-family",
        "tx-wrong-iface",
    }
