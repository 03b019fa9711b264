"""Speed, measured as ratios: ours and what it is held against run by turns, in one process run."""
