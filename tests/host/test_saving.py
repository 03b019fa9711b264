"""Commands that make a copy of a host: what can only be added before something else happens."""

from smolctl.host import links
from smolctl.host.part import Command
from smolctl.host.saving import parts
from smolctl.host.trial import Trial
from smolctl.host.values import AF_INET6
from tests.host.twin.hosts import address, hop, host, link, loopback, route


def test_a_dead_next_hop_is_added_while_its_link_is_up() -> None:
    down = link(3, "b0", flags=links.BROADCAST | links.MULTICAST)
    state = host(
        links=(loopback(), link(2, "a0"), down),
        addresses=(address(2, "10.0.0.1/24"), address(3, "10.1.0.1/24")),
        routes=(
            route("20.0.0.0/8", hop(2, "10.0.0.2"), hop(3, "10.1.0.2"), protocol=4),
            route("2001:db8::/48", hop(2, "fe80::2"), hop(3, "fe80::3"), family=AF_INET6,
                  protocol=4),
        ),
    )  # fmt: skip
    trial = Trial()
    made = [each for each in parts(state, trial.value) if isinstance(each, Command)]
    lines = [" ".join(each.words) for each in made]
    for family in ("route add 20.0.0.0/8", "-6 route add 2001:db8::/48"):
        at = next(number for number, line in enumerate(lines) if line.startswith(family))
        assert (lines[at - 1], lines[at + 1]) == ("link set b0 up", "link set b0 down")
