"""``smolctl addrlabel``: labels of prefixes."""

from collections.abc import Iterator

from smolctl.cli.output import Output
from smolctl.cli.words.command import Noun, Rows, Verb, request
from smolctl.cli.words.grammar import Args, Place, Word
from smolctl.cli.words.types import PREFIX


def render(rows: Rows, _args: Args, out: Output) -> Iterator[str]:
    """Yield the text of ``addrlabel list``."""
    for row in rows:
        words = ["prefix", out.paint("inet", f"{row['address']}/{row['prefixlen']}")]
        if "ifname" in row:
            words += ["dev", out.paint("ifname", row["ifname"])]
        yield " ".join([*words, "label", str(row["label"])])


_PREFIX = Place("prefix", "PREFIX", "addresses that it is for", words=("prefix",), type=PREFIX)
_DEV = Word(("dev",), "only on this interface", "DEVICE", complete="link")
_LABEL = Word(("label",), "a number, 0 to 4294967294", "NUMBER", required=True)

COMMAND = Noun(
    "addrlabel",
    "Show and change the labels of IPv6 addresses",
    (
        Verb(
            "addrlabel show",
            "show the labels of prefixes, in the order in which they are looked up",
            request("addrlabel.show", render),
            examples=("smolctl addrlabel", "smolctl -j addrlabel list"),
            notes="Of several source addresses, one whose label is that of the destination is"
            " preferred (RFC 6724 rule 6). smolctl -v route get shows which rule decided.",
        ),
        Verb(
            "addrlabel add",
            "give a prefix a label",
            request("addrlabel.add"),
            (_PREFIX, _DEV, _LABEL),
            examples=(
                "smolctl addrlabel add prefix 2001:db8::/32 label 99",
                "smolctl addrlabel add prefix fd00::/8 dev tap0 label 100",
            ),
        ),
        Verb(
            "addrlabel del",
            "take the label of a prefix away",
            request("addrlabel.del"),
            (_PREFIX, _DEV, _LABEL),
            examples=("smolctl addrlabel del prefix 2002::/16 label 2",),
            notes="As in Linux, the label has to be said, and may be any.",
        ),
        Verb(
            "addrlabel flush",
            "take all labels away",
            request("addrlabel.flush"),
            examples=("smolctl addrlabel flush",),
        ),
    ),
)
