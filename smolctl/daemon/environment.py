"""Settings that a stack begins with: profile, config file, environment and command line."""

from collections.abc import Iterable, Mapping

from smolctl.errors import InvalidArgument
from smolctl.stack.sysctl.precedence import Assignment, Level
from smolctl.stack.sysctl.profiles import profile
from smolctl.stack.sysctl.settings import SYSCTLS, Settings, nearest

PREFIX = "SMOLCTL_"
OTHERS = frozenset({"SMOLCTL_STACK", "SMOLCTL_DEBUG"})
"""Variables with the prefix that are no sysctls: the command line's own."""


def initial_settings(
    environ: Mapping[str, str], profile_name: str, assigned: Iterable[Assignment] = ()
) -> Settings:
    """Return the settings of a new stack.

    Args:
        environ: variables; ``SMOLCTL_NEIGH_RETRANS_TIME_MS=500`` sets neigh.retrans_time_ms.
        profile_name: one of ``PROFILES``.
        assigned: what config file and command line say.

    Raises:
        InvalidArgument: a variable names no sysctl, a value is wrong or one of two at the same
            level, or there is no such profile.
    """
    values = [*profile(profile_name).assignments(), *from_environment(environ), *assigned]
    return Settings.begun(values, profile_name)


def from_environment(environ: Mapping[str, str]) -> list[Assignment]:
    """Return what the environment says about the sysctls.

    Raises:
        InvalidArgument: a variable with our prefix is neither a sysctl nor one of ``OTHERS``.
    """
    keys = {sysctl.environment: key for key, sysctl in SYSCTLS.items()}
    found = []
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in OTHERS:
            continue
        if name not in keys:
            raise InvalidArgument(
                f"the environment has {name}={value}, and no setting has that name",
                hint=f"unset {name}; {_near(name, keys)}",
            )
        place = f"{name}={value} in the environment"
        found.append(Assignment(Level.ENVIRONMENT, keys[name], value, place, f"unset {name}"))
    return found


def _near(name: str, keys: Mapping[str, str]) -> str:
    from difflib import get_close_matches  # only a typo needs it

    near = get_close_matches(name, [*keys, *OTHERS], n=1, cutoff=0.75)
    return f'did you mean "{near[0]}"?' if near else "all settings: smolctl sysctl"


def from_words(words: Iterable[str]) -> list[Assignment]:
    """Return what ``--sysctl KEY=VALUE`` of the command line says.

    Raises:
        InvalidArgument: one has no ``=``.
    """
    found = []
    for word in words:
        key, equals, value = (part.strip() for part in word.partition("="))
        place = f"--sysctl {word}"
        if not equals:
            raise InvalidArgument(
                f"{place}: there is no = between the setting and its value",
                hint=f"--sysctl {key}=VALUE" if key in SYSCTLS else nearest(key),
            )
        found.append(Assignment(Level.COMMAND, key, value, place))
    return found
