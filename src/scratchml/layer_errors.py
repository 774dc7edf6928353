"""What int8 costs, tensor by tensor: the float network and the int8 one on the same rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from scratchml.affine import Quantization
from scratchml.mlp import MLP, OUTPUTS, Floats
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Rows


@dataclass(frozen=True)
class LayerError:
    """The error of one tensor over ``rows`` rows, everything before it being int8 as well.

    Attributes:
        sqnr: signal-to-quantization-noise ratio, ``10 log10(sum x^2 / sum error^2)`` dB.
        saturated: share of float values beyond the reach of the tensor's codes.
        largest: error, in the tensor's own units.
        flips: rows whose decision would change if the network went on in float from here;
            ``None`` where the outputs decide nothing.
    """

    name: str
    rows: int
    sqnr: float
    saturated: float
    largest: float
    flips: int | None


def layer_errors(net: MLP, model: QuantizedMLP, rows: Rows) -> list[LayerError]:
    """The input, every layer and the output, in that order; ``model`` was made from ``net``."""
    codes = model.prepare_input(rows.counts)
    with threadpool_limits(1, user_api="blas"):
        floats = [rows.x, *net.activations(rows.x)]
        decided = _decide(net, net.predict(rows.x))
        quantization, errors = model.layers[0].source, []
        for number, values in enumerate(floats):
            if number:
                layer = model.layers[number - 1]
                codes, quantization = layer.run(codes), layer.output
            if number == len(floats) - 1:
                break
            real = quantization.real(codes)
            logits = net.forward(real, start=number)[-1][1]
            flips = _flips(net, decided, OUTPUTS[net.output].predict(logits))
            name = f"layer {number}" if number else "input"
            errors.append(_error(name, values, real, quantization, flips))
        predictions = OUTPUTS[net.output].predict(floats[-1])
    if model.softmax:
        codes, quantization = model.softmax.run(codes), model.output_quantization
    real = quantization.real(codes)
    outputs = model.decide(codes)
    flips = None if decided is None or outputs is None else int((decided != outputs).sum())
    return [*errors, _error("output", predictions, real, quantization, flips)]


def _error(
    name: str, values: Floats, real: Floats, quantization: Quantization, flips: int | None
) -> LayerError:
    wide = values.astype(np.float64)
    error = wide - real
    noise = float((error**2).sum())
    ends = quantization.real(np.array([-128, 127], np.int8)).astype(np.float64)
    half = quantization.scale / 2
    beyond = (wide < ends[0] - half) | (wide > ends[1] + half)
    return LayerError(
        name,
        len(values),
        10 * math.log10(float((wide**2).sum()) / noise) if noise and wide.any() else math.inf,
        float(beyond.mean()),
        float(np.abs(error).max()),
        flips,
    )


def _decide(net: MLP, predictions: Floats) -> npt.NDArray[np.int64] | None:
    """What predictions ``[n, outputs]`` decide, as ``QuantizedMLP.decide`` does it for codes."""
    if net.output == "softmax":
        return np.asarray(predictions.argmax(axis=1))
    if net.output == "sigmoid" and net.sizes[-1] == 1:
        return (predictions[:, 0] >= net.threshold).astype(np.int64)
    return None


def _flips(net: MLP, decided: npt.NDArray[np.int64] | None, predictions: Floats) -> int | None:
    return None if decided is None else int((decided != _decide(net, predictions)).sum())
