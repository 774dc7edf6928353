"""What several commands do, each a few steps of the library in a row."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from scratchml import digits, oracle, pictures, tasks, weather
from scratchml.checkpoint import Checkpoint
from scratchml.cli.console import log, note
from scratchml.dataset import PAPER, Recipe
from scratchml.errors import ScratchmlError
from scratchml.evaluate import AnyEvaluation, choose_threshold, threshold_code
from scratchml.export import check_name, is_free_name
from scratchml.files import atomic_write
from scratchml.mlp import MLP, OUTPUTS
from scratchml.quantized import MAX_UNITS, QuantizedMLP
from scratchml.rows import Dataset, Scaler
from scratchml.train import Epoch, History, train
from scratchml.verify import Comparison, verify


def read_data(
    data: str,
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
    if data == "digits":
        if given or paper:
            name = "paper" if paper else next(iter(given)).replace("_", "-")
            raise ScratchmlError(f"--{name} is about weather; digits have no such choice")
        return tasks.make(digits.Recipe(seed=seed))
    if data != "snow" and not Path(data).suffix and not Path(data).exists():
        raise ScratchmlError(f"{data!r} is neither an example (snow, digits) nor a file of hours")
    recipe = Recipe(**{**(PAPER if paper else {}), **given, "seed": seed})
    return tasks.make(recipe, weather.load(None if data == "snow" else Path(data)))


def output_folder(output: Path | None, data: str) -> Path:
    return output or Path("build") / ("digits" if data == "digits" else "snow")


@dataclass(frozen=True)
class Training:
    """How a network is made and trained: what was asked for, or else the task's defaults."""

    sizes: list[int]
    output: str
    dropout: float
    epochs: int
    batch_size: int
    learning_rate: float
    patience: int

    @classmethod
    def of(
        cls,
        data: Dataset,
        hidden: str | None,
        epochs: int | None,
        batch_size: int | None,
        learning_rate: float | None,
        dropout: float | None,
        patience: int | None,
    ) -> Training:
        task = tasks.task_of(data.recipe)
        units = list(task.hidden) if hidden is None else hidden_units(hidden)
        return cls(
            [data.train.counts.shape[1], *units, task.outputs],
            task.output,
            task.dropout if dropout is None else dropout,
            task.epochs if epochs is None else epochs,
            task.batch_size if batch_size is None else batch_size,
            task.learning_rate if learning_rate is None else learning_rate,
            task.patience if patience is None else patience,
        )

    def network(self, seed: int) -> MLP:
        return MLP(self.sizes, output=self.output, dropout=self.dropout, seed=seed)


def hidden_units(hidden: str) -> list[int]:
    try:
        units = [int(word) for word in hidden.split(",")]
    except ValueError:
        raise ScratchmlError(f"--hidden {hidden!r} is not a list such as 12 or 32,16") from None
    if max(units) > MAX_UNITS:
        raise ScratchmlError(f"--hidden {hidden}: a layer has at most {MAX_UNITS} units")
    return units


def train_with_progress(net: MLP, data: Dataset, options: Training) -> History:
    """Train with a bar and a line an epoch on standard error."""
    metric = OUTPUTS[net.output].metric
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("epochs"))
    with Progress(*columns, console=log, transient=True) as progress:
        bar = progress.add_task("", total=options.epochs)

        def on_epoch(e: Epoch) -> None:
            progress.console.print(
                f"epoch {e.epoch:3d}  loss {e.loss:.4f}  {metric} {e.score:.4f}  validation "
                f"loss {e.validation_loss:.4f}  {metric} {e.validation_score:.4f}",
                soft_wrap=True,
            )
            progress.advance(bar)

        history = train(
            net,
            data.train,
            data.validation,
            epochs=options.epochs,
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            patience=options.patience,
            on_epoch=on_epoch,
        )
    note(f"kept the weights of epoch {history.best_epoch}")
    return history


