"""Causes of the reasons of address conflict detection, and the effect of their fixes."""

from tests.e2e.fixes.fix_frames import PORT, THEIRS
from tests.e2e.fixes.fixes import Case, pinged, sent
from tests.e2e.kit import OURS_MAC

TESTED = ("sysctl arp.probe_wait_ms=60000", "addr add 10.0.0.77/24 dev tap0 dad")
UNTESTED = "smolctl addr replace 10.0.0.77/24 dev tap0 nodad"

CONFLICT_CASES = (
    Case(
        "arp-target-tentative", UNTESTED, pinged("10.0.0.77"), TESTED,
    ),
    Case(
        "ip-dst-tentative", UNTESTED, pinged("10.0.0.77"), TESTED,
        (f"neigh add 10.0.0.77 lladdr {OURS_MAC} dev tap0",),
    ),
    Case(
        "tx-src-tentative", UNTESTED, sent(f"{THEIRS}:{PORT} x"),
        ("addr flush dev tap0", *TESTED),
    ),
)  # fmt: skip
