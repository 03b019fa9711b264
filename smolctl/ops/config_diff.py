"""``smolctl config diff``: the changes that bring a stack to where others would bring a fresh one.

They are found by making them: both stacks are made again without devices, and one of them is
changed until it saves what the other does. Where single changes do not get there, all is taken away
and made anew.
"""

from collections.abc import Iterable, Iterator

from smolctl.errors import AlreadyExists, SmolctlError, StackError
from smolctl.ops.args import Args
from smolctl.ops.aside import Aside
from smolctl.ops.changes import check
from smolctl.ops.config import tried
from smolctl.ops.context import Context, Row
from smolctl.ops.link_options import WORDS as LINK_WORDS
from smolctl.ops.netem import WORDS as NETEM_WORDS
from smolctl.ops.saved import Saved, Words
from smolctl.ops.scratch import Scratch
from smolctl.stack.interface import LOOPBACK_MTU, LOOPBACK_NAME

_ROUNDS = 8
"""A change may take others with it, which have to be made again: so often at most."""
_LOOPBACK_ADDRESSES = ("127.0.0.1/8", "::1/128")
"""Those of a fresh stack."""
Step = tuple[str, Words]


def diff(ctx: Context, args: Args) -> Iterable[Row]:
    """Return the changes that make this stack as ``commands`` make a fresh one; none if it is.

    Returns: the requests in their order; or one row with "failed", the number of the command that
        was refused, and its "error".

    Raises:
        StackError: none were found.
    """
    return Aside(lambda: _found(ctx, args))


def _found(ctx: Context, args: Args) -> Iterable[Row]:
    target = Scratch(ctx, ctx.stack)
    for number, (op, words) in enumerate(args.commands("commands")):
        try:
            check(op)
            target.apply(op, words)
        except SmolctlError as error:
            return [{"failed": number, "error": error.to_dict()}]
    wanted = _parts(target.context)
    found = _changes(_copy(ctx), wanted)
    if found is None:
        found = _anew(_copy(ctx), target.context, wanted)
    if found is None:
        raise StackError(
            "found no changes that turn one into the other",
            hint="compare what both save: smolctl config save",
        )
    return [{"op": _now(op, words), "args": words} for op, words in found]


def _now(op: str, words: Words) -> str:
    """Return the request for the stack as it is: it may have learned of a neighbor, no copy has."""
    return "neigh.replace" if op == "neigh.add" and "proxy" not in words else op


def _copy(ctx: Context) -> Scratch:
    """Return the stack again, without devices."""
    work = Scratch(ctx, ctx.stack)
    for part, refusal in tried(ctx):
        if refusal is None:
            work.apply(part.op, part.args)
    return work


def _changes(work: Scratch, wanted: list[Saved]) -> list[Step] | None:
    """Change a stack until it consists of the parts ``wanted``; return how, None if in vain."""
    found: list[Step] = []
    for _ in range(_ROUNDS):
        have = _parts(work.context)
        steps = list(_steps(have, wanted))
        if not steps:
            return found if _different(have, wanted) == ([], []) else None
        for op, words in steps:
            made = _make(work, op, words)
            if made is not None:
                found.append((made, words))
    return None


def _anew(work: Scratch, target: Context, wanted: list[Saved]) -> list[Step] | None:
    """Take all away, and make what is wanted; return how, None if in vain."""
    found: list[Step] = []

    def make(steps: Iterable[Step]) -> None:
        for op, words in steps:
            made = _make(work, op, words)
            if made is not None:
                found.append((made, words))

    make(_steps(_parts(work.context), []))
    if _parts(work.context):  # routes of the loopback's address are not there, or in another order
        make([("addr.flush", {"dev": LOOPBACK_NAME})])
        make(("addr.add", {"local": each, "dev": LOOPBACK_NAME}) for each in _LOOPBACK_ADDRESSES)
        # Of two rules that agree with what is said, the first one went, whichever was meant.
        make(_steps(_parts(work.context), []))
    make((part.op, part.args) for part, _ in tried(target))
    return found if _different(_parts(work.context), wanted) == ([], []) else None


