"""Entry point of ``smolctl`` and ``python -m smolctl``."""

import gc
import signal


def main() -> None:
    """Run the command line of this process."""
    # Until the command runs, Ctrl-C would be the traceback of some import. Where it is ignored, as
    # in the background of a script, that stays.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what the imports make lives until the end; ``entry`` enables it again
    from smolctl.cli.main import entry

    entry()


if __name__ == "__main__":
    main()
