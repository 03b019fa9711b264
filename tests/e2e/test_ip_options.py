"""IP options and the type of service: smolctl does with them what the kernel does."""

import json
import re
from dataclasses import dataclass

import pytest
from scapy.layers.inet import ICMP, IP, UDP

from smolctl.wire import ipv4_options
from tests.e2e.kit import Lab
from tests.e2e.odd.answers import ASKER, HERE, Answer, ask, prepare, wires
from tests.e2e.oracle.oracle import Oracle
from tests.wire.test_ipv4_options import BAD

pytestmark = pytest.mark.netns

TOS = (0, 0x10, 0xB8, 0x03, 0xFF)
GOOD = {
    "a record route": "07 0b 04 00000000 00000000",
    "a record route with room for one": "07 07 04 00000000",
    "a full record route": "07 07 08 0a000003",
    "a record route behind padding": "01 01 07 07 04 00000000",
    "times": "44 0c 05 00 00000000 00000000",
    "times with addresses": "44 14 05 01" + "00" * 16,
    "a time for us": "44 0c 05 03 0a000001 00000000",
    "a time for us, and one for another": "44 14 05 03 0a000001 00000000 0a000009 00000000",
    "a time for another": "44 0c 05 03 0a000009 00000000",
    "a timestamp without room": "44 08 09 00 00000000",
    "a timestamp that was missed often": "44 08 09 e0 00000000",
    "a timestamp of an unknown kind": "44 0c 05 05 00000000 00000000",
    "router alert": "94 04 0000",
    "a stream identifier": "88 04 0007",
    "security": "82 0b" + "00" * 9,
    "what nobody knows": "de 06 01020304",
    "a source route that ends here": "83 07 08 0a000003",
    "a strict one by two hops": "89 0b 0c 0a000009 0a000003",
    "one that names its sender": "83 0b 0c 0a000002 0a000003",
    "one without a hop": "83 03 04",
    "both": "07 07 04 00000000 44 0c 05 01 00000000 00000000",
    "all three": "83 07 08 0a000003 07 07 04 00000000 44 08 05 00 00000000",
    "something behind the end": "00 07 02 03",
}


def packet(options: str, *, tos: int = 0, udp: bool = False) -> bytes:
    """Return an echo request, or a datagram to a closed port, with these options."""
    raw = bytes.fromhex(options)
    raw += bytes(-len(raw) % 4)
    inner = UDP(sport=9, dport=9) / b"datagram" if udp else ICMP(id=7, seq=1) / b"echo"
    whole = bytearray(bytes(IP(src=ASKER, dst=HERE, tos=tos) / inner))
    whole[20:20] = raw
    whole[0] = 0x45 + len(raw) // 4
    whole[2:4] = len(whole).to_bytes(2)
    whole[10:12] = b"\0\0"
    header = whole[: 20 + len(raw)]
    total = sum(int.from_bytes(header[at : at + 2]) for at in range(0, len(header), 2))
    total = (total & 0xFFFF) + (total >> 16)
    whole[10:12] = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2)
    return bytes(whole)


@dataclass
class Times:
    """Takes the times out of options: they differ, and must be near each other."""

    seen: list[int]

    def without(self, answer: Answer) -> Answer:
        raw = bytearray(answer.options)
        found = ipv4_options.parse(bytes(raw), arriving=False)
        assert isinstance(found, ipv4_options.Options)
        if (at := found.timestamp) is not None:
            flag = raw[at + 3] & 15
            step = 4 if flag == 0 else 8
            for end in range(at + 4 + step, at + raw[at + 2], step):
                if any(raw[end - 4 : end]):  # it is zero where there was no room for one
                    self.seen.append(int.from_bytes(raw[end - 4 : end]))
                raw[end - 4 : end] = bytes(4)
        return answer._replace(options=bytes(raw))


def test_answers_of_smolctl_are_those_of_the_kernel(oracle: Oracle) -> None:
    prepare(oracle)
    named = [*GOOD.items(), *((raw, raw) for raw in BAD)]
    echoes = {name: packet(options) for name, options in named}
    closed = {f"{name} to a port": packet(raw, udp=True) for name, raw in GOOD.items()}
    by_host = {}
    for host, (wire, mac) in wires(oracle).items():
        times = Times([])
        found = {}
        for name, sent in (echoes | closed).items():
            answers = [times.without(answer) for answer in ask(wire, mac, [sent])]
            if name in closed or name in BAD:
                # RFC 1122 3.2.2: what is quoted is what was received; Linux fills it in.
                answers = [answer._replace(body=answer.body[-8:]) for answer in answers]
            if name in BAD:
                # Linux copies what stands before the option that is bad, and no other.
                answers = [answer._replace(options=b"") for answer in answers]
            found[name] = answers
        by_host[host] = found
        assert times.seen
        assert max(times.seen) - min(times.seen) < 600_000
    differing = {
        name: (theirs, by_host["smolctl"][name])
        for name, theirs in by_host["linux"].items()
        if theirs != by_host["smolctl"][name]
    }
    assert differing == {}
    kinds = {answer.kind for answers in by_host["linux"].values() for answer in answers}
    assert kinds == {0, 3, 12}


