"""What all tests share: the kit's fixtures, and how hypothesis looks for examples."""

import os

from hypothesis import settings

pytest_plugins = ["tests.kit.netns", "tests.kit.signals", "tests.kit.stack_env"]

# No deadline: the machine that runs the tests may be busy with another worker.
# TEST_EXAMPLES=100000 pytest --timeout=0 FILE takes a longer look.
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "50"))
settings.register_profile("default", deadline=None, max_examples=EXAMPLES)
# A random find must not fail somebody else's change in CI; it is found when developing.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=EXAMPLES)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")
