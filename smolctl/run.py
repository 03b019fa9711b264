"""``python -m smolctl.run``: a Python program, unmodified, whose sockets are those of a stack.

The program finds what ``python`` itself would give it: ``sys.argv``, ``sys.path[0]``, the module
``__main__``, its exit status and its tracebacks.
"""

import builtins
import importlib.util
import io
import os
import sys
import zipimport
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType, TracebackType
from typing import Any, NamedTuple, NoReturn

from smolctl.client import Client, patch
from smolctl.control.paths import DEFAULT_STACK, stack_paths
from smolctl.errors import InvalidArgument, SmolctlError, advice

EXIT_WRONG = 2
"""The words are wrong, or there is no such program."""
EXIT_NO_STACK = 3
"""As everywhere in smolctl: no daemon could be reached or started."""

_USAGE = """usage: python -m smolctl.run [OPTIONS] SCRIPT [ARGS]
       python -m smolctl.run [OPTIONS] -m MODULE [ARGS]
       python -m smolctl.run [OPTIONS] -c CODE [ARGS]

Run a Python program whose TCP and UDP sockets are those of a stack.

  python -m smolctl.run -m http.server 8080
  python -m smolctl.run -n lab client.py 10.0.0.2
  python -m smolctl.run -c 'import socket; socket.create_server(("", 80))'

SCRIPT is a file, a folder or zip file with __main__.py, or - for standard
input. What stands behind SCRIPT, MODULE or CODE is the program's.

  -n, --stack NAME  the stack; without it, that of SMOLCTL_STACK, or "default"
  --no-start        do not start the stack when it is not running
  -h, --help        show this text

Host names are "localhost" and those of /etc/hosts. Programs that this one
starts have the kernel's sockets. The exit status is the program's; 2 when there
is no such program, 3 when the stack does not run and cannot be started. More:
docs/programs.md.
"""


class Wrong(Exception):
    """The words are wrong, or the program is not there; the text is one line."""


class Words(NamedTuple):
    """The words of the command line.

    Attributes:
        kind: "script", or "-m" or "-c".
        program: path, module or code.
    """

    stack: str | None
    start: bool
    kind: str
    program: str
    arguments: list[str]


def parse(arguments: Sequence[str]) -> Words:
    """Return what a command line says.

    Args:
        arguments: the words behind the module's name.

    Raises:
        Wrong: an unknown option, or no program.
        SystemExit: for --help.
    """
    stack, start = None, True
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word in ("-h", "--help"):
            print(_USAGE, end="")
            raise SystemExit(0)
        if word in ("-m", "-c"):
            return Words(stack, start, word, _value(word, words), words)
        if word == "--no-start":
            start = False
        elif word in ("-n", "--stack"):
            stack = _value(word, words)
        elif word.startswith("--stack="):
            stack = word.partition("=")[2]
        elif word.startswith("-n") and not word.startswith("--"):
            stack = word[2:]
        elif word == "-" or not word.startswith("-"):
            return Words(stack, start, "script", word, words)
        elif word == "--" and words:
            return Words(stack, start, "script", words.pop(0), words)
        else:
            raise Wrong(f"there is no option {word}; try: python -m smolctl.run --help")
    raise Wrong("no program; try: python -m smolctl.run SCRIPT, or -m MODULE")


def _value(option: str, words: list[str]) -> str:
    if not words:
        raise Wrong(f"{option} needs a value; try: python -m smolctl.run --help")
    return words.pop(0)


# --- the program ----------------------------------------------------------------------------------


class Program(NamedTuple):
    """A program that can be run.

    Attributes:
        path0: what ``sys.path`` begins with.
        name: its ``sys.argv[0]``.
        attributes: what its ``__main__`` has before it runs.
    """

    code: CodeType
    path0: str
    name: str
    attributes: dict[str, Any]


def find(kind: str, program: str) -> Program:
    """Return a program; a module is sought by ``sys.path`` as it stands.

    Raises:
        Wrong: it is not there, or cannot be read.
        Exception: SyntaxError, it is no Python; what a package raises that it is in.
    """
    if kind == "-m":
        return _module(program)
    if kind == "-c":
        return Program(_compiled(program, "<string>"), "", "-c", {})
    if program == "-":
        return Program(_compiled(sys.stdin.buffer.read(), "<stdin>"), "", "-", {})
    if os.path.isdir(program) or _is_archive(program):
        spec = PathFinder.find_spec("__main__", [program])
        if spec is None:
            raise Wrong(f'"{program}" has no __main__.py')
        return _of_spec(spec, program, program)
    return _file(program)


