"""Commands that make a copy of a host: what can only be added before something else happens."""

from smolctl.host import links
from smolctl.host.nexthops import Member, Nexthop
from smolctl.host.part import Command, Remark
from smolctl.host.saving import parts
from smolctl.host.trial import Trial
from smolctl.host.values import AF_INET, AF_INET6
from smolctl.wire.address import parse_address
from tests.host.handmade import host as handmade
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


def test_objects_come_before_the_routes_that_are_made_of_them() -> None:
    def one(number: int, via: str | None, *group: Member, encap: int = 0) -> Nexthop:
        gateway = None if via is None else parse_address(via)
        return Nexthop(
            number, 0 if group else AF_INET, 0, 4, 0, 0 if group else 2, gateway,
            blackhole=False, group=group, resilient=False, fdb=False, encap=encap,
            encap_data=b"", unknown=(),
        )  # fmt: skip

    several = route("20.0.0.0/8", hop(2, "10.0.0.2"), hop(2, "10.0.0.3"), protocol=4)
    encapsulated = route("21.0.0.0/8", hop(2, "10.0.0.4"), protocol=4)
    state = host(
        links=(loopback(), link(2, "a0")),
        addresses=(address(2, "10.0.0.1/24"),),
        nexthops=(
            one(1, "10.0.0.2"), one(2, "10.0.0.3"), one(3, None, Member(1, 2), Member(2, 1)),
            one(4, "10.0.0.4", encap=1), one(5, None),
        ),
        routes=(
            several._replace(nhid=3), encapsulated._replace(nhid=4),
        ),
    )  # fmt: skip
    trial = Trial()
    told = [
        " ".join(each.words) if isinstance(each, Command) else each[0]
        for each in parts(state, trial.value)
    ]
    assert [each for each in told if "nexthop" in each or "route" in each] == [
        "nexthop add id 1 via 10.0.0.2 dev a0",
        "nexthop add id 2 via 10.0.0.3 dev a0",
        "nexthop add id 3 group 1,2/2,1",
        "route add 20.0.0.0/8 nhid 3 protocol static",
        "route add 21.0.0.0/8 via 10.0.0.4 dev a0 protocol static",
        "nexthop add id 5 dev a0",
        "1 next-hop object: routes have their hops",
    ]


def test_cables_with_one_end_are_said_to_have_no_carrier() -> None:
    state = handmade(
        "link eth0", "link br0 type bridge", "link p0 type veth master br0", "link wan type tun",
        "link a type veth", "link b type veth peer a",
    )  # fmt: skip
    both = Trial()
    remarks = [each.remark for each in parts(state, both.value) if isinstance(each, Remark)]
    (remark,) = remarks
    assert remark.startswith("nobody is at the other end of host-eth0")
    assert "host-a-b" not in remark
    assert "p0" not in remark
    all_mirrors = parts(state, Trial().value, mirrors=True)
    assert not [each for each in all_mirrors if isinstance(each, Remark)]
