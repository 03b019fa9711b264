"""A host of a test: its links, its configuration, and the sockets of its programs."""

from typing import NamedTuple

from tests.host.agreement.wires import LinkSpec


class SocketSpec(NamedTuple):
    """A socket of a program that receives.

    Attributes:
        proto: "udp" or "tcp".
        local: its address; "0.0.0.0" or "::" for any.
        port: its port.
        dev: the link to which it is bound.
    """

    proto: str
    local: str
    port: int
    dev: str = ""

    @property
    def name(self) -> str:
        """The name that events give it."""
        zone = f"%{self.dev}" if self.dev else ""
        return f"{self.proto} {self.local}{zone} {self.port}"


class Host(NamedTuple):
    """A network namespace, as told to whoever makes it.

    Attributes:
        links: in order.
        commands: lines of ``ip``, without that word.
        sysctls: by their files below /proc/sys/net; set before the commands, and those of a link
            after it is there.
        sockets: of its programs.
        late: lines of ``ip`` that come last.
    """

    links: tuple[LinkSpec, ...]
    commands: tuple[str, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    sockets: tuple[SocketSpec, ...] = ()
    late: tuple[str, ...] = ()

    def script(self, name: str = "t") -> str:
        """Return commands that make a namespace like it, for people."""
        inside = f"ip -n {name}"
        lines = [f"ip netns add {name}", f"{inside} link set lo up"]
        lines += [f"{inside} {line}" for spec in self.links for line in spec.commands()]
        lines += [
            f"ip netns exec {name} sysctl -qw net/{key}={value}" for key, value in self.sysctls
        ]
        lines += [f"{inside} {line}" for line in (*self.commands, *self.late)]
        for each in self.sockets:
            bound = f" -I {each.dev}" if each.dev else ""
            lines.append(f"# a socket: {each.proto} {each.local} port {each.port}{bound}")
        return "\n".join(lines)