def check_threshold(output: str, wanted: float | None) -> None:
    """Refuse, before the training, what ``pick_threshold`` could not use after it."""
    if wanted is None:
        return
    if output != "sigmoid":
        raise ScratchmlError("--threshold is about yes or no; the likeliest class needs none")
    threshold_code(wanted)


def pick_threshold(net: MLP, data: Dataset, wanted: float | None, paper: bool) -> float:
    """The threshold asked for, or the best on validation rows; some row must reach it.

    A choice among several classes has none.
    """
    if net.output != "sigmoid":
        return net.threshold
    default = 0.5 if paper else choose_threshold(net, data.validation)
    threshold = default if wanted is None else wanted
    highest = float(net.decision_scores(data.validation).max())
    if highest < threshold:
        raise ScratchmlError(
            f"no validation row reaches the threshold {threshold:g} (the highest probability is "
            f"{highest:.3f}): lower it or train longer"
        )
    return threshold


def save_training(folder: Path, net: MLP, data: Dataset, history: History) -> Checkpoint:
    checkpoint = Checkpoint(net, data.scaler, data.recipe, data.fingerprint, data.front_end)
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
    return data_again(hours, tasks.from_metadata(model.metadata), model.scaler, fingerprint)


def data_again(
    hours: Path | None, recipe: Recipe | digits.Recipe, scaler: Scaler, fingerprint: str
) -> Dataset:
    """The data set that a model was trained on, made once more."""
    needs_hours = isinstance(recipe, Recipe)
    if hours and not needs_hours:
        raise ScratchmlError(f"{hours}: the model was not trained on hours of weather")
    data = tasks.make(recipe, weather.load(hours) if needs_hours else None, scaler)
    if data.fingerprint != fingerprint:
        what = "hours" if needs_hours else "images"
        note(f"note: these are not the {what} that the model was trained on")
    return data


def model_name(name: str | None, model: QuantizedMLP, path: Path) -> str:
    """The name in C: what was asked for, or the task's, or else the file's."""
    if name is None:
        task = model.metadata.get("task")
        stem = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
        name = f"{task}_model" if isinstance(task, str) and task in tasks.TASKS else stem
        if not is_free_name(name):
            name = f"model_{name}"
    check_name(name)
    return name


def source_beside(model: Path, name: str) -> Path | None:
    """The exported C file next to the model, if there is one.

    Beside several models any C file may be another one's, unless it has the ``name`` of this one.
    """
    sources = sorted(p for p in model.parent.glob("*.c") if p.with_suffix(".h").exists())
    if len(list(model.parent.glob("*.tflite"))) > 1:
        sources = [path for path in sources if path.stem == name]
    if len(sources) > 1:
        names = ", ".join(path.name for path in sources)
        raise ScratchmlError(f"beside {model} are several C files ({names}): choose one with --c")
    return sources[0] if sources else None


def compare_all(
    model: QuantizedMLP,
    data: Dataset | None,
    rows: int,
    seed: int,
    source: Path | None,
    file: bytes | None = None,
) -> list[Comparison]:
    with log.status("verifying") if log.is_terminal else nullcontext():
        return verify(
            model,
            counts=data.test.counts if data else None,
            random_rows=rows,
            seed=seed,
            c_source=source,
            file=file,
            use_oracle=oracle.available(),
        )


def random_and_test_codes(
    model: QuantizedMLP, data: Dataset | None, rows: int, seed: int
) -> npt.NDArray[np.int8]:
    """The test rows, if the model has any, and random ones."""
    random = np.random.default_rng(seed).integers(-128, 128, (rows, model.inputs), np.int8)
    return np.vstack([model.prepare_input(data.test.counts), random]) if data else random


def draw_pictures(
    folder: Path,
    history: History,
    net: MLP,
    model: QuantizedMLP,
    data: Dataset,
    networks: dict[str, AnyEvaluation],
) -> None:
    if pictures.available():
        pictures.draw_all(folder, history, net, model, data, networks)
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
