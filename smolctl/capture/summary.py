"""Packets of a capture in one line, in the words that the stack itself uses."""

from smolctl.capture import Record
from smolctl.stack.explain.summary import summarize


def summary(record: Record) -> str:
    """Return one line about a packet."""
    return summarize(record.frame, record.ethernet)
