"""Digests of runs, in a file of their own: a process that only compares imports nothing else."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from smolctl.cli.inside import LabCommands
from smolctl.lab.outcome import Outcome
from smolctl.lab.packets import pcapng
from smolctl.lab.reading import read
from smolctl.lab.report import Again, document
from smolctl.lab.run import Setting, run
from smolctl.path.reaches import reach


def digest(outcome: Outcome) -> str:
    """Return a hash of the document of a run, and of its capture."""
    told = json.dumps(document(outcome, Again("x")))
    packets = b"".join(pcapng(outcome.travels, outcome.marks))
    return hashlib.sha256(told.encode() + packets).hexdigest()


def digests(paths: Iterable[str]) -> list[str]:
    """Return the hashes of runs of scenario files."""
    files = [Path(path) for path in paths]
    return [
        digest(run(read(file.read_text(), file.name), Setting(LabCommands(), reach)))
        for file in files
    ]
