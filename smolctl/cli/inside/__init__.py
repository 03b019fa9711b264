"""Command lines in a lab: run on a node in virtual time, as they are run on a daemon.

A command's function waits for answers, and in a lab time passes only when no function waits. So a
function is run until it needs what has not been answered, and is left there. When that is answered
it is run again from its beginning, and is given all the answers that it had before. What it writes
in its last run is what it wrote. It is the same each time because a function knows nothing but its
words, the answers, and the time of its ``Around``.
"""

from smolctl.cli.inside.commands import LabCommands

__all__ = ["LabCommands"]
