"""``smolctl udp``: datagrams."""

import base64
import sys
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import marks, pmtudisc, stream
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.endpoint import (
    bound,
    endpoint,
    has_port,
    joined,
    of_listener,
    of_sender,
    without_port,
    zoned,
)
from smolctl.cli.words.grammar import Args, Place, UsageFault, Word, option
from smolctl.counted import counted

_MAX_READ = 65_508
_EMPTY = '"" sends an empty datagram'
"""One byte more than the largest payload of a datagram: enough for the stack to refuse it."""


# --- send ---------------------------------------------------------------------------------------
def target(args: Args) -> Args:
    """Turn ``DST:PORT [DATA]`` and ``DST PORT [DATA]`` into the arguments of the request.

    Raises:
        UsageFault: there is no port, or a word too many.
    """
    words = [args.pop(key) for key in ("target", "port", "data") if key in args]
    host = words.pop(0)
    args["dst"], args["port"] = endpoint(host) if has_port(host) else (host, "")
    if not args["port"]:
        if not words or (len(words) == 1 and not words[0].isdecimal()):  # DST DATA
            raise without_port("udp send", host, args["dst"], "DATA")
        args["port"] = words.pop(0)
    if len(words) > 1:
        raise UsageFault(
            f'udp send: "{words[1]}" is one word too many', hint="put quotes around the data"
        )
    if words:
        args["data"] = base64.b64encode(_payload(words[0])).decode()
    elif "size" not in args:
        raise UsageFault("udp send: DATA is missing", hint=f"{_EMPTY}, and --size N one of N bytes")
    of_sender(args)
    return args


def _payload(text: str) -> bytes:
    if text == "-":
        read = sys.stdin.buffer.read(_MAX_READ) if sys.stdin else b""  # None: closed by <&-
        if not read:
            raise UsageFault("udp send: there is no data on standard input", hint=_EMPTY)
        return read
    # Bytes that are no UTF-8 reach us as surrogates (PEP 383), and leave as they came.
    return text.encode("utf-8", "surrogateescape")


def sent(event: Event) -> str:
    """Return the line about a datagram that left, or that was delivered here."""
    where = f"{counted(event['bytes'], 'byte')} to {joined(zoned(event, 'dst'), event['dport'])}"
    if event["fate"] == "delivered":
        return f"delivered {where}"
    gateway = f" via {event['gateway']}" if "gateway" in event else ""
    pieces = f" in {event['fragments']} fragments" if "fragments" in event else ""
    return f"sent {where} dev {event['dev']}{gateway}{pieces} after {event['after_ms']:.1f} ms"


def _send(session: Session, args: Args) -> int:
    args = target(pmtudisc.chosen(args))
    if session.options.quiet:
        args["quiet"] = True
    failures: list[str] = []
    out = session.out

    def say(text: str) -> None:
        if not session.options.quiet:
            out.line(text)

    def failed(event: Event) -> None:
        out.failure(f"not sent: {event['reason']}: {event['message']}", event.get("hint"))

    def icmp(event: Event) -> None:
        out.failure(f"{event['from']} answered: {event['reason']}: {event['message']}")

    def reply(event: Event) -> None:
        data = base64.b64decode(event["data"])
        say(
            f"reply {counted(len(data), 'byte')}"
            f" from {joined(zoned(event, 'src'), event['sport'])}"
            f" after {event['rtt_ms']:.1f} ms: {printable(data)}"
        )
        if event.get("stranger"):
            asked, who = joined(args["dst"], args["port"]), joined(event["src"], event["sport"])
            out.failure(f"{asked} was asked, and {who} replied")

    handlers: stream.Handlers = {
        "sent": lambda event: say(sent(event)),
        "failed": failed,
        "icmp": icmp,
        "reply": reply,
    }
    done = stream.run(session, "udp.send", args, handlers, note_failures(failures))
    if not done["ok"] and not session.options.json and not failures:
        out.failure(_missing(args, done), None if done.get("waiting") else done.get("hint"))
    if args.get("count", "1") != "1" and not session.options.json:
        # Also with -q: who sends many wants to know how many, and how fast.
        pace = f" in {done['seconds']:.3f} s, {done['rate']:g}/s" if "rate" in done else ""
        out.line(
            f"{done['sent']} sent, {done['failed']} failed,"
            f" {counted(done['icmp_errors'], 'ICMP error')},"
            f" {counted(done['replies'], 'reply', 'replies')}{pace}"
        )
    if "reason" in done and not session.options.json:
        stream.ask_why(session, done["reason"], done.get("id"))
    return send_status(done, failures)


