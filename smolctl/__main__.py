"""``python -m smolctl`` is the same as ``smolctl``."""

from smolctl.cli.main import entry

if __name__ == "__main__":
    entry()
