"""Sysctls of a twin: the host's values, put where the stack has its own."""

from functools import cache

from smolctl.errors import SmolctlError
from smolctl.host.reading import HostState
from smolctl.host.sysctls import DECIDING, DECIDING_BUT_LO
from smolctl.host.twin.notes import Note, Notes
from smolctl.stack.sysctl.link_rule import ALL, DEFAULT
from smolctl.stack.sysctl.linux_names import found
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.profiles import profile
from smolctl.stack.sysctl.settings import SYSCTLS, Assigned, Settings

_RANGE = "ipv4/ip_local_port_range"
_SOME_LINK = "eth0"
PROFILE = "linux-exact"
"""The stack differs from Linux nowhere on purpose, and then has the host's values."""
_IDLE = frozenset({"tcp.congestion_control", "ip6.addr_gen_mode"})
"""Sysctls that decide how fast packets are sent, or which addresses a link gets one day, and not
whether packets get through."""
_PROXY_DELAY, _HUNDREDTH_MS = "ipv4/neigh/{}/proxy_delay", 10
_FAMILIES = {"ipv4": "inet", "ipv6": "inet6"}


def settings(state: HostState, notes: Notes) -> Settings:
    """Return the sysctls of the whole namespace, of all links and of new ones."""
    exact = profile(PROFILE)
    result = Settings.begun(exact.assignments(), exact.name)
    values, alls, defaults = dict[str, int](), dict[str, int](), dict[str, int]()
    for path, text in state.sysctls.values.items():
        scope, name = split(path)
        if scope not in ("", ALL, DEFAULT):
            continue
        item = _meaning(path if not scope else _of_some_link(path))
        if item is None:
            _note_unheard(path, scope, name, text, notes)
            continue
        value = _parsed(item, path, text, notes)
        if value is None:
            continue
        if scope == DEFAULT and item.link is not None:
            defaults[item.key] = value
        elif scope == ALL and item.all_default is not None:
            alls[item.key] = value
        else:
            values[item.key] = value
    values |= _ports(state)
    result.assign(Assigned(values, alls, defaults, sorted(defaults), {}))
    return result


def assign_links(target: Settings, state: HostState, notes: Notes) -> None:
    """Give each link of the stack what it has of its own."""
    own: dict[str, dict[str, int]] = {name: {} for name in target.links}
    for path, text in state.sysctls.values.items():
        scope, name = split(path)
        if scope in ("", ALL, DEFAULT) or scope not in own:
            continue
        item = _meaning(_of_some_link(path))
        if item is None:
            _note_unheard(path, scope, name, text, notes)
        elif item.link is not None:
            value = _parsed(item, path, text, notes)
            if value is not None:
                own[scope][item.key] = value
    for name, values in own.items():
        # Of those that count hundredths of a second, the one that decides whether, and not when.
        delay = state.sysctls.values.get(_PROXY_DELAY.format(name), "")
        if delay.isdecimal():
            values["neigh.proxy_delay_ms"] = int(delay) * _HUNDREDTH_MS
        target.assign_link(name, values, values)
        target.settle(name)


def split(path: str) -> tuple[str, str]:
    """Return the scope of a sysctl, "" for the whole namespace, and its name."""
    words = path.split("/")
    if len(words) == 4 and words[1] in ("conf", "neigh"):
        return words[2], words[3]
    return "", words[-1]


def _of_some_link(path: str) -> str:
    """Return the path of the same sysctl of a link: of which one does not matter."""
    family, kind, _, name = path.split("/")
    return f"{family}/{kind}/{_SOME_LINK}/{name}"


@cache
def _meaning(path: str) -> Sysctl | None:
    """Return the sysctl of the stack that a path stands for; None if there is none."""
    try:
        meant = found(f"net/{path}", SYSCTLS)
    except SmolctlError:  # another unit: what counts time, which stands still
        return None
    return None if meant is None else meant[1]


def _parsed(item: Sysctl, path: str, text: str, notes: Notes) -> int | None:
    """Return a value; None of one that the stack cannot have, which is noted."""
    try:
        return item.parse(text)
    except SmolctlError:
        pass
    if text == "-1" and item.low == 0:  # off, such as accept_dad where there is nobody
        return 0
    if item.key not in _IDLE:
        scope, _ = split(path)
        link = "" if scope in (ALL, DEFAULT) else scope
        notes.take(Note("sysctl", f"net/{path} = {text}", link, _family(path)))
    return None


def _note_unheard(path: str, scope: str, name: str, text: str, notes: Notes) -> None:
    """Take a note on a sysctl that decides about packets, and that no stack has."""
    if name not in DECIDING or text == "0" or (scope == "lo" and name in DECIDING_BUT_LO):
        return
    if scope == DEFAULT:
        return
    notes.take(Note("sysctl", f"net/{path} = {text}", "" if scope == ALL else scope, _family(path)))


def _family(path: str) -> str:
    return _FAMILIES.get(path.partition("/")[0], "")


def _ports(state: HostState) -> dict[str, int]:
    """Return the range of ephemeral ports: two sysctls of the stack, one of Linux."""
    try:
        first, last = map(int, state.sysctls.values.get(_RANGE, "").split())
    except ValueError:
        return {}
    if not 1 <= first <= last <= 65535:
        return {}
    return {"ip.local_port_first": first, "ip.local_port_last": last}
