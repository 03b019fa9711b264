"""``smolctl sysctl``: the sysctls."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.ip.derived_routes import DERIVING
from smolctl.stack.sysctl.link_rule import ALL, DEFAULT, SCOPES, LinkRule
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.names import Name
from smolctl.stack.sysctl.profiles import PROFILES, profile
from smolctl.stack.sysctl.settings import FORWARD, PER_LINK, SYSCTLS, Settings, named


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return one sysctl, or all by name; with ``diff`` those that differ from a profile.

    The name of a link, or ``all`` or ``default``, as the key stands for all that links have there.
    """
    settings = ctx.stack.settings
    key, diff = args.text("key"), args.text("diff")
    if key in (*SCOPES, *settings.links) and key not in SYSCTLS:
        names = [Name(key, item) for item in sorted(PER_LINK, key=lambda item: item.key)]
    elif key is not None:
        names = [named(key)]
        settings.find(names[0])
    else:
        names = [Name("", item) for item in sorted(settings, key=lambda item: item.key)]
    if diff is not None:
        wanted = profile(diff)
        names = [name for name in names if settings.value(name) != wanted.value(name.item)]
    # Not all at once: 150 rows take 5 ms.
    return (_row(settings, name) for name in names)


def set_(ctx: Context, args: Args) -> Iterable[Row]:
    """Set one sysctl; it works at once."""
    settings = ctx.stack.settings
    key = args.required("key")
    set_sysctl(ctx.stack.udp, key, args.required("value"), origin="command line")
    return [_row(settings, named(key))]


def _row(settings: Settings, name: Name) -> Row:
    item, scope = name.item, name.scope
    from_ = _origin(settings, name)
    row: Row = {
        "key": name.key,
        "value": item.show(settings.value(name)),
        "default": item.show(_default(name)),
        "unit": item.unit,
        "min": item.low,
        "max": item.high,
        "origin": settings.origin(from_),
        "profiles": [
            {"profile": each.name, "value": item.show(each.value(item))}
            for each in PROFILES.values()
        ],
        "description": item.description,
        "source": item.source,
    }
    if not scope:
        row["environment"] = item.environment
    if place := settings.place(from_):
        row["place"] = place
    if item.link is not None:
        row |= _on_links(settings, name, item.link)
    if item.words:
        row["words"] = list(item.words)
    if item.linux:
        row["linux"] = item.linux
    if item.smoltcp:
        row["smoltcp"] = item.smoltcp
    return row


def _default(name: Name) -> int:
    """Return what a sysctl has in a scope where nobody has set it."""
    item = name.item
    return item.all_default if name.scope == ALL and item.all_default is not None else item.default


def _on_links(settings: Settings, name: Name, rule: LinkRule) -> Row:
    """Return what counts on a link and why, or without one who has another value."""
    item, scope = name.item, name.scope
    if scope in settings.links:
        counts = settings.links[scope][item.key]
        words = rule.words(item.key, scope)
        return {"scope": scope, "counts": item.show(counts), "rule": words}
    if scope:
        return {"scope": scope, "rule": rule.words(item.key, "LINK")}
    others = settings.differing(item)
    return {
        "rule": rule.words(item.key, "LINK"),
        "scopes": [{"scope": each, "value": item.show(value)} for each, value in others.items()],
    }


def _origin(settings: Settings, name: Name) -> str:
    """Return the key by which the value of a scope was set, as far as that is known."""
    key, value = name.item.key, settings.value(name)
    for other in (name, Name(DEFAULT, name.item), Name("", name.item)):
        if other.scope and name.item.link is None:
            continue
        if settings.place(other.key) and settings.value(other) == value:
            return other.key
    return key if settings.value(Name("", name.item)) == value else name.key


# --- save -----------------------------------------------------------------------------------------


def save_first(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield the sysctls that decide what comes with addresses, and limits that were raised."""
    return _save(ctx, fresh, early=True)


def save_last(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield the others; a limit that was lowered must not keep out what was there before it."""
    return _save(ctx, fresh, early=False)


def save_links(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield limits that were raised on single links, before what is there has to fit."""
    settings, other = ctx.stack.settings, fresh.stack.settings
    for name in _scoped(ctx):
        if name.item.key in _LIMITS and settings.value(name) > other.value(name):
            yield _saved(settings, name, other.value(name))


_SWITCH = "ip6.disable"
"""Without it, links get IPv6 addresses by themselves."""
_LIMITS = ("iface.neighbor_cache_count",)
"""Limits whose usual value may be too small for what is there."""


def _early(item: Sysctl, settings: Settings) -> bool:
    raised = item.key in _LIMITS and settings[item.key] > item.default
    return raised or item.key in DERIVING or item.key == _SWITCH


def _save(ctx: Context, fresh: Context, *, early: bool) -> Iterator[Saved]:
    """Yield the sysctls that somebody has set, those of the whole stack before those of links."""
    settings = ctx.stack.settings
    whole = (
        Name("", item)
        for item in sorted(settings, key=_order)
        if settings.origin(item.key) != "default" and _early(item, settings) is early
    )
    yield from _valid(ctx, fresh, whole)
    if not early:
        yield from _valid(ctx, fresh, _scoped(ctx))


def _scoped(ctx: Context) -> Iterator[Name]:
    """Yield the sysctls of all scopes, ``default`` before the links that may follow it."""
    for scope in (*SCOPES, *ctx.stack.settings.links):
        for item in sorted(PER_LINK, key=_order):
            yield Name(scope, item)


def _order(item: Sysctl) -> tuple[bool, str]:
    """Return where a sysctl stands among others: ip.forward changes another one."""
    return item.key != FORWARD, item.key


def _valid(ctx: Context, fresh: Context, names: Iterable[Name]) -> Iterator[Saved]:
    """Yield sysctls in an order in which each is valid when set; in a scope, only what differs."""
    settings, there = ctx.stack.settings, fresh.stack.settings
    trial = there.clone()
    while True:
        refused, tried = [], 0
        for name in names:
            value = settings.value(name)
            if name.scope and there.value(name) == value:
                continue
            tried += 1
            try:
                trial.set(name.key, str(name.item.show(value)))
            except InvalidArgument:  # not before another one that it has to go with
                refused.append(name)
                continue
            yield _saved(settings, name, there.value(name) if name.scope else name.item.default)
        if len(refused) == tried:
            return
        names = refused


def _saved(settings: Settings, name: Name, usual: int) -> Saved:
    """Return what sets a sysctl, and what takes that back."""
    show = name.item.show
    args = {"key": name.key, "value": str(show(settings.value(name)))}
    undo = {"key": name.key, "value": str(show(usual))}
    return Saved("sysctl.set", args, ("sysctl.set", undo), key=f"sysctl {name.key}")
