"""arp.filter: several links to one network, of which one answers, as Linux's arp_filter."""

from tests.kit.host import OTHER_MAC, OURS, PEER, Host, request


def answers(host: Host, sender: str, target: str, dev: str = "tap0") -> bool:
    host.receive(request(sender, target), dev=dev)
    return bool(host.sent(dev))


def test_arp_filter_answers_by_the_way_back_alone() -> None:
    host = Host()
    host.link("tap1", OTHER_MAC)
    host.add("10.0.0.3/24", "tap1")  # the same network by another link; tap0 is first
    host.route("8.8.8.0/24", via="10.0.0.2", dev="tap1")
    for level in (0, 1):
        host.set("arp.filter", level)
        assert answers(host, PEER, OURS)
        assert answers(host, "0.0.0.0", OURS)
        assert answers(host, "8.8.8.8", OURS) is not bool(level)
        assert answers(host, "99.9.9.9", OURS) is not bool(level)
    assert host.reasons() == {"arp-ignored": 2}
