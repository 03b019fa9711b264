"""The record of what happened to packets."""
