"""The parts of the man pages that no table holds."""

DATE = "2026-11-22"

COMMON_ENVIRONMENT = (
    ("SMOLCTL_STACK", "Name of the stack when --stack does not give one; default otherwise."),
    ("XDG_RUNTIME_DIR", "The sockets of the stacks are in its directory smolctl."),
    ("NO_COLOR", "If it is not empty, or if TERM is dumb, there are no colours."),
    ("SMOLCTL_DEBUG", "If it is not empty, an internal error shows its traceback."),
)

ENVIRONMENT = {
    "smolctl": (
        (
            "SMOLCTL_KEY",
            "A setting with which a stack starts: the key of smolctl sysctl in capitals, with _ for"
            " the dot, such as SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8.",
        ),
    ),
    "stack": (
        ("SMOLCTL_KEY", "A setting with which the stack starts; see smolctl-sysctl(8)."),
        (
            "NOTIFY_SOCKET",
            "Set by systemd: a stack in the foreground reports there when it is ready, as"
            " sd_notify(3) does. Units are in docs/systemd, and are installed in"
            " share/doc/smolctl/systemd.",
        ),
    ),
    "sysctl": (
        (
            "SMOLCTL_KEY",
            "A setting with which a stack starts: its key in capitals, with _ for the dot, such as"
            " SMOLCTL_IFACE_NEIGHBOR_CACHE_COUNT=8. With an unknown key or a bad value the stack"
            " does not start. It overrides the profile and the config file; --sysctl of smolctl"
            " stack start overrides it.",
        ),
    ),
}

FILES = (
    (
        "$XDG_RUNTIME_DIR/smolctl/NAME.sock",
        "Control socket of the stack NAME. Without XDG_RUNTIME_DIR the directory is /run/smolctl"
        " for root and /tmp/smolctl-UID for others; only its user can read it.",
    ),
    ("$XDG_RUNTIME_DIR/smolctl/NAME.lock", "Locked while the daemon of the stack runs."),
    ("$XDG_RUNTIME_DIR/smolctl/NAME.log", "The daemon's log; smolctl stack log shows it."),
)

LAYERS = {
    "ethernet": "ETHERNET, INPUT",
    "arp": "ARP, INPUT",
    "ip": "IP, INPUT AND OUTPUT",
    "igmp": "IGMP",
    "nd": "NEIGHBOR DISCOVERY, INPUT",
    "mld": "MULTICAST LISTENER DISCOVERY, INPUT",
    "icmp": "ICMP",
    "udp": "UDP, INPUT",
    "tcp": "TCP",
    "neigh": "NEIGHBORS, OUTPUT",
    "device": "IMPAIRED LINKS",
    "stack": "THE STACK ITSELF",
}
"""Titles of the layers in smolctl-reasons(7)."""

