"""One function a command; the steps that several share are in ``steps``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from scratchml import oracle, report
from scratchml.checkpoint import Checkpoint
from scratchml.cli import options as opt
from scratchml.cli.console import guarded, note, print_json, show
from scratchml.cli.steps import (
    compare_all,
    data_of_checkpoint,
    data_of_int8,
    draw_pictures,
    finish,
    layer_sizes,
    pick_threshold,
    read_data,
    save_training,
    source_beside,
    train_with_progress,
)
from scratchml.engine import compiler
from scratchml.evaluate import Classifier, evaluate
from scratchml.export import check_name, export_c
from scratchml.files import atomic_write, staging
from scratchml.mlp import MLP
from scratchml.quantize import quantize
from scratchml.quantized import QuantizedMLP

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train a small neural network in numpy, quantize it to int8, and export it to C that "
    "agrees byte for byte. Start with: scratchml run",
)


@app.command("run")
@guarded
def run_command(
    hours: opt.Hours = None,
    output: opt.Output = Path("build/snow"),
    name: opt.Name = "snow_model",
    seed: opt.Seed = 0,
    paper: opt.Paper = False,
    window: opt.Window = None,
    horizon: opt.Horizon = None,
    snow_above: opt.SnowAbove = None,
    colder_than: opt.ColderThan = None,
    split: opt.Split = None,
    balance: opt.Balance = None,
    hidden: opt.Hidden = "12",
    epochs: opt.Epochs = 20,
    batch_size: opt.BatchSize = 64,
    learning_rate: opt.LearningRate = 1e-3,
    dropout: opt.Dropout = 0.2,
    patience: opt.Patience = 5,
    threshold: opt.Threshold = None,
    random_rows: opt.RandomRows = 100_000,
    draw: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw PNG files.")] = True,
    as_json: opt.Json = False,
) -> None:
    """Everything: load, train, evaluate, quantize, export, verify.

    Writes model.npz, model.tflite, NAME.c, NAME.h, metrics.json, history.csv and pictures.
    """
    check_name(name)
    compiler()  # verifying needs one: say so before the work
    with staging(output) as folder:
        data = read_data(
            hours, paper, seed, window, horizon, snow_above, colder_than, split, balance
        )
        show(report.data_table(data), as_json=as_json)
        net = MLP(layer_sizes(data, hidden), dropout=dropout, seed=seed)
        history = train_with_progress(net, data, epochs, batch_size, learning_rate, patience)
        net.threshold = pick_threshold(net, data, threshold, paper)
        checkpoint = save_training(folder, net, data, history)

        model = quantize(net, data.train, metadata=checkpoint.metadata())
        model.save(folder / "model.tflite")
        source, _ = export_c(model, folder, name=name)
        networks = {"float": evaluate(net, data.test), "int8": evaluate(model, data.test)}
        evaluations = {**networks, **report.baseline_evaluations(data)}
        comparisons = compare_all(model, data, random_rows, seed, source)
        metrics = {
            "data": report.data_json(data),
            "evaluations": report.evaluations_json(evaluations),
            "model": report.size_json(model),
            "verify": report.verify_json(comparisons),
            "best_epoch": history.best_epoch,
        }
        atomic_write(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        show(
            report.metrics_table(evaluations),
            report.confusion_table(networks),
            report.size_line(model),
            report.verify_table(comparisons, oracle=oracle.available()),
            as_json=as_json,
        )
        if draw:
            draw_pictures(folder, history, net, model, data, networks)
        files = sorted(path.name for path in folder.iterdir())
    if as_json:
        print_json(metrics)
    note(f"{output}: {', '.join(files)}")
    finish(comparisons)


@app.command("train")
@guarded
def train_command(
    hours: opt.Hours = None,
    output: opt.Output = Path("build/snow"),
    seed: opt.Seed = 0,
    paper: opt.Paper = False,
    window: opt.Window = None,
    horizon: opt.Horizon = None,
    snow_above: opt.SnowAbove = None,
    colder_than: opt.ColderThan = None,
    split: opt.Split = None,
    balance: opt.Balance = None,
    hidden: opt.Hidden = "12",
    epochs: opt.Epochs = 20,
    batch_size: opt.BatchSize = 64,
    learning_rate: opt.LearningRate = 1e-3,
    dropout: opt.Dropout = 0.2,
    patience: opt.Patience = 5,
    threshold: opt.Threshold = None,
    as_json: opt.Json = False,
) -> None:
    """Hours to a float network: model.npz and history.csv."""
    with staging(output) as folder:
        data = read_data(
            hours, paper, seed, window, horizon, snow_above, colder_than, split, balance
        )
        show(report.data_table(data), as_json=as_json)
        net = MLP(layer_sizes(data, hidden), dropout=dropout, seed=seed)
        history = train_with_progress(net, data, epochs, batch_size, learning_rate, patience)
        net.threshold = pick_threshold(net, data, threshold, paper)
        save_training(folder, net, data, history)
    if as_json:
        print_json(
            {
                "data": report.data_json(data),
                "epochs": history.rows(),
                "best_epoch": history.best_epoch,
                "threshold": net.threshold,
            }
        )
    note(f"{output}: history.csv, model.npz; threshold {net.threshold:g}")


@app.command("evaluate")
@guarded
def evaluate_command(
    model: opt.AnyModel,
    hours: opt.Hours = None,
    as_json: opt.Json = False,
) -> None:
    """A float or int8 network on its test rows, beside the baselines."""
    network: Classifier
    if model.read_bytes()[:2] == b"PK":  # a zip file, which .npz is
        checkpoint = Checkpoint.load(model)
        network, name = checkpoint.net, "float"
        data = data_of_checkpoint(hours, checkpoint)
    else:
        network, name = QuantizedMLP.load(model), "int8"
        data = data_of_int8(hours, network)
    networks = {name: evaluate(network, data.test)}
    evaluations = {**networks, **report.baseline_evaluations(data)}
    show(report.metrics_table(evaluations), report.confusion_table(networks), as_json=as_json)
    if as_json:
        print_json(report.evaluations_json(evaluations))


@app.command("quantize")
@guarded
def quantize_command(
    model: opt.FloatModel,
    hours: opt.Hours = None,
    output: opt.OutputBeside = None,
    as_json: opt.Json = False,
) -> None:
    """A float network to an int8 one, model.tflite, calibrated on its training rows."""
    checkpoint = Checkpoint.load(model)
    data = data_of_checkpoint(hours, checkpoint)
    quantized = quantize(checkpoint.net, data.train, metadata=checkpoint.metadata())
    target = (output or model.parent) / "model.tflite"
    quantized.save(target)
    show(report.layers_table(quantized), report.size_line(quantized), as_json=as_json)
    if as_json:
        print_json({"file": str(target), **report.size_json(quantized)})
    note(str(target))


@app.command("export")
@guarded
def export_command(
    model: opt.Int8Model,
    output: opt.OutputBeside = None,
    name: opt.Name = "snow_model",
    as_json: opt.Json = False,
) -> None:
    """An int8 network to C: NAME.c and NAME.h, for the engine in csrc/engine."""
    quantized = QuantizedMLP.load(model)
    files = export_c(quantized, output or model.parent, name=name)
    show(report.size_line(quantized), as_json=as_json)
    if as_json:
        print_json({"files": [str(file) for file in files], **report.size_json(quantized)})
    note(", ".join(map(str, files)))


@app.command("verify")
@guarded
def verify_command(
    model: opt.Int8Model,
    hours: opt.Hours = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--c",
            help="Exported C to compile and run. Default: the one beside the model, or a fresh "
            "export.",
        ),
    ] = None,
    rows: opt.RandomRows = 100_000,
    seed: opt.Seed = 0,
    as_json: opt.Json = False,
) -> None:
    """Byte for byte: numpy = C engine = exported C = TensorFlow Lite Micro.

    On every test row, on random int8 rows, and from sensor counts. Exit status 1 if a byte differs.
    """
    quantized = QuantizedMLP.load(model)
    data = data_of_int8(hours, quantized) if quantized.scaler else None
    source = source or source_beside(model)
    comparisons = compare_all(quantized, data, rows, seed, source)
    show(report.verify_table(comparisons, oracle=oracle.available()), as_json=as_json)
    if as_json:
        print_json({"verify": report.verify_json(comparisons)})
    note(f"exported C: {source or 'a fresh export of the model'}")
    finish(comparisons)