def _missing(args: Args, done: Event) -> str:
    """Return what did not happen, when nothing failed either."""
    if done.get("waiting"):
        sent = counted(done["waiting"] + done["sent"], "datagram")
        return f"{done['waiting']} of {sent} still waiting"
    if "message" in done:
        return str(done["message"])
    return f"no reply from {joined(args['dst'], args['port'])}"


def note_failures(reasons: list[str]) -> stream.Handler:
    """Return a watcher that collects the reasons of failures, whatever form is written."""

    def watch(event: Event) -> None:
        if event["event"] in ("failed", "icmp"):
            reasons.append(event["reason"])

    return watch


def send_status(done: Event, reasons: list[str]) -> int:
    """Return the exit status: what the caller must fix outweighs what the network answered."""
    if done["ok"]:
        return exits.DONE
    return max((exits.status(reason) for reason in reasons), default=exits.NO) or exits.NO


# --- receive ------------------------------------------------------------------------------------
def _bound(session: Session) -> stream.Handler:
    return lambda event: session.out.notice(bound(event))


def printable(data: bytes) -> str:
    """Return a payload as text in one line: what cannot be printed is escaped as in Python."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join(_escape(character) for character in text)


def _escape(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # a byte that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def hexdump(data: bytes) -> list[str]:
    """Return the lines of a hex dump, 16 bytes each, as ``hexdump -C`` has them."""
    lines = []
    for offset in range(0, len(data), 16):
        part = data[offset : offset + 16]
        left, right = part[:8].hex(" "), part[8:].hex(" ")
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{offset:08x}  {left:<23}  {right:<23}  |{text}|")
    return lines


def _receive(session: Session, args: Args) -> int:
    form = args.pop("form", "text")
    out = session.out

    def datagram(event: Event) -> None:
        data = base64.b64decode(event["data"])
        if form == "raw":
            out.raw(data)
            return
        src, dst = (joined(zoned(event, end), event[f"{end[0]}port"]) for end in ("src", "dst"))
        ends = f"{src} > {dst}"
        size = counted(len(data), "byte") + (_marks(event) if session.options.verbose else "")
        if form == "hex":
            out.lines([f"{ends}  {size}", *hexdump(data)])
        else:
            out.line(f"{ends}  {size}: {printable(data)}")

    handlers: stream.Handlers = {"bound": _bound(session), "datagram": datagram}
    done = stream.run(session, "udp.recv", of_listener("udp recv", args), handlers)
    return _received(session, done, args)


def _marks(event: Event) -> str:
    """Return what the IPv4 header said beside addresses and lengths."""
    tos = f", tos {event['tos']:#04x}" if "tos" in event else ""
    return tos + (f", options {event['options']}" if "options" in event else "")


def _received(session: Session, done: Event, args: dict[str, Any]) -> int:
    if done["ok"]:
        return exits.DONE
    if not session.options.json:
        number: int = done["received"]
        some = f"{number} of {args['count']} datagrams" if args.get("count", "1") != "1" else ""
        session.out.failure(f"received {some or counted(number, 'datagram')}")
    return exits.NO


def _echo(session: Session, args: Args) -> int:
    args = of_listener("udp echo", args)
    if session.options.quiet:
        args["quiet"] = True
    out = session.out

    def echoed(event: Event) -> None:
        to = joined(zoned(event, "src"), event["sport"])
        line = f"echoed {counted(event['bytes'], 'byte')} to {to}"
        out.lines([line] * event.get("times", 1))

    def failed(event: Event) -> None:
        message = f"not echoed: {event['reason']}: {event.get('message', '')}"
        out.failure(message, event.get("hint"))

    def ignored(event: Event) -> None:
        where = joined(zoned(event, "src"), event["sport"])
        why = f"smolctl: not echoed: {where} may be an echo, too, and the two never end"
        for _ in range(event.get("times", 1)):
            out.complaint(why)

    handlers: stream.Handlers = {
        "bound": _bound(session),
        "echoed": echoed,
        "failed": failed,
        "ignored": ignored,
    }
    done = stream.run(session, "udp.echo", args, handlers)
    return _received(session, done, args)


_DEV = option("dev", "only by this interface", "DEVICE", short="I", complete="link")
_SEND = Verb(
    "udp send",
    "send datagrams, and say whether they left",
    _send,
    (
        Place("target", "DST:PORT", "destination; DST PORT means the same", complete="host"),
        Place("port", "PORT", "the port, if DST has none", False),
        Place("data", "DATA", 'the payload; "-" reads it from standard input', False),
        option("source", "source address and port", "SRC[:PORT]", short="s", complete="addr"),
        _DEV,
        option("count", "how many (1)", "N", short="c"),
        option("interval", "time between them (1)", "SECONDS", short="i"),
        option("rate", "datagrams a second, instead of -i", "N"),
        option("wait", "wait at most this long for the result of each", "SECONDS", short="w"),
        option("size", "payload of this size", "BYTES"),
        option("ttl", "time to live; for a group 1 by default, and 0 stays on this stack", "HOPS"),
        option("tos", "type of service: 0..255, or 0x and two digits", "TOS"),
        marks.OPTION,
        option(
            "options",
            "IP options, separated by commas: rr, ts, tsaddr, tspre:ADDR, ra,"
            " lsrr:ADDR:ADDR or ssrr:ADDR (by these hops), hex:BYTES",
            "WORDS",
        ),
        *pmtudisc.OPTIONS,
        option("broadcast", "allow a broadcast address"),
        option("expect-reply", "wait for an answer, and fail without one", key="expect_reply"),
    ),
    (
        'smolctl udp send 127.0.0.2:34254 "Hello, loopback!"',
        "smolctl udp send [::1]:34254 hello",
        "smolctl udp send [fe80::2%tap0]:9 hello",
        "smolctl udp send 10.0.0.2 9 hello -s 10.0.0.1:5000 -w 3",
        "date | smolctl udp send 10.0.0.2:9 -",
        "smolctl udp send 10.0.0.2:7 ping --expect-reply -w 1",
        "smolctl udp send 10.0.0.2:9 hello --tos 0xb8 --options rr",
        "smolctl udp send 10.0.0.2:9 --size 1472 --df",
        "smolctl udp send 10.0.0.2:9 hello --mark 0x10",
        "smolctl udp send 239.1.2.3:5000 hello --dev tap0",
        "smolctl -q udp send 10.0.0.2:9 --size 1400 -c 100000 --rate 5000",
    ),
    "The exit status is 0 only when each datagram left its device or was delivered on this stack."
    " An ICMP error for a datagram counts as a failure.",
)
_LOCAL = Place(
    "local", "[ADDR:]PORT", "where to listen; without ADDR, on all addresses of both families"
)
_LISTEN = (
    option("count", "stop after this many datagrams", "N", short="c"),
    option("wait", "stop after this time; exit with 1 if too few came", "SECONDS", short="w"),
    _DEV.but(bare=True),
    marks.OPTION,
)
_RECEIVE = Verb(
    "udp recv",
    "receive datagrams, and show who sent them",
    _receive,
    (
        _LOCAL,
        *_LISTEN,
        option("group", "join this group, and hear only this group unless ADDR is given", "GROUP"),
        option("source", "only datagrams of these senders to the group", "ADDR[,ADDR...]"),
        option("reuse", "share the port with others that use --reuse; each gets a broadcast"),
        Word(
            ("raw", "hex"),
            "write payloads as they are, or as a hex dump",
            key="form",
            choice=True,
            bare=False,
        ),
    ),
    (
        "smolctl udp recv 34254",
        "smolctl udp recv 127.0.0.2:34254 -c 1 -w 5",
        "smolctl udp recv [::1]:34254 -c 1 -w 5",
        "smolctl udp recv --group 239.1.2.3 --dev tap0 5000",
        "smolctl udp recv 9 --raw > data",
        "smolctl -v udp recv 9 -c 1",
    ),
    "The exit status is 0 after -c datagrams, and 1 if -w ended it earlier. -v also shows IP"
    " options, and a type of service other than 0. A group is joined on the interface of --dev,"
    " or on that of the route to it.",
)
_ECHO = Verb(
    "udp echo",
    "send each datagram back to its sender (RFC 862)",
    _echo,
    (_LOCAL, *_LISTEN),
    ("smolctl udp echo 7", "smolctl -q udp echo 10.0.0.1:7 -c 100"),
    "With -q nothing is printed for a datagram, which is faster.",
)
COMMAND = Noun("udp", "Send, receive and echo datagrams", (_SEND, _RECEIVE, _ECHO), default=None)
