"""The link layer: Ethernet frames in and out."""
