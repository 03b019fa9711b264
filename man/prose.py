"""The parts of the man pages that no table holds."""

DATE = "2026-11-22"

COMMON_ENVIRONMENT = (
    ("SMOLCTL_STACK", "Name of the stack when --stack does not give one; default otherwise."),
    ("XDG_RUNTIME_DIR", "Its directory smolctl holds the sockets of the stacks."),
    ("NO_COLOR", "When it is not empty, or when TERM is dumb, there are no colours."),
    ("SMOLCTL_DEBUG", "When it is not empty, an internal error shows its traceback."),
)

ENVIRONMENT = {
    "smolctl": (
        (
            "SMOLCTL_KEY",
            "A setting that a stack begins with: the key of smolctl sysctl in capitals, with _ for"
            " the dot, such as SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8.",
        ),
    ),
    "stack": (
        ("SMOLCTL_KEY", "A setting that the stack begins with; see smolctl-sysctl(8)."),
        (
            "NOTIFY_SOCKET",
            "Set by systemd: a stack in the foreground says there when it serves, as sd_notify(3)"
            " does. Units are in docs/systemd, and are installed in share/doc/smolctl/systemd.",
        ),
    ),
    "sysctl": (
        (
            "SMOLCTL_KEY",
            "The setting that a stack begins with: its key in capitals, with _ for the dot, such as"
            " SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8. An unknown one, or a bad value, is an error at"
            " the start of the stack. It overrides the profile and the config file, and is"
            " overridden by --sysctl of smolctl stack start.",
        ),
    ),
}

FILES = (
    (
        "$XDG_RUNTIME_DIR/smolctl/NAME.sock",
        "Control socket of the stack NAME. Without XDG_RUNTIME_DIR the directory is /run/smolctl"
        " for root and /tmp/smolctl-UID for others; it belongs to the user alone.",
    ),
    ("$XDG_RUNTIME_DIR/smolctl/NAME.lock", "Held by the daemon of the stack for its life."),
    ("$XDG_RUNTIME_DIR/smolctl/NAME.log", "What the daemon has to say; smolctl stack log."),
)

LAYERS = {
    "ethernet": "ETHERNET, THE WAY IN",
    "arp": "ARP, THE WAY IN",
    "ip": "IPV4, THE WAY IN AND OUT",
    "igmp": "IGMP",
    "icmp": "ICMP",
    "udp": "UDP, THE WAY IN",
    "neigh": "NEIGHBORS, THE WAY OUT",
    "device": "LINKS MADE BAD",
    "stack": "THE STACK ITSELF",
}
"""Titles of the layers in smolctl-reasons(7)."""

SEE_ALSO = {
    "smolctl": [("smolctl-tutorial", "7"), ("smolctl-reasons", "7"), ("ip", "8")],
    "stack": [("smolctl-sysctl", "8"), ("smolctl-doctor", "8")],
    "link": [("smolctl-addr", "8"), ("ip-link", "8"), ("tc-netem", "8"), ("passt", "1")],
    "addr": [("smolctl-link", "8"), ("smolctl-route", "8"), ("ip-address", "8")],
    "route": [("smolctl-addr", "8"), ("smolctl-rule", "8"), ("ip-route", "8")],
    "rule": [("smolctl-route", "8"), ("ip-rule", "8")],
    "neigh": [("smolctl-arping", "8"), ("ip-neighbour", "8")],
    "maddr": [("smolctl-udp", "8"), ("smolctl-addr", "8"), ("ip-maddress", "8")],
    "sysctl": [("smolctl-stack", "8"), ("sysctl", "8")],
    "why": [
        ("smolctl-trace", "8"),
        ("smolctl-explain", "8"),
        ("smolctl-stats", "8"),
        ("smolctl-route", "8"),
        ("ip-route", "8"),
    ],
    "udp": [("smolctl-socket", "8"), ("smolctl-stats", "8"), ("nc", "1")],
    "ping": [("smolctl-traceroute", "8"), ("smolctl-arping", "8"), ("ping", "8")],
    "traceroute": [("smolctl-ping", "8"), ("smolctl-why", "8"), ("traceroute", "1")],
    "capture": [
        ("smolctl-trace", "8"),
        ("smolctl-why", "8"),
        ("smolctl-monitor", "8"),
        ("tcpdump", "8"),
        ("pcap-filter", "7"),
    ],
    "trace": [("smolctl-why", "8"), ("smolctl-capture", "8"), ("smolctl-monitor", "8")],
    "arping": [("smolctl-neigh", "8"), ("smolctl-ping", "8"), ("arping", "8")],
    "batch": [("smolctl-config", "8"), ("smolctl-stack", "8"), ("ip", "8")],
    "config": [("smolctl-batch", "8"), ("smolctl-stack", "8")],
    "socket": [("smolctl-udp", "8"), ("ss", "8")],
    "monitor": [("smolctl-why", "8"), ("smolctl-stats", "8"), ("ip-monitor", "8")],
    "stats": [("smolctl-explain", "8"), ("smolctl-socket", "8"), ("smolctl-link", "8")],
    "explain": [("smolctl-reasons", "7"), ("smolctl-stats", "8"), ("smolctl-doctor", "8")],
    "doctor": [
        ("smolctl-stack", "8"),
        ("smolctl-explain", "8"),
        ("capabilities", "7"),
        ("user_namespaces", "7"),
    ],
    "reasons": [("smolctl-explain", "8"), ("smolctl-stats", "8")],
}

