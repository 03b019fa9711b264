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
    """The link was told to lose some of the frames that it sends, at random, like a bad wire or a
    radio link. This was one of them. The sender is not told, and the other end sees nothing.""",
    why_template=("{dev} loses {loss} of its frames on purpose, and this was one",),
    fix_templates=("smolctl link set {dev} loss 0",),
)  # fmt: skip
LAB_QUEUE_FULL = Reason(
    "lab-queue-full", Kind.DROP, "policy", "netem: limit",
    "too many frames are held back on purpose",
    """The link was told to hold frames back, by a delay or a rate. It already holds so many that
    this one was dropped, as a router does when its queue is full. The sender is faster than the
    delay or the rate allows.""",
    why_template=("{dev} already holds back {frames:frame}",),
    fix_templates=("smolctl link set {dev} delay 0 jitter 0 rate 0",),
    advice_template="slow the sender, or raise the rate of {dev}",
)  # fmt: skip
LAB_DELAY = Reason(
    "lab-delay", Kind.WAIT, "policy", "netem: delay, rate",
    "held back on purpose",
    """The link was told to hold back what it sends: for a delay, for a random time (jitter), or
    until the frames before it have left at the link's rate. The frame leaves when its time has
    come. With jitter, it may leave after a later frame.""",
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
    """The link was told to send some frames twice. The copy follows at once, or after its own
    delay. ping marks the second answer with DUP!.""",
    why_template=("{dev} sends {duplicate} of its frames twice on purpose, and this was one",),
    fix_templates=("smolctl link set {dev} duplicate 0",),
)  # fmt: skip
LAB_REORDER = Reason(
    "lab-reorder", Kind.NOTE, "policy", "netem: reorder",
    "sent before earlier frames on purpose",
    """The link was told to send some frames at once while it holds back the others. This one left
    before frames that were sent earlier. IP promises no order, so the receiver must cope with
    that.""",
    why_template=(
        "{dev} sends {reorder} of its frames without its delay on purpose, and this was one",
    ),
    fix_templates=("smolctl link set {dev} reorder 0",),
)  # fmt: skip
