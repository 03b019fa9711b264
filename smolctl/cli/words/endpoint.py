"""An address and a port in one word: ``10.0.0.1:53``, ``[2001:db8::1]:53``, ``[fe80::1%eth0]:53``.

Source: RFC 3986 3.2.2; RFC 5952 6.
"""

from collections.abc import Mapping
from socket import AF_INET6, inet_pton
from typing import Any

from smolctl.cli.words.grammar import Args, UsageFault

_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")


def has_port(text: str) -> bool:
    """Tell whether a word is an address and a port, or may be meant to be."""
    return text[:1] == "[" or text.count(":") == 1


def endpoint(text: str) -> tuple[str, str]:
    """Split ``ADDR:PORT`` or ``[ADDR]:PORT``.

    What has no colon is a port alone, what has several and no brackets an IPv6 address alone.

    Returns:
        The address and the port, "" for what is not there.

    Raises:
        UsageFault: brackets without an end, or something else than a port behind them.
    """
    if text[:1] != "[":
        if text.count(":") > 1:
            return text, ""
        address, _, port = text.rpartition(":")
        return address, port
    address, bracket, rest = text[1:].partition("]")
    if not bracket or rest[:1] not in ("", ":"):
        raise UsageFault(
            f'"{text}" is not an address and a port', hint="such as [2001:db8::1]:5000"
        )
    return address, rest[1:]


def of_sender(args: Args) -> None:
    """Turn a ``source`` of the form ``ADDR``, ``ADDR:PORT`` or ``:PORT`` into src and sport."""
    text = args.pop("source", None)
    if text is not None:
        src, port = endpoint(text) if has_port(text) else (text, "")
        args |= {key: value for key, value in (("src", src), ("sport", port)) if value}


def of_listener(command: str, args: Args) -> Args:
    """Turn ``local`` of the form ``[ADDR:]PORT`` into the arguments of a request.

    Raises:
        UsageFault: there is no port.
    """
    text = args.pop("local")
    address, port = (text, "") if ":" not in text and "." in text else endpoint(text)
    if not port:
        raise without_port(command, text, address)
    args["port"] = port
    if address:
        args["addr"] = address
    return args


def without_port(command: str, text: str, address: str, *more: str) -> UsageFault:
    """Return the complaint that an address has no port, and how to write it.

    The last number of an IPv6 address without brackets may be meant as a port.

    Args:
        command: its noun and verb.
        text: the word that has no port.
        address: the one in it, "" for none.
        more: the words that follow in the command.
    """
    where = joined(address, "PORT") if address else "PORT"
    host, _, port = text.rpartition(":")
    if _is_ipv6(host) and port.isdecimal():
        where = joined(host, port)
    return UsageFault(
        f'{command}: "{text}" has no port', hint=" ".join(("smolctl", command, where, *more))
    )


def _is_ipv6(text: str) -> bool:
    try:
        inet_pton(AF_INET6, text.partition("%")[0])
    except OSError:
        return False
    return True


def joined(address: str, port: object) -> str:
    """Return an address and a port as one word."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def bound(event: Mapping[str, Any]) -> str:
    """Return the notice of a socket that listens; "*" is all of both families, as ss has it."""
    dev = f" dev {event['dev']}" if "dev" in event else ""
    dual = event["addr"] == "::" and not event.get("v6only")
    return f"listening on {joined('*' if dual else event['addr'], event['port'])}{dev}"


def zoned(row: Mapping[str, Any], key: str) -> str:
    """Return an address of a row, with the row's interface where it is of that link alone.

    Source: RFC 4007 11.
    """
    address = str(row[key])
    group = address[:2] == "ff" and address[3:4] in ("1", "2")
    if "dev" in row and (group or address[:3] in _LINK_LOCAL):
        return f"{address}%{row['dev']}"
    return address
