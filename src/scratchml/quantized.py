"""The int8 perceptron: the numbers of its ``.tflite`` file, and the integers derived from them.

``real = scale * (code - zero_point)``. ``quantize`` makes such a model from a float network and
``tflite`` reads one from a file; ``integer`` says what its layers compute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml import integer
from scratchml.dataset import Rows, Scaler
from scratchml.errors import ScratchmlError
from scratchml.evaluate import threshold_code
from scratchml.files import atomic_write

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Quantization:
    """What the codes of an activation stand for: ``real = scale * (code - zero_point)``."""

    scale: float  # a float32 value
    zero_point: int


#: Every probability, by convention: code -128 is 0 and 127 is 255/256.
PROBABILITY = Quantization(1 / 256, -128)

#: Units of a layer, and layers of a model: the engine counts both in 16 bits.
MAX_UNITS = 2**16 - 1


@dataclass(frozen=True, eq=False)
class QuantizedDense:
    """One fully connected layer as the ``.tflite`` file has it, and the integers derived from it.

    Attributes:
        weights: ``[outputs, inputs]``; ``weight_scales``: float32 ``[outputs]``.
        bias: ``[outputs]``, in units of ``source.scale * weight_scales``.
        source, target: quantization of the layer's input and output.
        relu: whether the output is clamped at zero.
    """

    weights: Int8
    weight_scales: npt.NDArray[np.float32]
    bias: npt.NDArray[np.int32]
    source: Quantization
    target: Quantization
    relu: bool
    name: str = "layer"

    @cached_property
    def _constants(self) -> tuple[Int64, Int64, Int64]:
        """Folded bias, multiplier and shift, ``[outputs]`` each."""
        factors = self.source.scale * self.weight_scales.astype(np.float64) / self.target.scale
        pairs = [quantize_multiplier(float(factor)) for factor in factors]
        multiplier, shift = np.array(pairs, np.int64).T.copy()
        sums = self.weights.sum(axis=1, dtype=np.int64)
        bias = self.bias - self.source.zero_point * sums
        # A row of zeros has a constant output. Its bias may be as large as 2^30, so it is replaced
        # by its result, which a factor of exactly 1 (2^30 / 2^31 * 2^1) leaves as it is. A result
        # that does not fit in 32 bits stays as it is, for check_accumulators to refuse.
        fits = (shift <= 30) & (np.abs(bias) << np.clip(shift, 0, 30) < 2**31)
        zero = ~self.weights.any(axis=1) & fits
        bias[zero] = integer.requantize(bias[zero], multiplier[zero], shift[zero])
        multiplier[zero], shift[zero] = 2**30, 1
        return bias, multiplier, shift

    @property
    def folded_bias(self) -> npt.NDArray[np.int32]:
        """The bias less the input's zero point times the sum of the row's weights."""
        return self._constants[0].astype(np.int32)

    @property
    def multiplier(self) -> npt.NDArray[np.int32]:
        return self._constants[1].astype(np.int32)

    @property
    def shift(self) -> npt.NDArray[np.int8]:
        return self._constants[2].astype(np.int8)

    @property
    def act_min(self) -> int:
        return max(-128, self.target.zero_point) if self.relu else -128

    @property
    def act_max(self) -> int:
        return 127

    def check_accumulators(self) -> None:
        """Prove that no int8 input can overflow: ``(|bias| + 128 sum|w|) << shift < 2^31 - 128``.

        The 128 are for the zero point, which is added to a result that may be as large.

        Raises:
            ScratchmlError: it cannot be proved.
        """
        bias, _, shift = self._constants
        reach = np.abs(bias) + 128 * np.abs(self.weights.astype(np.int64)).sum(axis=1)
        # in exact Python integers: a shift may be as large as 1024
        for channel, (bound, left) in enumerate(zip(reach.tolist(), shift.tolist(), strict=True)):
            if left > 30 or bound << max(left, 0) >= 2**31 - 128:
                raise ScratchmlError(
                    f"{self.name}, output {channel}: its accumulator can leave 32 bits "
                    f"(up to {bound} << {max(left, 0)}), so no exact C can be exported"
                )

    def run(self, x: Int8) -> Int8:
        """``x[n, inputs]`` to ``[n, outputs]``."""
        return integer.dense(
            x,
            self.weights,
            self.folded_bias,
            self.multiplier,
            self.shift,
            self.target.zero_point,
            self.act_min,
            self.act_max,
        )


@dataclass(frozen=True)
class Features:
    """The scaler in integers: what ``sml_prepare_input`` needs, a value for each channel."""

    mean: npt.NDArray[np.int32]
    low: npt.NDArray[np.int32]
    high: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]

    @classmethod
    def of(cls, scaler: Scaler, target: Quantization) -> Features:
        """``code = (counts - mean) / (resolution * std * scale) + zero_point``.

        Counts are clamped to where the code has long saturated, so that nothing overflows.

        Raises:
            ScratchmlError: a channel's counts do not fit in 31 bits.
        """
        columns = []
        for name, resolution, mean, std in zip(
            scaler.names, scaler.resolution, scaler.mean, scaler.std, strict=True
        ):
            step = min(resolution, 2**31) * std * target.scale  # counts a code
            if (
                not resolution < 2**31
                or not 2**-30 < step < 2**20
                or not abs(mean * resolution) < 2**29
            ):
                raise ScratchmlError(f"{name}: {resolution} counts a unit do not fit in 31 bits")
            factor, center = 1 / step, round_half_away(mean * resolution)
            reach = math.ceil(257 * step)  # codes span 255, zero point included
            columns.append((center, center - reach, center + reach, *quantize_multiplier(factor)))
        mean_, low, high, multiplier, shift = np.array(columns, np.int32).T.copy()
        return cls(mean_, low, high, multiplier, shift.astype(np.int8))

    def tiled(self, inputs: int) -> Features:
        """A value for each of ``inputs`` inputs, which are whole windows of the channels."""
        windows = inputs // len(self.mean)
        return Features(
            np.tile(self.mean, windows),
            np.tile(self.low, windows),
            np.tile(self.high, windows),
            np.tile(self.multiplier, windows),
            np.tile(self.shift, windows),
        )


@dataclass(frozen=True, eq=False)
class QuantizedMLP:
    """An int8 perceptron: layers, an optional sigmoid, and what its numbers mean.

    Attributes:
        layers: one or more; ``logistic``: whether a sigmoid follows the last one.
        scaler: of the sensor counts, or ``None`` for a model that takes int8 codes only.
        threshold: probabilities from here on count as positive.
        metadata: JSON values that travel with the model (recipe, seed, fingerprint).

    Raises:
        ScratchmlError: shapes do not fit each other, no int8 code stands for the threshold, or for
            some input a 32-bit accumulator would overflow.
    """

    layers: tuple[QuantizedDense, ...]
    logistic: bool = False
    scaler: Scaler | None = None
    threshold: float = 0.5
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_UNITS:
            raise ScratchmlError(
                f"a model of {len(self.layers)} layers: 1 to {MAX_UNITS} are possible"
            )
        if max(self.sizes) > MAX_UNITS or min(self.sizes) < 1:
            raise ScratchmlError(f"a layer has 1 to {MAX_UNITS} units, not those of {self.sizes}")
        for above, below in zip(self.layers, self.layers[1:], strict=False):
            if below.weights.shape[1] != above.weights.shape[0]:
                raise ScratchmlError(
                    f"{below.name} takes {below.weights.shape[1]} inputs, "
                    f"but the layer before it has {above.weights.shape[0]} outputs"
                )
        if self.scaler and self.inputs % len(self.scaler.names):
            raise ScratchmlError(
                f"{self.inputs} inputs are not whole windows of {len(self.scaler.names)} channels"
            )
        threshold_code(self.threshold)
        if {"features", "threshold"} & self.metadata.keys():
            raise ScratchmlError("metadata named features or threshold: these are the model's own")
        for layer in self.layers:
            layer.check_accumulators()
        _ = self.features, self.logistic_table  # what cannot be computed is refused now

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units from input to output."""
        return (self.inputs, *(layer.weights.shape[0] for layer in self.layers))

    @property
    def inputs(self) -> int:
        return int(self.layers[0].weights.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.layers[-1].weights.shape[0])

    @property
    def decision_threshold(self) -> int:
        """The threshold as an int8 code: positive from this output code on."""
        return threshold_code(self.threshold)

    @property
    def memory_bytes(self) -> int:
        """RAM for activations: the two sides of the widest layer."""
        return max(sum(layer.weights.shape) for layer in self.layers)

    @cached_property
    def features(self) -> Features | None:
        """The scaler in integers, or ``None``."""
        return Features.of(self.scaler, self.layers[0].source) if self.scaler else None

    @cached_property
    def logistic_table(self) -> Int8 | None:
        """``[256]``: the output code for logit code ``i - 128``; ``None`` without a sigmoid."""
        if not self.logistic:
            return None
        target = self.layers[-1].target
        multiplier, shift = quantize_multiplier(target.scale * 2**27)
        if not 0 <= shift <= 62:  # beyond it TensorFlow Lite Micro's own arithmetic is undefined
            raise ScratchmlError(f"a sigmoid cannot follow logits of scale {target.scale:g}")
        return integer.logistic_table(target.zero_point, multiplier, shift)

    def prepare_input(self, counts: npt.ArrayLike) -> Int8:
        """Sensor counts ``[n, inputs]`` to int8 rows, by the same integers as on the board.

        Raises:
            ScratchmlError: the model has no scaler, or the counts are not int32 rows of its width.
        """
        if self.features is None:
            raise ScratchmlError("this model has no scaler: give it int8 rows instead of counts")
        rows = self.check_rows(counts, np.int32)
        f, zero_point = self.features.tiled(self.inputs), self.layers[0].source.zero_point
        return integer.prepare_input(rows, f.mean, f.low, f.high, f.multiplier, f.shift, zero_point)

    def run(self, x: npt.ArrayLike) -> Int8:
        """int8 rows ``[n, inputs]`` to int8 rows ``[n, outputs]``, in numpy integers.

        Raises:
            ScratchmlError: ``x`` does not hold int8 rows of the model's width.
        """
        codes = self.check_rows(x, np.int8)
        for layer in self.layers:
            codes = layer.run(codes)
        table = self.logistic_table
        return codes if table is None else table[codes.astype(np.intp) + 128]

    def decision_scores(self, rows: Rows) -> Int8:
        """The output code for each row ``[n]``, from its sensor counts."""
        return self.run(self.prepare_input(rows.counts))[:, 0]

    def check_rows(self, rows: npt.ArrayLike, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """``rows`` as ``dtype[n, inputs]``, contiguous; values that would not fit are refused."""
        given, kind = np.asarray(rows), np.dtype(dtype)
        if given.ndim != 2 or given.shape[1] != self.inputs:
            raise ScratchmlError(
                f"rows of shape {given.shape}: this model takes [n, {self.inputs}] {kind.name}"
            )
        limits = np.iinfo(kind)
        fits = np.issubdtype(given.dtype, np.integer) and (
            given.size == 0 or (given.min() >= limits.min and given.max() <= limits.max)
        )
        if not fits:
            raise ScratchmlError(f"rows of {given.dtype.name}: this model takes {kind.name} values")
        return np.ascontiguousarray(given, kind)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a ``.tflite`` file."""
        from scratchml import tflite  # the next stage, which knows this one

        atomic_write(Path(path), tflite.to_bytes(self))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> QuantizedMLP:
        """Read a ``.tflite`` file.

        Raises:
            ScratchmlError: the file is damaged, or holds something other than an int8 perceptron.
        """
        from scratchml import tflite

        try:
            return tflite.from_bytes(Path(path).read_bytes())
        except ScratchmlError as error:
            raise ScratchmlError(f"{path}: {error}") from None


def quantize_multiplier(factor: float) -> tuple[int, int]:
    """``factor`` as ``multiplier / 2^31 * 2^shift`` with 31 bits of multiplier, or (0, 0).

    A factor below 2^-32 counts as 0. Source: TensorFlow Lite Micro, ``QuantizeMultiplier``.
    """
    fraction, shift = math.frexp(factor)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (multiplier, shift) if shift >= -31 else (0, 0)


def round_half_away(value: float) -> int:
    """The nearest integer, ties away from zero: C's ``lround``, not Python's ``round``."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)
