"""``smolctl sysctl``: the sysctls."""

from collections.abc import Iterable, Iterator

from smolctl.errors import InvalidArgument
from smolctl.ops.args import Args
from smolctl.ops.context import Context, Row
from smolctl.ops.saved import Saved
from smolctl.stack.config.sysctl import set_sysctl
from smolctl.stack.ip.derived_routes import DERIVING
from smolctl.stack.sysctl.model import Sysctl
from smolctl.stack.sysctl.profiles import PROFILES, profile
from smolctl.stack.sysctl.settings import Settings, sysctl


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return one sysctl, or all by name; with ``diff`` those that differ from a profile."""
    settings = ctx.stack.settings
    key, diff = args.text("key"), args.text("diff")
    sysctls = sorted(settings, key=lambda item: item.key) if key is None else [sysctl(key)]
    if diff is not None:
        wanted = profile(diff)
        sysctls = [item for item in sysctls if settings[item.key] != wanted.value(item)]
    return [_row(settings, item) for item in sysctls]


def set_(ctx: Context, args: Args) -> Iterable[Row]:
    """Set one sysctl; it works at once."""
    settings = ctx.stack.settings
    key = args.required("key")
    set_sysctl(ctx.stack.udp, key, args.required("value"), origin="command line")
    return [_row(settings, sysctl(key))]


def _row(settings: Settings, item: Sysctl) -> Row:
    row: Row = {
        "key": item.key,
        "value": item.show(settings[item.key]),
        "default": item.show(item.default),
        "unit": item.unit,
        "min": item.low,
        "max": item.high,
        "origin": settings.origin(item.key),
        "profiles": [
            {"profile": each.name, "value": item.show(each.value(item))}
            for each in PROFILES.values()
        ],
        "description": item.description,
        "source": item.source,
        "environment": item.environment,
    }
    if place := settings.place(item.key):
        row["place"] = place
    if item.words:
        row["words"] = list(item.words)
    if item.linux:
        row["linux"] = item.linux
    if item.smoltcp:
        row["smoltcp"] = item.smoltcp
    return row


# --- save -----------------------------------------------------------------------------------------


def save_first(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield the sysctls that decide which routes an address brings, and limits that were raised."""
    return _save(ctx, fresh, early=True)


def save_last(ctx: Context, fresh: Context) -> Iterator[Saved]:
    """Yield the others; a limit that was lowered must not keep out what was there before it."""
    return _save(ctx, fresh, early=False)


_LIMITS = ("iface.neighbor_cache_count",)
"""Limits whose usual value may be too small for what is there."""


def _early(item: Sysctl, settings: Settings) -> bool:
    raised = item.key in _LIMITS and settings[item.key] > item.default
    return raised or item.key in DERIVING


def _save(ctx: Context, fresh: Context, *, early: bool) -> Iterator[Saved]:
    """Yield the sysctls that somebody has set, in an order in which each is valid when set."""
    settings = ctx.stack.settings
    trial = Settings()
    waiting = [
        item
        for item in sorted(settings, key=lambda item: item.key)
        if settings.origin(item.key) != "default" and _early(item, settings) is early
    ]
    while waiting:
        refused = []
        for item in waiting:
            value = str(item.show(settings[item.key]))
            try:
                trial.set(item.key, value, origin="command line")
            except InvalidArgument:  # not before another one that it has to go with
                refused.append(item)
                continue
            usual = {"key": item.key, "value": str(item.show(item.default))}
            yield Saved(
                "sysctl.set", {"key": item.key, "value": value}, ("sysctl.set", usual), key=item.key
            )
        if len(refused) == len(waiting):
            return
        waiting = refused
