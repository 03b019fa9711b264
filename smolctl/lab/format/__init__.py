"""The format of scenario files: keys, kinds of values, and the place of each in the text."""
