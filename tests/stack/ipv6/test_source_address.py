"""The selection of a source address: RFC 6724 5 rule by rule, and its table of labels."""

import pytest

from smolctl.errors import AlreadyExists, InvalidArgument, NotFound
from smolctl.stack.clone.stack_clone import clone_for_changes
from smolctl.stack.ipv6.address_labels import DEFAULT_LABELS, AddressLabel
from smolctl.stack.ipv6.addresses import Address6
from smolctl.stack.ipv6.source_address import (
    SourceRule,
    best,
    candidates,
    deciding_rule,
    excluded,
)
from smolctl.wire.address import parse_prefix
from tests.kit.host import ip, text
from tests.kit.host6 import PEER6, Host6


def selected(host: Host6, dst: str, dev: str = "tap0") -> str | None:
    found = host.stack.ipv6.select_source(host.dev(dev), ip(dst), None, 0)  # type: ignore[arg-type]
    return None if found is None else text(found)


def decided(host: Host6, dst: str) -> SourceRule:
    """Return the rule by which the best candidate comes before the second."""
    net = host.stack.ipv6
    found = candidates(net.interfaces, net.labels, host.tap, ip(dst))
    first = best(found)
    second = best([each for each in found if each is not first])
    assert first is not None
    assert second is not None
    return deciding_rule(first, second)


def of(host: Host6, address: str) -> Address6:
    found = host.tap.ipv6.addresses.find(ip(address), None)
    assert isinstance(found, Address6)
    return found


@pytest.mark.parametrize(
    ("addresses", "dst", "source", "rule"),
    [
        # RFC 6724 10.1, its examples of source address selection.
        (["2001:db8:1::1/64"], "2001:db8:1::1", "2001:db8:1::1", SourceRule.SAME_ADDRESS),
        (["2001:db8:3::1/64"], "2001:db8:1::1", "2001:db8:3::1", SourceRule.SCOPE),
        (["2001:db8:1::1/64"], "fe80::9", "fe80::ff:fe00:a", SourceRule.SCOPE),
        (["2001:db8:1::1/64"], "ff05::1", "2001:db8:1::1", SourceRule.SCOPE),
        (["2001:db8:1::2/64", "2001:db8:3::2/64"], "2001:db8:1::1", "2001:db8:1::2",
         SourceRule.PREFIX),
        (["2002:c633:6401::d5e3:7953:13eb:22e8/64", "2001:db8:1::2/64"],
         "2002:c633:6401::1", "2002:c633:6401:0:d5e3:7953:13eb:22e8", SourceRule.LABEL),
        (["fd00::1/64", "2001:db8:1::1/64"], "2001:db8:9::1", "2001:db8:1::1", SourceRule.LABEL),
        (["fd00::1/64", "2001:db8:1::1/64"], "fd00:9::1", "fd00::1", SourceRule.LABEL),
        # Of two that no rule tells apart the newer one, which Linux has first.
        (["2001:db8::1/64", "2001:db8::2/64"], "2001:db8:ff::1", "2001:db8::2", SourceRule.ORDER),
    ],
)  # fmt: skip
def test_the_rules_decide(addresses: list[str], dst: str, source: str, rule: SourceRule) -> None:
    host = Host6(*addresses)
    assert selected(host, dst) == source
    assert decided(host, dst) is rule


def test_a_deprecated_address_comes_last_even_if_its_prefix_fits() -> None:
    host = Host6("2001:db8:1::2/64", "2001:db8:3::2/64")
    of(host, "2001:db8:1::2").deprecated = True
    assert selected(host, "2001:db8:1::1") == "2001:db8:3::2"
    assert decided(host, "2001:db8:1::1") is SourceRule.DEPRECATED
    host.delete("2001:db8:3::2")
    assert selected(host, "2001:db8:1::1") == "2001:db8:1::2"


def test_a_temporary_address_is_preferred() -> None:
    host = Host6("2001:db8:1::2/64", "2001:db8:1::9/64")
    of(host, "2001:db8:1::2").temporary = True
    assert selected(host, "2001:db8:1::1") == "2001:db8:1::2"
    assert decided(host, "2001:db8:1::1") is SourceRule.TEMPORARY


def test_an_address_of_the_outgoing_interface_comes_first() -> None:
    host = Host6("2001:db8:8::1/64")
    host.link("tap1")
    host.add("2001:db8:1::1/64", "tap1")
    assert selected(host, "2001:db8:1::9", "tap0") == "2001:db8:8::1"
    assert decided(host, "2001:db8:1::9") is SourceRule.INTERFACE
    host.delete("2001:db8:8::1")
    assert selected(host, "2001:db8:1::9", "tap0") == "2001:db8:1::1"


