"""The command line: turns words into one client call, and rows into text or JSON."""
