"""The fast paths, in front of the layered path."""
