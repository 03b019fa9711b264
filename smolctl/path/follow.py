"""One question about a packet's whole path, and its answer."""

from smolctl.path.clones import Clones
from smolctl.path.net import Net
from smolctl.path.passage import Changes, Passage
from smolctl.path.story import TOO_BIG, End, Outcome, PathQuestion, Story, judge
from smolctl.stack.explain.predict import Sender
from smolctl.stack.trace.trace import Fate, Trace
from smolctl.stack.transport.tcp.socket import TcpSocket


def follow(
    net: Net,
    question: PathQuestion,
    changes: Changes | None = None,
    clones: Clones | None = None,
) -> Story:
    """Return what would happen to a packet, and to the answer; the stacks are as they were.

    Args:
        changes: made on the clones first.
        clones: of the same network, for one who asks many questions, and who shows of the reasons
            in the stories only the names: their texts would tell of clones that were used again.

    Raises:
        StackError: a change is refused.
        InvalidArgument: the question is none, such as a port 0.
    """
    passage = Passage(net, changes or {}, clones)
    story = _sent(passage, question)
    if any(told[1:] in TOO_BIG for told in story.told) and story.outcome is Outcome.BREAKS:
        story = story._replace(next=_sent(passage, question))
    if clones is not None:
        passage.give_back()
    return story


def _sent(passage: Passage, question: PathQuestion) -> Story:
    """Send a packet, and return its story."""
    passage.send(question.node, question.packet)
    connected, sender = None, passage.sender
    if question.packet.proto == "tcp":
        connected = isinstance(sender, TcpSocket) and sender.connected
    errno = _errno(passage.seen[0].trace, sender)
    return judge(question, passage.seen, End(connected, errno, passage.endless))


def _errno(first: Trace, sender: Sender | None) -> str:
    """Return the name of the error that the sender is told first; "" for none."""
    if isinstance(sender, TcpSocket):
        return sender.ending.errno_name if sender.ending is not None else ""
    if sender is not None and sender.errors:
        return sender.errors[0].errno_name
    refused = first.fate is Fate.REJECTED and first.reason is not None
    return (first.reason.errno_name or "") if refused and first.reason is not None else ""
