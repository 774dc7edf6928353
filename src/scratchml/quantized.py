"""The int8 perceptron: layers, what its numbers mean, and how it is run in numpy integers.

``quantize`` makes such a model from a float network and ``tflite`` reads one from a file;
``layers`` holds the integers and ``integer`` says what is computed with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml import integer
from scratchml.affine import PROBABILITY, Quantization
from scratchml.errors import ScratchmlError
from scratchml.evaluate import threshold_code
from scratchml.features import Features
from scratchml.files import atomic_write
from scratchml.front_end import FrontEnd
from scratchml.layers import MAX_CLASSES, QuantizedDense, Softmax
from scratchml.layouts import PORTABLE
from scratchml.mlp import MAX_UNITS
from scratchml.rows import Rows, Scaler
from scratchml.target import Target

Int8 = npt.NDArray[np.int8]

#: Keys of the file's metadata that are fields of the model.
RESERVED = ("features", "front_end", "target", "threshold")


@dataclass(frozen=True, eq=False)
class QuantizedMLP:
    """An int8 perceptron: layers, perhaps a softmax, and what its numbers mean.

    Attributes:
        layers: one or more; ``softmax``: what follows the last one, or ``None``.
        scaler: of the sensor counts, or ``None`` for a model that takes int8 codes only.
        threshold: probabilities from here on count as positive, if the output is one sigmoid.
        metadata: JSON values that travel with the model (recipe, seed, fingerprint).
        front_end: from a stream of raw counts to those that the scaler takes, or ``None``.
        target: what the output of a regression stands for, or ``None``: for itself.

    Raises:
        ScratchmlError: shapes do not fit each other, no int8 code stands for the threshold, or for
            some input a 32-bit accumulator would overflow.
    """

    layers: tuple[QuantizedDense, ...]
    softmax: Softmax | None = None
    scaler: Scaler | None = None
    threshold: float = 0.5
    metadata: Mapping[str, Any] = field(default_factory=dict)
    front_end: FrontEnd | None = None
    target: Target | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MAX_UNITS:
            raise ScratchmlError(
                f"a model of {len(self.layers)} layers: 1 to {MAX_UNITS} are possible"
            )
        if max(self.sizes) > MAX_UNITS or min(self.sizes) < 1:
            raise ScratchmlError(f"a layer has 1 to {MAX_UNITS} units, not those of {self.sizes}")
        for above, below in pairwise(self.layers):
            if below.weights.shape[1] != above.weights.shape[0]:
                raise ScratchmlError(
                    f"{below.name} takes {below.weights.shape[1]} inputs, "
                    f"but the layer before it has {above.weights.shape[0]} outputs"
                )
        if self.softmax and self.outputs > MAX_CLASSES:
            raise ScratchmlError(
                f"a softmax of {self.outputs} classes: TensorFlow Lite Micro's arithmetic holds "
                f"for {MAX_CLASSES} at most"
            )
        if self.scaler and self.inputs % len(self.scaler.names):
            raise ScratchmlError(
                f"{self.inputs} inputs are not whole windows of {len(self.scaler.names)} channels"
            )
        threshold_code(self.threshold)
        if self.metadata.keys() & set(RESERVED):
            raise ScratchmlError(f"metadata named {', '.join(RESERVED)}: these are the model's own")
        if self.target and (self.output != "linear" or self.outputs != 1):
            raise ScratchmlError("a target is what one linear output stands for")
        if self.front_end:
            self._check_front_end(self.front_end)
        for layer in self.layers:
            layer.check_accumulators()
        _ = self.features  # what cannot be computed is refused now

    def _check_front_end(self, front_end: FrontEnd) -> None:
        """It must give what the scaler takes: as many values, of the same channels."""
        if front_end.inputs != self.inputs:
            raise ScratchmlError(
                f"the front end gives {front_end.inputs} values, the network takes {self.inputs}"
            )
        given = tuple((c.name, c.unit, c.resolution) for c in front_end.feature_channels)
        if self.scaler is None or self.scaler.channels != given:
            raise ScratchmlError("the channels of the front end and of the scaler are not the same")

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
    def output(self) -> str:
        """What the outputs are: ``sigmoid``, ``softmax`` or ``linear``, as in ``mlp.OUTPUTS``."""
        if self.softmax:
            return "softmax"
        following = self.layers[-1].following
        return "sigmoid" if following and following[-1].kind == "logistic" else "linear"

    @property
    def output_quantization(self) -> Quantization:
        """What an output code stands for."""
        return PROBABILITY if self.softmax else self.layers[-1].output

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, as the metadata has them; empty if it does not, or not enough."""
        names = self.metadata.get("classes")
        wanted = {"sigmoid": 2, "softmax": self.outputs}.get(self.output)
        if not isinstance(names, (list, tuple)) or len(names) != wanted:
            return ()
        return tuple(map(str, names))

    @property
    def decision_threshold(self) -> int:
        """The threshold as an int8 code: positive from this output code on."""
        return threshold_code(self.threshold)

    @property
    def memory_bytes(self) -> int:
        """RAM for activations of a byte each: the two sides of the widest layer, in whole words."""
        return PORTABLE.memory_bytes(self.sizes)

    @cached_property
    def features(self) -> Features | None:
        """The scaler in integers, or ``None``."""
        return Features.of(self.scaler, self.layers[0].source) if self.scaler else None

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
        return self.softmax.run(codes) if self.softmax else codes

    def decision_scores(self, rows: Rows) -> Int8:
        """The first output's code for each row ``[n]``, from its sensor counts."""
        return self.run(self.prepare_input(rows.counts))[:, 0]

    def predictions(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Real outputs ``[n, outputs]`` from sensor counts: what the output codes stand for.

        Raises:
            ScratchmlError: the rows' target has another scale than the model's.
        """
        if self.target and rows.target and rows.target != self.target:
            raise ScratchmlError(
                f"the model tells {self.target.name} with mean {self.target.mean:g} and deviation "
                f"{self.target.std:g}, the rows have another scale: make them with target=model."
                f"target"
            )
        return self.output_quantization.real(self.run(self.prepare_input(rows.counts)))

    def decide(self, codes: Int8) -> npt.NDArray[Any] | None:
        """What output codes ``[n, outputs]`` decide, ``[n]``; ``None`` if they decide nothing.

        The likeliest class of a softmax (the first of equal ones), yes or no of one sigmoid.
        """
        if self.output == "softmax":
            return np.asarray(codes.argmax(axis=1))
        if self.output == "sigmoid" and self.outputs == 1:
            return np.asarray(codes[:, 0] >= self.decision_threshold)
        return None

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
