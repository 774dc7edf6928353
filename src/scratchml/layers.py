"""The operators of an int8 perceptron as a ``.tflite`` file has them, and the integers they become.

A *dense* layer, then any number of *elementwise* operators, each a function of one code, and after
the last layer perhaps a *softmax*. ``integer`` says what they compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from scratchml import integer
from scratchml.affine import PROBABILITY, Quantization, quantize_multiplier
from scratchml.errors import ScratchmlError

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

CODES = np.arange(-128, 128)

#: Activations that a dense layer clamps to, under the names of ``mlp``: least and greatest value.
ACTIVATIONS: dict[str, tuple[float | None, float | None]] = {
    "linear": (None, None),
    "relu": (0.0, None),
    "relu6": (0.0, 6.0),
    "relu_n1_to_1": (-1.0, 1.0),
}

#: A softmax of more classes could overflow its sum of 31 bits.
MAX_CLASSES = 511


@dataclass(frozen=True)
class Elementwise:
    """A function of one code: ``relu``, ``relu6``, ``logistic`` or ``quantize``.

    Attributes:
        source, target: quantization of its input and output.

    Raises:
        ScratchmlError: its quantization is one that TensorFlow Lite Micro does not allow, or for
            which its arithmetic would overflow.
    """

    kind: str
    source: Quantization
    target: Quantization

    def __post_init__(self) -> None:
        _ = self.table  # what cannot be computed is refused now

    @cached_property
    def table(self) -> Int8:
        """``[256]``: the output code for input code ``i - 128``."""
        return {
            "logistic": self._logistic,
            "quantize": self._quantize,
            "relu": self._relu,
            "relu6": self._relu6,
        }[self.kind]()

    def _logistic(self) -> Int8:
        if self.target != PROBABILITY:
            raise ScratchmlError("a LOGISTIC output must have scale 1/256 and zero point -128")
        multiplier, shift = quantize_multiplier(self.source.scale * 2**27)
        # beyond them TensorFlow Lite Micro's own arithmetic is undefined; 0 is a factor too small
        if multiplier == 0 or not 0 <= shift <= 62:
            raise ScratchmlError(f"a sigmoid cannot follow logits of scale {self.source.scale:g}")
        return integer.logistic_table(self.source.zero_point, multiplier, shift)

    def _quantize(self) -> Int8:
        return self._rescale(self.source.scale / self.target.scale, -128)

    def _relu(self) -> Int8:
        return self._rescale(self.source.scale / self.target.scale, self.target.zero_point)

    def _relu6(self) -> Int8:
        # clamps the codes of its input and looks at nothing else
        low, high = self.source.zero_point, self.source.code_of(6)
        return np.clip(CODES, low, high).astype(np.int8)

    def _rescale(self, factor: float, low: int) -> Int8:
        multiplier, shift = quantize_multiplier(factor) if np.isfinite(factor) else (0, 31)
        if shift > 23:  # 255 << 24 leaves 32 bits
            raise ScratchmlError(
                f"{self.kind.upper()} from a scale of {self.source.scale:g} "
                f"to one of {self.target.scale:g}: its product leaves 32 bits"
            )
        value = integer.requantize(CODES - self.source.zero_point, multiplier, shift)
        return np.clip(value + self.target.zero_point, low, 127).astype(np.int8)


@dataclass(frozen=True)
class Softmax:
    """The softmax of ``beta`` times the logits, whose codes have the quantization ``source``.

    Raises:
        ScratchmlError: logits of too small a scale.
    """

    source: Quantization
    beta: float = 1.0

    def __post_init__(self) -> None:
        _ = self.table

    @cached_property
    def table(self) -> npt.NDArray[np.int32]:
        """``[256]``: ``exp(-beta * scale * d)`` in Q0.31, for logits ``d`` codes below the most."""
        factor = min(self.beta * self.source.scale * 2**26, 2**31 - 1)
        if not factor > 1:
            raise ScratchmlError(
                f"a softmax of beta {self.beta:g} cannot follow logits of scale "
                f"{self.source.scale:g}"
            )
        return integer.exp_table(*quantize_multiplier(factor)).astype(np.int32)

    def run(self, x: Int8) -> Int8:
        """``x[n, classes]`` to probabilities of scale 1/256 and zero point -128, same shape."""
        return integer.softmax(x, self.table)


@dataclass(frozen=True, eq=False)
class QuantizedDense:
    """One fully connected layer as the file has it, and the integers derived from it.

    Attributes:
        weights: ``[outputs, inputs]``; ``weight_scales``: float32 ``[outputs]``.
        bias: ``[outputs]``, in units of ``source.scale * weight_scales``.
        source, target: quantization of the layer's input and output.
        activation: a key of ``ACTIVATIONS``.
        following: operators between this layer and the next, in their order.
    """

    weights: Int8
    weight_scales: npt.NDArray[np.float32]
    bias: npt.NDArray[np.int32]
    source: Quantization
    target: Quantization
    activation: str = "linear"
    following: tuple[Elementwise, ...] = ()
    name: str = "layer"

    @property
    def output(self) -> Quantization:
        """Of what the next layer reads."""
        return self.following[-1].target if self.following else self.target

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

    @cached_property
    def _clamp(self) -> tuple[int, int, Int8 | None]:
        """The least and the greatest code, and a table ``[256]`` for what else follows, if any.

        All that follows is one table; where that does no more than clamp, it is a clamp.
        """
        least, most = ACTIVATIONS[self.activation]
        low = -128 if least is None else self.target.code_of(least)
        high = 127 if most is None else self.target.code_of(most)
        table = CODES.astype(np.int8)
        for function in self.following:
            table = function.table[table.astype(np.intp) + 128]
        reached = CODES[low + 128 : high + 129]
        ends = int(table[low + 128]), int(table[high + 128])
        if (np.clip(reached, *ends) == table[reached + 128]).all():
            return *ends, None
        return low, high, table

    @property
    def act_min(self) -> int:
        """The least code that the layer's clamp lets through."""
        return self._clamp[0]

    @property
    def act_max(self) -> int:
        """The greatest."""
        return self._clamp[1]

    @property
    def table(self) -> Int8 | None:
        """``[256]``, the code for code ``i - 128`` after the clamp; ``None`` if that is the end."""
        return self._clamp[2]

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
        codes = integer.dense(
            x,
            self.weights,
            self.folded_bias,
            self.multiplier,
            self.shift,
            self.target.zero_point,
            self.act_min,
            self.act_max,
        )
        return codes if self.table is None else integer.look_up(codes, self.table)
