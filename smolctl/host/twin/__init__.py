"""Twins of the Linux host: stacks in this process that predict its packets.

``twin`` makes objects of the stack directly of what was read (``host/reading.py``): nothing is
derived again, and time stands still. What has no counterpart is a note.
"""

from smolctl.host.twin.notes import Note
from smolctl.host.twin.twin import Twin, twin

__all__ = ["Note", "Twin", "twin"]
