"""Words that the commands of ``smolctl tcp`` share."""

from smolctl.cli.words.endpoint import endpoint, has_port, of_sender, without_port
from smolctl.cli.words.grammar import Args, UsageFault


def target(verb: str, args: Args) -> Args:
    """Turn ``HOST:PORT`` or ``HOST PORT`` into the arguments of the request.

    Raises:
        UsageFault: there is no port, or a word too many.
    """
    host = args.pop("target")
    if has_port(host):
        args["dst"], port = endpoint(host)
    else:
        args["dst"], port = host, args.pop("port", "")
        if verb == "tcp send" and "data" not in args and not port.isdecimal():
            port = ""  # HOST DATA
    if not port:
        more = ("DATA",) if verb == "tcp send" else ()
        raise without_port(verb, host, args["dst"], *more)
    if "port" in args and "data" not in args and verb == "tcp send":
        args["data"] = args.pop("port")  # HOST:PORT DATA
    if "port" in args:
        raise UsageFault(f'{verb}: "{args["port"]}" is one word too many')
    args["port"] = port
    of_sender(args)
    return args
