"""docs/map.svg: the hosts of docs/cables.md as ``smolctl map --svg`` draws them."""

from pathlib import Path

from smolctl.cli.inside import LabCommands
from smolctl.lab.world import World
from smolctl.path import map_svg
from smolctl.path.topology import told_by_addr, topology

PICTURE = Path(__file__).parents[2] / "docs" / "map.svg"
HOST = """\
link add eth0 type cable name hub address 02:00:00:00:00:0{0}
addr add 10.0.0.{0}/24 dev eth0
"""
VLAN = """\
link add link eth0 name eth0.5 type vlan id 5
addr add 10.5.0.{0}/24 dev eth0.5
"""


def picture() -> str:
    """Return the picture, made in a lab."""
    world, commands = World(), LabCommands()
    for number in (1, 2, 3):
        node = world.add_node(f"h{number}")
        text = (HOST + (VLAN if number < 3 else "")).format(number)
        for _, op, args in commands.changes(enumerate(text.splitlines(), 1)):
            node.call(op, **args)
    told = {
        name: told_by_addr(node.call("addr.show", details=True))
        for name, node in world.nodes.items()
    }
    return "\n".join(map_svg.draw(topology(told))) + "\n"


def write() -> None:
    """Write the picture."""
    PICTURE.write_text(picture())
