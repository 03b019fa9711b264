"""Texts that the commands of ``smolctl tcp`` share."""

from smolctl.cli.session import Event
from smolctl.cli.words.endpoint import joined


def bound(event: Event) -> str:
    """Return the notice of a socket that listens."""
    dev = f" dev {event['dev']}" if "dev" in event else ""
    # The socket of both families, as ss shows it.
    where = f"*:{event['port']}" if event["addr"] == "::" else joined(event["addr"], event["port"])
    return f"listening on {where}{dev}"
