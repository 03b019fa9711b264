"""The part of the command line that makes click speak the language of ``ip``."""
