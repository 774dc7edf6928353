"""What several commands do, each a few steps of the library in a row."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from scratchml import oracle, pictures, weather
from scratchml.checkpoint import Checkpoint, read_recipe
from scratchml.cli.console import log, note
from scratchml.dataset import PAPER, Dataset, Recipe, Scaler, make_dataset
from scratchml.errors import ScratchmlError
from scratchml.evaluate import Evaluation, choose_threshold, threshold_code
from scratchml.files import atomic_write
from scratchml.mlp import MLP
from scratchml.quantized import MAX_UNITS, QuantizedMLP
from scratchml.train import Epoch, History, train
from scratchml.verify import Comparison, verify


def read_data(
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
    choices: dict[str, Any] = {
        "window": window,
        "horizon": horizon,
        "snow_above": snow_above,
        "colder_than": colder_than,
        "split": split,
        "balance": balance,
    }
    given = {name: value for name, value in choices.items() if value is not None}
    recipe = Recipe(**{**(PAPER if paper else {}), **given, "seed": seed})
    return make_dataset(weather.load(hours), recipe)


def layer_sizes(data: Dataset, hidden: str) -> list[int]:
    try:
        units = [int(word) for word in hidden.split(",")]
    except ValueError:
        raise ScratchmlError(f"--hidden {hidden!r} is not a list such as 12 or 32,16") from None
    if max(units) > MAX_UNITS:
        raise ScratchmlError(f"--hidden {hidden}: a layer has at most {MAX_UNITS} units")
    return [data.train.counts.shape[1], *units, 1]


def train_with_progress(
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


def pick_threshold(net: MLP, data: Dataset, wanted: float | None, paper: bool) -> float:
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


def save_training(folder: Path, net: MLP, data: Dataset, history: History) -> Checkpoint:
    checkpoint = Checkpoint(net, data.scaler, data.recipe, weather.fingerprint(data.hours))
    checkpoint.save(folder / "model.npz")
    table = pd.DataFrame(history.rows())
    atomic_write(folder / "history.csv", table.to_csv(index=False, lineterminator="\n"))
    return checkpoint


def data_of_checkpoint(hours: Path | None, checkpoint: Checkpoint) -> Dataset:
    return data_again(hours, checkpoint.recipe, checkpoint.scaler, checkpoint.data)


def data_of_int8(hours: Path | None, model: QuantizedMLP) -> Dataset:
    if model.scaler is None:
        raise ScratchmlError("the model has no scaler for sensor counts: it was not trained here")
    fingerprint = str(model.metadata.get("data"))
    return data_again(hours, read_recipe(model.metadata), model.scaler, fingerprint)


def data_again(hours: Path | None, recipe: Recipe, scaler: Scaler, fingerprint: str) -> Dataset:
    """The data set that a model was trained on, made once more from its hours."""
    table = weather.load(hours)
    if weather.fingerprint(table) != fingerprint:
        note("note: these are not the hours that the model was trained on")
    return make_dataset(table, recipe, scaler=scaler)


def source_beside(model: Path) -> Path | None:
    """The exported C file next to the model, if there is one."""
    sources = sorted(p for p in model.parent.glob("*.c") if p.with_suffix(".h").exists())
    if len(sources) > 1:
        names = ", ".join(path.name for path in sources)
        raise ScratchmlError(f"beside {model} are several C files ({names}): choose one with --c")
    return sources[0] if sources else None


def compare_all(
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


def draw_pictures(
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


def finish(comparisons: list[Comparison]) -> None:
    """Say what could not be compared, and end with status 1 if a byte differed."""
    if not oracle.available():
        note(f"TFLite Micro: not available here; {oracle.INSTALL}")
    for c in comparisons:
        if c.first:
            note(f"differs: {c.first}")
    if any(c.differing for c in comparisons):
        raise typer.Exit(1)
