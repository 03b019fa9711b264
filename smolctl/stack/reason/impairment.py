"""Reasons of impaired links: what ``link set DEV loss 10%`` and the like do on purpose."""

from smolctl.stack.reason.model import Kind, Reason

__all__ = [
    "LAB_CORRUPT",
    "LAB_DELAY",
    "LAB_DUPLICATE",
    "LAB_LOSS",
    "LAB_QUEUE_FULL",
    "LAB_REORDER",
]

LAB_LOSS = Reason(
    "lab-loss", Kind.DROP, "policy", "netem: loss",
    "lost on purpose",
    """The link was told to lose some of the frames that it sends, at random, as a bad wire or a
    radio link does. This was one of them. The sender is not told, and the other end sees
    nothing.""",
    why_template=("{dev} loses {loss} of its frames on purpose, and this was one",),
    fix_templates=("smolctl link set {dev} loss 0",),
)  # fmt: skip
LAB_QUEUE_FULL = Reason(
    "lab-queue-full", Kind.DROP, "policy", "netem: limit",
    "too many frames are held back on purpose",
    """The link was told to hold frames back, by a delay or a rate. It holds so many already that
    this one was dropped, as a router does whose queue is full. The sender is faster than what the
    delay or the rate lets through.""",
    why_template=("{dev} already holds back {frames:frame}",),
    fix_templates=("smolctl link set {dev} delay 0 jitter 0 rate 0",),
    advice_template="slow the sender, or raise the rate of {dev}",
)  # fmt: skip
LAB_DELAY = Reason(
    "lab-delay", Kind.WAIT, "policy", "netem: delay, rate",
    "held back on purpose",
    """The link was told to hold back what it sends: for a delay, for a random time (jitter), or
    until the frames before have gone at its rate. The frame leaves when its time has come. Jitter
    may let it leave behind a later one.""",
    why_template=("held back for {ms} ms by the delay, jitter or rate of {dev}",),
    fix_templates=("smolctl link set {dev} delay 0 jitter 0 rate 0",),
)  # fmt: skip
LAB_CORRUPT = Reason(
    "lab-corrupt", Kind.NOTE, "policy", "netem: corrupt",
    "one bit was flipped on purpose",
    """The link was told to corrupt some of the frames that it sends. One bit of this one was
    flipped, anywhere in the frame, so that some checksum at the other end should fail. The sender
    is not told.""",
    why_template=("bit {bit} of the frame was flipped on purpose",),
    fix_templates=("smolctl link set {dev} corrupt 0",),
)  # fmt: skip
LAB_DUPLICATE = Reason(
    "lab-duplicate", Kind.NOTE, "policy", "netem: duplicate",
    "sent twice on purpose",
    """The link was told to send some frames twice. The copy follows right behind, or after a delay
    of its own. ping marks the second answer with DUP!.""",
    why_template=("{dev} sends {duplicate} of its frames twice on purpose, and this was one",),
    fix_templates=("smolctl link set {dev} duplicate 0",),
)  # fmt: skip
LAB_REORDER = Reason(
    "lab-reorder", Kind.NOTE, "policy", "netem: reorder",
    "sent before earlier frames on purpose",
    """The link was told to send some frames at once while it holds back the others. This one left
    before frames that were sent earlier. IP promises no order, so whoever receives it must cope
    with that.""",
    why_template=(
        "{dev} sends {reorder} of its frames without its delay on purpose, and this was one",
    ),
    fix_templates=("smolctl link set {dev} reorder 0",),
)  # fmt: skip
