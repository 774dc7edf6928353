"""A tensor as a ``.tflite`` file describes it, and what is asked of it before it is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types as N

from scratchml.affine import Quantization
from scratchml.errors import ScratchmlError
from scratchml.tflite.flatbuffer import Node, Tables
from scratchml.tflite.schema import MAX_RANK, TENSOR_TYPES, type_name

#: What to do with a model that is not int8 throughout.
CONVERT = "convert it with int8 weights and activations (a representative data set is needed)"


@dataclass(frozen=True)
class Tensor:
    """``data`` is empty for an activation.

    Arrays are views of the file: thousands of tensors that name one large buffer cost nothing.
    """

    shape: tuple[int, ...]
    type: int
    data: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray[np.int64]
    quantized_dimension: int

    @classmethod
    def read(cls, node: Node, buffers: Tables) -> Tensor:
        parameters = node.table(4)
        buffer = buffers[node.scalar(2, N.Uint32Flags)]
        dimensions = node.numbers(0, "<i4")
        if len(dimensions) > MAX_RANK:
            raise ScratchmlError(f"a tensor has {len(dimensions)} dimensions")
        if (dimensions < 0).any():
            raise ScratchmlError(f"a tensor of shape {tuple(dimensions.tolist())}")
        if node.table(6):
            raise ScratchmlError("sparse tensors are not supported")
        return cls(
            tuple(dimensions.tolist()),
            node.scalar(1, N.Int8Flags),
            buffer.numbers(0, "u1"),
            parameters.numbers(2, "<f4") if parameters else np.zeros(0, np.float32),
            parameters.numbers(3, "<i8") if parameters else np.zeros(0, np.int64),
            parameters.scalar(6, N.Int32Flags) if parameters else 0,
        )

    @property
    def type_name(self) -> str:
        return type_name(self.type)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def quantization(self, kind: str = "INT8") -> Quantization:
        """Of an activation of this type."""
        if self.type_name != kind:
            raise ScratchmlError(f"{self.type_name} instead of {kind}: {CONVERT}")
        if len(self.scales) != 1 or len(self.zero_points) != 1:
            raise ScratchmlError(
                f"an activation has {len(self.scales)} scales and {len(self.zero_points)} zero "
                "points: one of each is needed"
            )
        scale, zero_point = float(self.scales[0]), int(self.zero_points[0])
        least = 0 if kind == "UINT8" else -128
        if not 0 < scale < math.inf or not least <= zero_point <= least + 255:
            raise ScratchmlError(f"an activation has scale {scale:g} and zero point {zero_point}")
        return Quantization(scale, zero_point)

    def same_codes(self, other: Tensor) -> bool:
        """Whether the other tensor's values mean the same, by one scale or none."""
        return (
            self.type == other.type
            and max(len(self.scales), len(self.zero_points)) <= 1
            and np.array_equal(self.scales, other.scales)
            and np.array_equal(self.zero_points, other.zero_points)
        )

    def weight_scales(self, outputs: int) -> npt.NDArray[np.float32]:
        """Of symmetric weights: one, or one for each output."""
        scales = self.scales
        if len(scales) not in (1, outputs) or not ((scales > 0) & np.isfinite(scales)).all():
            raise ScratchmlError(
                f"the weights have {len(scales)} scales: 1 or {outputs} positive ones are needed"
            )
        if len(self.zero_points) not in (1, len(scales)):
            raise ScratchmlError(
                f"the weights have {len(scales)} scales and {len(self.zero_points)} zero points"
            )
        if len(scales) > 1 and self.quantized_dimension != 0:
            raise ScratchmlError("the weights' scales do not run along the outputs")
        return scales

    def values(self, dtype: str, count: int) -> npt.NDArray[Any]:
        """The ``count`` values of a constant, which must be of this type and have zero point 0."""
        kind = np.dtype(dtype)
        if self.type != TENSOR_TYPES[kind]:
            expected = type_name(TENSOR_TYPES[kind])
            raise ScratchmlError(f"a constant is {self.type_name} instead of {expected}: {CONVERT}")
        if self.elements != count:
            raise ScratchmlError(f"a constant of shape {self.shape} instead of {count} values")
        if len(self.data) != kind.itemsize * count:
            raise ScratchmlError("a constant's buffer has the wrong length")
        if self.zero_points.any():
            raise ScratchmlError("a constant's zero point is not 0")
        return self.data.view(kind)
