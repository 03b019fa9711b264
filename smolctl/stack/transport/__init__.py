"""Transport protocols, and the table of ports that they share."""
