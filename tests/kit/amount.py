"""Amounts of work: a share of the long tests in ``make test``, all of them behind their targets.

``make fuzz`` gives tests with random input (those of hypothesis) new examples, TEST_EXAMPLES of
them; ``make test`` gives them few, the same in each run. ``make proof`` runs the tests marked
``proof`` as long as what they prove needs; ``make test`` runs a share of each.
"""

import os

from hypothesis import settings

EXAMPLES = 30
"""Examples of a law that ``make test`` tries, where it says nothing else."""
MAKE_FUZZ = 1000
"""Examples that ``make fuzz`` tries, unless TEST_EXAMPLES says it."""
ASKED = int(os.environ.get("TEST_EXAMPLES", "0"))
WHOLE = os.environ.get("TEST_PROOF") == "1"


def load_profile() -> None:
    """Tell hypothesis how many examples to try, and whether each run has others."""
    # No deadline: the machine that runs the tests may be busy with another worker.
    settings.register_profile("share", deadline=None, derandomize=True, max_examples=EXAMPLES)
    settings.register_profile("fuzz", deadline=None, print_blob=True, max_examples=ASKED or 1)
    settings.load_profile("fuzz" if ASKED else "share")


def examples(share: int, *, times: float = 1) -> settings:
    """Return the setting of a law whose examples cost more than others, or less.

    Args:
        share: how many of them ``make test`` tries.
        times: how many ``make fuzz`` tries, for each one that it was asked for.
    """
    return settings(max_examples=max(1, round(ASKED * times)) if ASKED else share)


def amount(whole: int, share: int) -> int:
    """Return how much a test marked ``proof`` does: ``share`` of it in ``make test``."""
    return whole if WHOLE else share
