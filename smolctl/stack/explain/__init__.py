"""Explanations: what happened to a packet, or would happen."""
