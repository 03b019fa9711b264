"""What a user changes, a file for each noun."""
