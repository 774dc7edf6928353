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
from threadpoolctl import threadpool_limits

from scratchml.dataset import Rows
from scratchml.errors import ScratchmlError
from scratchml.mlp import MLP, Floats
from scratchml.quantized import Quantization, QuantizedDense, QuantizedMLP, round_half_away

#: The largest code that the converter plans for a bias.
BIAS_MAX = 2**30 - 1


def quantize(
    net: MLP, calibration: Rows | Floats, *, metadata: Mapping[str, Any] | None = None
) -> QuantizedMLP:
    """Quantize a trained network, with ranges as seen on calibration rows.

    Args:
        calibration: training rows, whose scaler the model takes over; or plain inputs
            ``[n, inputs]``, for a model that takes int8 codes only.
        metadata: JSON values to store with the model.

    Raises:
        ScratchmlError: no calibration rows, weights or inputs that are not finite, or a layer
            whose accumulator could overflow.
    """
    scaler = calibration.scaler if isinstance(calibration, Rows) else None
    x = calibration.x if isinstance(calibration, Rows) else calibration
    if len(x) == 0:
        raise ScratchmlError("there are no calibration rows: they set the ranges of the int8 codes")
    if not np.isfinite(net.parameters).all() or not np.isfinite(x).all():
        raise ScratchmlError("the weights or the calibration rows hold NaN or infinity")
    # one thread: the same sums whatever the machine is doing
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        activations = [x, *net.activations(x)]
    ranges = [activation_quantization(float(a.min()), float(a.max())) for a in activations]
    last = len(net.weights) - 1
    layers = tuple(
        quantize_dense(w, ranges[i], ranges[i + 1], relu=i < last, name=f"layer {i + 1}")
        for i, w in enumerate(net.weights)
    )
    try:
        return QuantizedMLP(
            layers, net.output == "sigmoid", scaler, net.threshold, dict(metadata or {})
        )
    except ScratchmlError as error:
        dead = [i for i, a in enumerate(activations[1:-1], start=1) if not a.any()]
        if not dead:
            raise
        raise ScratchmlError(
            f"no calibration row activates layer {dead[0]}: train again, with another seed or a "
            f"lower learning rate ({error})"
        ) from None


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
    w: Floats, source: Quantization, target: Quantization, *, relu: bool, name: str = "layer"
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
        np.clip(_round_half_away(codes), -127, 127).astype(np.int8),
        scales,
        _round_half_away(bias * (one / bias_scales)).astype(np.int32),
        source,
        target,
        relu,
        name,
    )


def _round_half_away(values: Floats) -> Floats:
    return np.copysign(np.floor(np.abs(values) + 0.5), values)
