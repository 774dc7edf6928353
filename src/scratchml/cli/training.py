"""The commands that train a network: ``run``, which goes on to the end, and ``train``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from scratchml import oracle, report
from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.choices import with_choices
from scratchml.cli.console import guarded, note, print_json, show
from scratchml.cli.steps import (
    check_threshold,
    compare_all,
    draw_pictures,
    finish,
    make_network,
    model_name,
    output_folder,
    pick_threshold,
    quantize_trained,
    read_choices,
    read_data,
    save_training,
    train_with_progress,
)
from scratchml.engine import compiler
from scratchml.evaluate import evaluate
from scratchml.export import export_c
from scratchml.files import atomic_write, staging


@app.command("run")
@guarded
@with_choices("reading", "dataset", "training", "quantization", "export")
def run_command(
    data: opt.Data = "snow",
    output: opt.Output = None,
    seed: opt.Seed = None,
    paper: opt.Paper = False,
    random_rows: opt.RandomRows = 100_000,
    draw: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Draw PNG files.")] = True,
    as_json: opt.Json = False,
    **choices: Any,
) -> None:
    """Everything: load, train, evaluate, quantize, export, verify.

    Writes model.npz, model.tflite, NAME.c, NAME.h, metrics.json, history.csv and pictures.

    Of a table of your own: scratchml run mydata.csv --features ax,ay,az --label gesture. With every
    choice in a file: scratchml init mydata.csv, and then scratchml run mydata.toml.
    """
    run = read_choices(data, seed, paper, choices)
    compiler()  # verifying needs one: say so before the work
    target = output_folder(output, run)
    with staging(target) as folder:
        rows = read_data(run)
        check_threshold(rows, run.threshold)
        show(report.data_table(rows), as_json=as_json)
        net = make_network(run, rows)
        history = train_with_progress(net, rows, run.training)
        net.threshold = pick_threshold(net, rows, run.threshold)
        checkpoint = save_training(folder, net, rows, history)

        model = quantize_trained(checkpoint, rows, run.percentile)
        model.save(folder / "model.tflite")
        name = model_name(run.name, model, Path(f"{run.title}_model.tflite"))
        source, _ = export_c(model, folder, name=name)
        networks = {"float": evaluate(net, rows.test), "int8": evaluate(model, rows.test)}
        evaluations = {**networks, **report.baseline_evaluations(rows)}
        comparisons = compare_all(model, rows, random_rows, net.seed, source)
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
@with_choices("reading", "dataset", "training")
def train_command(
    data: opt.Data = "snow",
    output: opt.Output = None,
    seed: opt.Seed = None,
    paper: opt.Paper = False,
    as_json: opt.Json = False,
    **choices: Any,
) -> None:
    """Data to a float network: model.npz and history.csv."""
    run = read_choices(data, seed, paper, choices)
    target = output_folder(output, run)
    with staging(target) as folder:
        rows = read_data(run)
        check_threshold(rows, run.threshold)
        show(report.data_table(rows), as_json=as_json)
        net = make_network(run, rows)
        history = train_with_progress(net, rows, run.training)
        net.threshold = pick_threshold(net, rows, run.threshold)
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
