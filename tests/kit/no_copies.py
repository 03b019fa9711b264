"""A daemon that has nothing done in a copy, for tests that ask for nothing of the kind."""

from smolctl.ops.aside import Copied, CopyUser, Work


class NoCopies:
    """A part of ``ops.context.DaemonInfo``."""

    def copy(self, work: Work, user: CopyUser) -> Copied:
        raise AssertionError("nothing here needs a copy")
