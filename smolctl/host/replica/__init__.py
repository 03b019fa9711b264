"""Throw-away copies of a network namespace, in which a real packet is sent (``why --check``).

The links of a copy are TAPs and TUNs whose other ends this process holds: nothing leaves it. The
copy is read again and compared; what it lacks is said, and nothing is claimed then.
"""
