"""The mark of what a command sends, which rules may select (Linux SO_MARK)."""

from smolctl.cli.words.grammar import Args, option
from smolctl.errors import InvalidArgument

OPTION = option("mark", "mark of what is sent, as rules select it with fwmark", "MARK")
_MAX = 0xFFFFFFFF


def of(args: Args) -> int | None:
    """Return the mark that was given, None without one.

    Raises:
        InvalidArgument: it is no number of 32 bits.
    """
    text = args.get("mark")
    if text is None:
        return None
    try:
        value = int(text, 16 if text.lower().startswith("0x") else 10) if text.isalnum() else -1
    except ValueError:
        value = -1
    if not (text.isascii() and 0 <= value <= _MAX):
        raise InvalidArgument(f'mark "{text}" is no mark: 0..4294967295, or 0x0..0xffffffff')
    return value
