"""The far end of all hosts, as for ``tests/host/agreement``."""

from tests.host.agreement.conftest import far

__all__ = ["far"]
