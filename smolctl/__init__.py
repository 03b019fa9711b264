"""A user-space network stack that is driven like ``ip`` and can tell you why."""

__version__ = "0.1.0"
