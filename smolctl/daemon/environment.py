"""Settings that a stack begins with: what the environment says about the knobs."""

from collections.abc import Mapping

from smolctl.errors import InvalidArgument, StackError
from smolctl.stack.settings import KNOBS, Settings

PREFIX = "SMOLCTL_"
OTHERS = frozenset({"SMOLCTL_STACK", "SMOLCTL_DEBUG"})
"""Variables with the prefix that are no knobs: the command line's own."""
PROFILES = ("linux",)
"""Named sets of values; linux is what the knobs' defaults are."""


def initial_settings(environ: Mapping[str, str], profile: str) -> Settings:
    """Return the settings of a new stack.

    Args:
        environ: variables; ``SMOLCTL_NEIGH_RETRANS_TIME_MS=500`` sets neigh.retrans_time_ms.
        profile: one of ``PROFILES``.

    Raises:
        InvalidArgument: a variable names no knob, or has a value that its knob does not take; or
            there is no such profile.
    """
    if profile not in PROFILES:
        raise InvalidArgument(f'there is no profile "{profile}": {", ".join(PROFILES)}')
    settings = Settings()
    keys = {knob.environment: key for key, knob in KNOBS.items()}
    wanted = []
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in OTHERS:
            if name not in keys:
                raise InvalidArgument(
                    f"the environment has {name}={value}, and no setting has that name",
                    hint=f"unset {name}; all settings: smolctl sysctl",
                )
            wanted.append((name, keys[name], value))
    # Two knobs may only fit together once both are set, in an order that is not known here.
    while wanted:
        refused = []
        for name, key, value in wanted:
            try:
                settings.set(key, value, origin="environment")
            except StackError as error:
                refused.append((name, key, value))
                problem = InvalidArgument(
                    f"the environment has {name}={value}: {error.message}", hint=f"unset {name}"
                )
        if len(refused) == len(wanted):
            raise problem
        wanted = refused
    return settings
