"""One far end of all hosts, for each file of tests."""

from collections.abc import Iterator

import pytest

from tests.host.agreement.observer import Far, one_processor
from tests.kit.netns import require_root_and


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    """Make the far end, and stay on one processor."""
    require_root_and()
    with one_processor():
        made = Far()
        yield made
        made.close()
