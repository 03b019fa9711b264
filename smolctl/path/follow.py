"""One question about a packet's whole path, and its answer."""

from smolctl.path.net import Net
from smolctl.path.passage import Changes, Passage
from smolctl.path.story import PathQuestion, Story, judge
from smolctl.stack.transport.tcp.socket import TcpSocket


def follow(net: Net, question: PathQuestion, changes: Changes | None = None) -> Story:
    """Return what would happen to a packet, and to the answer; the stacks are as they were.

    Args:
        changes: made on the clones first.

    Raises:
        StackError: a change is refused.
        InvalidArgument: the question is none, such as a port 0.
    """
    passage = Passage(net, changes or {})
    passage.send(question.node, question.packet)
    connected = None
    if question.packet.proto == "tcp":
        sender = passage.sender
        connected = isinstance(sender, TcpSocket) and sender.connected
    return judge(question, passage.seen, connected, passage.endless)
