"""``scratchml board``: talk to a board that runs the weather station."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from scratchml.board import Board, find_ports, the_board
from scratchml.board.compare import compare_rows
from scratchml.board.ports import NO_BOARD
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import fail, guarded, log, note, out, print_json, show
from scratchml.digest import digest
from scratchml.engine import Engine
from scratchml.export import fingerprint
from scratchml.firmware import committed_model
from scratchml.quantized import QuantizedMLP
from scratchml.report.tables import plain

board_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="A board that runs the weather station: test it, compare it byte for byte, feed it.",
)
app.add_typer(board_app, name="board")

PortOption = Annotated[
    str | None,
    typer.Option(
        "--port",
        metavar="PORT",
        help="/dev/ttyACM0, COM3 or a URL of pyserial's. Default: the one board that is there.",
    ),
]
Baud = Annotated[int, typer.Option(min=1, help="Of a UART; USB has no use for it.")]
Timeout = Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL.tflite",
        readable=False,
        help="What the board runs. Default: the model that comes with the firmware.",
    ),
]

#: The CPUs of boards, by the names that the firmware has for them.
CPUS = {"nano33ble": "Cortex-M4", "pico": "Cortex-M0+"}


@contextmanager
def board_and_model(
    port: str | None, baud: int, timeout: float, path: Path | None
) -> Iterator[tuple[Board, QuantizedMLP]]:
    """The board, and the model that it runs, which is made sure."""
    path = path or committed_model()
    model = QuantizedMLP.load(path)
    with Board(port or the_board(), baud=baud, timeout=timeout) as board:
        board.check_model(model, path.name)
        yield board, model


def progress_bar(*columns: ProgressColumn) -> Progress:
    return Progress(TextColumn("{task.description}"), *columns, console=log, transient=True)


def follow(bars: Progress, name: str, rows: int) -> Callable[[int], None]:
    """A new bar, which is told how many rows are done."""
    task = bars.add_task(name, total=rows)
    return lambda n: bars.update(task, completed=n)


def table_of(rows: dict[str, str]) -> Table:
    """Names and values, one below the other."""
    table = Table(box=box.SIMPLE, show_header=False)
    for name, value in rows.items():
        table.add_row(name, plain(value))
    return table


@board_app.command("list")
@guarded
def list_command(as_json: opt.Json = False) -> None:
    """The ports that could be a board, by the names that USB has for them."""
    ports = find_ports()
    boards = [port for port in ports if port.board]
    if as_json:
        print_json([asdict(port) for port in boards])
    elif boards:
        table = Table("Port", "Board", "Serial number", box=box.SIMPLE)
        for port in boards:
            words = (port.device, port.board, port.serial_number)
            table.add_row(*(plain(word or "") for word in words))
        out.print(table)
    if not boards:
        note(f"no board is connected: {NO_BOARD}")
    others = ", ".join(port.device for port in ports if not port.board)
    if others:
        note(f"other ports, for --port: {others}")


@board_app.command("status")
@guarded
def status_command(
    port: PortOption = None,
    baud: Baud = 115200,
    model: Model = None,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """What is running on the board: model, engine, clock, hours."""
    path = model or committed_model()
    ours = fingerprint(QuantizedMLP.load(path))
    with Board(port or the_board(), baud=baud, timeout=timeout) as board:
        status = board.status()
    same = status.model == ours
    if as_json:
        print_json({**asdict(status), "model": f"{status.model:08x}", "same_model": same})
        return
    mine = f"that of {path.name}" if same else f"not that of {path.name}, which is {ours:08x}"
    clock = f"{status.clock / 1e6:g} MHz" if status.clock else "no counter of cycles"
    hours = f"{status.hours}, of which {status.holes} are missing"
    if status.needed:
        hours += f"; {status.needed} more until there is a forecast"
    rows = {
        "board": f"{status.board}, {clock}",
        "model": f"{status.model:08x}, {mine}",
        "shape": f"inputs: {status.inputs}, outputs: {status.outputs}",
        "versions": f"protocol {status.protocol}, engine {status.engine}",
        "hours": hours,
    }
    show(table_of(rows), as_json=False)


@board_app.command("selftest")
@guarded
def selftest_command(
    port: PortOption = None,
    baud: Baud = 115200,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """The golden rows that the firmware carries, run on the board.

    Exit status 1 if an output is not Python's.
    """
    with Board(port or the_board(), baud=baud, timeout=timeout) as board:
        result = board.self_test()
    if as_json:
        print_json({**asdict(result), "passed": result.passed})
    else:
        out.print(f"self-test {result.good}/{result.rows}")
    if not result.passed:
        fail(f"the board computes something else: {result.first or 'it does not say where'}")


@board_app.command("digest")
@guarded
def digest_command(
    rows: Annotated[int, typer.Option(min=1, max=opt.MOST_ROWS, help="How many.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the stream of inputs.")] = 0,
    port: PortOption = None,
    baud: Baud = 115200,
    model: Model = None,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """A million rows compared by eight characters: the board's digest, numpy's and C's.

    Exit status 1 if they differ.
    """
    with board_and_model(port, baud, timeout, model) as (board, quantized):
        with (
            Engine(quantized) as engine,
            progress_bar(BarColumn(), TextColumn("{task.percentage:.0f} %")) as bars,
        ):
            in_c = engine.digest(rows, seed, follow(bars, "C", rows))
            in_numpy = digest(quantized, rows, seed, follow(bars, "numpy", rows))
        with progress_bar(TimeElapsedColumn()) as clock:
            clock.add_task("board", total=None)
            on_board = board.digest(quantized, rows, seed)
    found = {"board": on_board, "numpy": in_numpy, "c": in_c}
    if as_json:
        digests = {name: f"{value:08x}" for name, value in found.items()}
        print_json({"rows": rows, "seed": seed, **digests})
    else:
        out.print(
            f"{rows:,} rows, seed {seed}: board {on_board:08x}, numpy {in_numpy:08x}, C {in_c:08x}"
        )
    if len(set(found.values())) > 1:
        fail("they differ; see where with: scratchml board verify, scratchml verify")


@board_app.command("verify")
@guarded
def verify_command(
    rows: opt.RandomRows = 10_000,
    seed: opt.RowsSeed = 0,
    port: PortOption = None,
    baud: Baud = 115200,
    model: Model = None,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """Random int8 rows and random windows of counts, every byte of the board's compared.

    Exit status 1 if a byte differs.
    """
    with (
        board_and_model(port, baud, timeout, model) as (board, quantized),
        progress_bar(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()) as bars,
    ):
        comparisons = compare_rows(
            board, quantized, rows, seed, lambda name: follow(bars, name, rows)
        )
    for c in comparisons:
        show(f"numpy = board on {c.rows_name}: {c.result}", as_json=as_json)
    if as_json:
        print_json({"verify": [asdict(c) for c in comparisons]})
    first = next((c.first for c in comparisons if c.first), None)
    if first:
        fail(f"the board computes something else: {first}")


@board_app.command("bench")
@guarded
def bench_command(
    port: PortOption = None,
    baud: Baud = 115200,
    model: Model = None,
    timeout: Timeout = 10.0,
    as_json: opt.Json = False,
) -> None:
    """One inference timed by the board itself, with a row for the table in docs/hardware.md."""
    with board_and_model(port, baud, timeout, model) as (board, quantized):
        bench, status = board.bench(), board.greeted
    shape = "-".join(map(str, quantized.sizes))
    if as_json:
        figures = {**asdict(bench), "microseconds": bench.microseconds, "board": status.board}
        print_json({**figures, "sizes": quantized.sizes, "model": f"{status.model:08x}"})
        return
    clock, us = f"{bench.clock / 1e6:g} MHz", f"{bench.microseconds:.1f}"
    out.print(f"one inference: {bench.cycles:,} cycles at {clock}, {us} microseconds")
    cpu = CPUS.get(status.board, "?")
    cells = (status.board, cpu, clock, shape, f"{bench.cycles:,}", us, f"{status.model:08x}")
    out.print(plain(f"| {' | '.join(cells)} |"), soft_wrap=True)
