"""Maps: what is drawn is what there is, whatever the width."""

import re
from itertools import pairwise
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from smolctl.path import map_dot, map_svg, map_text
from smolctl.path.schematic import lay_out
from smolctl.path.topology import Told, Topology, topology
from tests.kit.amount import examples

SVG = "{http://www.w3.org/2000/svg}"


def told(dev: str, wire: str, *addresses: str, carrier: bool = True) -> Told:
    return Told(dev, "cable", True, carrier, {"name": wire, "ends": 0}, addresses)


ROUTED = topology(
    {
        "a": [told("eth0", "c1", "10.0.0.1/24", "fe80::1/64")],
        "r": [told("eth0", "c1", "10.0.0.254/24"), told("eth1", "c2", "fe80::2/64", carrier=False)],
        "b": [told("eth0", "c2", "10.1.0.1/24")],
        "alone": [],
    }
)


def test_stacks_hang_on_their_wires() -> None:
    assert "\n".join(map_text.draw(ROUTED)) == (
        "    ┌─ a ──┐  ┌─ r ────────┐  ┌─ b ──┐  ┌─ alone ─┐\n"
        "    │ eth0 │  │ eth0  eth1 │  │ eth0 │  │         │\n"
        "    └──┬───┘  └──┬─────┬───┘  └──┬───┘  └─────────┘\n"
        "       │         │     ┆         │\n"
        "c1 ────●─────────●     ┆         │\n"
        "                       ┆         │\n"
        "c2 ────────────────────○─────────●"
    )


def test_a_terminal_without_lines_gets_others() -> None:
    text = "\n".join(map_text.draw(ROUTED, signs=map_text.ASCII))
    assert text.isascii()
    assert text.splitlines()[-1] == "c2 --------------------o---------*"


def test_what_does_not_fit_is_drawn_below() -> None:
    lines = list(map_text.draw(ROUTED, 30))
    assert max(map(len, lines)) <= 30
    assert sum(line.startswith("c1") for line in lines) == 1
    assert [line.strip()[-1] for line in lines if line.startswith("c2")] == ["»", "»"]


names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
links = st.builds(
    lambda dev, wire, carrier: (dev, f"w{wire}", carrier),
    st.from_regex(r"[a-z]{1,10}[0-9]", fullmatch=True),
    st.integers(0, 5),
    st.booleans(),
)
networks = st.dictionaries(
    names, st.lists(links, max_size=6, unique_by=lambda link: link[0]), max_size=6
).map(
    lambda stacks: topology(
        {
            name: [told(dev, wire, "10.0.0.1/24", carrier=carrier) for dev, wire, carrier in each]
            for name, each in stacks.items()
        }
    )
)


def number_of_links(network: Topology) -> int:
    return sum(len(each) for each in network.stacks.values())


@examples(30)
@given(networks, st.integers(40, 120))
def test_each_link_has_one_line_down_to_its_wire(network: Topology, width: int) -> None:
    found = []
    for panel in lay_out(network, width, lambda link: (link.dev,)):
        assert panel.width <= width
        for box, after in pairwise(panel.boxes):
            assert box.end < after.x
        for box in panel.boxes:
            for peg in box.pegs:
                assert box.x < peg.x <= peg.line < box.end
                assert peg.wire is not None
                found.append((box.stack, peg.link.dev, panel.bars[peg.wire].name))
                assert peg.line <= panel.bars[peg.wire].end
            lines = [peg.line for peg in box.pegs]
            assert len(set(lines)) == len(lines)
    assert sorted(found) == sorted(
        (name, link.dev, link.wire) for name, each in network.stacks.items() for link in each
    )


@examples(30)
@given(networks, st.integers(40, 120))
def test_a_map_as_text_has_a_circle_for_each_link(network: Topology, width: int) -> None:
    # Names are drawn as they are: only what stands below the boxes is counted.
    lines = [line for line in map_text.draw(network, width) if line]
    assert all(len(line) <= width + 1 for line in lines)  # and the arrow
    bars = [line for line in lines if line.startswith("w")]
    assert sum(len(re.findall("[●○]", line)) for line in bars) == number_of_links(network)


@examples(10)
@given(networks)
def test_a_map_as_svg_has_a_circle_for_each_link(network: Topology) -> None:
    root = ElementTree.fromstring("\n".join(map_svg.draw(network)))
    assert len(list(root.iter(f"{SVG}circle"))) == number_of_links(network)
    wide, high = (int(root.attrib[name]) for name in ("width", "height"))
    for text in root.iter(f"{SVG}text"):
        assert 0 <= float(text.attrib["x"]) < wide
        assert 0 <= float(text.attrib["y"]) < high
    said = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "stack"]
    assert {*said} == {*network.stacks}


def test_a_map_as_svg_has_addresses_and_who_else_is_there() -> None:
    network = topology(
        {"<a&b>": [Told("tap0", "tap", True, True, {"netns": "<&>"}, ("10.0.0.1/24",))]}
    )
    text = "\n".join(map_svg.draw(network))
    root = ElementTree.fromstring(text)
    said = [each.text for each in root.iter(f"{SVG}text")]
    outside = "the kernel's tap0 in the namespace <&>"
    assert said == ["tap0", outside, "<a&b>", "tap0", "10.0.0.1/24"]
    assert "prefers-color-scheme: dark" in text


def test_a_map_for_graphviz() -> None:
    name = 'x"\\y'
    lines = list(map_dot.draw(topology({name: [told("eth0", "c1", "10.0.0.1/24", carrier=False)]})))
    assert lines[0] == "graph smolctl {"
    assert lines[-1] == "}"
    assert r'    "stack x\"\\y" [shape=box, label="x\"\\y"];' in lines
    assert '    "wire c1" [shape=ellipse, label="cable c1"];' in lines
    ends = r'"stack x\"\\y" -- "wire c1"'
    assert rf'    {ends} [label="eth0\n10.0.0.1/24", style=dashed];' in lines


def test_an_empty_map() -> None:
    empty = Topology({}, {})
    assert list(map_text.draw(empty)) == []
    assert ElementTree.fromstring("\n".join(map_svg.draw(empty))).tag == f"{SVG}svg"
    assert len(list(map_dot.draw(empty))) == 3
