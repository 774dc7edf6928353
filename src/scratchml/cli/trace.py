"""One inference, every integer, in numpy and in C side by side."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from itertools import cycle
from pathlib import Path
from typing import Annotated

import typer

from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import guarded, print_json, show
from scratchml.cli.steps import data_of_int8
from scratchml.errors import ScratchmlError
from scratchml.export import golden_inputs
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler
from scratchml.text import printable
from scratchml.trace.inference import Inference
from scratchml.trace.report import page

#: Which of the golden inputs is traced if none is given: the first that is not a corner.
GOLDEN_ROW = 3


@app.command("trace")
@guarded
def trace_command(
    model: opt.Int8Model,
    data_file: opt.Table = None,
    readings: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="V,V,...",
            help="Readings in the features' own units, one for each input, the oldest first.",
        ),
    ] = None,
    codes: Annotated[
        str | None, typer.Option(metavar="C,C,...", help="int8 codes, one for each input.")
    ] = None,
    row: Annotated[
        int | None, typer.Option(min=0, help="A test row of the model's own data, by its number.")
    ] = None,
    layer: Annotated[int | None, typer.Option(min=1, help="Show this layer only.")] = None,
    outputs: Annotated[
        int, typer.Option(min=1, help="Show so many outputs of a layer, at most.")
    ] = 16,
    as_json: opt.Json = False,
) -> None:
    """One inference, every integer, from numpy and from the C engine side by side.

    With the real number that each stands for. Without --input, --codes or --row: a row of the
    self-test that every exported model carries. Exit status 1 if an integer differs.
    """
    quantized = QuantizedMLP.load(model)
    if layer is not None and layer > len(quantized.layers):
        raise ScratchmlError(f"--layer {layer}: the model's last one is {len(quantized.layers)}")
    if data_file is not None and row is None:
        raise ScratchmlError(f"{data_file}: a file is for --row, which says which of its test rows")
    run = _inference(quantized, model.name, readings, codes, row, data_file)
    show(*page(run, layer=layer, outputs=outputs), as_json=as_json)
    if as_json:
        print_json(run.as_json())
    if run.difference:
        raise typer.Exit(1)


def _inference(
    model: QuantizedMLP,
    name: str,
    readings: str | None,
    codes: str | None,
    row: int | None,
    data_file: Path | None,
) -> Inference:
    given = {"--input": readings, "--codes": codes, "--row": row}
    chosen = [option for option, value in given.items() if value is not None]
    if len(chosen) > 1:
        raise ScratchmlError(f"{' and '.join(chosen)}: only one of them can be traced")
    if model.scaler is None and (readings is not None or row is not None):
        raise ScratchmlError(
            f"{chosen[0]}: this model has no scaler for readings; give int8 codes with --codes"
        )
    if readings is not None and model.scaler is not None:
        counts = parse_readings(model.scaler, model.inputs, readings)
        origin = "the readings that were given"
        return Inference.of_counts(model, counts, name=name, origin=origin)
    if row is not None:
        origin = f"test row {row} of the model's data"
        counts = row_of_data(model, row, data_file)
        return Inference.of_counts(model, counts, name=name, origin=origin)
    if codes is not None:
        origin = "the int8 codes that were given"
        return Inference.of_codes(model, parse_codes(model.inputs, codes), name=name, origin=origin)
    origin = f"row {GOLDEN_ROW} of the exported self-test, random int8 codes"
    return Inference.of_codes(model, golden_inputs(model)[GOLDEN_ROW], name=name, origin=origin)


def row_of_data(model: QuantizedMLP, row: int, path: Path | None) -> list[int]:
    """Counts of a test row of the data that the model was trained on."""
    counts = data_of_int8(path, model).test.counts
    if row >= len(counts):
        raise ScratchmlError(f"--row {row}: there are test rows 0 to {len(counts) - 1}")
    return [int(count) for count in counts[row]]


def parse_readings(scaler: Scaler, inputs: int, text: str) -> list[int]:
    """Readings in units to counts, half away from zero; in decimal, so exactly as written.

    Raises:
        ScratchmlError: not one number for each input, or its counts do not fit in 32 bits.
    """
    channels = [
        f"{printable(name)} ({printable(unit)})" if unit else printable(name)
        for name, unit, _ in scaler.channels
    ]
    order = ", ".join(channels[:4]) + ", ..." * (inputs > len(channels[:4]))
    counts = []
    for word, resolution in zip(_words("--input", text, inputs, order), cycle(scaler.resolution)):
        try:
            value = Decimal(word)
        except InvalidOperation:
            raise ScratchmlError(f"--input: {word!r} is not a number") from None
        if not value.is_finite():
            raise ScratchmlError(f"--input: {word!r} is not a reading, which is a finite number")
        if not -(2**31) < value < 2**31:  # a product of more digits could leave Decimal's range
            raise ScratchmlError(f"--input: {word} does not fit in 32 bits")
        count = int((value * resolution).to_integral_value(ROUND_HALF_UP))
        if not -(2**31) <= count < 2**31:
            raise ScratchmlError(f"--input: {word} is {count} counts, which do not fit in 32 bits")
        counts.append(count)
    return counts


def parse_codes(inputs: int, text: str) -> list[int]:
    """int8 codes as they are.

    Raises:
        ScratchmlError: not one for each input, or not a whole number from -128 to 127.
    """
    codes = []
    for word in _words("--codes", text, inputs, "int8, -128 to 127"):
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", word) or not -128 <= int(word) <= 127:
            raise ScratchmlError(f"--codes: {word!r} is not an int8 code, -128 to 127")
        codes.append(int(word))
    return codes


def _words(option: str, text: str, inputs: int, what: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if len(words) != inputs:
        raise ScratchmlError(
            f"{option}: {len(words)} given, but the model takes {inputs}: {what}, with commas "
            "between them"
        )
    return words
