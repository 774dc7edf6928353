"""The README's figures of the exercises: people that the network has never seen, or windows.

Run with ``make benchmark``, or ``python benchmarks/exercises.py --seeds 10``. The same network, a
12-16-7 perceptron on windows of three seconds, is asked in two ways. *A stranger*: every person is
the test once, one of the others chooses the epoch, eight train. *Random windows*: a tenth of all
windows chooses the epoch, a fifth is the test. Windows overlap by two thirds, so that the second
way asks for movements that were learnt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

import scratchml as sml
from scratchml import exercises, sensors
from scratchml.multiclass import ClassEvaluation
from scratchml.report import baseline_evaluations
from scratchml.tasks import EXERCISES

#: Movements that differ in a direction of the arm which a wrist's acceleration hardly shows.
PAIRS = (("abduction", "forward elevation"), ("external rotation", "internal rotation"))
WHO = ("float", "int8", "nearest mean")

Confusion = npt.NDArray[np.int64]


def stranger(person: str, seed: int) -> exercises.Recipe:
    """One person is the test; of the nine others one is the validation."""
    return exercises.Recipe(
        split="group", test_groups=(person,), validation=0.1, test=0.1, seed=seed
    )


def random_windows(seed: int) -> exercises.Recipe:
    return exercises.Recipe(split="random", validation=0.1, test=0.2, seed=seed)


def measure(recipe: exercises.Recipe) -> dict[str, Confusion]:
    """Train one network; who was taken for whom, by it, by its integers and by the nearest mean."""
    data = sensors.make_dataset(TABLE, recipe)
    assert data.classes == exercises.CLASSES
    sizes = [data.train.counts.shape[1], *EXERCISES.hidden, len(data.classes)]
    net = sml.MLP(sizes, output="softmax", dropout=EXERCISES.dropout, seed=recipe.seed)
    training = asdict(EXERCISES)
    chosen = {
        name: training[name] for name in ("epochs", "batch_size", "learning_rate", "patience")
    }
    sml.train(net, data.train, data.validation, **chosen)
    model = sml.quantize(net, data.train, front_end=data.front_end)
    found = {
        "float": sml.evaluate(net, data.test),
        "int8": sml.evaluate(model, data.test),
        **baseline_evaluations(data),
    }
    return {who: found[who].confusion for who in WHO}


def in_pairs(confusion: Confusion) -> Confusion:
    """The same with the two of each pair counted as one class."""
    place = {name: i for i, name in enumerate(exercises.CLASSES)}
    groups = np.arange(len(place))
    for first, second in PAIRS:
        groups[place[second]] = groups[place[first]]
    merged = np.zeros_like(confusion)
    np.add.at(merged, (groups[:, None], groups[None, :]), confusion)
    return merged


def spread(values: Iterable[float]) -> str:
    """Mean, and the range over all runs."""
    numbers = np.array(list(values))
    return f"{numbers.mean():.3f} ({numbers.min():.2f} .. {numbers.max():.2f})"


def main() -> None:
    """Print a table for both ways, and who is hard to tell from whom."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    people = sorted(TABLE["subject"].astype(str).unique(), key=int)
    ways = {
        "a stranger": [stranger(person, seed) for seed in seeds for person in people],
        "random windows": [random_windows(seed) for seed in seeds],
    }
    table = Table("test", "runs", "", "accuracy", "macro F1", "pairs as one", title="mean (range)")
    sums: dict[str, Confusion] = {}
    for name, recipes in ways.items():
        runs = [measure(recipe) for recipe in recipes]
        sums[name] = np.sum([run["int8"] for run in runs], axis=0)
        first, count = name, str(len(runs))
        for who in WHO:
            found = [ClassEvaluation(run[who]) for run in runs]
            merged = [ClassEvaluation(in_pairs(run[who])) for run in runs]
            table.add_row(
                first,
                count,
                who,
                spread(e.accuracy for e in found),
                spread(e.metrics()["macro_f1"] for e in found),
                spread(e.accuracy for e in merged),
            )
            first = count = ""
        table.add_section()
    console = Console(width=110)
    console.print(table)
    for name, confusion in sums.items():
        console.print(f"\nint8, {name}: of 100 windows, taken for", highlight=False)
        shares = 100 * confusion / confusion.sum(axis=1, keepdims=True)
        for number, row in enumerate(shares):
            cells = "".join(f"{share:6.0f}" if share >= 0.5 else "     ." for share in row)
            console.print(f"  {number + 1} {exercises.CLASSES[number]:20}{cells}", highlight=False)


if __name__ == "__main__":
    TABLE = exercises.load(exercises.Recipe())
    main()