def _make(work: Scratch, op: str, words: Words) -> str | None:
    """Make a change; return the request that made it, None when it went with another one."""
    try:
        work.apply(op, words)
    except AlreadyExists:
        if op != "route.add":
            return None
        return _make(work, "route.append", words)
    except SmolctlError:
        return None
    return op


def _parts(ctx: Context) -> list[Saved]:
    """Return what makes a stack; a setting that says what is so anyway makes nothing."""
    return [
        part
        for part, error in tried(ctx)
        if error is None
        and not part.scaffold
        and not (part.op == "sysctl.set" and part.undo == (part.op, part.args))
    ]


def _steps(have: list[Saved], wanted: list[Saved]) -> Iterator[Step]:
    """Yield changes that bring one closer to the other: what is too much first, links above all."""
    extra, missing = _different(have, wanted)
    there = {part.key: part for part in missing if part.key}
    changed: list[Step] = []
    kept: set[str] = set()
    for part in extra:
        other = there.get(part.key)
        step = None if other is None else _change(part, other)
        if step is not None:
            changed.append(step)
            kept.add(part.key)
    gone = [part for part in extra if part.key not in kept and part.undo is not None]
    gone.sort(key=lambda part: part.op != "link.add")
    links = sum(part.op == "link.add" for part in gone)
    for part in (*gone[:links], *reversed(gone[links:])):
        if part.undo is not None:
            yield part.undo
    yield from changed
    yield from ((part.op, part.args) for part in missing if part.key not in kept)


def _different(have: list[Saved], wanted: list[Saved]) -> tuple[list[Saved], list[Saved]]:
    """Return what is too much and what is missing; in a group, what stands elsewhere is both."""
    from difflib import SequenceMatcher  # nothing else needs it

    extra: list[Saved] = []
    missing: list[Saved] = []
    groups: dict[str, tuple[list[Saved], list[Saved]]] = {}
    for side, parts in enumerate((have, wanted)):
        for part in parts:
            groups.setdefault(part.group, ([], []))[side].append(part)
    for group, (mine, theirs) in groups.items():
        if not group:
            known, asked = set(map(_name, mine)), set(map(_name, theirs))
            extra += [part for part in mine if _name(part) not in asked]
            missing += [part for part in theirs if _name(part) not in known]
            continue
        names = [*map(_name, mine)], [*map(_name, theirs)]
        for tag, a, b, c, d in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
            if tag != "equal":
                extra += mine[a:b]
                missing += theirs[c:d]
    too_many, too_few = set(map(id, extra)), set(map(id, missing))
    return (
        [part for part in have if id(part) in too_many],
        [part for part in wanted if id(part) in too_few],
    )


def _name(part: Saved) -> str:
    """Return what two parts have in common that are the same; add and append are."""
    return f"{part.op.partition('.')[0]} {sorted(part.args.items())}"


def _change(old: Saved, new: Saved) -> Step | None:
    """Return what changes one part into another of its key; None when it must go first."""
    if old.op == new.op == "sysctl.set":
        return new.op, new.args
    if old.op != "link.add" or new.op != "link.add":
        return None
    fixed = ("name", "type", *LINK_WORDS.split())
    if any(old.args.get(word) != new.args.get(word) for word in fixed):
        return None
    words: Words = {"dev": new.args["name"]}
    usual = {"mtu": str(LOOPBACK_MTU), **dict.fromkeys(NETEM_WORDS.split(), "0")}
    for word in ("mtu", "address", *NETEM_WORDS.split()):
        value = new.args.get(word, usual.get(word))
        if value is not None and value != old.args.get(word, usual.get(word)):
            words[word] = value
    if old.args.get("down") != new.args.get("down"):
        words["state"] = "down" if new.args.get("down") else "up"
    return "link.set", words
