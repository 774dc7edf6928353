"""Training time against scikit-learn's MLPClassifier: the same work in one process, as a ratio.

6-12-1, Adam, batches of 64, the embedded hours' training rows; no early stopping, no dropout (which
scikit-learn does not have). Run with ``make benchmark``. CPU seconds, median of several pairs.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

import scratchml as sml

EPOCHS, PAIRS = 5, 5


def ours(data: sml.Dataset) -> None:
    """Includes what scikit-learn does not do: two scores an epoch."""
    net = sml.MLP([6, 12, 1], seed=0)
    sml.train(net, data.train, data.validation, epochs=EPOCHS, patience=EPOCHS)


def theirs(data: sml.Dataset) -> None:
    """The same network and optimizer."""
    MLPClassifier(
        (12,), batch_size=64, max_iter=EPOCHS, n_iter_no_change=EPOCHS, alpha=0, random_state=0
    ).fit(data.train.x, data.train.y)


def main() -> None:
    """Print both times and the ratio."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    data = sml.make_dataset(sml.weather.load())
    steps = EPOCHS * (len(data.train) // 64)
    seconds: dict[str, list[float]] = {"scratchml": [], "scikit-learn": []}
    with threadpool_limits(1):
        for _ in range(PAIRS):
            for name, fit in (("scratchml", ours), ("scikit-learn", theirs)):
                start = time.process_time()
                fit(data)
                seconds[name].append(time.process_time() - start)
    for name, times in seconds.items():
        print(f"{name:12}  {np.median(times) / steps * 1e6:6.1f} us a step")
    ratios = np.divide(seconds["scikit-learn"], seconds["scratchml"])
    spread = f"{ratios.min():.1f} .. {ratios.max():.1f}"
    print(f"scikit-learn / scratchml: {np.median(ratios):.1f} ({spread})")


if __name__ == "__main__":
    main()
