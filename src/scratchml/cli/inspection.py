"""The commands that look at a model: ``info`` and ``digest``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from scratchml import report, tflite
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import fail, guarded, log, note, out, print_json, show
from scratchml.digest import digest
from scratchml.engine import Engine
from scratchml.errors import ScratchmlError
from scratchml.quantized import QuantizedMLP


@app.command("info")
@guarded
def info_command(model: opt.Int8Model, as_json: opt.Json = False) -> None:
    """What is in a .tflite file: operators, layers, scales, zero points, sizes."""
    data = model.read_bytes()
    try:
        file = tflite.read(data)
    except ScratchmlError as error:
        raise ScratchmlError(f"{model}: {error}") from None
    show(
        report.file_table(file, len(data)),
        report.layers_table(file.model),
        report.size_line(file.model),
        as_json=as_json,
    )
    for line in file.notes:
        note(f"note: {line}")
    if as_json:
        print_json(report.file_json(file, len(data)))


@app.command("digest")
@guarded
def digest_command(
    model: opt.Int8Model,
    rows: Annotated[int, typer.Option(min=1, max=opt.MOST_ROWS, help="How many.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the stream of inputs.")] = 0,
    as_json: opt.Json = False,
) -> None:
    """One number for a million rows: the CRC-32 of all outputs, from numpy and from C.

    A board prints the same one for the same model, rows and seed. Exit status 1 if numpy and C
    differ.
    """
    quantized = QuantizedMLP.load(model)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Engine(quantized) as engine, Progress(*columns, console=log, transient=True) as progress:
        bars = [progress.add_task(name, total=rows) for name in ("C", "numpy")]
        in_c = engine.digest(rows, seed, lambda n: progress.update(bars[0], completed=n))
        in_numpy = digest(quantized, rows, seed, lambda n: progress.update(bars[1], completed=n))
    if as_json:
        found = {"numpy": f"{in_numpy:08x}", "c": f"{in_c:08x}"}
        print_json({"rows": rows, "seed": seed, **found})
    else:
        out.print(f"{rows:,} rows, seed {seed}: numpy {in_numpy:08x}, C {in_c:08x}")
    if in_numpy != in_c:
        fail("numpy and C differ; see where with: scratchml verify")