def test_the_type_of_service_of_answers_is_that_of_the_kernel(oracle: Oracle) -> None:
    prepare(oracle)
    asked = [packet("", tos=tos, udp=udp) for tos in TOS for udp in (False, True)]
    answers = {host: ask(wire, mac, asked) for host, (wire, mac) in wires(oracle).items()}
    assert answers["smolctl"] == answers["linux"]
    assert len({answer.tos for answer in answers["linux"]}) > 5


# --- from the command line ------------------------------------------------------------------------


@pytest.mark.netns("ping", "tcpdump")
def test_ping_records_the_route_as_the_kernels_does(lab: Lab) -> None:
    lab.plug()
    ours = lab.smolctl("ping", "-c", "2", "-i", "0.2", "-R", "10.0.0.2", check=True).stdout
    run = ("ping", "-c", "2", "-i", "0.2", "-R", "10.0.0.1")
    theirs = lab.peer.namespace.run(*run, check=True).stdout

    def shape(text: str) -> list[str]:
        """Return the lines with what differs between the two taken out."""
        lines = text.replace("10.0.0.1", "A").replace("10.0.0.2", "B").splitlines()
        return [line.partition(" time=")[0].partition(", time ")[0] for line in lines
                if not line.startswith("rtt")]  # fmt: skip

    swapped = theirs.replace("10.0.0.1", "x").replace("10.0.0.2", "10.0.0.1")
    assert shape(ours) == shape(swapped.replace("x", "10.0.0.2"))
    assert "RR: \t10.0.0.1\n\t10.0.0.2\n\t10.0.0.2\n\t10.0.0.1\n\n" in ours
    assert "(same route)" in ours


@pytest.mark.netns("ping")
@pytest.mark.parametrize(
    "words", ["tsonly", "tsandaddr", "tsprespec {own}", "tsprespec {peer} 10.0.0.9", "both"]
)
def test_ping_collects_timestamps_as_the_kernels_does(lab: Lab, words: str) -> None:
    lab.plug()
    own, peer = "10.0.0.1", "10.0.0.2"
    ours = lab.smolctl("ping", "-c", "2", "-i", "0.2", "-T",
                       *words.format(own=own, peer=peer).split(), peer)  # fmt: skip
    run = ("ping", "-n", "-c", "2", "-i", "0.2", "-T", *words.format(own=peer, peer=own).split())
    theirs = lab.peer.namespace.run(*run, own)

    def shape(text: str) -> list[str]:
        """Return the lines without times, and with both addresses named alike."""
        text = re.sub(r"\t-?\d+( absolute)?\n", r"\tN\1\n", text)
        return [line.partition(" time=")[0].partition(", time ")[0] for line in text.splitlines()
                if not line.startswith("rtt")]  # fmt: skip

    swapped = theirs.stdout.replace(own, "x").replace(peer, own).replace("x", peer)
    assert shape(ours.stdout) == shape(swapped)
    assert ours.returncode == theirs.returncode == (2 if words == "both" else 0)
    if words == "tsandaddr":
        assert ours.stdout.count("\t10.0.0.2\t") == 4


@pytest.mark.netns("ping", "tcpdump")
def test_what_is_sent_has_its_type_of_service_and_options(lab: Lab) -> None:
    lab.plug()
    capture = lab.peer.namespace.tcpdump(lab.dev, "-v", "icmp or udp")
    lab.smolctl("ping", "-c", "1", "-Q", "0xb8", "10.0.0.2", check=True)
    capture.wait_for("tos 0xb8")
    sending = ("udp", "send", "10.0.0.2:9", "x", "--tos", "0x10", "--options", "lsrr:10.0.0.2,ra")
    lab.smolctl(*sending)
    capture.wait_for("RA")
    assert "tos 0x10" in capture.stdout
    assert "LSRR 10.0.0.2" in capture.stdout


@pytest.mark.netns("ping")
def test_a_datagram_from_the_kernel_says_its_type_of_service(lab: Lab) -> None:
    lab.plug()
    receiver = lab.smolctl.popen("-v", "udp", "recv", "7", "-c", "1")
    receiver.wait_for("listening")
    kernel = lab.peer.udp()
    kernel.setsockopt(0, 1, 0x88)  # IP_TOS
    kernel.setsockopt(0, 4, ipv4_options.record(2) + b"\0")  # IP_OPTIONS
    kernel.sendto(b"marked", ("10.0.0.1", 7))
    assert (
        receiver.wait()
        .stdout.strip()
        .endswith("6 bytes, tos 0x88, options rr 10.0.0.2 10.0.0.1: marked")
    )
    sending = lab.smolctl.popen("-j", "udp", "recv", "7", "-c", "1")
    sending.wait_for('"bound"')
    kernel.sendto(b"marked", ("10.0.0.1", 7))
    event = json.loads(sending.wait().stdout.splitlines()[1])
    assert (event["tos"], event["options"]) == (0x88, "rr 10.0.0.2 10.0.0.1")
