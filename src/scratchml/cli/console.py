"""Where output goes, and how a mistake of the user's becomes one line and an exit status.

Tables go to standard output, progress and notes to standard error; with ``--json`` standard output
is one JSON object. Exit status: 0 good, 1 a check failed or the data cannot be used, 2 wrong usage.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, ParamSpec

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

from scratchml.errors import ScratchmlError
from scratchml.text import printable

out = Console(highlight=False)
log = Console(stderr=True, highlight=False)

P = ParamSpec("P")


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """What the user can mend ends a command with one line; any other error is a bug, with its
    traceback."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **options: P.kwargs) -> None:
        try:
            function(*args, **options)
        except ScratchmlError as error:
            fail(str(error))
        except BrokenPipeError:
            raise  # the reader of a pipe has gone: no message, Typer sees to it
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            fail(f"{where}{error.strerror or error}")
        except MemoryError:
            fail("not enough memory: use fewer units, rows or hours")
        except KeyboardInterrupt:
            fail("interrupted; nothing was written", status=130)

    return wrapper


def fail(message: str, status: int = 1) -> NoReturn:
    """End the command with one line."""
    line = " ".join(message.split())
    log.print(f"[bold red]error:[/] {escape(printable(line))}", soft_wrap=True)
    raise typer.Exit(status)


def note(text: str) -> None:
    """A line beside the result, not part of it."""
    log.print(escape(printable(text)), soft_wrap=True)


def busy(what: str) -> AbstractContextManager[object]:
    """While the block runs, a person at a terminal sees what is being done."""
    return log.status(what) if log.is_terminal else nullcontext()


def show(*tables: RenderableType, as_json: bool) -> None:
    """Tables for a person, who did not ask for JSON."""
    if not as_json:
        out.print(*tables, sep="\n")


def print_json(values: Any) -> None:
    """The one JSON object of a command."""
    typer.echo(json.dumps(values, indent=2))
