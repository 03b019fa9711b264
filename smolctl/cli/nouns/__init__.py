"""The nouns, a file each, and the text that they share."""
