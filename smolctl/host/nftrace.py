"""Commands that have a packet filter tell what it does with one packet.

They are nft(8)'s (meta nftrace), which chains of iptables-nft obey, too, and those of iptables for
chains that are not nftables' (iptables-extensions(8), TRACE). Each ends with Ctrl-C, and leaves
nothing behind.
"""

from smolctl.host.passage import Passage
from smolctl.stack.explain.predict import Question
from smolctl.wire.address import IPV6, format_address, is_unspecified

TABLE = "smolctl_trace"
_FIRST = -400
"""Before all others may have changed it, conntrack among them (NF_IP_PRI_FIRST is lower still)."""


def nft_command(first: Passage, question: Question, inside: str) -> str:
    """Return the command: it shows each chain and rule of nftables that such a packet meets.

    Args:
        first: of the packet itself.
        question: what it is.
        inside: what has a command run in the namespace: "ip netns exec lab ", or "".
    """
    family = "arp" if first.arp else "inet"
    hook = ("input" if first.arp else "prerouting") if first.entered else "output"
    words = [
        *_link(first),
        *_addresses(first, question),
        *_ports(first, question),
        "meta nftrace set 1",
    ]
    chain = f"type filter hook {hook} priority {_FIRST}; {' '.join(words)}"
    rules = f"table {family} {TABLE} {{ chain c {{ {chain}; }}; }}"
    # Ctrl-C ends the second command, and the third one is run all the same.
    ends = f"(trap : INT; {inside}nft monitor trace; {inside}nft delete table {family} {TABLE})"
    return f"{inside}nft '{rules}'; {ends}"


def _link(first: Passage) -> list[str]:
    return [f'iifname "{first.entered}"'] if first.entered else []


def _addresses(first: Passage, question: Question) -> list[str]:
    if first.arp:
        return ["arp operation request", f"arp daddr ip {format_address(question.dst)}"]
    name, words = "ip6" if first.family is IPV6 else "ip", []
    if question.src is not None and not is_unspecified(question.src):
        words.append(f"{name} saddr {format_address(question.src)}")
    if question.proto != "nd":
        words.append(f"{name} daddr {format_address(question.dst)}")
    return words


def _ports(first: Passage, question: Question) -> list[str]:
    if question.proto in ("udp", "tcp"):
        sport = [f"{question.proto} sport {question.sport}"] if question.sport else []
        return [*sport, f"{question.proto} dport {question.dport}"]
    if question.proto == "nd":
        return ["icmpv6 type nd-neighbor-solicit"]
    if question.proto == "icmp":
        return ["icmpv6 type echo-request" if first.family is IPV6 else "icmp type echo-request"]
    return []


def iptables_command(first: Passage, question: Question, inside: str) -> str:
    """Return the command of iptables that does the same; the kernel's log has what it tells."""
    six = first.family is IPV6
    tool, chain = "ip6tables" if six else "iptables", "PREROUTING" if first.entered else "OUTPUT"
    words = ["-i", first.entered] if first.entered else []
    if question.src is not None and not is_unspecified(question.src):
        words += ["-s", format_address(question.src)]
    words += ["-d", format_address(question.dst)] if question.proto != "nd" else []
    if question.proto in ("udp", "tcp"):
        words += ["-p", question.proto]
        words += ["--sport", str(question.sport)] if question.sport else []
        words += ["--dport", str(question.dport)]
    else:
        words += ["-p", "ipv6-icmp" if six else "icmp"]
    rule = f"{chain} {' '.join(words)} -j TRACE"
    ends = f"(trap : INT; dmesg -w | grep TRACE; {inside}{tool} -t raw -D {rule})"
    return f"{inside}{tool} -t raw -I {rule}; {ends}"
