"""``python -m smolctl.daemon``: the process of one stack; people use ``smolctl stack start``."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from smolctl.control.paths import DEFAULT_STACK, StackPaths, make_directory, stack_paths
from smolctl.daemon.lifecycle import AlreadyRunning, Ready, acquire, detach
from smolctl.daemon.log import Log
from smolctl.errors import OUT_OF_MEMORY, SmolctlError, advice

EXIT_FAILED = 3
"""As everywhere in smolctl: no daemon could be started."""


_USAGE = """usage: python -m smolctl.daemon [OPTION VALUE]...

Run one stack, in the foreground unless --ready-fd is given.

  --name NAME         the stack's name
  --foreground        the default; says it aloud
  --profile PROFILE   settings to start with
  --sysctl KEY=VALUE  one setting; more than once
  --setup-fd N        read what to begin with from this descriptor
  --ready-fd N        detach, and report on this descriptor
"""


class Options:
    """The options of the command line; argparse would take a tenth of the time to start.

    Args:
        arguments: the words behind the module's name.

    Raises:
        SystemExit: for --help, or with 2 when they are wrong.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.name = DEFAULT_STACK
        self.profile = "linux"
        self.sysctl: list[str] = []
        self.setup_fd: int | None = None
        self.ready_fd: int | None = None
        words = iter(arguments)
        for word in words:
            if word in ("-h", "--help"):
                print(_USAGE, end="")
                raise SystemExit(0)
            if word != "--foreground":
                option, equals, value = word.partition("=")
                self._set(option, value if equals else next(words, None))

    def _set(self, option: str, value: str | None) -> None:
        name = option.removeprefix("--").replace("-", "_")
        if not option.startswith("--") or name not in vars(self):
            self._wrong(f"there is no option {option}")
        if value is None:
            self._wrong(f"{option} needs a value")
        if name == "sysctl":
            self.sysctl.append(value)
        elif not name.endswith("_fd"):
            setattr(self, name, value)
        elif value.isascii() and value.isdigit():
            setattr(self, name, int(value))
        else:
            self._wrong(f"{option} {value} is not a descriptor")

    @staticmethod
    def _wrong(what: str) -> NoReturn:
        print(f"smolctl: {what}; try: python -m smolctl.daemon --help", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a daemon until it is stopped; return its exit status."""
    options = Options(sys.argv[1:] if arguments is None else arguments)
    ready = Ready(options.ready_fd)
    setup = None if options.setup_fd is None else _taken(options.setup_fd)
    if options.ready_fd is not None:
        detach(options.ready_fd)
    log = Log()
    try:
        paths = stack_paths(options.name)
        if options.ready_fd is not None:
            make_directory(paths.directory)
            log = Log(paths.log, standard=True)
        _serve(paths, options, setup, log, ready)
    except AlreadyRunning as error:
        # Whoever asked for this stack has it; only one that was asked to be it has failed.
        if options.ready_fd is None:
            return _fail(error, log, ready, options.ready_fd is None)
        ready.succeed(os.getpid())
    except SmolctlError as error:
        return _fail(error, log, ready, options.ready_fd is None)
    except (OSError, ImportError, *OUT_OF_MEMORY) as error:
        # Out of descriptors, memory or room on the disk; an import says so in its own way.
        return _fail(_lacking(error), log, ready, options.ready_fd is None)
    except Exception as error:
        log.exception("starting or serving", error)
        problem = SmolctlError(f"{type(error).__name__}: {error}", code="internal")
        return _fail(problem, log, ready, False)
    return 0


def _taken(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _serve(
    paths: StackPaths, options: Options, setup: bytes | None, log: Log, ready: Ready
) -> None:
    lock, listener = acquire(paths)
    # What start-up makes lives until the end: there is no garbage to look for in it, now or later.
    gc.disable()
    try:
        # Not before the stack's name is ours: most of the time to start goes into this import.
        from smolctl.daemon import garbage, heap
        from smolctl.daemon.environment import from_words, initial_settings
        from smolctl.daemon.process import Process
        from smolctl.daemon.setup import Setup

        begin = Setup() if setup is None else Setup.parse(setup)
        assigned = [*begin.settings, *from_words(options.sysctl)]
        settings = initial_settings(os.environ, options.profile, assigned)
        process = Process(paths, listener, settings, log)
        if begin.commands:
            process.configure(begin.commands, ready.progress)
        ready.succeed(os.getpid())
        if options.ready_fd is None:
            from smolctl.daemon.service import notify

            # In the background a service's command may have started us, and it is not ready by
            # that.
            notify(f"READY=1\nSTATUS=serving stack {paths.name}\n")
        garbage.begin()
        heap.keep_freed()
        process.run(lock)
    except BaseException:  # also of what ends a run: memory may be short until the end
        listener.close()
        lock.release()
        raise


def _lacking(error: Exception) -> SmolctlError:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        text = f"{where}{error.strerror}"
    else:
        text = str(error) if isinstance(error, ImportError) else "not enough memory"
    return SmolctlError(text, hint="smolctl doctor", code="start-failed")


def _fail(error: SmolctlError, log: Log, ready: Ready, foreground: bool) -> int:
    if foreground:
        hint = f" ({advice(error.hint)})" if error.hint else ""
        print(f"smolctl: {error.message}{hint}", file=sys.stderr)
    else:
        log.warning(f"not started: {error.message}")
    ready.fail(error)
    return EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
