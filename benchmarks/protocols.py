"""The README's figures: what the snow model reaches under each protocol, mean of several seeds.

Run with ``make benchmark``, or ``python benchmarks/protocols.py --seeds 5``. The same network, a
6-12-1 perceptron, looks very different depending on how it is asked.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

import scratchml as sml
from scratchml.dataset import PAPER
from scratchml.report import LABELS, baseline_evaluations

#: Name: choices for the data set, and the threshold (None: best F1 on the validation rows).
PROTOCOLS = {
    "next hour, by time (the default)": ({}, None),
    "next hour, by time, threshold 0.5": ({}, 0.5),
    "next hour, balanced training": ({"balance": "training"}, None),
    "next hour, original protocol": ({**PAPER, "horizon": 1}, 0.5),
    "same hour, by time": ({"horizon": 0}, None),
    "same hour, by time, balanced training, threshold 0.5": (
        {"horizon": 0, "balance": "training"},
        0.5,
    ),
    "same hour, original protocol (--paper)": (PAPER, 0.5),
}


def measure(choices: dict, threshold: float | None, seed: int) -> dict[str, sml.Evaluation]:
    """Train and evaluate one network, and the baselines on the same test rows."""
    data = sml.make_dataset(HOURS, seed=seed, **choices)
    net = sml.MLP([6, 12, 1], dropout=0.2, seed=seed)
    sml.train(net, data.train, data.validation)
    net.threshold = threshold or sml.choose_threshold(net, data.validation)
    model = sml.quantize(net, data.train)
    networks = {"float": sml.evaluate(net, data.test), "int8": sml.evaluate(model, data.test)}
    return {**networks, **baseline_evaluations(data)}


def main() -> None:
    """Print a table of means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    table = Table("protocol", "", *LABELS.values(), title=f"mean of {seeds} seeds")
    for name, (choices, threshold) in PROTOCOLS.items():
        results = [measure(choices, threshold, seed) for seed in range(seeds)]
        for who in results[0]:
            figures = np.array([list(r[who].metrics().values()) for r in results]).mean(axis=0)
            table.add_row(name, who, *(f"{value:.3f}" for value in figures))
            name = ""
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    HOURS = sml.weather.load()
    main()
