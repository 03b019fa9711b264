"""The neighbor cache (RFC 4861), for any address family."""
