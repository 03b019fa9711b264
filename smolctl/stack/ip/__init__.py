"""The part of the network layer that both address families share."""
