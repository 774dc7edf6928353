"""The commands that train a network: ``run``, which goes on to the end, and ``train``."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from scratchml import oracle, report
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import guarded, note, print_json, show
from scratchml.cli.steps import (
    Training,
    check_threshold,
    compare_all,
    draw_pictures,
    finish,
    model_name,
    output_folder,
    pick_threshold,
    read_data,
    save_training,
    train_with_progress,
)
from scratchml.engine import compiler
from scratchml.evaluate import evaluate
from scratchml.export import check_name, export_c
from scratchml.files import atomic_write, staging
from scratchml.quantize import quantize


@app.command("run")
@guarded
def run_command(
    data: opt.Data = "snow",
    output: opt.Output = None,
    name: opt.Name = None,
    seed: opt.Seed = 0,
    paper: opt.Paper = False,
    window: opt.Window = None,
    horizon: opt.Horizon = None,
    snow_above: opt.SnowAbove = None,
    colder_than: opt.ColderThan = None,
    split: opt.Split = None,
    balance: opt.Balance = None,
    hidden: opt.Hidden = None,
    epochs: opt.Epochs = None,
    batch_size: opt.BatchSize = None,
    learning_rate: opt.LearningRate = None,
    dropout: opt.Dropout = None,
    patience: opt.Patience = None,
    threshold: opt.Threshold = None,
    percentile: opt.Percentile = 100.0,
    random_rows: opt.RandomRows = 100_000,
    draw: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw PNG files.")] = True,
    as_json: opt.Json = False,
) -> None:
    """Everything: load, train, evaluate, quantize, export, verify.

    Writes model.npz, model.tflite, NAME.c, NAME.h, metrics.json, history.csv and pictures.
    """
    if name is not None:
        check_name(name)
    compiler()  # verifying needs one: say so before the work
    target = output_folder(output, data)
    with staging(target) as folder:
        rows = read_data(
            data, paper, seed, window, horizon, snow_above, colder_than, split, balance
        )
        options = Training.of(rows, hidden, epochs, batch_size, learning_rate, dropout, patience)
        check_threshold(options.output, threshold)
        show(report.data_table(rows), as_json=as_json)
        net = options.network(seed)
        history = train_with_progress(net, rows, options)
        net.threshold = pick_threshold(net, rows, threshold, paper)
        checkpoint = save_training(folder, net, rows, history)

        model = quantize(
            net,
            rows.train,
            percentile=percentile,
            metadata=checkpoint.metadata(),
            front_end=checkpoint.front_end,
        )
        model.save(folder / "model.tflite")
        source, _ = export_c(model, folder, name=model_name(name, model, folder))
        networks = {"float": evaluate(net, rows.test), "int8": evaluate(model, rows.test)}
        evaluations = {**networks, **report.baseline_evaluations(rows)}
        comparisons = compare_all(model, rows, random_rows, seed, source)
        metrics = {
            "data": report.data_json(rows),
            "evaluations": report.evaluations_json(evaluations),
            "model": report.size_json(model),
            "verify": report.verify_json(comparisons),
            "best_epoch": history.best_epoch,
        }
        atomic_write(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
        show(
            report.metrics_table(evaluations),
            report.confusion_tables(networks, rows.classes),
            report.size_line(model),
            report.verify_table(comparisons, oracle=oracle.available()),
            as_json=as_json,
        )
        if draw:
            draw_pictures(folder, history, net, model, rows, networks)
        files = sorted(path.name for path in folder.iterdir())
    if as_json:
        print_json(metrics)
    note(f"{target}: {', '.join(files)}")
    finish(comparisons)


@app.command("train")
@guarded
def train_command(
    data: opt.Data = "snow",
    output: opt.Output = None,
    seed: opt.Seed = 0,
    paper: opt.Paper = False,
    window: opt.Window = None,
    horizon: opt.Horizon = None,
    snow_above: opt.SnowAbove = None,
    colder_than: opt.ColderThan = None,
    split: opt.Split = None,
    balance: opt.Balance = None,
    hidden: opt.Hidden = None,
    epochs: opt.Epochs = None,
    batch_size: opt.BatchSize = None,
    learning_rate: opt.LearningRate = None,
    dropout: opt.Dropout = None,
    patience: opt.Patience = None,
    threshold: opt.Threshold = None,
    as_json: opt.Json = False,
) -> None:
    """Data to a float network: model.npz and history.csv."""
    target = output_folder(output, data)
    with staging(target) as folder:
        rows = read_data(
            data, paper, seed, window, horizon, snow_above, colder_than, split, balance
        )
        options = Training.of(rows, hidden, epochs, batch_size, learning_rate, dropout, patience)
        check_threshold(options.output, threshold)
        show(report.data_table(rows), as_json=as_json)
        net = options.network(seed)
        history = train_with_progress(net, rows, options)
        net.threshold = pick_threshold(net, rows, threshold, paper)
        save_training(folder, net, rows, history)
    if as_json:
        print_json(
            {
                "data": report.data_json(rows),
                "epochs": history.rows(),
                "best_epoch": history.best_epoch,
                "threshold": net.threshold,
            }
        )
    threshold_note = f"; threshold {net.threshold:g}" if net.output == "sigmoid" else ""
    note(f"{target}: history.csv, model.npz{threshold_note}")
