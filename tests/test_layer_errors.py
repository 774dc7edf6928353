"""The error of int8, tensor by tensor, against plain loops over rows and units."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scratchml import MLP, Dataset, QuantizedMLP, Rows, Scaler, quantize
from scratchml.layer_errors import LayerError, layer_errors

Vector = list[float]

NETWORKS: dict[str, dict[str, Any]] = {
    "yes or no": {"sizes": [4, 6, 1]},
    "several yes or no": {"sizes": [4, 6, 3]},
    "classes": {"sizes": [4, 7, 5, 3], "output": "softmax"},
    "numbers": {"sizes": [4, 6, 2], "output": "linear"},
    "no hidden layer": {"sizes": [4, 3], "output": "softmax"},
    "other activations": {
        "sizes": [4, 6, 5, 4, 1],
        "activations": ["relu6", "sigmoid", "linear"],
    },
}


def some_rows(n: int = 150, seed: int = 0) -> Rows:
    """Rows of two channels twice, in hundredths, whose scaler is that of others."""
    rng = np.random.default_rng(seed)
    scaler = Scaler(("a", "b"), ("C", "%"), (100, 100), (1.5, 60.0), (4.0, 15.0))
    counts = np.column_stack([rng.normal(m, s, n) for m, s in [(150, 400), (6000, 1500)] * 2])
    labels = rng.integers(0, 2, n).astype(np.float32)
    return Rows(counts.round().astype(np.int32), labels, np.arange(n), scaler)


def trained_like(sizes: list[int], seed: int = 1, **options: Any) -> MLP:
    """A network with biases, and logits large enough to be decided."""
    net = MLP(sizes, seed=seed, **options)
    rng = np.random.default_rng(seed)
    for w in net.weights:
        w[:, -1] = rng.normal(0, 0.3, len(w))
    net.weights[-1][:] *= 2
    net.threshold = 0.4
    return net


def squashed(z: float) -> float:
    return 1 / (1 + math.exp(-z))


ACTIVATIONS = {
    "relu": lambda z: max(z, 0.0),
    "relu6": lambda z: min(max(z, 0.0), 6.0),
    "sigmoid": squashed,
    "linear": lambda z: z,
}


def onwards(net: MLP, values: Vector, start: int) -> list[Vector]:
    """What each layer from number ``start`` on puts out, logits last, for one row."""
    outputs = []
    for w, name in list(zip(net.weights, (*net.hidden, "linear"), strict=True))[start:]:
        sums = [
            float(row[-1]) + sum(float(c) * v for c, v in zip(row[:-1], values, strict=True))
            for row in w
        ]
        values = [ACTIVATIONS[name](z) for z in sums]
        outputs.append(values)
    return outputs


def predicted(net: MLP, logits: Vector) -> Vector:
    if net.output == "softmax":
        weights = [math.exp(z - max(logits)) for z in logits]
        return [w / sum(weights) for w in weights]
    return [squashed(z) for z in logits] if net.output == "sigmoid" else logits


def decision(net: MLP, predictions: Vector) -> int | None:
    if net.output == "softmax":
        return predictions.index(max(predictions))
    if net.output == "sigmoid" and len(predictions) == 1:
        return int(predictions[0] >= net.threshold)
    return None


def codes_after(model: QuantizedMLP, layers: int, row: Rows) -> list[list[int]]:
    """Codes after so many layers: those of a model that ends there."""
    if layers == 0:
        return [list(map(int, r)) for r in model.prepare_input(row.counts)]
    last = layers == len(model.layers)
    part = QuantizedMLP(model.layers[:layers], model.softmax if last else None, model.scaler)
    return [list(map(int, r)) for r in part.run(part.prepare_input(row.counts))]


def expected(net: MLP, model: QuantizedMLP, rows: Rows) -> list[LayerError]:
    """The same errors, one row, one unit, one sum at a time."""
    floats = [[list(map(float, x)), *onwards(net, list(map(float, x)), 0)] for x in rows.x]
    decided = [decision(net, predicted(net, row[-1])) for row in floats]
    found = []
    for place in range(len(net.sizes)):
        is_output = place == len(net.sizes) - 1
        quantization = (
            model.output_quantization
            if is_output
            else model.layers[place].source  # what the next layer reads
        )
        signal = noise = largest = 0.0
        beyond = count = flips = 0
        least, most = (
            quantization.scale * (code - quantization.zero_point) for code in (-128.5, 127.5)
        )
        codes_of_rows = codes_after(model, place, rows)
        for values, codes, choice in zip(floats, codes_of_rows, decided, strict=True):
            wanted = predicted(net, values[-1]) if is_output else values[place]
            real = [quantization.scale * (code - quantization.zero_point) for code in codes]
            for v, r in zip(wanted, real, strict=True):
                signal, noise = signal + v * v, noise + (v - r) ** 2
                largest = max(largest, abs(v - r))
                beyond, count = beyond + (v < least or v > most), count + 1
            if is_output and net.output == "sigmoid" and choice is not None:
                other: int | None = int(codes[0] >= model.decision_threshold)
            else:
                ending = real if is_output else predicted(net, onwards(net, real, place)[-1])
                other = decision(net, ending)
            flips += other != choice
        name = "output" if is_output else f"layer {place}" if place else "input"
        ratio = 10 * math.log10(signal / noise)
        none = decided[0] is None
        found.append(
            LayerError(name, len(rows), ratio, beyond / count, largest, None if none else flips)
        )
    return found


@pytest.mark.parametrize("percentile", [100.0, 95.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_errors_are_those_of_plain_loops(name: str, percentile: float) -> None:
    net, rows = trained_like(**NETWORKS[name]), some_rows()
    model = quantize(net, some_rows(seed=1), percentile=percentile)
    found, plain = layer_errors(net, model, rows), expected(net, model, rows)
    assert [e.name for e in found] == [e.name for e in plain]
    for ours, theirs in zip(found, plain, strict=True):
        assert (ours.rows, ours.flips) == (theirs.rows, theirs.flips), ours.name
        assert ours.saturated == theirs.saturated, ours.name
        assert ours.sqnr == pytest.approx(theirs.sqnr, abs=1e-3), ours.name
        assert ours.largest == pytest.approx(theirs.largest, rel=1e-3), ours.name


def test_narrow_ranges_saturate_and_flip_decisions() -> None:
    """So that the comparison above is not one of zeros with zeros."""
    flips, saturated = [], []
    for name in ("yes or no", "classes"):
        net = trained_like(**NETWORKS[name])
        model = quantize(net, some_rows(seed=1), percentile=80.0)
        errors = layer_errors(net, model, some_rows())
        flips.append(max(e.flips or 0 for e in errors))
        saturated.append(max(e.saturated for e in errors))
    assert min(flips) > 0
    assert min(saturated) > 0.05


@pytest.mark.parametrize("name", ["several yes or no", "numbers"])
def test_outputs_that_decide_nothing_have_no_flips(name: str) -> None:
    net = trained_like(**NETWORKS[name])
    errors = layer_errors(net, quantize(net, some_rows()), some_rows())
    assert [e.flips for e in errors] == [None] * 3


def test_values_that_are_codes_have_no_error() -> None:
    """Counts that the input's scale divides: 0 and the ends of the range."""
    scaler = Scaler(("a",), ("",), (1,), (0.0,), (1.0,))
    counts = np.array([[0], [255], [0], [255]], np.int32)
    rows = Rows(counts, np.zeros(4, np.float32), np.arange(4), scaler)
    net = MLP([1, 1], output="linear")
    net.weights[0][:] = [[1.0, 0.0]]
    model = quantize(net, rows)
    assert model.layers[0].source.scale == 1
    first, last = layer_errors(net, model, rows)
    assert first == LayerError("input", 4, math.inf, 0.0, 0.0, None)
    assert last.name == "output"
    assert last.largest <= 0.5 * model.layers[0].target.scale


def test_a_decision_at_the_output_is_that_of_the_codes(
    net: MLP, model: QuantizedMLP, data: Dataset
) -> None:
    """Where the threshold is no code, a probability just below it may be a yes in int8."""
    rows = data.test
    outputs = layer_errors(net, model, rows)[-1]
    scores = model.run(model.prepare_input(rows.counts))[:, 0]
    ours = net.predict(rows.x)[:, 0] >= net.threshold
    assert outputs.flips == int((ours != (scores >= model.decision_threshold)).sum())
    assert outputs.flips is not None and 0 < outputs.flips < len(rows) / 50
