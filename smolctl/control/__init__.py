"""The control protocol between a client and a daemon, without any I/O.

``codec`` cuts a byte stream into JSON objects, ``messages`` says what the objects mean, ``paths``
where a stack's socket, lock and log are.
"""
