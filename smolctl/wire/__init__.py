"""Header formats: bytes to fields and back, one file per header.

Pure functions without state. Nothing here raises for any bytes: ``parse`` returns the header, or a
``WireFault`` that says how the bytes are wrong. Headers are NamedTuples: immutable, and built in
half the time of a dataclass with slots, which matters once per frame.
"""
