"""Checksum and segmentation offload: virtio headers, and runs of datagrams."""
