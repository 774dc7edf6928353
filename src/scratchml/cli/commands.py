"""One function a command; each is a few steps of the library in a row."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from scratchml import oracle, pictures, report, weather
from scratchml.checkpoint import Checkpoint, read_recipe
from scratchml.cli import options as opt
from scratchml.cli.console import guarded, log, note, print_json, show
from scratchml.dataset import PAPER, Dataset, Recipe, Scaler, make_dataset
from scratchml.engine import compiler
from scratchml.errors import ScratchmlError
from scratchml.evaluate import (
    Classifier,
    Evaluation,
    choose_threshold,
    evaluate,
    threshold_code,
)
from scratchml.export import check_name, export_c
from scratchml.files import atomic_write, staging
from scratchml.mlp import MLP
from scratchml.quantize import quantize
from scratchml.quantized import MAX_UNITS, QuantizedMLP
from scratchml.train import Epoch, History, train
from scratchml.verify import Comparison, verify

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
        data = _data(hours, paper, seed, window, horizon, snow_above, colder_than, split, balance)
        show(report.data_table(data), as_json=as_json)
        net = MLP(_sizes(data, hidden), dropout=dropout, seed=seed)
        history = _train(net, data, epochs, batch_size, learning_rate, patience)
        net.threshold = _threshold(net, data, threshold, paper)
        checkpoint = _save_training(folder, net, data, history)

        model = quantize(net, data.train, metadata=checkpoint.metadata())
        model.save(folder / "model.tflite")
        source, _ = export_c(model, folder, name=name)
        networks = {"float": evaluate(net, data.test), "int8": evaluate(model, data.test)}
        evaluations = {**networks, **report.baseline_evaluations(data)}
        comparisons = _verify(model, data, random_rows, seed, source)
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
            _draw(folder, history, net, model, data, networks)
        files = sorted(path.name for path in folder.iterdir())
    if as_json:
        print_json(metrics)
    note(f"{output}: {', '.join(files)}")
    _finish(comparisons)


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
        data = _data(hours, paper, seed, window, horizon, snow_above, colder_than, split, balance)
        show(report.data_table(data), as_json=as_json)
        net = MLP(_sizes(data, hidden), dropout=dropout, seed=seed)
        history = _train(net, data, epochs, batch_size, learning_rate, patience)
        net.threshold = _threshold(net, data, threshold, paper)
        _save_training(folder, net, data, history)
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
        data = _data_of_checkpoint(hours, checkpoint)
    else:
        network, name = QuantizedMLP.load(model), "int8"
        data = _data_of_int8(hours, network)
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
    data = _data_of_checkpoint(hours, checkpoint)
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
    data = _data_of_int8(hours, quantized) if quantized.scaler else None
    source = source or _source_beside(model)
    comparisons = _verify(quantized, data, rows, seed, source)
    show(report.verify_table(comparisons, oracle=oracle.available()), as_json=as_json)
    if as_json:
        print_json({"verify": report.verify_json(comparisons)})
    note(f"exported C: {source or 'a fresh export of the model'}")
    _finish(comparisons)


def _data(
    hours: Path | None,
    paper: bool,
    seed: int,
    window: int | None,
    horizon: int | None,
    snow_above: float | None,
    colder_than: float | None,
    split: str | None,
    balance: str | None,
) -> Dataset:
    """Options that were given win over the paper's, which win over the defaults."""
    choices = {
        "window": window,
        "horizon": horizon,
        "snow_above": snow_above,
        "colder_than": colder_than,
        "split": split,
        "balance": balance,
    }
    given = {name: value for name, value in choices.items() if value is not None}
    recipe = Recipe(**{**(PAPER if paper else {}), **given, "seed": seed})  # type: ignore[arg-type]
    return make_dataset(weather.load(hours), recipe)


def _sizes(data: Dataset, hidden: str) -> list[int]:
    try:
        units = [int(word) for word in hidden.split(",")]
    except ValueError:
        raise ScratchmlError(f"--hidden {hidden!r} is not a list such as 12 or 32,16") from None
    if max(units) > MAX_UNITS:
        raise ScratchmlError(f"--hidden {hidden}: a layer has at most {MAX_UNITS} units")
    return [data.train.counts.shape[1], *units, 1]


