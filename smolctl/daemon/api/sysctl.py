"""``smolctl sysctl``: the knobs."""

from collections.abc import Iterable

from smolctl.daemon.args import Args
from smolctl.daemon.context import Context, Row
from smolctl.stack.knob import Knob
from smolctl.stack.profile import PROFILES, profile
from smolctl.stack.settings import Settings, knob
from smolctl.stack.tune import set_knob


def show(ctx: Context, args: Args) -> Iterable[Row]:
    """Return one knob, or all by name; with ``diff`` those that differ from a profile."""
    settings = ctx.stack.settings
    key, diff = args.text("key"), args.text("diff")
    knobs = sorted(settings, key=lambda item: item.key) if key is None else [knob(key)]
    if diff is not None:
        wanted = profile(diff)
        knobs = [item for item in knobs if settings[item.key] != wanted.value(item)]
    return [_row(settings, item) for item in knobs]


def set_(ctx: Context, args: Args) -> Iterable[Row]:
    """Set one knob; it works at once."""
    settings = ctx.stack.settings
    key = args.required("key")
    set_knob(ctx.stack, key, args.required("value"), origin="command line")
    return [_row(settings, knob(key))]


def _row(settings: Settings, item: Knob) -> Row:
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
