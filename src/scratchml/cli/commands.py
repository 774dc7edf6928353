"""The commands that take a model one step further; ``steps`` has what several of them do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scratchml import litert, oracle, report
from scratchml.byte_array import export_byte_array
from scratchml.calibrate import observe, outliers
from scratchml.checkpoint import Checkpoint
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import guarded, note, print_json, show
from scratchml.cli.steps import (
    compare_all,
    data_of_checkpoint,
    data_of_int8,
    finish,
    has_data,
    model_name,
    quantize_trained,
    random_and_test_codes,
    source_beside,
)
from scratchml.engine_folder import check_engine_folder, export_engine
from scratchml.errors import ScratchmlError
from scratchml.evaluate import Network, evaluate
from scratchml.export import export_c
from scratchml.files import staging
from scratchml.firmware import export_firmware, find_checkout
from scratchml.layer_errors import layer_errors
from scratchml.quantized import QuantizedMLP


@app.command("evaluate")
@guarded
def evaluate_command(
    model: opt.AnyModel,
    data_file: opt.Table = None,
    as_json: opt.Json = False,
) -> None:
    """A float or int8 network on its test rows, beside the baselines."""
    network: Network
    if model.read_bytes()[:2] == b"PK":  # a zip file, which .npz is
        checkpoint = Checkpoint.load(model)
        network, name = checkpoint.net, "float"
        data = data_of_checkpoint(data_file, checkpoint)
    else:
        network, name = QuantizedMLP.load(model), "int8"
        data = data_of_int8(data_file, network)
    networks = {name: evaluate(network, data.test)}
    evaluations = {**networks, **report.baseline_evaluations(data)}
    show(
        report.metrics_table(evaluations),
        report.confusion_tables(networks, data.classes),
        as_json=as_json,
    )
    if as_json:
        print_json(report.evaluations_json(evaluations))


@app.command("quantize")
@guarded
def quantize_command(
    model: opt.FloatModel,
    data_file: opt.Table = None,
    output: opt.OutputBeside = None,
    percentile: opt.Percentile = 100.0,
    verbose: Annotated[
        bool,
        typer.Option("-v", "--verbose", help="Also the error that int8 makes, tensor by tensor."),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """A float network to an int8 one, model.tflite, calibrated on its training rows."""
    checkpoint = Checkpoint.load(model)
    data = data_of_checkpoint(data_file, checkpoint)
    quantized = quantize_trained(checkpoint, data, percentile)
    errors = layer_errors(checkpoint.net, quantized, data.test) if verbose or as_json else []
    target = (output or model.parent) / "model.tflite"
    quantized.save(target)
    show(report.layers_table(quantized), report.size_line(quantized), as_json=as_json)
    if verbose:
        show(report.errors_table(errors), as_json=as_json)
    warnings = outliers(observe(checkpoint.net, data.train.x)) if percentile == 100 else []
    for line in warnings:
        note(f"warning: {line} (--percentile 99.9)")
    if as_json:
        print_json(
            {
                "file": str(target),
                **report.size_json(quantized),
                "errors": report.errors_json(errors),
                "warnings": warnings,
            }
        )
    note(str(target))


@app.command("export")
@guarded
def export_command(
    model: opt.Int8Model,
    output: opt.OutputBeside = None,
    name: opt.Name = None,
    with_engine: opt.WithEngine = False,
    byte_array: Annotated[
        bool,
        typer.Option(
            "--byte-array",
            help="Also NAME_tflite.c and .h: the .tflite file itself as an aligned C array, for "
            "those who run it with another runtime.",
        ),
    ] = False,
    firmware: Annotated[
        bool,
        typer.Option(
            "--firmware",
            help="Into the weather station instead, in the place of its model: csrc/firmware/model "
            "of the checkout that this is run in, or that -o names.",
        ),
    ] = False,
    as_json: opt.Json = False,
) -> None:
    """Any int8 perceptron, from here or from TensorFlow, to C: NAME.c and NAME.h.

    They are for the C engine; with --with-engine it lies beside them.
    """
    quantized = QuantizedMLP.load(model)
    if firmware:
        if name or with_engine or byte_array:
            raise ScratchmlError("--firmware goes with -o only: names and files are the station's")
        exported(export_firmware(quantized, find_checkout(output or Path())), quantized, as_json)
        return
    name = model_name(name, quantized, model)
    folder = output or (model.parent / name if with_engine else model.parent)
    if with_engine:
        check_engine_folder(folder, name)
    with staging(folder) as temporary:
        written = [*export_c(quantized, temporary, name=name)]
        if with_engine:
            written += export_engine(temporary)
        if byte_array:
            written += export_byte_array(model.read_bytes(), temporary, name=name)
    exported([folder / file.name for file in written], quantized, as_json)


def exported(files: list[Path], model: QuantizedMLP, as_json: bool) -> None:
    """Say what was written."""
    show(report.size_line(model), as_json=as_json)
    if as_json:
        print_json({"files": [str(file) for file in files], **report.size_json(model)})
    note(", ".join(map(str, files)))


@app.command("verify")
@guarded
def verify_command(
    model: opt.Int8Model,
    data_file: opt.Table = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--c",
            help="Exported C to compile and run. Default: the one beside the model, or a fresh "
            "export.",
        ),
    ] = None,
    rows: opt.RandomRows = 100_000,
    seed: opt.RowsSeed = 0,
    against: Annotated[
        str | None,
        typer.Option(
            help="litert: also tell how often LiteRT differs, with its default delegate and with "
            "its reference kernels. Reported only; it does not change the exit status.",
        ),
    ] = None,
    as_json: opt.Json = False,
) -> None:
    """Byte for byte: numpy = C engine = exported C = TensorFlow Lite Micro.

    On every test row, on random int8 rows, and from sensor counts; a model from elsewhere on random
    rows. TensorFlow Lite Micro runs the file as it is. Exit status 1 if a byte differs.
    """
    if against not in (None, "litert"):
        raise ScratchmlError(f"--against {against}: known is litert")
    if against and not litert.available():
        raise ScratchmlError(f"LiteRT is not installed: {litert.INSTALL}")
    quantized = QuantizedMLP.load(model)
    data = data_of_int8(data_file, quantized) if has_data(quantized) or data_file else None
    source = source or source_beside(model, model_name(None, quantized, model))
    file = model.read_bytes()
    comparisons = compare_all(quantized, data, rows, seed, source, file)
    show(report.verify_table(comparisons, oracle=oracle.available()), as_json=as_json)
    values = {"verify": report.verify_json(comparisons)}
    if against:
        codes = random_and_test_codes(quantized, data, rows, seed)
        found = litert.differences(quantized, codes, file)
        show(report.differences_table(found), as_json=as_json)
        values["litert"] = report.differences_json(found)
    if as_json:
        print_json(values)
    note(f"exported C: {source or 'a fresh export of the model'}")
    finish(comparisons)
