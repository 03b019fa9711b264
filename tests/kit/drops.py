"""The kernel's drops, watched by tests where that is possible."""

from functools import cache

from smolctl.errors import DeviceError
from smolctl.host.drops import source


@cache
def unmet() -> str | None:
    """Return why drops cannot be watched here, or None when they can."""
    try:
        source.best(1).close()
    except DeviceError as error:
        return error.message
    return None
