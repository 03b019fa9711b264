"""Proofs that a fix helps: it is made on a clone, and the packet sent again."""