MAIN_EXAMPLES = (
    (
        "Without privileges: one terminal prints what another one sends.",
        (
            "smolctl udp recv 127.0.0.2:34254 -c 1 -w 5",
            'smolctl udp send 127.0.0.2:34254 "Hello, loopback!"',
        ),
    ),
    (
        "A TAP device to the kernel of the network namespace lab, an address for our end, and the"
        " kernel is asked for an echo:",
        (
            "smolctl link add tap0 type tap netns lab host 10.0.0.2/24",
            "smolctl addr add 10.0.0.1/24 dev tap0",
            "smolctl ping -c 3 -i 0.2 10.0.0.2",
        ),
    ),
    (
        "Which way a packet goes, what would become of one, what became of the last one, and what"
        " was lost so far:",
        (
            "smolctl route get 8.8.8.8",
            "smolctl why udp any 8.8.8.8:53",
            "smolctl why last",
            "smolctl stats drops",
        ),
    ),
)
"""Of smolctl(8): what a group of examples is, and examples that help texts have."""

PROSE = {
    "smolctl": """
smolctl runs network stacks in user space: Ethernet, ARP, IPv4, ICMP and UDP. Each stack is one
small process, known by a name, and is configured and asked by this command in the words of
ip(8). A command that needs a stack starts it when it is not running, with the loopback lo and
no privileges.

Words may come in any order, and dev tap0 and --dev tap0 mean the same. A noun alone means show.
The beginning of a word is enough where no other word of the command begins like it (prio), and a
prefix may leave out numbers (0/0, 172.16/12) or have a netmask. What ip, ping and arping take and
a stack cannot mean yet is refused by name, as "not supported". Before a noun, -n NAME is the
stack, -h asks for units behind large numbers, and -batch FILE is smolctl batch FILE; behind a verb
that has an -n of its own, as ping, capture and sysctl do, it is the verb's.
Results are written to standard output, everything else to standard error. With --json the
output is one valid JSON document with the keys of ip -j, or one JSON object a line from a
command that runs for a while, the last one with "event": "summary" where there is one; errors
are one object on standard error.

A frame that is dropped, a datagram that is refused and a packet that waits each have a named
reason; smolctl stats drops counts them and says what to do, smolctl explain NAME says what
a reason means, and smolctl-reasons(7) has them all.
""",
    "stack": """
A stack is a process with its own interfaces, addresses, routes, neighbors and sockets. Several
run side by side, each known by its name: --stack NAME chooses one, default is the name without
it. A stack lives until it is stopped; what was configured ends with it, except TAP devices that
were made to persist.

Only its own user and root can reach a stack. One that was killed leaves its socket behind,
which the next start takes over; stack list calls it dead until then.

stack start --config FILE begins with the changes that FILE says. It has a command a line, as for
smolctl batch, so what smolctl config save prints is one; only changes of the configuration are
allowed. When FILE ends in .toml, it is TOML: the text (or list) commands has the commands, and the
table [sysctl] settings, of the level config file in smolctl-sysctl(8), which the environment
overrides; docs/lab.toml shows one. Nobody can reach the stack before all of it is done. A mistake
stops the start, and the error names the file and the line: no daemon is left, and no device.
""",
    "link": """
A link is an interface of the stack and the device that carries its frames. It comes up when it
is added, as if a cable was plugged in.

A TAP device joins the stack with the kernel of this machine: what the stack sends appears as if
it came in on that device, and the other way round. Give the kernel's side an address, or put it
into a bridge or a network namespace, to have a peer. The MAC address of our side is not that of
the device, which is the kernel's.

The kernel and the stack leave checksums to each other and hand over many datagrams in one piece,
where the kernel can: -d shows csum, tso and uso. A capture on the kernel's side then shows
checksums that are not done yet. With offload off every frame crosses by itself and complete.

A link of type stream carries its frames over a socket in the framing of QEMU: each frame behind
its length in four bytes. With connect it goes to whoever listens there, passt(1) or
qemu -netdev stream,server=on; it tries again by itself, at most every two seconds, for as long as
nobody does. With listen it waits for one peer at a time, such as qemu -netdev stream,server=off;
a second one is refused. A link without a peer has no carrier, and what it should send is dropped
as tx-no-carrier. The socket of a dead process is taken over, that of a live one never. It needs
no privileges, and only its user and root can connect.

A link of type dgram is the same with a datagram for each frame, as of qemu -netdev dgram: local is
its own socket, remote that of the other end. It has carrier while somebody has the other socket
open, and learns within a second that nobody has any more.

A link of type cable is one end of a cable between stacks of the same user: links with the same
cable's name are plugged into each other, whichever stack they belong to. With three ends or more
the cable is a hub, which shows each frame to all others. A link has carrier while another end is
there; an end goes with its stack, however that ends. It needs no privileges.

A link of type packet makes the stack a second host on an interface of this machine, with a MAC
address of its own, as a macvlan has. What the machine itself sends by that interface does not come
in, nor does what others send to the machine, unless promisc asks for all that the interface sees;
so the stack and its own machine cannot talk to each other this way. Without link it is the
interface of the same name.

A link of type pcap plays a capture file, as far apart in time as its packets were or speed times
faster, and records what the stack sends. It begins when it is up: add it down, give it addresses,
then set it up. Frames are for a MAC address, so give it that of the host that one wants to be.
From a file that knows directions only what came in is played; packets of raw IP get link addresses.

A link of type vlan is one VLAN of another link. What it sends by that link gets a tag, and it has
the frames that come in with this tag. Its words are those of ip-link(8): link eth0 type vlan id 5,
and protocol 802.1ad for the outer tag of QinQ. It takes MTU, MAC address and carrier of the link
below, goes down and up with it, and is deleted with it. A frame with the tag of a VLAN that has no
interface is dropped (rx-vlan-unknown). A tag with VLAN ID 0 is a priority and comes off.

A link can be made as bad as the network that one wants to try out, by delay, jitter, loss,
corrupt, duplicate, reorder and rate, in the words of tc-netem(8). They happen to what this end
sends; set them on both ends for both directions. At most 1000 frames or 4 MiB are held back. The
times are kept to about a millisecond.
""",
    "addr": """
An address on an interface makes routes: one of type local for the address itself, one for its
prefix, and one for each broadcast address. On a loopback the whole prefix is local: with
127.0.0.1/8 each address of 127.0.0.0/8 answers.

An address is written with its prefix length; without one it is a /32.
""",
    "route": """
One table of routes serves the whole stack: it decides by which interface, to which next hop and
from which source address a packet leaves. The longest prefix wins, then the lowest metric; the
order of interfaces never matters. The tables local, which holds the addresses of the stack
itself, and main are looked up as one, then default. With the first change of any rule the rules
say which tables are looked up, and in which order: smolctl-rule(8). A table has a number of 1 to
4294967295, and is there from its first route on.

A route of type blackhole, unreachable or prohibit refuses what matches it, throw makes the
lookup go on as if the table had no route.

Routes of the same prefix and metric (append) replace each other: the next one is taken while the
gateway of the one before does not answer. The next hops of one route (nexthop) share the flows in
proportion to their weights: packets with the same source and destination address, and with
ip.fib_multipath_hash_policy=1 the same protocol and ports, go by the same one. A source address
from the network of one of them goes by that. A next hop whose link is down or without carrier, or
whose gateway does not answer, is passed over; the flows of the others stay where they are.

What a selector of route show fixes is not repeated on each line; in JSON the rows stay whole.
""",
    "rule": """
Rules choose the table of routes for a packet: by its source and destination address, the interface
by which it comes in (iif; lo for what is sent from here) or that its sender insists on (oif), type
of service, protocol and ports. They are asked by their priority, the lowest first, and in the
order of their coming where that is the same. The first one that matches decides, unless its table
has no route for the packet, or one of type throw: then the next one does. Instead of a table a
rule may have a type: blackhole, unreachable and prohibit refuse the packet, nop does nothing, and
goto goes on at the rule with that priority.

A stack begins with three rules: 0 looks up the table local, 32766 main, and 32767 default. As long
as nobody has changed any, local and main are one table, in which the longest prefix wins; from then
on, and for good, local comes first, as in Linux.

A packet whose source address is not chosen yet has none, and matches no rule with from, though one
with not from. A socket that is bound or connected has one, ping and udp send have it with -s.
""",
    "neigh": """
Each interface keeps the link addresses of the neighbors it talks to, in the states of RFC 4861
as Linux applies them to ARP: INCOMPLETE while the first request is unanswered, REACHABLE after
an answer, STALE when that is long ago, DELAY and PROBE while it is confirmed again, FAILED when
nobody answered, PERMANENT when it was added by hand. A packet for a neighbor that is not known
waits, in a queue of that neighbor alone.
""",
    "maddr": """
A multicast address names a group, and an interface takes what is sent to the groups that it is a
member of: those that sockets have joined (udp recv --group), those that were added by hand, and
224.0.0.1, which is all hosts. Routers and switches learn of it by IGMP, in version 3 or in that of
the oldest router on the link (RFC 3376), whose queries are answered. A loopback has groups too, and
reports them to nobody.

Unlike ip maddr, which adds link addresses alone, add and del take groups: frames to the link
address of any group are taken anyway.
""",
    "sysctl": """
What real stacks do differently is a setting here, with the values that Linux and smoltcp have
beside it. A change works at once and ends with the stack; SMOLCTL_ variables are there when a
stack starts.
""",
    "udp": """
udp send follows each datagram to its fate: it was sent when the device took the frame, after
ARP if that was needed, and delivered when a socket of this stack has it. Anything else is a
failure with a named reason. An ICMP error that comes back is reported for the datagram that
caused it.

With -c, the last line says how many were sent and how many a second that was: -i 0 sends as fast
as each can be followed, --rate at a steady pace, of which up to 10 ms are made up for. With -q
only failures and this line are printed, which is faster. Programs that send without such care,
and faster, use the stack's sockets (docs/programs.md).

To a group, a datagram leaves by the interface of --dev or of the source address, else by that of
the route to it, with a TTL of 1. Members on this stack get a copy.

udp recv prints each datagram with its sender; bytes that cannot be printed are escaped as in
Python. With --group it joins that group and hears it alone, unless an address is given too; any
number of receivers may have the port of a group, and each gets a copy. udp echo answers each
datagram from the address it was sent to.
""",
    "doctor": """
doctor is for trouble with the machine, as smolctl why is for trouble with a packet: a stack that
does not start, a TAP that may not be opened, a manual that is not found. Each check is one line,
with a command that helps below it where there is one. What a kernel allows is tried for a moment,
by a process that is gone when the line is printed, and that has a network of its own where it may.

A stack needs Python, its packages and a runtime directory, which are the checks that can fail. All
else are links of one type or another, and comfort. Without any privileges there are loopbacks,
cables, links of type stream, dgram and pcap, and TAPs that root has made for the user.

Files that stopped or killed stacks left are harmless: the next start takes a socket over, and goes
on with the log.
""",
    "ping": """
ping sends ICMP echo requests and prints the replies, in the words of ping(8) from iputils. When
no reply came and the stack knows why, a last line on standard error says so.
""",
    "capture": """
capture shows each packet of the stack once, when its fate is known: the time, the interface, the
direction, a summary by scapy, and, of a packet that was dropped or refused, the reason. With -v
all its fields follow. What was refused before there was a packet, such as a datagram without a
route, is not shown; smolctl why tells about it. The local copy of a broadcast is not shown
either, as in tcpdump.

With -w packets are written as pcapng, for tcpdump(8), Wireshark and capture -r: smolctl capture
-w - | tcpdump -n -r - shows them while they come. Each packet that
was dropped or refused has a comment that begins with "reason: ". A capture of one loopback is raw
IP. In every other file all packets have an Ethernet header, because libpcap wants them alike: one
of zeros, as on lo of Linux, where there was none, on a loopback or because the neighbor never
answered ARP. The file is complete after every packet.

With -r a pcap or pcapng file of Ethernet or raw IP is read, and no stack is needed.

SIGINT ends a capture with the number of packets on standard error. While it runs, packets take
the slow path of the stack, which can explain them. Packets come to the reader by a queue of 1 MiB
which loses the oldest; how many were lost is said where they are missing and at the end.
""",
    "trace": """
trace shows each packet of the stack as smolctl why shows one, when its fate is known: a headline
with the time, the interface, the direction, what the packet is and its id; its steps; and the
verdict. With -v, and without it when the packet went wrong, why and what to do follow. An answer
says which packet it is because of, and so does a request that ARP makes for one. With -br each
packet is one line: time, interface, direction, packet, verdict, id.

A packet that has to wait, for ARP or on a link with a delay, is told in one line when the wait
begins, and in full when it is over. The time is when the packet came or was to be sent, the same in
both.

Shown is also what was refused before there was a packet, such as a datagram without a route: the
filter sees what it was meant to be, from 0.0.0.0 when no source was chosen yet. It has no
interface. "reason" in a filter is why a packet is in trouble or, of one that is not, why it waited
before. The copy of a broadcast that our own sockets hear is shown as a packet of its own.

With --json each packet is one object, as of smolctl -j why, with "event": "packet", or "wait" when
it begins to. The last line is "event": "summary", which SIGINT brings too. What waits does not
count for -c.

While trace runs, packets take the slow path of the stack, which can explain them, and nothing but
their speed changes. When it ends, or is killed, the fast path is back: smolctl stats has as udp
flows_known how many flows take it. Packets come to the reader by a queue of 1 MiB which loses the
oldest; how many were lost is said where they are missing and at the end.
""",
    "traceroute": """
traceroute sends packets with a time to live of 1, 2, 3 and so on. The router where it runs out says
so, and so each hop on the way to a host is known; the host itself answers that nothing listens at
the port, or replies to the echo request. Up to 16 probes are on their way at once, and what came of
them is printed in order, in the words of traceroute(1) for Linux: * for no answer, !H, !N and !P
for host, network and protocol unreachable, !X for prohibited, !F-MTU for a packet that is too big,
!S for a failed source route. Names are never looked up.

When the host is not reached, a last line on standard error names the reason: the error of the hop
where the way ends, or icmp-hops-silent when nothing answers beyond some hop.
""",
    "arping": """
arping sends ARP requests by one interface and prints who answers, in the words of arping(8)
from iputils. It has the options of Habets' arping that scripts need: -C, -r and -R. Times are
seconds and may have fractions.

With -D the exit status tells whether an address is taken: 0 free, 1 taken, and 2 when nobody
could be asked, because the interface is down or nothing is at its other end.
""",
    "batch": """
batch runs the commands of a file, one a line, over one connection to the stack, hundreds of times
as fast as one process for each. A command is written as on the command line, without smolctl in
front. Every command works: a probe ends before the next line begins, and a line batch FILE runs
another file. Options before batch hold for all lines, and a line may have more of its own, such
as -s, -j or --stack.

Lines are split into words as by a shell: single quotes, double quotes and backslashes quote; "#"
where a word could begin starts a comment; a backslash at the end of a line goes on in the next
one. There are no variables, patterns, or redirections.

With --atomic all commands are changes of the configuration, such as addr add, link set or
sysctl KEY=VALUE, of one stack, and all are made or none: they are tried on a copy of the stack
first. When one fails nobody has noticed anything: no packet was lost, and monitor tells of no
change. Devices are the exception. They are opened, and their MTU and address set, while the
commands are tried, and that is undone. A link that is deleted cannot be added again under its name
in the same batch, since its device is there until the end. One batch takes a request of 1 MiB,
which is some 8,000 commands, and the stack does nothing else while it is made.

The first command that fails ends the batch. An error begins with the file and the line where the
command began: FILE:LINE. With --force the batch goes on, and still fails. As of ip -batch, the
exit status is 1 whatever failed, but 2 when the file cannot be read, and 3 when there was no
stack to talk to, or it went away; that ends the batch even with --force. SIGINT ends the command
that runs, which prints its summary, and the batch with it.

With --json each command prints its own document on a line of its own, [] where there is nothing
to say, or its stream of objects that ends with the summary. Errors have file and line beside the
usual keys. A program that writes commands to smolctl -j batch --force - and reads the answers has
one for each command, as soon as it is done: on standard output, or on standard error if it failed.
""",
    "config": """
config save prints commands, a line each, that make this stack from a fresh one: settings that are
not defaults, links with the options that they were added with and as they are now, addresses,
routes beside those that addresses bring, in their order, and PERMANENT neighbor entries. What was
learned, and what programs have open, is not part of it. smolctl batch runs the lines:
smolctl config save | smolctl --stack copy batch - makes a copy, whose config save prints the same.

A MAC address is printed too, although it may have been drawn at random: the copy has the same.
Two stacks cannot have one TAP device, socket or capture file; there the copy needs another name.

Each command is tried on a fresh stack within this one before it is printed. One that was right
only before other changes is left out, and named on standard error with the reason; the exit status
is 1 then.

config diff prints the commands that make this stack like one that the commands of FILE make, or
like another stack that runs, and nothing when it is so already. They are found by making both
stacks without devices and changing one until it is the other, so a change that takes others with
it, as an address takes its routes, is followed by what makes those again. A link is changed where
it can be, not deleted. The MAC address and MTU of a link that FILE gives none are left as they are.
""",
    "socket": """
Each socket that is bound at the moment is shown with what waits in its receive queue, the size
of that queue and the datagrams that were dropped because it was full. A ping that runs has a
socket of kind icmp.
""",
    "monitor": """
monitor prints what happens, when it happens, until it is interrupted, or the stack stops. Without
a word it watches everything; several kinds may be named.

Each change is one line of the noun's show, after "Deleted" for what is gone, and after its kind
in brackets when several are watched. -t and -ts print the time before it, as ip(8) does. A change
is told when it has been made and before what follows from it: an address before its routes.
Unlike Linux, every change is told: the routes that go with a link too, each state of a neighbor,
and the last state of one that is deleted.

drops watches packets that go wrong, a line each: when, interface, direction (in, out, or local:
from this stack to itself), what became of it (drop; reject: its sender was told; wait: its fate
is still to come), the reason's name, the packet, and its id: smolctl why ID tells how it came to
that.

With --json each event is one object with the keys of the noun's show, "event" for its kind,
"time" in seconds since 1970, and "deleted": true for what is gone. Drops have id, dev, dir,
class, reason, summary and why.

A slow reader holds up nobody. For each, the stack keeps the last 8192 events or 1 MiB; the oldest
go first, and the reader is told how many before the next one: on standard error, or as "event":
"lost" with their "count".
""",
    "explain": """
explain prints the page of a reason: what becomes of the packet, the RFC that asks for it and what
Linux calls it, an explanation, and the commands that help. Without a name it lists all reasons.
With --json a list is an array, and one name gives one object.

The reasons are what smolctl stats drops counts, and what a failed smolctl udp send, ping or arping
names. All pages together are smolctl-reasons(7).
""",
    "reasons": """
smolctl drops, refuses or delays no packet without a reason that has a name. smolctl stats drops
counts them, a failed smolctl udp send, ping or arping names them, and smolctl explain NAME prints
what is written here. Behind each summary stand its class, the RFC or other document that asks for
it, and what Linux calls it: an errno, a drop reason of its kernel, or silent where it says nothing.

Words in capitals stand for what a packet had; what stands in brackets is said when it is known.
Each line fix is a command that lets such a packet through. Where none on this stack does, the line
advice says what to do elsewhere.

The classes are:
""",
    "why": """
why udp, why icmp and why arp tell what would happen to a packet that is not sent: each step
that it would take through the stack, what was chosen and what was passed over, and in the end
the verdict, why it is so, and a command that changes it. The packet is sent for real, by the
code that sends any other, but on a copy of the stack, so the answer is what the stack would do
and the stack does not notice. What others do, such as to answer ARP, is not known: where the
packet would wait for them the verdict is that it waits.

why last and why ID tell what did happen, in the same words. Packets that udp send, ping and
arping sent are remembered, and each packet that was dropped, refused or made to wait, 1024 in
all.

The results of steps are ok, pick (this one of several), skip (not this one), wait, note, drop
(nobody is told) and reject (the sender is told). With --json the packet is one object, whose
schema is docs/schema/why.json.
""",
    "stats": """
stats show lists what was counted, by layer. stats drops lists the reasons for which packets
were dropped (drop), refused with an error to their sender (reject) or kept waiting (wait), and
what happened beside them (note): how often, when last, and what was wrong with the last one. In
JSON each has the time, a list of commands that fix it, and the reason's summary; smolctl explain
says more.
""",
}

