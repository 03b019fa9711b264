"""What both address families share."""