SEE_ALSO = {
    "smolctl": [("smolctl-tutorial", "7"), ("smolctl-reasons", "7"), ("ip", "8")],
    "stack": [("smolctl-sysctl", "8"), ("smolctl-doctor", "8")],
    "map": [("smolctl-link", "8"), ("smolctl-stack", "8"), ("dot", "1")],
    "host": [("smolctl-batch", "8"), ("smolctl-config", "8"), ("ip", "8"), ("rtnetlink", "7")],
    "link": [("smolctl-addr", "8"), ("ip-link", "8"), ("tc-netem", "8"), ("passt", "1")],
    "addr": [("smolctl-link", "8"), ("smolctl-route", "8"), ("ip-address", "8")],
    "route": [("smolctl-addr", "8"), ("smolctl-rule", "8"), ("ip-route", "8")],
    "rule": [("smolctl-route", "8"), ("ip-rule", "8")],
    "nexthop": [("smolctl-route", "8"), ("smolctl-why", "8"), ("ip-nexthop", "8")],
    "neigh": [("smolctl-arping", "8"), ("ip-neighbour", "8")],
    "maddr": [("smolctl-udp", "8"), ("smolctl-addr", "8"), ("ip-maddress", "8")],
    "addrlabel": [("smolctl-route", "8"), ("smolctl-addr", "8"), ("ip-addrlabel", "8")],
    "sysctl": [("smolctl-stack", "8"), ("sysctl", "8")],
    "reach": [("smolctl-why", "8"), ("smolctl-lab", "8")],
    "why": [
        ("smolctl-trace", "8"),
        ("smolctl-host", "8"),
        ("smolctl-explain", "8"),
        ("smolctl-stats", "8"),
        ("smolctl-route", "8"),
        ("ip-route", "8"),
    ],
    "udp": [("smolctl-socket", "8"), ("smolctl-stats", "8"), ("nc", "1")],
    "tcp": [("smolctl-socket", "8"), ("smolctl-why", "8"), ("smolctl-udp", "8"), ("nc", "1")],
    "ping": [("smolctl-traceroute", "8"), ("smolctl-arping", "8"), ("ping", "8")],
    "traceroute": [("smolctl-ping", "8"), ("smolctl-why", "8"), ("traceroute", "1")],
    "exec": [("smolctl-link", "8"), ("smolctl-why", "8"), ("network_namespaces", "7")],
    "capture": [
        ("smolctl-trace", "8"),
        ("smolctl-why", "8"),
        ("smolctl-monitor", "8"),
        ("tcpdump", "8"),
        ("pcap-filter", "7"),
    ],
    "trace": [("smolctl-why", "8"), ("smolctl-capture", "8"), ("smolctl-monitor", "8")],
    "arping": [("smolctl-neigh", "8"), ("smolctl-ping", "8"), ("arping", "8")],
    "ndisc": [("smolctl-neigh", "8"), ("smolctl-arping", "8"), ("ndisc6", "8")],
    "batch": [("smolctl-config", "8"), ("smolctl-stack", "8"), ("ip", "8")],
    "config": [("smolctl-batch", "8"), ("smolctl-stack", "8")],
    "lab": [("smolctl-why", "8"), ("smolctl-capture", "8"), ("smolctl-batch", "8")],
    "socket": [("smolctl-udp", "8"), ("smolctl-tcp", "8"), ("ss", "8")],
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
        "Print in one terminal what another one sends, without privileges:",
        (
            "smolctl udp recv 127.0.0.2:34254 -c 1 -w 5",
            'smolctl udp send 127.0.0.2:34254 "Hello, loopback!"',
        ),
    ),
    (
        "Connect a stack by a TAP device to the kernel in the network namespace lab, give our end"
        " an address, and ping the kernel:",
        (
            "smolctl link add tap0 type tap netns lab host 10.0.0.2/24",
            "smolctl addr add 10.0.0.1/24 dev tap0",
            "smolctl ping -c 3 -i 0.2 10.0.0.2",
        ),
    ),
    (
        "Show which route a packet takes, what would happen to one, what happened to the last one,"
        " and what was lost so far:",
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
smolctl runs network stacks in user space: Ethernet, ARP, IPv4, ICMP, IGMP and UDP. Each stack is
one small process with a name. This command configures and queries it in the words of ip(8). If a
command needs a stack that does not run, it starts the stack, with the loopback lo and without
privileges. A question (show, get, why, diff, stats, capture and so on) about a stack that is named
with -n or --to does not start it, and fails with exit status 3.

Words may come in any order, and dev tap0 and --dev tap0 mean the same. A noun alone means show.
The beginning of a word is enough if no other word of the command begins with it (prio). A prefix
may leave out numbers (0/0, 172.16/12) or have a netmask. Words of ip, ping and arping that have
no meaning for a stack yet are refused by name, as "not supported". Before a noun, -n NAME chooses
the stack, -h shows large numbers with units, and -batch FILE means smolctl batch FILE. After a
verb that has its own -n, such as ping, capture and sysctl, -n belongs to the verb.

Results are written to standard output, everything else to standard error. With --json the output
is one valid JSON document with the keys of ip -j. A command that runs for a while prints one JSON
object on each line; if it has a summary, that is the last object, with "event": "summary". An
error is one object on standard error.

Each dropped frame, refused datagram and waiting packet has a named reason. smolctl stats drops
counts them and says what to do, smolctl explain NAME says what a reason means, and
smolctl-reasons(7) lists them all.
""",
    "stack": """
A stack is a process with its own interfaces, addresses, routes, neighbors and sockets. Several
stacks can run side by side. Each has a name: --stack NAME chooses one, and without it the name is
default. A stack runs until it is stopped. Its configuration ends with it, except TAP devices with
persist.

Only its own user and root can reach a stack. A stack that was killed leaves its socket behind, and
the next start takes it over; until then stack list shows it as dead.

stack start --config FILE starts a stack with the changes in FILE. FILE has one command on each
line, as for smolctl batch, and may hold only changes of the configuration; smolctl config save
writes such a file. If its name ends in .toml, FILE is TOML: commands (a text or a list) has the
commands, and the table [sysctl] has settings, which the environment overrides (smolctl-sysctl(8));
docs/stack.toml is an example. Nobody can reach the stack before all changes are made. With a
mistake in FILE the stack does not start, no device is left, and the error names the file and the
line.
""",
    "link": """
A link is an interface of the stack and the device that carries its frames. It comes up when it
is added, as if a cable was plugged in.

A TAP device connects the stack to the kernel of this machine: frames that the stack sends come in
on the kernel's device, and the other way round. To have a peer, give the kernel's side an address,
or put it into a bridge or a network namespace. The kernel's side has the MAC address of the device;
our side has another one.

If the kernel can, it and the stack leave checksums to each other and hand over many datagrams in
one piece: -d shows csum, tso and uso. A capture on the kernel's side then shows incomplete
checksums. With offload off, each frame crosses alone and complete.

A link of type stream carries its frames over a socket in QEMU's framing: each frame follows its
length in four bytes. With connect it connects to passt(1) or to qemu -netdev
stream,server=on; while nobody listens there, it tries again about every two seconds. With listen
it waits for one peer at a time, such as qemu -netdev stream,server=off; a second one is refused.
A link without a peer has no carrier, and packets for it are dropped as tx-no-carrier. The link
takes over the socket of a dead process, but never that of a live one. It needs no privileges, and
only its user and root can connect.

A link of type dgram sends each frame as one datagram, as qemu -netdev dgram does: local is its own
socket, and remote is the socket of the other end. It has carrier while somebody has the other
socket open, and notices within a second when nobody has.

A link of type cable is one end of a cable between stacks of the same user. Links with the same
cable name are connected, whichever stack they belong to. With three ends or more the cable is a
hub, which sends each frame to all other ends. A link has carrier while there is another end; an
end disappears with its stack, even if the stack is killed. It needs no privileges.

A link of type packet makes the stack a second host on an interface of this machine, with a MAC
address of its own, like a macvlan. It does not receive what this machine sends through that
interface, or what others send to this machine, unless promisc asks for everything that the
interface sees. So the stack and its own machine cannot talk to each other in this way. Without
link, the interface with the same name is used.

A link of type pcap plays a capture file with its original timing, or speed times faster, and
records what the stack sends. It begins when it is up: add it with down, give it addresses, then
set it up. To play the part of a host in the file, give the link the MAC address of that host. If
the file has directions, only incoming packets are played; packets without link
addresses get some. Besides Ethernet and raw IP, Linux cooked captures (tcpdump -i any) and those of
a BSD loopback can be played. A frame of which the file has only a part is counted as
rx-frame-snapped.

A link of type vlan is one VLAN of another link. Frames that it sends through that link get a tag,
and it receives the frames that come in with this tag. Its words are those of ip-link(8): link eth0
type vlan id 5, and protocol 802.1ad for the outer tag of QinQ. It takes MTU, MAC address and
carrier from the lower link, goes down and up with it, and is deleted with it. A frame with the tag
of a VLAN that has no interface is dropped (rx-vlan-unknown). A tag with VLAN ID 0 has only a
priority and is removed.

A link of type mirror is like a link of another system, and goes nowhere: what it sends is thrown
away, and nothing comes in. Number (ifindex), MAC and MTU, carrier, the interface below (link) and
the one of which it is a port (master) are as told, and carrier and master can be set later. kind
says what it is like; a frame that comes in by a port of a mirror is that mirror's, as with a bridge
or bond. With address none it has no link addresses, as a TUN or a tunnel: nobody is asked for one.
So why and route get tell what would happen on that system: smolctl host save makes such links.

delay, jitter, loss, corrupt, duplicate, reorder and rate make a link as bad as a real network, in
the words of tc-netem(8). They affect what this end sends; set them on both ends for both
directions. At most 1000 frames or 4 MiB wait for a delay. Times are accurate to about a
millisecond.
""",
    "addr": """
An address on an interface creates routes: one of type local for the address itself, one for its
prefix, and one for each broadcast address. On a loopback the whole prefix is local: with
127.0.0.1/8, each address of 127.0.0.0/8 answers.

An address is written with its prefix length; without one it is a /32, of IPv6 a /128.

Every Ethernet link that is up has an IPv6 address of its own, made of its MAC (fe80::/64). Such
link-local addresses mean something on one link alone: commands that talk to one take the
interface behind it, as in fe80::2%tap0, or beside it, as dev tap0. IPv6 addresses do not survive
that their link goes down, as in Linux; the routes of users do not either.
""",
    "route": """
The whole stack has one set of routes. It decides through which interface, to which next hop and
from which source address a packet leaves. The longest prefix wins, then the lowest metric; the
order of interfaces never matters. The table local holds the addresses of the stack itself. Local
and main are looked up as one table, and default after them. Once any rule has been changed, the
rules say which tables are looked up, and in which order: smolctl-rule(8). A table has a number
from 1 to 4294967295, and exists once it has a route.

A route of type blackhole, unreachable or prohibit refuses the packets that match it. A route of
type throw makes the lookup go on as if the table had no route.

Routes with the same prefix and metric (append) are substitutes: if the gateway of the first does
not answer, the next one is used. The next hops of one route (nexthop) share the flows in
proportion to their weights. Packets with the same source and destination address take the same
next hop; with ip.fib_multipath_hash_policy=1, protocol and ports count too. If the source address
is in the network of a next hop, the packet takes that one. A next hop is skipped while its link is
down or without carrier, or its gateway does not answer; the flows of the others do not move.

IPv6 routes have Linux's rules of their own: the metric is 1024 unless it is said, host bits of the
destination do not count, the table local is asked before all others, and a route that is appended
to one with the same metric becomes its next hop. A gateway may be link-local, and then needs dev.
The family follows from the words, as in ip; route show without -6 shows IPv4, and with table all
both.

The lines of route show do not repeat what its selectors say; in JSON the rows are complete.
""",
    "rule": """
Rules choose the routing table for a packet. They match source and destination address, incoming
interface (iif; lo for packets of this stack), outgoing interface (oif, if the sender chose one),
type of service, protocol and ports. The rule with the lowest priority comes first; rules with the
same priority come in the order in which they were added. The first rule that matches decides,
unless its table has no route for the packet, or one of type throw: then the next rule does.
Instead of a table, a rule may have a type: blackhole, unreachable and prohibit refuse the packet,
nop does nothing, and goto continues at the rule with the given priority.

A stack starts with three rules: 0 looks up the table local, 32766 main, and 32767 default. Until a
rule is changed, local and main are one table, in which the longest prefix wins. After that, local
always comes first, as in Linux.

IPv6 has rules of its own (-6), of which two are there in the beginning, 0 and 32766. Words with an
IPv6 address mean them, too.

If a packet has no source address yet, it matches no rule with from, but it matches rules with not
from. A bound or connected socket has a source address; -s gives one to ping and udp send.
""",
    "nexthop": """
A next hop has a number, and routes can be made of it: route add PREFIX nhid NUMBER. replace changes
all these routes at once, and del takes them away, too. A group shares the flows among several next
hops by their weights, as a route with several next hops does. A blackhole drops packets.

The numbers are of both families. A next hop with an IPv6 gateway, or added with -6, is for routes
of IPv6; a blackhole, too. As in Linux, a next hop goes when its interface goes down, is deleted or
loses its carrier; a group goes with its last member. An address may go, and the next hops stay.

show and flush take all next hops, those that go by an interface (dev), or groups; with -4 or -6,
those of that family, which a group is not of. With id it is that one alone. As ip does, flush says
how many it deleted; with -s it says which.

Unlike in Linux, a route of IPv4 cannot use a gateway of IPv6, and the number has to be said.
""",
    "neigh": """
Each interface keeps the link addresses of its neighbors, with the states of RFC 4861 as Linux
applies them to ARP: INCOMPLETE until the first answer, REACHABLE after an answer, STALE some time
later, DELAY and PROBE while the address is confirmed again, FAILED when nobody answered, and
PERMANENT when the entry was added by hand. Packets for an unknown neighbor wait in a queue of that
neighbor. IPv6 neighbors are found by neighbor discovery, and are in the same table; router marks
those that say they are routers.
""",
    "maddr": """
A multicast address names a group. An interface receives the groups that sockets have joined
(udp recv --group), the groups that were added by hand, and 224.0.0.1, the group of all hosts. IGMP
reports the groups to routers and switches, and answers their queries, in version 3 or in the
version of the oldest router on the link (RFC 3376). A loopback has groups, too, but does not report
them.

Of IPv6, an interface always is in ff01::1 and ff02::1, and in a group for each of its addresses
that others use to ask for its MAC (RFC 4291 2.7.1, 2.8). MLD does what IGMP does for IPv4.

Unlike ip maddr, which adds only link addresses, add and del take groups: the stack takes frames to
the link address of any group anyway.
""",
    "addrlabel": """
A host may have several IPv6 addresses that a packet could come from. One of the rules that choose
is about labels: a source whose label is that of the destination is preferred (RFC 6724 5, rule 6).
The table says which addresses have which label; the longest prefix that holds an address counts.
What is for one interface goes with it.
A new stack has the table of RFC 6724 and Linux.

smolctl -v route get names the rule by which each other address lost. IPv4 has no labels.
""",
    "sysctl": """
Where real stacks differ, smolctl has a setting, which also shows the values of Linux and smoltcp. A
change takes effect at once and lasts until the stack ends. Linux's names work, too, such as
net.ipv4.ip_forward or net.ipv4.conf.all.rp_filter. SMOLCTL_ variables are read when a stack starts.

Most settings of arp, neigh and iface, and some of ip and igmp, are there once for each link, as in
Linux (docs/reference/sysctl.md says which). eth0.arp.ignore is what eth0 itself has, all.arp.ignore
is for all links, and default.arp.ignore is what a new link begins with. What counts on a link
follows from all and its own by a rule of that setting, which is Linux's: arp.ignore is the larger
of both, arp.filter is on if one of them is, ip.accept_source_route if both are, and of
neigh.mcast_solicit the link's own value alone counts. smolctl sysctl eth0.arp.ignore shows the rule
and what comes of it, and smolctl sysctl eth0 all that counts on eth0. A key without a link sets
all, default and every link at once, whatever was set before; so ip.forward=1 makes all of the stack
a router. A link's settings are gone when it is deleted.

Until a link has an address, it follows default; settings of ip6 never do. ip.forward for all links
also sets all.ip.accept_redirects to the opposite, since a router has its own routes. all.KEY means
the same as KEY where only the link's own value counts. As in Linux, IPv6 packets are forwarded by
ip6.forward of all links, wherever they come in; that of one link makes it a router for its
neighbors there.

In Linux's names, a link is the part behind conf or neigh: net.ipv4.conf.eth0.arp_ignore. As for
sysctl(8), a dot in its name is written as a slash: net.ipv4.conf.eth0/5.arp_ignore. Names of
net.ipv6 are known, too, but those of its neighbors, which have the same settings here as those of
IPv4. In a key of smolctl the last two parts are the setting, and what stands before them is the
link: eth0.5.arp.ignore. A key of two parts is never a link's: a link named arp has arp.arp.ignore.
A word that is both the name of a link and of a setting means the setting. all and default are not
possible as names of links.
""",
    "udp": """
udp send reports what happens to each datagram. It was sent when the device took the frame, after
ARP if necessary; it was delivered when a socket of this stack got it. Anything else is a failure
with a named reason. An ICMP error that comes back is reported for the datagram that caused it.

With -c, the last line says how many datagrams were sent, and how many a second. -i 0 sends the
next datagram as soon as the last one is reported. --rate sends at a steady pace, and catches up
after delays of up to 10 ms. With -q only failures and the last line are printed, which is faster.
Programs send even faster with the stack's sockets (docs/programs.md). python -m smolctl.run SCRIPT
runs a Python program, unmodified, on a stack.

A datagram to a group leaves through the interface of --dev or of the source address, otherwise
through that of the route, with a TTL of 1. Members on this stack get a copy.

udp recv prints each datagram with its sender; unprintable bytes are escaped as in Python. With
--group it joins that group and hears only that group, unless an address is also given. Any number
of receivers may share the port of a group, and each gets a copy. udp echo answers each datagram
from the address that it was sent to, but not one from its own port number or from the port of a
service that answers everything (echo, daytime, qotd, chargen, time): two echoes would never stop.
""",
    "tcp": """
tcp connect and tcp listen are for pipes: tar c . | smolctl tcp connect 10.0.0.2:9000 sends a
directory to smolctl tcp listen 9000 --count 1 | tar x on another stack. The end of standard input
closes one direction; what the peer still says is written. A reader that is slow holds up the peer
(its window closes), and a peer that does not read holds up whoever writes into the pipe. A host is
an address: names are never looked up, since a stack has no resolver.

tcp ping asks a port with SYNs. SYN-ACK says that it is open, RST that it is closed, and both are
answers with a round trip; an ICMP error names who sent it. SYN-ACK is answered with RST at once, as
nmap -sS does, so neither end keeps a half-open connection, and the program there hears nothing.

tcp scan asks many ports so. Of each port it says what came: SYN-ACK (open), RST (closed), an ICMP
error (unreachable, with who sent it) or nothing (filtered). nmap -sS calls the last two filtered.
The number of SYNs under way grows with the answers, up to 256, and is halved when one was lost; a
SYN that is not answered is sent again once, and more often only where answers have needed it.

tcp traceroute shows the way of such a SYN, as smolctl traceroute -T does, and at its end what the
port is. A filter that drops other probes often lets it pass.

tcp http gets one resource by HTTP/1.1 over a connection of the stack, to see whether a web server
answers, and how soon: when the connection was open, when the first byte of the answer came, and
when all of it had come. An answer that breaks off, is not HTTP, or ends by a reset is told as such.

tcp bench measures how many bytes a second a connection carries, as iperf3 does, but over plain TCP:
any program that reads is a peer, and with -R any that writes. Our end sends zeros. With -R it sends
the byte R first, by which tcp bench --server knows that it is to send; others need not look at it.
The sender's total is what was handed to the stack, the receiver's what the peer has acknowledged.

Python programs use the stack's TCP as they are: python -m smolctl.run SCRIPT (docs/programs.md).

tcp send is for a few bytes. It says when the peer's TCP had them, and with --expect-reply what it
answered. tcp echo answers for a test.

A connection that fails is told with the reason: refused, reset, or no answer. Without -w a host
that does not answer is given up by TCP itself: after tcp.syn_retries SYNs, which takes about two
minutes. -w of tcp connect counts while nothing happens, as that of nc; -w of tcp send is for all of
it.
""",
    "map": """
map shows which stacks there are, which links they have, and what each link is plugged into. Stacks
stand side by side. Below them is a line for each wire, and each link has a line of its own down to
its wire: a full circle is where it ends, and where it only passes a wire there is none. An empty
circle, on a broken line, is a link that is down or at whose other end nobody is.

Links are on one wire when both say so: ends of a cable, both sides of a stream or of a pair of
datagram sockets, and the same VLAN of these. At the other end of a TAP is the kernel, and of others
a program or a file. A wire whose line ends in an arrow has more ends than are drawn there; the
table below names those that are no stacks.

What does not fit side by side is drawn below, and a wire that leads there appears again. Addresses
of the link itself (fe80::/10) are shown where there are no others; -j has all of them.
""",
    "host": """
host is about the Linux kernel's own network, not about a stack. It reads what the kernel tells by
netlink and in /proc: links, addresses, the routes of all tables, next-hop objects, rules,
neighbors, groups, sockets and sysctls. The rows have the keys of ip -j. Attributes of a newer
kernel that smolctl does not know are shown by their numbers (unknown). If something changes while
it is read, it is read again, four times at most; settled is false if it never stopped.

Everything in the path of packets that decides by rules of its own is a hook: nftables, iptables,
IPVS, IPsec, traffic control, XDP, VRFs, and links that are stacked on others. As root they are
counted. Without root it is said which of them may exist and cannot be read.

host save prints commands for smolctl batch. Each of them was tried on a stack, and what a stack
does not take is a comment that says why; the exit status is 0 all the same. A link of the copy that
has a wire is the end of a cable: without another end it has no carrier. Both ends of a veth are on
one cable. A bridge and its ports, a tunnel, a TUN or a dummy is a mirror, which goes nowhere; with
the word mirrors each link is one, as the host has it now. VRFs are left out. Only neighbors that
were added by hand are saved: others are learned. Sockets belong to programs, and are left out.

host drops tells of each packet that the kernel drops in the namespace, as it happens; that needs
root. A program of a few dozen instructions at the kernel's tracepoint kfree_skb (BPF) copies the
packet's first bytes, its device and its namespace, and is gone when the command ends, however that
is. Linux's reason (ip-link(8) counts only their sum) is shown beside smolctl's. One of Linux's
names often stands for several of smolctl's, and NOT_SPECIFIED for very many: then the kernel's
function and the packet's own bytes decide. A question mark behind a name says that they do not
suffice; the others that it could be are said below. A packet that Linux takes, refuses by an
errno, or throws away without a word is not told.

Where a kernel takes no such program, its own tracing (tracefs) tells reason, function and protocol,
but not packet, device and namespace: then only --all works. Linux before 5.17 gives no reasons.
""",
    "doctor": """
doctor is for trouble with the machine, as smolctl why is for trouble with a packet: a stack that
does not start, a TAP that cannot be opened, a manual that is not found. Each check prints one line,
and below it a command that helps, if there is one. To find out what the kernel allows, doctor
tries it for a moment in a process of its own, in a network namespace of its own if possible.

A stack needs Python, its packages and a runtime directory; only these checks can fail. The others
are about types of links and about convenience. Without privileges you can use loopbacks, cables,
links of type stream, dgram and pcap, and TAPs that root has created for you.

Files left by stopped or killed stacks are harmless: the next start takes over the socket and
continues the log.
""",
    "ping": """
ping sends ICMP echo requests and prints the replies, like ping(8) from iputils. If no reply came
and the stack knows why, a last line on standard error says so.
""",
    "exec": """
exec runs any program on a stack: smolctl exec curl http://10.0.0.2/ asks as smolctl tcp connect
would. The program needs no changes, and neither of you needs root. It gets a user and a network
namespace of its own. The only wire in there is a TAP, eth0, whose other end is a link of the stack:
exec0, exec1 and so on, or the name after --link. smolctl itself becomes the program, so signals,
job control, terminal and exit status are the program's: 126 means that it cannot be run, and 127
that it is not there. A program that root runs stays root's, and needs no user namespace.

The stack is the program's router. It forwards what comes from the link and what goes to it,
whatever ip.forward says. So the program reaches what the stack owns, forwards or reaches, and other
programs of exec. Hosts behind the stack need a route back: ip route add 198.18.0.0/15 via the
stack's address on their link; without one, smolctl why of the program's packet says so.

Addresses are chosen such that the stack neither owns nor routes them: 198.18.N.2/30 for the program
and 198.18.N.1 for the stack (RFC 2544 has that block for tests of devices, so it is nobody's), and
fd00:198:18:N::2/64 and ::1. --addr and --via choose others. Without IPv6 in the stack, with -4, or
with --mtu below 1280 there is no IPv6 in the program's namespace either; with -6 there is no IPv4.

127.0.0.0/8 and ::1 are the program's own. A server of the stack is reached at the link's address,
198.18.N.1, if it listens at all addresses, or at any other address of the stack. Names are looked
up as /etc/resolv.conf says, by way of the stack. In there, any port may be bound and ping works
without root; sudo and other set-user-ID programs have no effect.

smolctl link show tells to which program a link belongs. The link is there until the last process
of the namespace has ended, however that ended, and config save leaves it out. If the other end of a
connection has not acknowledged all that the program sent, Linux goes on sending it, and the link
stays until it has been acknowledged or Linux gives up, which takes some minutes. smolctl link del
ends that. When the stack stops, or its daemon is killed, eth0 is gone, too, and TCP connections by
it end with ECONNABORTED: Linux alone would let them wait for ever. A process called smolctl-guard
waits for that; it ends with the link.
""",
    "capture": """
capture shows each packet of the stack once, when its fate is known: the time, the interface, the
direction, a summary (addresses, length, sequence numbers), and the reason if the packet was dropped
or refused, or what was noted of it: a segment of TCP that was sent again has note tcp-rto, tcp-tlp
or tcp-fast-retransmit. With -v all fields follow, as scapy shows them. A datagram that was refused
before there was a packet, for example without a route, is not shown; smolctl why explains it. The
local copy of a broadcast is not shown either, as in tcpdump.

With -w packets are written as pcapng, for tcpdump(8), Wireshark and capture -r: smolctl capture
-w - | tcpdump -n -r - shows them as they come. Each dropped or refused packet has a comment that
begins with "reason: ". What else happened because of a packet, or why a segment was sent again,
stands in one that begins with "note: ". A capture of a loopback alone is raw IP. In every other
file all packets have an Ethernet header, because libpcap needs one link type. Where there was no
header, on a loopback or because the neighbor never answered ARP, it consists of zeros, as on
Linux's lo. The file is complete after every packet.

With -r a pcap or pcapng file of Ethernet or raw IP is read; this needs no stack.

SIGINT ends a capture and prints the number of packets on standard error. While it runs, packets
take the slow path of the stack, which can explain them. A slow reader loses the oldest packets
when more than 1 MiB waits for it; a line says how many, where they are missing and at the end.
""",
    "trace": """
trace shows each packet of the stack in the form of smolctl why, when its fate is known: a headline
with the time, the interface, the direction, the packet and its id; the steps; and the verdict. If
something went wrong, or with -v, the cause and a fix follow. An answer names the packet that caused
it, and so does an ARP request. With -br each packet is one line: time, interface, direction,
packet, verdict, id.

A packet that waits, for ARP or on a link with a delay, is shown as one line when the wait begins,
and in full when it ends. Both show the time when the packet came in or was to be sent.

A datagram that was refused before there was a packet, for example without a route, is also shown.
The filter sees the packet that it would have been, from 0.0.0.0 if it had no source yet, and
without an interface. In a filter, "reason" is why a packet was lost, or why it waited. The copy of
a broadcast for our own sockets is shown as a packet of its own.

With --json each packet is one object, as of smolctl -j why, with "event": "packet", or "wait" when
it begins to wait. The last object has "event": "summary", also after SIGINT. Waiting packets do
not count for -c.

While trace runs, packets take the slow path of the stack, which can explain them; only their speed
changes. When trace ends or is killed, the fast path is used again: in smolctl stats, udp
flows_known counts its flows. A slow reader loses the oldest packets when more than 1 MiB waits for
it; a line says how many, where they are missing and at the end.
""",
    "traceroute": """
traceroute sends packets with a time to live of 1, 2, 3 and so on. Each router where the time to
live runs out answers, which shows the hops on the way to a host. The host itself answers that
nothing listens on the port, or replies to the echo request. Up to 16 probes are sent at once, and
the results are printed in order, as by traceroute(1) for Linux: * for no answer, !H, !N and !P
for host, network and protocol unreachable, !X for prohibited, !F-MTU for a packet that is too big,
!S for a failed source route. Names are never looked up.

If the host is not reached, a last line on standard error names the reason: the error of the last
hop, or icmp-hops-silent if nothing answers beyond some hop.
""",
    "arping": """
arping sends ARP requests through one interface and prints the answers, like arping(8) from
iputils. It also has the options of Habets' arping that scripts need: -C, -r and -R. Times are
seconds and may have fractions.

With -D the exit status says whether an address is taken: 0 if it is free, 1 if it is taken, and 2
if nobody could be asked because the interface is down or has nothing at its other end.
""",
    "ndisc": """
ndisc sends neighbor solicitations (RFC 4861) through one interface and prints the advertisements
that answer. It has the options and the output of smolctl arping: the first solicitation goes to
the solicited-node group of the address, later ones to the station that answered.

With -D the solicitation comes from ::, as when an address is tested, and the exit status says
whether it is taken: 0 if it is free, 1 if it is taken, and 2 if nobody could be asked because the
interface is down or has nothing at its other end. -U tells all nodes that an address of this stack
is here.
""",
    "lab": """
A scenario is a TOML file: nodes, which are stacks; links between them; steps, which run commands on
the nodes, cut links or send frames; programs with sockets; and expectations. smolctl lab run does
all of it in one process and in virtual time, without privileges: the code is that of the stacks,
and only the clock and the wires are simulated. smolctl lab show prints one that comes with smolctl,
to be changed, and smolctl lab new writes one to begin with.

A run prints the steps with what their commands wrote, the packets that were in trouble, and then
each expectation: ok, or FAILED with what was seen instead. A packet that did not arrive is looked
for at all nodes: where it ended, for which reason, and which command would help there. A line with
"-" is an expectation that does not count in this run: it is about another profile, or about a time
after --until.

All chance is from the seed: losses, ports, numbers. The same file, seed and profile give the same
packets, to the byte of the capture file, on every machine. The last line is the command that does
it once more. --profile is for the nodes that have none of their own in the file.

With several files, each is run in a process of its own, and only what failed is told in full.
--junit writes a suite for each scenario and a case for each expectation. The exit status is 0 if
all expectations are met, 1 if one is not, and 2 if a file, or the command, is wrong; the error says
FILE:LINE and the key.

smolctl lab up starts each node as a stack of its name, a daemon as any other, and its links as
cables; smolctl lab down stops them. There, real time passes and chance is chance: what a scenario
shows can be looked at with ping, why and monitor, from several terminals.

In the capture file that --pcap writes, each interface is called NODE:INTERFACE, and comments say
why a packet was dropped; smolctl capture --read shows it.

docs/reference/scenario.md has every key of the files. -v says how many frames a second the machine
has simulated. A run of very many frames is several times as fast with --no-timeline, which keeps
nothing of single packets: what is expected of them is not judged. Without it a run ends when
300,000 frames have arrived, most often by a storm, and says so; the exit status is 1 then.
""",
    "batch": """
batch runs the commands of a file, one on each line, over one connection to the stack. This is
hundreds of times as fast as a process for each command. A command is written as on the command
line, but without smolctl. Every command works: a probe ends before the next line begins, and a
line batch FILE runs another file. Options before batch apply to all lines, and a line may add its
own, such as -s, -j or --stack.

Lines are split into words as in a shell: single quotes, double quotes and backslashes quote, "#"
at the beginning of a word starts a comment, and a backslash at the end of a line continues it on
the next one. There are no variables, patterns or redirections.

With --atomic, all commands must be changes of one stack's configuration, such as addr add, link
set or sysctl KEY=VALUE. They are first tried on a copy of the stack, and all are made or none. If
one fails, the stack has not changed: no packet was lost, and monitor shows no change. Devices are
the exception: during the trial they are opened and get their MTU and address, which is undone
later. A deleted link cannot be added again under its name in the same batch, because its device
exists until the end.

Such a batch may have any size, and holds up nothing: the trial runs in a copy of the process. Then
the changes are made in slices of 2 ms, which is about 50 commands, so that packets meet all of a
short batch or nothing, but may meet a half of a longer one. Changes by others wait until all are
made. If others changed something during the trial, it is repeated, and others wait for it, too.
An interrupted batch is made wholly or not at all. What happens by itself counts as what came
afterwards: if an address is given up because another host has it while the changes are made, a
route that needs it is lost, which is reported as an error of its line.

The first command that fails ends the batch. An error begins with the place of the command:
FILE:LINE. With --force the batch goes on, but still fails in the end. The exit status is 1 if a
command failed, as with ip -batch; 2 if a line is no command or the file cannot be read; and 3 if
there is no stack or the stack went away, which ends the batch even with --force. SIGINT ends the
running command, which prints its summary, and then the batch.

With --json each command prints one document on a line of its own, [] if there is nothing to
print, or a stream of objects that ends with the summary. Errors also have the keys file and line.
A program can write commands to smolctl -j batch --force - and read the answers: each command is
answered as soon as it is done, on standard output, or on standard error if it failed.
""",
    "config": """
config save prints the commands that turn a fresh stack into this one, one on each line: settings
that are not defaults, links with their options, addresses, routes in their order (without those
that addresses create), and PERMANENT neighbor entries. It does not print what was learned, or the
sockets of programs. smolctl batch runs the lines: smolctl config save | smolctl --stack copy batch
- makes a copy, whose config save prints the same.

MAC addresses are printed even if they were chosen at random, so the copy has the same ones. Two
stacks cannot share a TAP device, a socket or a capture file; there the copy needs another name.

Before a command is printed, it is tried on a fresh stack. A command that would fail there, because
of later changes, is left out and named on standard error with the reason. Then the exit status is
1.

config diff prints the commands that turn this stack into the one that FILE describes, or into a
copy of a running stack, and nothing if there is no difference. To find them, it makes both stacks
without devices and changes one until it equals the other. So if a change removes other things, as
deleting an address removes its routes, commands that make them again follow. Links are changed
instead of deleted, where possible. If FILE gives a link no MAC address or MTU, these stay as they
are.
""",
    "socket": """
socket shows each bound socket, with the bytes in its receive queue, the size of that queue, and the
number of datagrams that were dropped because it was full. A running ping has a socket of kind
icmp. TCP's connections, handshakes and TIME-WAIT are shown as by ss(8), whose words -i and -e use:
cwnd and ssthresh are segments, rto, rtt and timers milliseconds. -e also tells whose user the
program is, and reuseport of a socket that shares its port.

Sockets of programs (docs/programs.md) have the options of socket(7), tcp(7), ip(7) and ipv6(7) that
programs set, with the values and errors of Linux: SO_REUSEADDR, SO_REUSEPORT, SO_BINDTODEVICE,
SO_MARK, SO_RCVBUF, SO_SNDBUF, SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_KEEPALIVE, SO_LINGER,
SO_OOBINLINE, SO_BROADCAST, SO_PRIORITY; TCP_NODELAY, TCP_CORK, TCP_QUICKACK, TCP_MAXSEG,
TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_CONGESTION, TCP_SYNCNT, TCP_LINGER2,
TCP_NOTSENT_LOWAT, TCP_INFO; IP_TOS, IP_TTL, IP_MTU_DISCOVER, IP_RECVERR, IP_PKTINFO, IP_RECVTTL,
IP_RECVTOS and those of IPv6, and those of groups. Others fail with ENOPROTOOPT.

socket kill ends connections. The peer gets RST, and the program of each sees that its connection
was aborted.
""",
    "monitor": """
monitor prints changes as they happen, until it is interrupted or the stack stops. Without a word
it watches everything; several kinds may be named.

Each change is one line in the form of the noun's show. "Deleted" stands before what is gone, and
the kind in brackets if several kinds are watched. -t and -ts print the time first, as ip(8) does.
A change is reported before its consequences: an address before its routes. Unlike Linux, monitor
reports every change: also the routes that disappear with a link, each state of a neighbor, and the
last state of a deleted neighbor.

drops watches packets in trouble, one on each line: time, interface, direction (in, out, or local:
from this stack to itself), result (drop; reject: its sender was told; wait: not decided yet),
reason, packet and id. smolctl why ID shows the steps of the packet.

With --json each event is one object with the keys of the noun's show, "event" for its kind,
"time" in seconds since 1970, and "deleted": true for what is gone. Drops have id, dev, dir,
class, reason, summary and why.

A slow reader delays nobody. The stack keeps up to 8192 events or 1 MiB for each reader and then
drops the oldest. The reader is told how many are missing, on standard error, or as "event": "lost"
with their "count".
""",
    "explain": """
explain prints the page of a reason: what happens to the packet, the RFC that requires it, Linux's
name for it, an explanation, and the commands that help. Without a name it lists all reasons. With
--json the list is an array, and one reason is one object.

smolctl stats drops counts these reasons, and a failed smolctl udp send, ping or arping names one.
smolctl-reasons(7) has all pages.
""",
    "reasons": """
Whenever smolctl drops, refuses or delays a packet, it gives a named reason. smolctl stats drops
counts the reasons, a failed smolctl udp send, ping or arping names one, and smolctl explain NAME
prints what is written here. After each summary you find the class of the reason, the RFC or other
document that requires it, and Linux's name for it: an errno, a drop reason of its kernel, or silent
if Linux says nothing.

Words in capitals stand for values of the packet; words in brackets appear only if they are known.
Each line fix is a command that may let such a packet through; smolctl why prints the ones that do,
because it tries them on a copy of the stack. The line look has a question to answer, or a command
that tells more, for packets that none of them helps.

The classes are:
""",
    "why": """
why udp, why tcp, why icmp and why arp predict what would happen to a packet: each step through
the stack, what is chosen and what is not, and at the end the verdict, its cause, and a command that
changes it. The normal code of the stack sends the packet, but on a copy of the stack. So the answer
is what the stack would do, and the stack itself does not change. The reactions of others, such as
an answer to ARP, are unknown: if the packet would wait for them, the verdict says so.

With --path they are known as far as your stacks go: the packet is followed from one to the next, by
cables and streams, to the program that gets it, and the answer is followed back. The command asks
each stack once for all that decides about a packet, and predicts in its own process. The verdict
names the stack where the round trip breaks, and each fix the stack that it is for. Of a connection
attempt the first SYN is followed, and what answers it; a SYN that is lost would be sent again a
second later, and that is not followed. What a snapshot
of a stack does not hold is not looked at, such as fragments that wait for the rest of their
datagram (smolctl-stack(8)).

With --host they are about the Linux kernel of this machine, or one of its network namespaces. What
smolctl-host(8) shows is read, which needs no root; a stack is made like it in the command's own
process, in which time stands still; and that stack sends the packet, or takes it in. Nothing is
sent, and the host does not change. The text speaks of links, routes and sysctls by Linux's names,
and Linux's own name for a drop follows ours. A fix is proven on the copy before it is printed, as
the command of ip or sysctl that does the same. None takes an address that may be another host's,
and none makes up a gateway; where only that would help, "look" says what to find out.

Below, "not looked at" names what could change the answer: chains of a packet filter that the packet
passes, policies of IPsec that select it, programs at its links, a tunnel whose other end is not
told, what the copy could not express. Without root, what may be there and cannot be read is named.
If one of these decides, such as a chain that drops what no rule accepts, the verdict is "cannot
say", and the exit status is 4. "trace" is the command that has nftables or iptables tell what it
does with such a packet. --check asks the kernel for the route of the packet as well (as ip route
get does), and as root has a real packet sent, or come in, in a throw-away copy of the namespace;
where these differ from what is foreseen, both are shown. docs/host.md has more.

why tcp is about a connection attempt. With both ends of a connection that there is, or that failed
lately, it tells of that one instead: how it is, or why it failed.

why last and why ID show what did happen, in the same form. The stack remembers the last 1024
packets that udp send, ping and arping sent, or that were dropped, refused or delayed.

The results of steps are ok, pick (this one of several), skip (not this one), wait, note, drop
(nobody is told) and reject (the sender is told). With --json the packet is one object;
docs/schema/why.json describes it.
""",
    "reach": """
reach asks for each pair of stacks what smolctl why SRC DST --path says: does a packet arrive, and
does its answer come back? The stacks are asked once, for all that decides about a packet; the
questions are then put to copies of them in the command's own process, so that nothing is sent and
nothing changes.

A row is a stack that asks, and a column one that is asked for, by its first address that is neither
of the loopback nor link-local. Stacks that nothing tells apart are one row and one column, and the
cell where these meet is about two of them. A plus sign works, a dot is the stack itself, and
letters are listed below the matrix: how often, where it breaks and why, and a command that tells
all about the first such pair. Where another stack has the address, too, and answers, the one that
was meant is not reached.

With --lab the nodes of a scenario are asked, as they are at its end, and with --config the stacks
that saved configurations make: nothing need run. With --json all is one object, in which each
different answer is described once; docs/schema/reach.json describes it.
""",
    "stats": """
stats show lists all counters, by layer. stats drops lists the reasons why packets were dropped
(drop), refused with an error to their sender (reject) or delayed (wait), and other events (note):
how often, when last, and what was wrong with the last packet. In JSON each reason also has the
time, a list of commands that fix it, and a summary; smolctl explain says more.
""",
}

_FILTERS = (
    "Filters",
    """
A filter is one word or more; quote parentheses and exclamation marks for the shell. Words that
tcpdump also has mean the same, see pcap-filter(7). A filter is read from left to right: "and" does
not bind closer than "or". A value without a kind has the kind of the value before it (port 53 or
67); without one it is a host. If the first word is none of these, it is the name of an interface.
""",
    (
        (
            "[PROTO] [src|dst] host ADDRESS",
            "IPv4 source or destination, or sender or target of ARP. The word host may be left"
            " out. src or dst is the default; src and dst means both.",
        ),
        (
            "[PROTO] [src|dst] net PREFIX",
            "The same for the addresses of a network, such as 10.0.0.0/24.",
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
        ("ip, ip6, arp, rarp, icmp, icmp6, igmp, tcp, udp", "The protocol itself."),
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
