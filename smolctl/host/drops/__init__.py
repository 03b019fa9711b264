"""The kernel's own word about each packet that it drops, and smolctl's beside it."""
