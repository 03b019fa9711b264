"""The core: all protocol logic, sans-IO, in integer-nanosecond time."""
