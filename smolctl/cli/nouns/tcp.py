"""``smolctl tcp``: connections."""

import base64
import sys
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.nouns import marks, stream, tcp_probe, tcp_scan
from smolctl.cli.nouns.tcp_words import target
from smolctl.cli.session import Event, Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.endpoint import bound, joined, of_listener
from smolctl.cli.words.grammar import Args, Place, UsageFault, option
from smolctl.counted import counted

# --- send -----------------------------------------------------------------------------------------


def _data(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read() if sys.stdin else b""
    # Bytes that are no UTF-8 reach us as surrogates (PEP 383), and leave as they came.
    return text.encode("utf-8", "surrogateescape")


def _send(session: Session, args: Args) -> int:
    args = target("tcp send", args)
    if "data" not in args:
        raise UsageFault("tcp send: DATA is missing", hint='"" sends nothing, and says if it opens')
    args["data"] = base64.b64encode(_data(args["data"])).decode()
    out = session.out

    def say(text: str) -> None:
        if not session.options.quiet:
            out.line(text)

    def acked(event: Event) -> None:
        again = f", {counted(event['retrans'], 'segment')} sent again" if "retrans" in event else ""
        where = joined(event["dst"], event["dport"])
        size = counted(event["bytes"], "byte")
        say(f"{where} acknowledged {size} after {event['after_ms']:.1f} ms{again}")

    def reply(event: Event) -> None:
        from smolctl.cli.nouns.udp import printable

        data = base64.b64decode(event["data"])
        size = counted(len(data), "byte")
        say(f"reply {size} after {event['after_ms']:.1f} ms: {printable(data)}")

    handlers: stream.Handlers = {
        "connected": lambda event: say(_connected(event)),
        "acked": acked,
        "reply": reply,
    }
    done = stream.run(session, "tcp.send", args, handlers)
    if done["ok"]:
        return exits.DONE
    if not session.options.json:
        if done["unacked"] and done["connected"]:
            whole = counted(done["bytes"], "byte")
            out.failure(f"{done['unacked']} of {whole} were not acknowledged")
        out.failure(done["message"], done.get("hint"))
    if "reason" not in done:
        return exits.NO
    if not session.options.json:
        stream.ask_why(session, done["reason"], done.get("id"))
    return exits.status(done["reason"])


def _connected(event: Event) -> str:
    where, here = joined(event["dst"], event["dport"]), joined(event["src"], event["sport"])
    return f"connected to {where} from {here} after {event['after_ms']:.1f} ms"


# --- echo -----------------------------------------------------------------------------------------


def _echo(session: Session, args: Args) -> int:
    args = of_listener("tcp echo", args)
    if session.options.quiet:
        args["quiet"] = True
    out = session.out

    def closed(event: Event) -> None:
        size = counted(event["bytes"], "byte")
        out.line(f"echoed {size} to {joined(event['src'], event['sport'])}")

    def failed(event: Event) -> None:
        out.failure(f"{joined(event['src'], event['sport'])}: {event['message']}")

    handlers: stream.Handlers = {
        "bound": lambda event: out.notice(bound(event)),
        "accepted": lambda event: out.notice(
            f"connection from {joined(event['src'], event['sport'])}"
        ),
        "closed": closed,
        "failed": failed,
    }
    done = stream.run(session, "tcp.echo", args, handlers)
    if done["ok"]:
        return exits.DONE
    if not session.options.json and not done["failed"]:
        out.failure(f"there {'was' if done['connections'] == 1 else 'were'}"
                    f" {counted(done['connections'], 'connection')}")  # fmt: skip
    return exits.NO


# --- connect and listen ---------------------------------------------------------------------------


def _connect(session: Session, args: Args) -> int:
    from smolctl.cli.nouns import tcp_pipe

    return tcp_pipe.connect(session, target("tcp connect", args))


def _listen(session: Session, args: Args) -> int:
    from smolctl.cli.nouns import tcp_pipe

    return tcp_pipe.Listener(session, of_listener("tcp listen", args)).serve()


def _http(session: Session, args: Args) -> int:
    from smolctl.cli.nouns import tcp_http

    return tcp_http.get(session, args)


def _bench(session: Session, args: Args) -> int:
    if "server" in args:
        from smolctl.cli.nouns import tcp_bench_server

        if "target" in args:
            raise UsageFault(f"tcp bench: a server has no peer, such as {args['target']}")
        for name in ("reverse", "time", "parallel", "interval", "source"):
            if name in args:
                raise UsageFault(f"tcp bench: a server has no --{name}; the other end has it")
        args["local"] = args.pop("server")
        listener = of_listener("tcp bench --server", args)
        return tcp_bench_server.BenchServer(session, listener).serve()
    if "target" not in args:
        raise UsageFault("tcp bench: HOST:PORT is missing", hint="smolctl tcp bench --server 5201")
    from smolctl.cli.nouns import tcp_bench

    return tcp_bench.run(session, target("tcp bench", args))


def _targets(*more: Any) -> tuple[Any, ...]:
    return (
        Place("target", "HOST:PORT", "the peer; HOST PORT means the same", complete="host"),
        Place("port", "PORT", "the port, if HOST has none", False),
        *more,
        option("source", "source address and port", "SRC[:PORT]", short="s", complete="addr"),
        option("dev", "only by this interface", "DEVICE", short="I", complete="link"),
        marks.OPTION,
    )


_LOCAL = Place("local", "[ADDR:]PORT", "where to listen; without ADDR, on all addresses")
_LISTEN = (
    option("count", "stop after this many connections", "N", short="c"),
    option("wait", "stop after this time; exit with 1 if too few came", "SECONDS", short="w"),
    option("backlog", "connections that may wait to be taken (4096)", "N"),
    option("dev", "only by this interface", "DEVICE", short="I", complete="link"),
    marks.OPTION,
)
_CONNECT = Verb(
    "tcp connect",
    "connect, send standard input, and write what comes to standard output",
    _connect,
    (
        *_targets(),
        option("wait", "give up if nothing happens for so long", "SECONDS", short="w"),
        option("zero", "only see whether it can be connected to", short="z"),
    ),
    (
        "date | smolctl tcp connect 127.0.0.1:8080",
        "smolctl tcp connect 10.0.0.2:7 -z -w 3",
        "tar c . | smolctl tcp connect 10.0.0.2:9",
    ),
    "At the end of standard input the peer is told that nothing more comes (half-close); what it"
    " still says is written. The exit status is 0 if all was sent and the peer closed in order, or,"
    " with -z, if the connection opened. It is 1 if the peer refused, reset or did not answer.",
)
_LISTENS = Verb(
    "tcp listen",
    "take connections, and write what they bring to standard output",
    _listen,
    (_LOCAL, *_LISTEN),
    (
        "smolctl tcp listen 8080",
        "smolctl tcp listen 127.0.0.1:9000 --count 1 > data",
        "smolctl -j tcp listen 8080 -c 1 -w 5",
    ),
    "Connections are served at the same time. The exit status is 0 after -c connections that ended"
    " in order, and 1 if one was reset, or if -w ended it earlier.",
)
_SENDS = Verb(
    "tcp send",
    "send data, and say when it was acknowledged",
    _send,
    (
        *_targets(Place("data", "DATA", 'what to send; "-" reads it from standard input', False)),
        option("wait", "give up after this time", "SECONDS", short="w"),
        option("expect-reply", "wait for an answer, and fail without one", key="expect_reply"),
    ),
    (
        "smolctl tcp send 127.0.0.1:8080 hello",
        "smolctl tcp send 10.0.0.2:7 ping --expect-reply -w 1",
        "date | smolctl tcp send 10.0.0.2:9 -",
    ),
    "Acknowledged means that the peer's TCP has the data; its program need not have read it. The"
    " exit status is 0 only then. Without -w, TCP's own timeouts count (about two minutes).",
)
_ECHOES = Verb(
    "tcp echo",
    "send back what comes by each connection (RFC 862)",
    _echo,
    (_LOCAL, *_LISTEN),
    ("smolctl tcp echo 7", "smolctl -q tcp echo 10.0.0.1:7 -c 1"),
    "With -q nothing is printed for a connection.",
)
_GETS = Verb(
    "tcp http",
    "get a resource by HTTP, and say how long each phase took",
    _http,
    (
        Place("url", "HOST[:PORT][/PATH]", "what to get, from port 80 and / if not said otherwise"),
        option("headers", "print the headers of the answer, as -v before the noun does", short="v"),
        option("output", 'write the body to a file; "-" is standard output', "FILE", short="o"),
        option("host", "name of the server, for the header Host", "NAME", short="H"),
        option("wait", "give up if nothing happens for so long", "SECONDS", short="w"),
        option("source", "source address and port", "SRC[:PORT]", short="s", complete="addr"),
        option("dev", "only by this interface", "DEVICE", short="I", complete="link"),
        marks.OPTION,
    ),
    (
        "smolctl tcp http 10.0.0.2:8000/",
        "smolctl tcp http -v -w 5 10.0.0.2/index.html -H example.org",
        "smolctl tcp http [2001:db8::7]:8000/big.bin -o big.bin",
        "smolctl tcp http 10.0.0.2:8000/list.json -o - | python3 -m json.tool",
        "smolctl -j tcp http 10.0.0.2:8000/",
    ),
    "Times are counted from the beginning: until the connection was open, until the first byte of"
    " the answer came, and until all of it had come. The body is not shown without -o. The exit"
    " status is 0 for an answer of 2xx or 3xx that came whole, and else 1: also when it breaks off,"
    " is not HTTP, or the connection is reset. TLS is not spoken.",
)
_MEASURES = Verb(
    "tcp bench",
    "measure how many bytes a second a connection carries",
    _bench,
    (
        Place("target", "HOST:PORT", "the peer; HOST PORT means the same", False, complete="host"),
        Place("port", "PORT", "the port, if HOST has none", False),
        option("server", "be the other end, and listen there", "[ADDR:]PORT"),
        option("reverse", "the peer sends, and this end receives", short="R"),
        option("time", "for so long (10)", "SECONDS", short="t"),
        option("parallel", "so many connections at a time (1)", "N", short="P"),
        option("interval", "time between lines (1)", "SECONDS", short="i"),
        option("count", "server: stop after this many connections", "N", short="c"),
        option(
            "wait",
            "give up connecting after this time; server: stop after it",
            "SECONDS",
            short="w",
        ),
        option("source", "source address and port", "SRC[:PORT]", short="s", complete="addr"),
        option("dev", "only by this interface", "DEVICE", short="I", complete="link"),
        marks.OPTION,
    ),
    (
        "smolctl tcp bench --server 5201 -c 1",
        "smolctl tcp bench 10.0.0.2:5201 -t 0.5",
        "smolctl tcp bench 10.0.0.2:5201 -R -t 0.5",
        "smolctl tcp bench [2001:db8::7]:5201 -P 2 -t 0.5 -i 0.25",
        "smolctl -j tcp bench 10.0.0.2 5201 -t 0.5",
    ),
    "It is plain TCP. The peer is another smolctl tcp bench --server, or any program that reads,"
    " and with -R any that writes: nc -l 5201 > /dev/null, nc -l 5201 < /dev/zero. What is"
    " acknowledged is what the peer's TCP has got. Retr, Cwnd and RTT are those of smolctl socket"
    " show. The exit status is 0 if all was acknowledged, or with -R if any came. SIGINT ends it"
    " with the totals.",
)
COMMAND = Noun(
    "tcp",
    "Connect, listen, send and echo; ask ports, measure",
    (
        _CONNECT,
        _LISTENS,
        _SENDS,
        _ECHOES,
        tcp_probe.PING,
        tcp_scan.SCAN,
        tcp_probe.TRACEROUTE,
        _GETS,
        _MEASURES,
    ),
    default=None,
)