def _file(path: str) -> Program:
    whole = os.path.abspath(path)
    try:
        with io.open_code(whole) as file:
            source = file.read()
    except OSError as error:
        raise Wrong(f'cannot read "{path}": {error.strerror}') from None
    attributes = {"__file__": whole, "__cached__": None}
    # python(1) looks for modules beside the file that a link leads to.
    beside = os.path.dirname(os.path.realpath(path))
    return Program(_compiled(source, whole), beside, path, attributes)


def _is_archive(path: str) -> bool:
    try:
        zipimport.zipimporter(path)
    except zipimport.ZipImportError:
        return False
    return True


def _module(name: str) -> Program:
    found = None if name.startswith(".") else _spec(name)
    if found is None:
        raise Wrong(f'there is no module "{name}"')
    if found.submodule_search_locations is not None:
        found = _spec(f"{name}.__main__")
        if found is None:
            raise Wrong(f'"{name}" is a package without __main__.py, so it cannot be run')
    return _of_spec(found, os.getcwd(), found.origin or name)


def _check_module(name: str) -> None:
    """See that a module may be there, without importing what it is in.

    Raises:
        Wrong: it is not.
    """
    top = name.partition(".")[0]
    if not top or _spec(top) is None:
        raise Wrong(f'there is no module "{name}"')


def _spec(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # what a package above it imports
            raise
        raise Wrong(f'there is no module "{error.name}"') from None
    except ValueError:  # it is no name
        return None


def _of_spec(spec: ModuleSpec, path0: str, name: str) -> Program:
    get_code = getattr(spec.loader, "get_code", None)
    code = None if get_code is None else get_code(spec.name)
    if code is None:
        raise Wrong(f'"{spec.name}" has no code of Python')
    attributes = {
        "__spec__": spec,
        "__loader__": spec.loader,
        "__file__": spec.origin,
        "__cached__": spec.cached,
        "__package__": spec.parent,
    }
    return Program(code, path0, name, attributes)


def _compiled(source: str | bytes, name: str) -> CodeType:
    code: CodeType = compile(source, name, "exec", dont_inherit=True)
    return code


# --- its run --------------------------------------------------------------------------------------


def _found(words: Words) -> Program:
    """Return the program of a command line; end as ``python`` does where it cannot be read."""
    try:
        return find(words.kind, words.program)
    except (Wrong, SystemExit):
        raise
    except BaseException as error:  # of its text, or of a package that it is in
        _die(error)


def run(program: Program, arguments: Sequence[str]) -> None:
    """Run a program in this process.

    Raises:
        SystemExit: how it ended, unless it came to its end.
    """
    sys.argv[:] = [program.name, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = program.path0  # python -m has put its own there
    main = ModuleType("__main__")
    main.__dict__.update({"__builtins__": builtins, **program.attributes})
    sys.modules["__main__"] = main
    try:
        exec(program.code, main.__dict__)
    except SystemExit:
        raise
    except BaseException as error:
        _die(error)


def _die(error: BaseException) -> NoReturn:
    """End as ``python`` ends by an exception: with the program's part of the traceback."""
    error.__traceback__ = _of_program(error.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        # Uncaught, it ends the process by SIGINT, so that a shell ends its loop; told it is.
        sys.excepthook = lambda *_: None
        raise error
    raise SystemExit(1)


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """Return a traceback without what is ours."""
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def main(arguments: Sequence[str]) -> None:
    """Run what a command line says.

    Args:
        arguments: the words behind the module's name.

    Raises:
        SystemExit: with the exit status, unless the program came to its end.
    """
    try:
        words = parse(arguments)
        stack = words.stack or os.environ.get("SMOLCTL_STACK") or DEFAULT_STACK
        stack_paths(stack)  # it is a name
        program = None
        if words.kind == "-m":
            _check_module(words.program)
        else:
            program = _found(words)
        Client.connect(stack, start=words.start, notice=_say).close()
        patch(stack, start=False)
        # The packages that a module is in are imported to find it, and may open sockets.
        run(program or _found(words), words.arguments)
    except Wrong as error:
        _say(str(error))
        raise SystemExit(EXIT_WRONG) from None
    except SmolctlError as error:
        _say(f"{error.message}; {advice(error.hint)}" if error.hint else error.message)
        wrong = isinstance(error, InvalidArgument)
        raise SystemExit(EXIT_WRONG if wrong else EXIT_NO_STACK) from None


def _say(text: str) -> None:
    print(f"smolctl.run: {text}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
