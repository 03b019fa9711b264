"""Table: whom we told of a better gateway, so that one that does not listen is left in peace.

The first redirect to a host goes at once, each further one after twice the time, and after the
ninth there is silence until the host has sent nothing that needs one for 20 s.
Source: RFC 1812 4.3.3.2; Linux ``ip_rt_send_redirect``.
"""

NUMBER = 9
LOAD_NS = 20_000_000
SILENCE_NS = LOAD_NS << NUMBER + 1
HOSTS_LIMIT = 4096


class Redirects:
    """The latest redirects of each host, and how many in a row; bounded in memory.

    Attributes:
        hosts: how many each got in a row, and when the last one was due.
    """

    def __init__(self) -> None:
        self.hosts: dict[int, tuple[int, int]] = {}

    def clone(self) -> "Redirects":
        """Return a copy that can be used up on its own."""
        result = Redirects()
        result.hosts = dict(self.hosts)
        return result

    def allow(self, host: int, now: int) -> bool:
        """Take note of a packet that should have gone another way; True sends a redirect."""
        number, last_ns = self.hosts.pop(host, (0, now))
        if now - last_ns > SILENCE_NS:
            number = 0
        ignored = number >= NUMBER
        allowed = not ignored and (number == 0 or now - last_ns > LOAD_NS << number)
        if allowed or ignored:
            last_ns = now
        if len(self.hosts) >= HOSTS_LIMIT:
            # The one that was quiet longest.
            del self.hosts[next(iter(self.hosts))]
        self.hosts[host] = (number + allowed, last_ns)
        return allowed
