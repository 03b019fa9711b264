"""Options that say whether a packet may be fragmented, shared by several commands."""

from smolctl.cli.words.grammar import Args, UsageFault, Word, option

OPTIONS: tuple[Word, ...] = (
    option(
        "pmtudisc",
        'who may fragment it, as in ping: "want", only this stack (the default); "do", nobody;'
        ' "dont", any router; "probe", nobody, and the learned path MTU is ignored',
        "do|want|dont|probe",
        short="M",
        values=("do", "want", "dont", "probe"),
    ),
    option("df", "the same as -M do"),
)


def chosen(args: Args) -> Args:
    """Return the arguments with ``--df`` said in the words of the other option.

    Raises:
        UsageFault: the two contradict each other.
    """
    if args.pop("df", False) and args.setdefault("pmtudisc", "do") != "do":
        raise UsageFault(f"-M {args['pmtudisc']} and --df contradict each other")
    return args
