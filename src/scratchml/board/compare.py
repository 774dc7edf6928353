"""The board's bytes beside numpy's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scratchml.board.answers import Forecast
from scratchml.board.client import Board
from scratchml.quantized import QuantizedMLP
from scratchml.verify import Comparison, compare, random_counts


def compare_rows(
    board: Board,
    model: QuantizedMLP,
    rows: int,
    seed: int,
    follow: Callable[[str], Callable[[int], None]],
) -> list[Comparison]:
    """Random int8 rows through ``run``, and random counts through ``feed``.

    Args:
        rows: of each kind; a model without a scaler has no counts.
        follow: called with the name of a kind, for the function to tell how many rows are done.
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(-128, 128, (rows, model.inputs), np.int8)
    outputs = board.run(codes, follow("codes"))
    comparisons = [compare("board", "random rows", codes, model.run(codes), outputs)]
    if model.features is not None:
        counts = random_counts(model.features.tiled(model.inputs), rows, rng)
        forecasts = board.feed(counts, follow("counts"))
        expected = model.run(model.prepare_input(counts))[:, :1]
        first = np.array([[forecast.code] for forecast in forecasts])
        comparisons.append(compare("board", "random counts", counts, expected, first))
    return comparisons


def expected_forecasts(model: QuantizedMLP, counts: npt.NDArray[np.int32]) -> list[Forecast]:
    """What the board is to answer to ``feed`` for each row of counts ``[n, inputs]``."""
    codes = model.run(model.prepare_input(counts))[:, 0].tolist()
    return [Forecast.of(code, model.decision_threshold) for code in codes]
