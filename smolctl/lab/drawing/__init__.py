"""Drawings of runs: ladders of packets and plots of series, as text and as SVG."""
