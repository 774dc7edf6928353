"""What several commands do, each a few steps of the library in a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from scratchml import oracle, pictures, tasks
from scratchml.c_names import check_name, is_free_name
from scratchml.checkpoint import Checkpoint
from scratchml.cli.choices import chosen
from scratchml.cli.console import busy, log, note
from scratchml.dataset import PAPER
from scratchml.errors import ScratchmlError
from scratchml.evaluate import AnyEvaluation, choose_threshold, threshold_code
from scratchml.files import atomic_write
from scratchml.mlp import MLP, OUTPUTS
from scratchml.quantize import quantize
from scratchml.quantized import QuantizedMLP
from scratchml.recipe import ENDING, EXAMPLES, Choices, Run, load_choices, merge, run_of
from scratchml.rows import Dataset, Scaler
from scratchml.sensors import SensorDataset
from scratchml.target import Target
from scratchml.text import printable
from scratchml.train import Epoch, History, train
from scratchml.verify import Comparison, verify

#: Samples of the test that are run as a stream, one by one.
MOST_SAMPLES = 100_000


def read_choices(
    data: str | None, seed: int | None, paper: bool, options: Mapping[str, Any]
) -> Run:
    """What is to be done: options that were given win over the recipe file's choices."""
    recipe: Choices = {}
    file = Path(data) if data is not None and data.lower().endswith(ENDING) else None
    if file:
        recipe = load_choices(file)
        data = None
        if paper and recipe.get("dataset", {}).keys() & PAPER.keys():
            note("note: what the recipe chooses wins over --paper")
    top = {"data": data, "seed": seed}
    given = {name: value for name, value in top.items() if value is not None}
    try:
        run = run_of(merge(recipe, {"": given}, chosen(options)), paper=paper)
    except ScratchmlError as error:
        if recipe and file and _is_refused(recipe, str(error)):
            raise ScratchmlError(f"{file}: {error}") from None
        raise
    return replace(run, file=file)


def _is_refused(recipe: Choices, reason: str) -> bool:
    """Whether the recipe by itself is refused for the same reason: then it is the file's."""
    try:
        run_of(recipe)
    except ScratchmlError as error:
        return str(error) == reason
    return False


def read_data(run: Run) -> Dataset:
    """The data set of a run, with what happened to it on the way told on standard error."""
    with busy(f"reading {printable(run.data)}"):
        data = run.load()
    for line in data.notes:
        note(f"note: {line}")
    return data


def output_folder(output: Path | None, run: Run) -> Path:
    return output or Path("build") / run.title


def make_network(run: Run, data: Dataset) -> MLP:
    """A new network of the shape that the run chose for the data."""
    output, outputs = tasks.output_of(data)
    sizes = [data.train.counts.shape[1], *run.training.hidden, outputs]
    return MLP(sizes, output=output, dropout=run.training.dropout, seed=run.dataset.seed)


def train_with_progress(net: MLP, data: Dataset, options: tasks.Training) -> History:
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


def check_threshold(data: Dataset, wanted: float | None) -> None:
    """Refuse, before the training, what ``pick_threshold`` could not use after it."""
    if wanted is None:
        return
    if tasks.output_of(data)[0] != "sigmoid":
        needless = "the likeliest class needs none" if data.classes else "a number has none"
        raise ScratchmlError(f"--threshold is about yes or no; {needless}")
    threshold_code(wanted)


def pick_threshold(net: MLP, data: Dataset, wanted: float | None) -> float:
    """The threshold asked for, or the best on validation rows; some row must reach it.

    Only a yes or no has one.
    """
    if net.output != "sigmoid":
        return net.threshold
    threshold = choose_threshold(net, data.validation) if wanted is None else wanted
    highest = float(net.decision_scores(data.validation).max())
    if highest < threshold:
        raise ScratchmlError(
            f"no validation row reaches the threshold {threshold:g} (the highest probability is "
            f"{highest:.3f}): lower it or train longer"
        )
    return threshold


def save_training(folder: Path, net: MLP, data: Dataset, history: History) -> Checkpoint:
    checkpoint = Checkpoint.of(net, data)
    checkpoint.save(folder / "model.npz")
    table = pd.DataFrame(history.rows())
    atomic_write(folder / "history.csv", table.to_csv(index=False, lineterminator="\n"))
    return checkpoint


def quantize_trained(checkpoint: Checkpoint, data: Dataset, percentile: float) -> QuantizedMLP:
    """The int8 network, calibrated on the training rows, with what the checkpoint knows."""
    return quantize(
        checkpoint.net,
        data.train,
        percentile=percentile,
        metadata=checkpoint.metadata(),
        front_end=checkpoint.front_end,
    )


def data_of_checkpoint(path: Path | None, checkpoint: Checkpoint) -> Dataset:
    known = (checkpoint.target, checkpoint.classes)
    return data_again(path, checkpoint.recipe, checkpoint.scaler, checkpoint.data, *known)


def data_of_int8(path: Path | None, model: QuantizedMLP) -> Dataset:
    if model.scaler is None:
        raise ScratchmlError("the model has no scaler for sensor counts: it was not trained here")
    fingerprint = str(model.metadata.get("data"))
    recipe, known = tasks.from_metadata(model.metadata), (model.target, model.classes)
    return data_again(path, recipe, model.scaler, fingerprint, *known)


def has_data(model: QuantizedMLP) -> bool:
    """Whether the package has the data that the model was trained on, or some like it."""
    if model.scaler is None or "task" not in model.metadata:
        return False
    return not tasks.needs_file(tasks.from_metadata(model.metadata))


def data_again(
    path: Path | None,
    recipe: tasks.AnyRecipe,
    scaler: Scaler,
    fingerprint: str,
    target: Target | None,
    classes: tuple[str, ...],
) -> Dataset:
    """The data set that a model was trained on, made once more."""
    with busy("reading the data"):
        data = tasks.make(recipe, path, scaler, target=target, classes=classes)
    if data.fingerprint != fingerprint:
        note("note: this is not the data that the model was trained on")
    return data


def model_name(name: str | None, model: QuantizedMLP, path: Path) -> str:
    """The name in C: what was asked for, or the example's, or else the file's.

    A table's model is named after its folder, which ``run`` names after the table.
    """
    if name is None:
        task, stem = model.metadata.get("task"), path.stem
        if task == "table" and stem == "model":
            stem = f"{path.resolve().parent.name}_model"
        stem = re.sub(r"\W", "_", stem, flags=re.ASCII)
        name = f"{task}_model" if isinstance(task, str) and task in EXAMPLES else stem
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
    with busy("verifying"):
        return verify(
            model,
            counts=data.test.counts if data else None,
            samples=test_stream(data),
            random_rows=rows,
            seed=seed,
            c_source=source,
            file=file,
            use_oracle=oracle.available(),
        )


def test_stream(data: Dataset | None) -> npt.NDArray[np.int32] | None:
    """The samples that the test's windows were cut from, if they were, in the order of time."""
    if not isinstance(data, SensorDataset) or data.front_end is None:
        return None
    ends = data.test.index[:, None] + np.arange(1 - data.front_end.window, 1)
    return data.samples[np.unique(ends)[:MOST_SAMPLES]]


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
