"""Copies of a stack, for predictions and trials."""