@pytest.mark.parametrize("dst", ["ff02::5", "ff05::5", "fe80::9"])
def test_for_a_group_and_on_the_link_only_its_own_addresses_will_do(dst: str) -> None:
    host = Host6("2001:db8:8::1/64")
    host.link("tap1")
    host.delete("fe80::ff:fe00:c", "tap1")
    assert selected(host, dst, "tap1") is None


def test_a_prefix_match_only_breaks_a_tie_and_stops_at_the_prefix() -> None:
    host = Host6("2001:db8:0:1::1/48", "2001:db8:0:2::1/48")
    assert selected(host, "2001:db8:0:1::9") == "2001:db8:0:2::1"
    assert decided(host, "2001:db8:0:1::9") is SourceRule.ORDER


def test_a_tentative_address_is_none() -> None:
    host = Host6()
    of(host, "2001:db8::1").tentative = True
    assert selected(host, PEER6) == "fe80::ff:fe00:a"


# --- labels ---------------------------------------------------------------------------------------


def row(prefix: str, label: int, dev: str | None = None) -> AddressLabel:
    address, plen = parse_prefix(prefix)
    return AddressLabel(address, plen or 0, label, dev)


def test_a_label_of_ones_own_decides() -> None:
    host = Host6("2001:db8:1::1/64", "2001:db8:2::1/64")
    assert selected(host, "2001:db8:9::1") == "2001:db8:2::1"
    for prefix in ("2001:db8:1::/64", "2001:db8:9::/64"):
        host.stack.ipv6.labels.add(row(prefix, 99))
    assert selected(host, "2001:db8:9::1") == "2001:db8:1::1"
    host.stack.ipv6.labels.delete(row("2001:db8:9::/64", 0))
    assert selected(host, "2001:db8:9::1") == "2001:db8:2::1"


@pytest.mark.parametrize(
    ("address", "label"),
    [("::1", 0), ("::ffff:1.2.3.4", 4), ("2002::1", 2), ("2001::1", 6), ("fd00::1", 5),
     ("fec0::1", 11), ("3ffe::1", 12), ("2001:11::1", 7), ("::1.2.3.4", 3), ("2001:db8::1", 1)],
)  # fmt: skip
def test_the_table_begins_as_that_of_linux(address: str, label: int) -> None:
    assert Host6().stack.ipv6.labels.label(ip(address), "tap0") == label


def test_a_row_may_be_for_one_interface() -> None:
    labels = Host6().stack.ipv6.labels
    labels.add(row("2001:db8::/32", 50, "tap0"))
    labels.add(row("2001:db8::/32", 51))
    assert labels.label(ip(PEER6), "tap1") == 51
    assert labels.label(ip(PEER6), "tap0") == 50


def test_rows_are_checked() -> None:
    labels = Host6().stack.ipv6.labels
    with pytest.raises(AlreadyExists):
        labels.add(row("2002::/16", 5))
    with pytest.raises(NotFound):
        labels.delete(row("2001:db8::/32", 5))
    with pytest.raises(InvalidArgument, match="host bits"):
        labels.add(row("2001:db8::1/32", 5))
    assert tuple(labels) == DEFAULT_LABELS


def test_a_clone_has_labels_of_its_own() -> None:
    host = Host6()
    clone = clone_for_changes(host.stack)
    clone.ipv6.labels.add(row("2001:db8::/32", 50))
    assert tuple(host.stack.ipv6.labels) == DEFAULT_LABELS
    host.stack.ipv6.labels.add(row("2001:db8::/32", 51))
    assert clone_for_changes(host.stack).ipv6.labels.label(ip(PEER6), "tap0") == 51


def test_addresses_that_are_not_usable_because_of_their_test_are_named() -> None:
    host = Host6("2001:db8::1/64", "2001:db8::2/64", "2001:db8::3/64")
    of(host, "2001:db8::2").tentative = True
    failed = of(host, "2001:db8::3")
    failed.tentative = failed.dadfailed = True
    left_out = [*excluded(host.stack.ipv6.interfaces, host.tap, ip("2001:db8:9::9"))]
    assert {text(address): (dev, rule) for address, dev, rule in left_out} == {
        "2001:db8::2": ("tap0", SourceRule.TENTATIVE),
        "2001:db8::3": ("tap0", SourceRule.DADFAILED),
    }


def test_the_loopback_address_is_near_as_one_of_a_link_is() -> None:
    # RFC 6724 3.1; Linux ipv6_addr_src_scope. By ``lo`` it is the one of that interface (rule 5).
    host = Host6(bare=True)
    assert selected(host, "2001:db8:88::5", "lo") == "::1"
    assert decided(host, "2001:db8:88::5") is SourceRule.INTERFACE
