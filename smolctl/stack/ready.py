"""Sockets and clients that have something to take."""

REPLY_QUEUE_LIMIT = 1024
