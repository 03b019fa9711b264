"""Changes that a user makes, a file for each noun."""
