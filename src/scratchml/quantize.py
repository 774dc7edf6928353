"""From a float network to an int8 one: calibration, and the choice of scales and zero points.

Activations have one scale each, chosen from the range seen on calibration rows; weights are
symmetric (zero point 0) with one scale for each output. The choices are those of TFLiteConverter,
tensor by tensor: docs/arithmetic.md gives every formula.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scratchml.affine import PROBABILITY, Quantization, nearest, round_half_away
from scratchml.calibrate import observe, observed_range
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.mlp import MLP, Floats
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Rows

#: The largest code that the converter plans for a bias.
BIAS_MAX = 2**30 - 1


def quantize(
    net: MLP,
    calibration: Rows | Floats,
    *,
    percentile: float = 100.0,
    metadata: Mapping[str, Any] | None = None,
    front_end: FrontEnd | None = None,
) -> QuantizedMLP:
    """Quantize a trained network, with ranges as seen on calibration rows.

    Args:
        calibration: training rows, whose scaler and target the model takes over; or plain inputs
            ``[n, inputs]``, for a model that takes int8 codes only.
        percentile: 100 for ranges from the least to the greatest value seen, as TFLiteConverter
            chooses them; 99.9 leaves a thousandth out at either end, so that outliers do not
            make the steps between codes coarse for all other values.
        metadata: JSON values to store with the model.
        front_end: what made the rows' counts of a stream of samples, to store with the model.

    Raises:
        ScratchmlError: no calibration rows, weights or inputs that are not finite, a percentile
            outside (50, 100], or a layer whose accumulator could overflow.
    """
    scaler, target = None, None
    if isinstance(calibration, Rows):
        scaler, target = calibration.scaler, calibration.target
    tensors = observe(net, calibration.x if isinstance(calibration, Rows) else calibration)
    ranges = [activation_quantization(*observed_range(t, percentile)) for t in tensors]
    try:
        layers = _layers(net, ranges)
        softmax = Softmax(layers[-1].output) if net.output == "softmax" else None
        stored = dict(metadata or {})
        return QuantizedMLP(layers, softmax, scaler, net.threshold, stored, front_end, target)
    except ScratchmlError as error:
        dead = [i for i, a in enumerate(tensors[1:-1], start=1) if not a.any()]
        if not dead:
            raise
        raise ScratchmlError(
            f"no calibration row activates layer {dead[0]}: train again, with another seed or a "
            f"lower learning rate ({error})"
        ) from None


def _layers(net: MLP, ranges: list[Quantization]) -> tuple[QuantizedDense, ...]:
    """Every layer; ``ranges`` are those of the input and of each layer's output (or its sums)."""
    layers: list[QuantizedDense] = []
    activations = (*net.hidden, "sigmoid" if net.output == "sigmoid" else "linear")
    for w, activation, target in zip(net.weights, activations, ranges[1:], strict=True):
        source, name = layers[-1].output if layers else ranges[0], f"layer {len(layers) + 1}"
        if activation == "sigmoid":  # an operator of its own, whose output has a fixed scale
            sigmoid = Elementwise("logistic", target, PROBABILITY)
            layers.append(quantize_dense(w, source, target, following=(sigmoid,), name=name))
        else:
            layers.append(quantize_dense(w, source, target, activation=activation, name=name))
    return tuple(layers)


def activation_quantization(low: float, high: float) -> Quantization:
    """Scale and zero point for values from ``low`` to ``high``; zero always has a code.

    The range is widened to reach zero, and to have a width if it has none.

    Raises:
        ScratchmlError: the range is wider than a float32 can say.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-6:
        low, high = low - 1e-6, high + 1e-6
    with np.errstate(over="ignore"):
        scale = float((np.float32(high) - np.float32(low)) / np.float32(255))
    if not math.isfinite(scale):
        raise ScratchmlError(f"activations from {low:g} to {high:g} leave the range of float32")
    zero_point = round_half_away(float(np.float32(-128 - low / scale)))
    return Quantization(scale, min(max(zero_point, -128), 127))


def quantize_dense(
    w: Floats,
    source: Quantization,
    target: Quantization,
    *,
    activation: str = "linear",
    following: tuple[Elementwise, ...] = (),
    name: str = "layer",
) -> QuantizedDense:
    """Quantize ``w[outputs, inputs + 1]``, whose last column is the bias.

    In float32 like the converter, which multiplies by reciprocals: a quotient rounded only once
    would give another code now and then.
    """
    weights, bias = w[:, :-1].astype(np.float32), w[:, -1].astype(np.float32)
    one = np.float32(1)
    scales = np.maximum(np.abs(weights).max(axis=1), np.float32(5e-7)) / np.float32(127)
    bias_scales = np.float32(source.scale) * scales
    # A bias must fit in 31 bits; where it would not, the weights give up precision for it.
    large = np.abs(bias).astype(np.float64) / bias_scales > BIAS_MAX
    raised = np.abs(bias[large]).astype(np.float64) / BIAS_MAX
    bias_scales[large], scales[large] = raised, raised / source.scale
    codes = weights * (one / scales)[:, None]
    if len(w) == 1 and large.any():
        # The converter takes its way for single-scale tensors here, which looks at the old scale:
        # close to the new one it keeps its codes. Beside so large a bias they hardly count.
        old = np.abs(weights).max()
        close = abs(old / np.float32(127) - scales[0]) <= 1e-3 and old > 0
        codes = weights * (np.float32(127) / old) if close else weights / scales.astype(np.float64)
    return QuantizedDense(
        np.clip(nearest(codes), -127, 127).astype(np.int8),
        scales,
        nearest(bias * (one / bias_scales)).astype(np.int32),
        source,
        target,
        activation,
        following,
        name,
    )
