"""``smolctl lab``: networks as files, run in one process and in virtual time."""

from shlex import quote
from typing import Any

from smolctl.cli import exit as exits
from smolctl.cli.session import Session
from smolctl.cli.words.command import Noun, Verb
from smolctl.cli.words.grammar import Args, Place, Word, option

# What runs scenarios takes half a second to import: not for --help and completion.


def _run(session: Session, args: Args) -> int:
    from smolctl.cli.nouns.lab_run import command

    return command(session, args)


def _compare(session: Session, args: Args) -> int:
    from smolctl.cli.nouns.lab_compare import command

    return command(session, args)


def _up(session: Session, args: Args) -> int:
    from smolctl.cli.nouns.lab_up import up

    return up(session, args)


def _down(session: Session, args: Args) -> int:
    from smolctl.cli.nouns.lab_up import down

    return down(session, args)


def _list(session: Session, args: Args) -> int:
    from smolctl.cli.nouns.lab_names import SUFFIX, names, text_of
    from smolctl.lab.reading import read

    rows: list[dict[str, Any]] = []
    for name in names("shipped"):
        scenario = read(text_of("shipped", name), f"{name}{SUFFIX}")
        rows.append({"name": name, "title": scenario.title, "about": scenario.about.strip()})
    if session.options.json:
        session.out.document(rows)
    else:
        width = max((len(row["name"]) for row in rows), default=0)
        for row in rows:
            head = f"{row['name']:{width}}  "
            session.out.lines(session.out.folded(head, len(head), row["title"]))
    return exits.DONE


def _show(session: Session, args: Args) -> int:
    from smolctl.cli.nouns import lab_files

    source = lab_files.find(args["file"])
    text = source.text.decode("utf-8", "backslashreplace")
    if session.options.json:
        session.out.document({"name": source.name, "text": text})
    else:
        session.out.lines(text.splitlines())
    return exits.DONE


def _new(session: Session, args: Args) -> int:
    from smolctl.cli.nouns import lab_files

    path = lab_files.write_new(args["name"], args.get("template", _TEMPLATE))
    if session.options.json:
        session.out.document({"file": path})
    else:
        session.out.line(f"{path} is written; run it: smolctl lab run {quote(path)}")
    return exits.DONE


_TEMPLATE = "two-hosts"
_FILE = Place(
    "file",
    "FILE",
    "scenario file, or the name of one that comes with smolctl",
    complete="scenario",
)
_FILES = _FILE.but(many=True, nargs=-1)
_SEED = option("seed", "draw other losses, ports and numbers", "N")
_UNTIL = option("until", "end the run at this time, such as 5s", "TIME")
_PROFILE = option(
    "profile",
    "of the nodes that have none of their own",
    "PROFILE",
    complete="profile",
)

COMMAND = Noun(
    "lab",
    "Run networks of stacks that a file describes, in virtual time",
    (
        Verb(
            "lab run",
            "run scenarios, and tell what happened and which expectations are met",
            _run,
            (
                _FILES,
                _SEED,
                _PROFILE,
                _UNTIL,
                option("ladder", "draw the packets between the nodes"),
                option("svg", "write the same drawing to a file", "PATH"),
                option("plot", "draw the plots that the file asks for"),
                option("plot-svg", "write them to a file; further ones to PATH-2", "PATH"),
                option("pcap", "write all packets to a pcapng file", "PATH"),
                option("no-timeline", "forget single packets: faster, and in little memory"),
                option("junit", "write the expectations as CI systems read them", "PATH"),
                option("jobs", "run so many scenarios at once", "N", short="J"),
            ),
            examples=(
                "smolctl lab run arp-first-datagram",
                "smolctl lab run no-route-back --ladder",
                "smolctl lab run cache-of-four --plot --profile smoltcp-0.9",
                "smolctl lab run no-route-back --profile smoltcp-0.9 --pcap run.pcapng",
                "smolctl lab run arp-first-datagram no-route-back --junit lab.xml",
                "smolctl -j lab run arp-first-datagram",
            ),
            notes="No stack is started and none is asked: the nodes are stacks in this process, an"
            " hour of theirs takes a moment, and the same file and seed do the same each time. Of"
            " an expectation that is not met the text says what was seen, at which node a packet"
            " ended, why, and a command that helps. The last line makes the same run again. The"
            " exit status is 0 if all expectations are met, 1 if not, and 2 if a file is wrong."
            " Of many files, Ctrl-C leaves the summary of those that ran.",
        ),
        Verb(
            "lab list",
            "list the scenarios that come with smolctl",
            _list,
            examples=("smolctl lab list", "smolctl -j lab list"),
        ),
        Verb(
            "lab show",
            "print a scenario file",
            _show,
            (_FILE,),
            examples=(
                "smolctl lab show no-route-back",
                "smolctl lab show no-route-back > mended.toml",
            ),
        ),
        Verb(
            "lab new",
            "write a scenario file to begin with",
            _new,
            (
                Place("name", "NAME", "of the file; .toml is added"),
                option(
                    "template",
                    "what to begin with",
                    "TEMPLATE",
                    complete="template",
                    values=("two-hosts", "router", "hub"),
                ),
            ),
            examples=("smolctl lab new mine", "smolctl lab new routed --template router"),
            notes="A file that is there already is never overwritten. A scenario that comes with"
            " smolctl may be the template, too.",
        ),
        Verb(
            "lab compare",
            "run a scenario under several profiles, and show the outcomes side by side",
            _compare,
            (
                _FILE,
                Word(
                    ("profile",),
                    "a profile to compare; give two or more",
                    "PROFILE",
                    bare=False,
                    many=True,
                    complete="profile",
                ),
                _SEED,
                _UNTIL,
            ),
            examples=(
                "smolctl lab compare no-route-back",
                "smolctl lab compare no-route-back --profile linux --profile rfc1122",
            ),
            notes="Without --profile they are those that the file names, or linux and smoltcp-0.9."
            " The exit status is 0 if the expectations of each profile are met.",
        ),
        Verb(
            "lab up",
            "start the nodes of a scenario as stacks of your own, on real cables",
            _up,
            (_FILE, _PROFILE),
            examples=(
                "smolctl lab up no-route-back",
                "smolctl lab up no-route-back --profile rfc1122",
            ),
            notes="Each node becomes a stack of its name with the same configuration; all of them"
            " are started, or none. Real time passes. Steps, programs and expectations are for lab"
            " run; ask and change the stacks as any others. smolctl lab down stops them.",
        ),
        Verb(
            "lab down",
            "stop the stacks that lab up started",
            _down,
            (_FILE,),
            examples=("smolctl lab down no-route-back",),
            notes="It stops each stack that has the name of a node. The exit status is 3 if there"
            " is none.",
        ),
    ),
    default="list",
    aliases={"ls": "list"},
)