def _train(
    net: MLP, data: Dataset, epochs: int, batch_size: int, learning_rate: float, patience: int
) -> History:
    """Train with a bar and a line an epoch on standard error."""
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, console=log, transient=True) as progress:
        bar = progress.add_task("", total=epochs)

        def on_epoch(e: Epoch) -> None:
            progress.console.print(
                f"epoch {e.epoch:3d}  loss {e.loss:.4f}  accuracy {e.accuracy:.4f}  validation "
                f"loss {e.validation_loss:.4f}  accuracy {e.validation_accuracy:.4f}"
            )
            progress.advance(bar)

        history = train(
            net,
            data.train,
            data.validation,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            on_epoch=on_epoch,
        )
    note(f"kept the weights of epoch {history.best_epoch}")
    return history


def _threshold(net: MLP, data: Dataset, wanted: float | None, paper: bool) -> float:
    """The threshold asked for, or the best on validation rows; some row must reach it."""
    default = 0.5 if paper else choose_threshold(net, data.validation)
    threshold = default if wanted is None else wanted
    threshold_code(threshold)
    highest = float(net.decision_scores(data.validation).max())
    if highest < threshold:
        raise ScratchmlError(
            f"no validation row reaches the threshold {threshold:g} (the highest probability is "
            f"{highest:.3f}): lower it or train longer"
        )
    return threshold


def _save_training(folder: Path, net: MLP, data: Dataset, history: History) -> Checkpoint:
    checkpoint = Checkpoint(net, data.scaler, data.recipe, weather.fingerprint(data.hours))
    checkpoint.save(folder / "model.npz")
    table = pd.DataFrame(history.rows())
    atomic_write(folder / "history.csv", table.to_csv(index=False, lineterminator="\n"))
    return checkpoint


def _data_of_checkpoint(hours: Path | None, checkpoint: Checkpoint) -> Dataset:
    return _data_again(hours, checkpoint.recipe, checkpoint.scaler, checkpoint.data)


def _data_of_int8(hours: Path | None, model: QuantizedMLP) -> Dataset:
    if model.scaler is None:
        raise ScratchmlError("the model has no scaler for sensor counts: it was not trained here")
    fingerprint = str(model.metadata.get("data"))
    return _data_again(hours, read_recipe(model.metadata), model.scaler, fingerprint)


def _data_again(hours: Path | None, recipe: Recipe, scaler: Scaler, fingerprint: str) -> Dataset:
    """The data set that a model was trained on, made once more from its hours."""
    table = weather.load(hours)
    if weather.fingerprint(table) != fingerprint:
        note("note: these are not the hours that the model was trained on")
    return make_dataset(table, recipe, scaler=scaler)


def _source_beside(model: Path) -> Path | None:
    """The exported C file next to the model, if there is one."""
    sources = sorted(p for p in model.parent.glob("*.c") if p.with_suffix(".h").exists())
    if len(sources) > 1:
        names = ", ".join(path.name for path in sources)
        raise ScratchmlError(f"beside {model} are several C files ({names}): choose one with --c")
    return sources[0] if sources else None


def _verify(
    model: QuantizedMLP, data: Dataset | None, rows: int, seed: int, source: Path | None
) -> list[Comparison]:
    with log.status("verifying") if log.is_terminal else nullcontext():
        return verify(
            model,
            counts=data.test.counts if data else None,
            random_rows=rows,
            seed=seed,
            c_source=source,
            use_oracle=oracle.available(),
        )


def _draw(
    folder: Path,
    history: History,
    net: MLP,
    model: QuantizedMLP,
    data: Dataset,
    networks: dict[str, Evaluation],
) -> None:
    if pictures.available():
        pictures.draw_all(folder, history, net, model, data.test, networks)
    else:
        note(f"no pictures: matplotlib is not installed ({pictures.INSTALL})")


def _finish(comparisons: list[Comparison]) -> None:
    """Say what could not be compared, and end with status 1 if a byte differed."""
    if not oracle.available():
        note(f"TFLite Micro: not available here; {oracle.INSTALL}")
    for c in comparisons:
        if c.first:
            note(f"differs: {c.first}")
    if any(c.differing for c in comparisons):
        raise typer.Exit(1)