_FILTERS = (
    "Filters",
    """
A filter is one word or many; quote parentheses and exclamation marks from the shell. A word that
tcpdump has too means the same here, see pcap-filter(7). Words are taken from the left: "and" does
not bind closer than "or".
A value without a kind is of the kind before it, port 53 or 67, or else a host. A first word that
is not one of these is the name of an interface.
""",
    (
        (
            "[PROTO] [src|dst] host ADDRESS",
            "IPv4 source or destination, or sender or target of ARP. The word host may be left"
            " out. src or dst is the same as neither; src and dst means both.",
        ),
        (
            "[PROTO] [src|dst] net PREFIX",
            "The same for the addresses of a network, 10.0.0.0/24.",
        ),
        (
            "[udp|tcp] [src|dst] port NUMBER",
            "Port of UDP, TCP or SCTP; only the first fragment"
            " of a packet has it. sport is src port, and dport is dst port.",
        ),
        (
            "[ip|ip6] proto NUMBER",
            "Protocol number; icmp, igmp, tcp and udp are known by name.",
        ),
        ("ip, ip6, arp, rarp, icmp, igmp, tcp, udp", "The protocol itself."),
        (
            "vlan [ID]",
            "A VLAN tag. What follows looks behind it, also another vlan: vlan 100 and vlan 5 and"
            " icmp. A packet of a VLAN that has an interface here is seen there without the tag,"
            " which vlan finds all the same, and with it at the interface below.",
        ),
        ("in, out, local", "The direction: received, sent, or never on a wire."),
        ("dev NAME", "The interface."),
        (
            "reason NAME, reason any",
            "Dropped or refused for this reason, or for any; see smolctl stats drops.",
        ),
        ("not, and, or, ( )", "Also !, && and ||."),
    ),
)

SUBSECTIONS = {"capture": _FILTERS, "trace": _FILTERS}
"""Of a page's DESCRIPTION: title, text and items."""
