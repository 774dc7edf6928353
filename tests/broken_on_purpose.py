"""A catalogue of mistakes: one line each, the smallest input that shows it, the test that sees it.

Every entry breaks the integer path in one line of Python or C, in a way that somebody has good
reason to try. ``why`` says what is tempting about it and what goes wrong; ``smallest`` computes the
smallest input that tells the right code from the broken one; ``caught_by`` names the tests of the
suite that must fail. test_broken_on_purpose.py does it all, in copies of the project, and this file
is also the program that runs in each copy: ``python broken_on_purpose.py NAME``.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import scratchml as sml
from scratchml import integer
from scratchml.affine import PROBABILITY, Quantization, quantize_multiplier
from scratchml.digest import digest
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.quantize import activation_quantization, quantize_dense
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler


@dataclass(frozen=True)
class Mutation:
    """One line of ``file``, which holds ``before`` exactly once, changed to ``after``.

    Attributes:
        smallest: a computation that gives ``right``, and ``wrong`` with the mutation.
        caught_by: the tests that must fail: ``tests/`` is left out of their names, and a name
            without parameters stands for any of them.
    """

    name: str
    file: str
    before: str
    after: str
    why: str
    smallest: Callable[[], Any]
    right: Any
    wrong: Any
    caught_by: tuple[str, ...]

    @property
    def is_c(self) -> bool:
        return self.file.startswith("csrc/")


# --- small models ----------------------------------------------------------------------------

ONE, HALF = Quantization(1.0, 0), Quantization(0.5, 0)
TENTH = Quantization(float(np.float32(0.1)), 0)


def model(
    weights: Sequence[Sequence[int]],
    *,
    scales: float | Sequence[float] = 1.0,
    bias: int = 0,
    source: Quantization = ONE,
    target: Quantization = ONE,
    activation: str = "linear",
    following: tuple[Elementwise, ...] = (),
    softmax: Softmax | None = None,
    scaler: Scaler | None = None,
) -> QuantizedMLP:
    """One layer whose scales are 1, zero points and biases 0, unless said otherwise."""
    n = len(weights)
    layer = QuantizedDense(
        np.array(weights, np.int8),
        np.broadcast_to(np.float32(scales), n),
        np.full(n, bias, np.int32),
        source,
        target,
        activation,
        following,
    )
    return QuantizedMLP((layer,), softmax, scaler)


def numpy_runs(model: QuantizedMLP, *codes: int) -> Any:
    """The output codes for one row, in numpy."""
    return model.run([codes])[0].tolist()


def c_runs(model: QuantizedMLP, *codes: int) -> Any:
    """The same in the C engine."""
    with sml.Engine(model) as engine:
        return engine.run([codes])[0].tolist()


def exported_c_runs(model: QuantizedMLP, *codes: int) -> Any:
    """The same with the structs of an exported C file."""
    with tempfile.TemporaryDirectory() as folder:
        source, _ = sml.export_c(model, folder, name="exported")
        with sml.Engine.from_c(source, model) as engine:
            return engine.run([codes])[0].tolist()


def c_prepares(model: QuantizedMLP, *counts: int) -> Any:
    """The codes that the C engine makes of one row of counts."""
    with sml.Engine(model) as engine:
        return engine.prepare_input([counts])[0].tolist()


def c_digests(model: QuantizedMLP, rows: int, seed: int) -> int:
    """The digest that the C engine computes."""
    with sml.Engine(model) as engine:
        return engine.digest(rows, seed)


def channels(*means: float) -> Scaler:
    """Sensor channels that differ in their mean: a count is a unit and a standard deviation."""
    n = len(means)
    return Scaler(tuple("abcd"[:n]), ("",) * n, (1,) * n, means, (1.0,) * n)


def refused_or(compute: Callable[[], Any]) -> Any:
    """What is computed, or the word "refused"."""
    try:
        return compute()
    except sml.ScratchmlError:
        return "refused"


# --- the mutations ---------------------------------------------------------------------------

INTEGER, LAYERS = "src/scratchml/integer.py", "src/scratchml/layers.py"
AFFINE, FEATURES = "src/scratchml/affine.py", "src/scratchml/features.py"
QUANTIZE, QUANTIZED = "src/scratchml/quantize.py", "src/scratchml/quantized.py"
DIGEST, EXPORT = "src/scratchml/digest.py", "src/scratchml/export.py"
DENSE_C, SOFTMAX_C = "csrc/engine/dense_portable.c", "csrc/engine/softmax.c"
ENGINE_C, KERNEL_H = "csrc/engine/scratchml.c", "csrc/engine/kernel.h"

# Tests that several of them share.
GOLDEN = "test_golden.py::test_numpy_gives_the_golden_outputs"
GOLDEN_C = "test_golden.py::test_the_c_engine_gives_the_golden_outputs"
FOREIGN = "test_foreign.py::test_numpy_gives_what_tflite_micro_gave"
FOREIGN_C = "test_foreign.py::test_the_c_engine_gives_the_same"
COUNTS = "test_golden.py::test_the_snow_models_counts_give_the_golden_codes_and_outputs"
DIGESTS = "test_sweep.py::test_numpy_and_c_agree_on_200_000_rows_of_the_snow_model"

SIGMOID_OF_CODES = (Elementwise("logistic", ONE, PROBABILITY),)

ROUNDING = (
    Mutation(
        "numpy: the right shift rounds down",
        INTEGER,
        "return np.asarray((value >> exponent) + ((value & mask) > threshold))",
        "return np.asarray(value >> exponent)",
        "A shift is what one writes first. It rounds down: codes are half a step low on average.",
        smallest=lambda: int(integer.requantize(1, 2**30, -1)),
        right=1,
        wrong=0,
        caught_by=(
            "test_integer.py::test_the_right_shift_of_every_edge_by_every_exponent",
            f"{GOLDEN}[deep]",
        ),
    ),
    Mutation(
        "C: the right shift rounds down",
        KERNEL_H,
        "return (value >> exponent) + ((value & mask) > threshold);",
        "return value >> exponent;",
        "The same in C, where it is a single instruction.",
        smallest=lambda: c_runs(model([[1]], scales=1 / 4), 1),
        right=[1],
        wrong=[0],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "numpy: ties of the right shift go upwards",
        INTEGER,
        "threshold = (mask >> 1) + (value < 0)",
        "threshold = mask >> 1",
        "Add a half, then shift: right for all but the ties of negative numbers, -1/2 gives 0.",
        smallest=lambda: int(integer.requantize(-2, 2**30, -1)),
        right=-1,
        wrong=0,
        caught_by=(
            "test_integer.py::test_the_right_shift_of_every_edge_by_every_exponent",
            f"{GOLDEN}[deep]",
        ),
    ),
    Mutation(
        "C: ties of the right shift go upwards",
        KERNEL_H,
        "const int32_t threshold = (mask >> 1) + (value < 0);",
        "const int32_t threshold = mask >> 1;",
        "The same in C, an addition and a shift: on a microcontroller every instruction counts.",
        smallest=lambda: c_runs(model([[1]], scales=1 / 4), -2),
        right=[-1],
        wrong=[0],
        caught_by=(
            "test_engine.py::test_requantize_in_c_equals_the_definition",
            f"{GOLDEN_C}[deep]",
        ),
    ),
    Mutation(
        "numpy: the high product is not rounded",
        INTEGER,
        "return np.asarray((np.asarray(a, np.int64) * b + 2**30) >> 31)",
        "return np.asarray((np.asarray(a, np.int64) * b) >> 31)",
        "The nudge of 2^30 looks like noise beside 31 bits; without it halves are lost.",
        smallest=lambda: int(integer.requantize(1, 2**30, 0)),
        right=1,
        wrong=0,
        caught_by=(
            "test_integer.py::test_ties_of_the_high_product_go_upwards",
            f"{GOLDEN}[deep]",
        ),
    ),
    Mutation(
        "C: the high product is not rounded",
        KERNEL_H,
        "return (int32_t)(((int64_t)value * factor + (INT64_C(1) << 30)) >> 31);",
        "return (int32_t)(((int64_t)value * factor) >> 31);",
        "A Cortex-M4 has an instruction for the top half, SMMUL; the one that rounds is SMMULR.",
        smallest=lambda: c_runs(model([[1]], scales=1 / 2), 1),
        right=[1],
        wrong=[0],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "numpy: one rounding instead of two",
        INTEGER,
        "return rounding_shift_right(rounding_high_multiply(shifted, multiplier), right)",
        "return rounding_shift_right(shifted * multiplier, 31 + right)",
        "One rounding is faster and nearer to the truth, 1/4 is 0; but TFLM rounds 1/2, then 1/2.",
        smallest=lambda: int(integer.requantize(1, 2**30, -1)),
        right=1,
        wrong=0,
        caught_by=(
            "test_integer.py::test_requantize_at_every_edge",
            f"{GOLDEN}[wide]",
        ),
    ),
    Mutation(
        "C: one rounding instead of two",
        ENGINE_C,
        "sml_shift_right(sml_high_multiply(shifted, multiplier), right);",
        "(int32_t)(((int64_t)shifted * multiplier + (1LL << (30 + right))) >> (31 + right));",
        "TFLite has a build flag for it, TFLITE_SINGLE_ROUNDING; TFLM's wheel is built without.",
        smallest=lambda: c_runs(model([[1]], scales=1 / 4), 1),
        right=[1],
        wrong=[0],
        caught_by=(f"{GOLDEN_C}[wide]",),
    ),
)

FACTORS = (
    Mutation(
        "numpy: the left shift is lost",
        INTEGER,
        "shifted = np.asarray(value, np.int64) << left",
        "shifted = np.asarray(value, np.int64)",
        "Factors are nearly always below 1, so nobody misses it until a narrow layer needs 2.",
        smallest=lambda: int(integer.requantize(1, 2**30, 2)),
        right=2,
        wrong=1,
        caught_by=(
            "test_integer.py::test_requantize_at_every_edge",
            f"{GOLDEN}[corners]",
        ),
    ),
    Mutation(
        "C: the left shift is lost",
        ENGINE_C,
        "const int32_t shifted = (int32_t)((uint32_t)value << left);",
        "const int32_t shifted = value;",
        "The same in C, where the cast through uint32_t looks like a line to tidy up.",
        smallest=lambda: c_runs(model([[1]], scales=2.0), 1),
        right=[2],
        wrong=[1],
        caught_by=(f"{GOLDEN_C}[corners]",),
    ),
    Mutation(
        "a multiplier of 2^31 is kept",
        AFFINE,
        "if multiplier == 2**31:",
        "if multiplier > 2**31:",
        "frexp's fraction is below 1, rounded it may be 1: as an int32 2^31 is negative.",
        smallest=lambda: list(quantize_multiplier(math.nextafter(1, 0))),
        right=[2**30, 1],
        wrong=[2**31, 0],
        caught_by=(
            "test_quantize.py::test_a_multiplier_that_rounds_up_to_2_to_the_31_moves_into_the_shift",
        ),
    ),
    Mutation(
        "the first channel's factor for all",
        LAYERS,
        "pairs = [quantize_multiplier(float(factor)) for factor in factors]",
        "pairs = [quantize_multiplier(float(factors[0])) for factor in factors]",
        "Older models have one scale a tensor; with one a channel only the first output is right.",
        smallest=lambda: numpy_runs(model([[1], [1]], scales=(1.0, 2.0)), 1),
        right=[1, 2],
        wrong=[1, 1],
        caught_by=(f"{FOREIGN}[tf221_linear_3]",),
    ),
    Mutation(
        "C: the first channel's factor for all",
        DENSE_C,
        "sml_requantize(accumulator, layer->multiplier[c], layer->shift[c]);",
        "sml_requantize(accumulator, layer->multiplier[0], layer->shift[0]);",
        "The same in C, where two loads less in the loop tempt too.",
        smallest=lambda: c_runs(model([[1], [1]], scales=(1.0, 2.0)), 1),
        right=[1, 2],
        wrong=[1, 1],
        caught_by=(f"{GOLDEN_C}[wide]",),
    ),
    Mutation(
        "factors in float32",
        LAYERS,
        "factors = self.source.scale * self.weight_scales.astype(np.float64) / self.target.scale",
        "factors = self.source.scale * self.weight_scales / self.target.scale",
        "The scales are float32, so why not the product? Its 24 bits are not enough for 31.",
        smallest=lambda: numpy_runs(model([[1]], scales=0.7, source=HALF, target=TENTH), 1),
        right=[3],
        wrong=[4],
        caught_by=("test_broken_on_purpose.py::test_factors_are_formed_in_float64",),
    ),
)

SUMS = (
    Mutation(
        "numpy: sums in int8",
        INTEGER,
        "accumulator = x.astype(np.int32) @ weights.T.astype(np.int32) + bias",
        "accumulator = x @ weights.T + bias",
        "numpy multiplies int8 by int8 to int8 without a word, and what does not fit wraps around.",
        smallest=lambda: numpy_runs(model([[64]], scales=1 / 2), 2),
        right=[64],
        wrong=[-64],
        caught_by=(
            "test_integer.py::test_dense_adds_up_the_widest_row_without_overflow",
            f"{GOLDEN}[deep]",
        ),
    ),
    Mutation(
        "C: sums in 16 bits",
        DENSE_C,
        "int32_t accumulator = layer->bias[c];",
        "int16_t accumulator = (int16_t)layer->bias[c];",
        "A product of two bytes fits in 16 bits, and so do the sums of small examples.",
        smallest=lambda: c_runs(model([[127, 127, 127]], scales=1 / 512), 127, 127, 127),
        right=[95],
        wrong=[-33],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "numpy: inputs without a sign",
        INTEGER,
        "accumulator = x.astype(np.int32) @",
        "accumulator = x.view(np.uint8).astype(np.int32) @",
        "Bytes from a file or a wire are unsigned until somebody says otherwise: -1 becomes 255.",
        smallest=lambda: numpy_runs(model([[1]]), -1),
        right=[-1],
        wrong=[127],
        caught_by=(f"{GOLDEN}[deep]",),
    ),
    Mutation(
        "C: weights of plain char",
        DENSE_C,
        "const int8_t *row = layer->weights;",
        "const char *row = (const char *)layer->weights;",
        "char has a sign on x86, none on ARM: it works on the desk and fails on the board.",
        smallest=lambda: c_runs(model([[-1]]), 1),
        right=[-1],
        wrong=[127],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "C: inputs without a sign",
        DENSE_C,
        "accumulator += (int32_t)row[k] * input[k];",
        "accumulator += (int32_t)row[k] * (uint8_t)input[k];",
        "uint8_t is the habitual type of a buffer; with a cast no compiler warns.",
        smallest=lambda: c_runs(model([[1]]), -1),
        right=[-1],
        wrong=[127],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "the input's zero point is not folded in",
        LAYERS,
        "bias = self.bias - self.source.zero_point * sums",
        "bias = self.bias.astype(np.int64)",
        "With a zero point of 0 nothing is missing; any other adds the row's weights to every sum.",
        smallest=lambda: numpy_runs(model([[1]], source=Quantization(1.0, 1)), 1),
        right=[0],
        wrong=[1],
        caught_by=(f"{GOLDEN}[deep]",),
    ),
)

CLAMPS = (
    Mutation(
        "numpy: a code wraps around",
        INTEGER,
        "return np.clip(code, act_min, act_max).astype(np.int8)",
        "return code.astype(np.int8)",
        "astype looks like a conversion and drops the high bits: the greatest becomes the least.",
        smallest=lambda: numpy_runs(model([[1]], bias=128), 0),
        right=[127],
        wrong=[-128],
        caught_by=(f"{FOREIGN}[tf221_image]",),
    ),
    Mutation(
        "C: a code wraps around",
        DENSE_C,
        "output[c] = (int8_t)sml_clamp(value + layer->zero_point, layer->act_min, layer->act_max);",
        "output[c] = (int8_t)(value + layer->zero_point);",
        "The cast is what silences the compiler's warning; what does not fit wraps around.",
        smallest=lambda: c_runs(model([[1]], bias=128), 0),
        right=[127],
        wrong=[-128],
        caught_by=(f"{GOLDEN_C}[deep]",),
    ),
    Mutation(
        "numpy: only int8 bounds",
        INTEGER,
        "return np.clip(code, act_min, act_max).astype(np.int8)",
        "return np.clip(code, -128, 127).astype(np.int8)",
        "A ReLU whose zero point is -128 is an int8 bound already; with any other it is lost.",
        smallest=lambda: numpy_runs(model([[1]], activation="relu"), -1),
        right=[0],
        wrong=[-1],
        caught_by=(f"{GOLDEN}[corners]",),
    ),
    Mutation(
        "C: only int8 bounds",
        DENSE_C,
        "layer->zero_point, layer->act_min, layer->act_max);",
        "layer->zero_point, INT8_MIN, INT8_MAX);",
        "The same in C, where __SSAT(value, 8) is a single instruction.",
        smallest=lambda: c_runs(model([[1]], activation="relu"), -1),
        right=[0],
        wrong=[-1],
        caught_by=(f"{GOLDEN_C}[corners]",),
    ),
    Mutation(
        "numpy: clamped before the zero point",
        INTEGER,
        "code = requantize(accumulator, multiplier, shift) + zero_point",
        "code = np.clip(requantize(accumulator, multiplier, shift), act_min, act_max) + zero_point",
        "Two steps that look as if they could change places: the zero point moves the clamp along.",
        smallest=lambda: numpy_runs(model([[1]], bias=-129, target=Quantization(1.0, 1)), 0),
        right=[-128],
        wrong=[-127],
        caught_by=(f"{FOREIGN}[tf221_image]",),
    ),
    Mutation(
        "C: clamped before the zero point",
        DENSE_C,
        "sml_clamp(value + layer->zero_point, layer->act_min, layer->act_max);",
        "(sml_clamp(value, layer->act_min, layer->act_max) + layer->zero_point);",
        "The same in C, where the sum may wrap around on top of it.",
        smallest=lambda: c_runs(model([[1]], bias=-129, target=Quantization(1.0, 1)), 0),
        right=[-128],
        wrong=[-127],
        caught_by=(f"{FOREIGN_C}[tf221_relu6]",),
    ),
    Mutation(
        "the 6 of a fused RELU6 in the input's scale",
        LAYERS,
        "high = 127 if most is None else self.target.code_of(most)",
        "high = 127 if most is None else self.source.code_of(most)",
        "A layer has two scales; a bound belongs to what comes out.",
        smallest=lambda: numpy_runs(
            model([[1]], target=Quantization(0.5, 0), activation="relu6"), 7
        ),
        right=[12],
        wrong=[6],
        caught_by=(f"{FOREIGN}[tf221_relu_n1_to_1]",),
    ),
    Mutation(
        "the 6 of a RELU6 of its own in the output's scale",
        LAYERS,
        "low, high = self.source.zero_point, self.source.code_of(6)",
        "low, high = self.source.zero_point, self.target.code_of(6)",
        "But this operator never rescales: TFLM clamps codes, whatever scale the output claims.",
        smallest=lambda: int(Elementwise("relu6", ONE, Quantization(2.0, 0)).table[128 + 4]),
        right=4,
        wrong=3,
        caught_by=(f"{FOREIGN}[tf221_relu_relu6]",),
    ),
    Mutation(
        "the exported C has only an int8 bound",
        EXPORT,
        ".act_max = {layer.act_max},",
        ".act_max = 127,",
        "A ReLU has no upper bound but int8's: the template is right until RELU6 comes along.",
        smallest=lambda: exported_c_runs(model([[1]], activation="relu6"), 7),
        right=[6],
        wrong=[7],
        caught_by=("test_broken_on_purpose.py::test_every_clamp_is_exported",),
    ),
)

TABLES = (
    Mutation(
        "numpy: a table without the 128",
        INTEGER,
        "return table[x.astype(np.intp) + 128]",
        "return table[x.astype(np.intp)]",
        "Python's negative indices make it run: the two halves of the table change places.",
        smallest=lambda: numpy_runs(model([[1]], following=SIGMOID_OF_CODES), 0),
        right=[0],
        wrong=[-128],
        caught_by=(f"{GOLDEN}[sigmoid]",),
    ),
    Mutation(
        "C: a table indexed by the byte",
        ENGINE_C,
        "codes[i] = table[codes[i] + 128];",
        "codes[i] = table[(uint8_t)codes[i]];",
        "A byte is a natural index, and stays inside the table; its halves change places again.",
        smallest=lambda: c_runs(model([[1]], following=SIGMOID_OF_CODES), 0),
        right=[0],
        wrong=[-128],
        caught_by=(
            f"{GOLDEN_C}[sigmoid]",
            "test_engine.py::test_a_table_follows_any_layer",
        ),
    ),
    Mutation(
        "the sigmoid's far side is asked first",
        INTEGER,
        "np.where(value > 0, 127, -128)",
        "np.where(value >= 0, 127, -128)",
        "Both sides hold at once only for the code of zero at an enormous scale: then TFLM says 0.",
        smallest=lambda: int(Elementwise("logistic", Quantization(8.0, 0), PROBABILITY).table[128]),
        right=-128,
        wrong=127,
        caught_by=("test_integer.py::test_an_enormous_scale_leaves_only_the_two_ends",),
    ),
    Mutation(
        "numpy: the softmax's sum has a bit more",
        INTEGER,
        "total = rounding_shift_right(exponentials, 12)",
        "total = rounding_shift_right(exponentials, 11)",
        "One bit more of precision, and the format of the sum no longer is Q12.19: all is halved.",
        smallest=lambda: numpy_runs(model([[1]], softmax=Softmax(ONE)), 0),
        right=[127],
        wrong=[0],
        caught_by=(
            "test_integer.py::test_a_softmax_of_up_to_511_equal_classes",
            f"{FOREIGN}[tf221_softmax_10]",
        ),
    ),
    Mutation(
        "C: the softmax's sum has a bit more",
        SOFTMAX_C,
        "sum += (uint32_t)sml_shift_right(exponential, 12);",
        "sum += (uint32_t)sml_shift_right(exponential, 11);",
        "The same in C: the only class there is gets a probability of one half.",
        smallest=lambda: c_runs(model([[1]], softmax=Softmax(ONE)), 0),
        right=[127],
        wrong=[0],
        caught_by=(
            "test_engine.py::test_the_healthy_structs_run",
            f"{FOREIGN_C}[tf221_softmax_10]",
        ),
    ),
    Mutation(
        "numpy: a certain class wraps around",
        INTEGER,
        "return np.minimum(code, 127).astype(np.int8)",
        "return code.astype(np.int8)",
        "Probabilities end at 1, so no clamp is needed? 1 is 256 steps of 1/256, one too many.",
        smallest=lambda: numpy_runs(model([[1]], softmax=Softmax(ONE)), 0),
        right=[127],
        wrong=[-128],
        caught_by=("test_integer.py::test_a_softmax_of_up_to_511_equal_classes",),
    ),
    Mutation(
        "C: a certain class wraps around",
        SOFTMAX_C,
        "values[i] = (int8_t)(code < INT8_MAX ? code : INT8_MAX);",
        "values[i] = (int8_t)code;",
        "The same in C: the surest class of all comes out as the least likely.",
        smallest=lambda: c_runs(model([[1]], softmax=Softmax(ONE)), 0),
        right=[127],
        wrong=[-128],
        caught_by=(f"{FOREIGN_C}[tf221_reshape_softmax]",),
    ),
)

QUANTIZING = (
    Mutation(
        "np.round for values",
        AFFINE,
        "return np.asarray(np.copysign(np.floor(np.abs(wide) + 0.5), wide))",
        "return np.asarray(np.round(wide))",
        "It has the right name and rounds ties to even, as C's lround does not.",
        smallest=lambda: ONE.codes([0.5]).tolist(),
        right=[1],
        wrong=[0],
        caught_by=(
            "test_quantize_converter.py::test_weights_and_biases_equal_the_converters[rounding_ties]",
            f"{FOREIGN}[tf221_float_io]",
        ),
    ),
    Mutation(
        "round for bounds and zero points",
        AFFINE,
        "return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)",
        "return round(value)",
        "Python's round goes to even too: a bound is one code off where it lies between two.",
        smallest=lambda: ONE.code_of(0.5),
        right=1,
        wrong=0,
        caught_by=(
            "test_quantize_converter.py::test_activations_equal_the_converters[symmetric_inputs]",
        ),
    ),
    Mutation(
        "weights are cut off instead of rounded",
        QUANTIZE,
        "np.clip(nearest(codes), -127, 127).astype(np.int8),",
        "np.clip(codes, -127, 127).astype(np.int8),",
        "astype cuts off towards zero: all weights shrink by half a step, and so do all outputs.",
        smallest=lambda: quantize_dense(
            np.array([[127, 0.75, 0]], np.float32), ONE, ONE
        ).weights.tolist(),
        right=[[127, 1]],
        wrong=[[127, 0]],
        caught_by=("test_quantize_converter.py::test_weights_and_biases_equal_the_converters",),
    ),
    Mutation(
        "a range that does not reach zero",
        QUANTIZE,
        "low, high = min(low, 0.0), max(high, 0.0)",
        "low, high = float(low), float(high)",
        "A narrower range, finer steps; but a zero point must be a code, and here all saturates.",
        smallest=lambda: activation_quantization(1, 2).codes([1, 2]).tolist(),
        right=[-1, 127],
        wrong=[127, 127],
        caught_by=(
            "test_quantize_converter.py::test_activations_equal_the_converters[inputs_all_positive]",
        ),
    ),
)

SENSORS = (
    Mutation(
        "a z-score in floats",
        QUANTIZED,
        "integer.prepare_input(rows, f.mean, f.low, f.high, f.multiplier, f.shift, zero_point)",
        "self.layers[0].source.codes(self.scaler.standardize(rows))",
        "The network was trained on it; but a board without floats rounds the mean to a count.",
        smallest=lambda: model([[1]], scaler=channels(0.5)).prepare_input([[1]]).tolist(),
        right=[[0]],
        wrong=[[1]],
        caught_by=(COUNTS,),
    ),
    Mutation(
        "numpy: a prepared code wraps around",
        INTEGER,
        "return np.clip(code, -128, 127).astype(np.int8)",
        "return code.astype(np.int8)",
        "Training rows lie within the codes; the first hot day does not, and reads as the coldest.",
        smallest=lambda: model([[1]], scaler=channels(0)).prepare_input([[128]]).tolist(),
        right=[[127]],
        wrong=[[-128]],
        caught_by=(COUNTS,),
    ),
    Mutation(
        "C: counts are not clamped",
        ENGINE_C,
        "sml_clamp(counts[start + i], f->min, f->max) - f->mean;",
        "counts[start + i] - f->mean;",
        "The code is clamped later anyway; but what a broken sensor returns overflows before that.",
        smallest=lambda: c_prepares(model([[1]], scaler=channels(0)), 2**30),
        right=[127],
        wrong=[-128],
        caught_by=(COUNTS,),
    ),
    Mutation(
        "counts clamped to half the codes",
        FEATURES,
        "reach = math.ceil(257 * step)",
        "reach = math.ceil(127 * step)",
        "int8 ends at 127; but counted from a zero point of -128 codes go on to 255.",
        smallest=lambda: (
            model([[1]], source=Quantization(1.0, -128), scaler=channels(0))
            .prepare_input([[128]])
            .tolist()
        ),
        right=[[0]],
        wrong=[[-1]],
        caught_by=(COUNTS,),
    ),
    Mutation(
        "channels repeated instead of tiled",
        FEATURES,
        "np.tile(self.mean, windows),",
        "np.repeat(self.mean, windows),",
        "Both make the right length; with one channel, or one hour, both make the same.",
        smallest=lambda: (
            model([[1, 1, 1, 1]], scaler=channels(0, 9)).prepare_input([[0, 9, 0, 9]]).tolist()
        ),
        right=[[0, 0, 0, 0]],
        wrong=[[0, 9, -9, 0]],
        caught_by=(
            COUNTS,
            "test_quantize.py::test_every_window_of_a_row_is_scaled_alike",
        ),
    ),
)

MEMORY = (
    Mutation(
        "C: a layer writes over its own input",
        ENGINE_C,
        "int8_t *target = source == context->memory ? end - layer->outputs : context->memory;",
        "int8_t *target = context->memory;",
        "It would save memory; but the first output replaces an input that the second one needs.",
        smallest=lambda: c_runs(model([[-1], [1]]), 1),
        right=[-1, 1],
        wrong=[-1, -1],
        caught_by=(
            f"{GOLDEN_C}[deep]",
            "test_engine.py::test_nothing_is_written_outside_of_the_memory_given",
        ),
    ),
    Mutation(
        "numpy: the digest's words big end first",
        DIGEST,
        'h.astype("<u4")',
        'h.astype(">u4")',
        "One sign in a string: the digest looks as random as ever, and equals no board's.",
        smallest=lambda: digest(model([[1]]), rows=1, seed=1),
        right=2265434530,
        wrong=3463352047,
        caught_by=(DIGESTS,),
    ),
    Mutation(
        "C: every row of the digest begins a word",
        "csrc/engine/digest.c",
        "context->input_ready = 1;",
        "context->input_ready = 1, digest->left = 0;",
        "Simpler, and the same for rows of 4, 8 or 12 inputs; rows of 6 drift apart from numpy's.",
        smallest=lambda: c_digests(model([[1]]), rows=2, seed=1),
        right=3756556922,
        wrong=809341520,
        caught_by=(DIGESTS,),
    ),
)

PROOF = (
    Mutation(
        "no proof that sums fit",
        LAYERS,
        "if left > 30 or bound << max(left, 0) >= 2**31 - 128:",
        "if left > 30:",
        "No trained model comes near 32 bits; a file from elsewhere may, here 2^31 becomes -2^31.",
        smallest=lambda: refused_or(
            lambda: numpy_runs(model([[1]], bias=2**31 - 1, scales=2.0**-24), 1)
        ),
        right="refused",
        wrong=[-128],
        caught_by=("test_quantize.py::test_what_is_just_outside_the_proof_is_refused_by_name",),
    ),
    Mutation(
        "a proof that forgets the zero point",
        LAYERS,
        "bound << max(left, 0) >= 2**31 - 128:",
        "bound << max(left, 0) >= 2**31:",
        "The sum fits in 32 bits; but then C adds the zero point to it, up to 128 more.",
        smallest=lambda: refused_or(
            lambda: numpy_runs(model([[1]], bias=2**31 - 256, scales=1 - 2.0**-24), 0)
        ),
        right="refused",
        wrong=[127],
        caught_by=(
            "test_quantize.py::test_what_passes_the_proof_stays_in_32_bits_for_the_worst_input",
        ),
    ),
)

MUTATIONS = (
    *ROUNDING,
    *FACTORS,
    *SUMS,
    *CLAMPS,
    *TABLES,
    *QUANTIZING,
    *SENSORS,
    *MEMORY,
    *PROOF,
)


# --- the program of a copy -------------------------------------------------------------------


class Outcomes:
    """What pytest says of each test, as one of its plugins."""

    def __init__(self) -> None:
        self.of: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.skipped:
            self.of[report.outcome].append(report.nodeid)


def main(name: str, *tests: str) -> None:
    """Print what the code computes for the named mutation (or all of them), and run tests.

    The last line is JSON: the package that was imported, the values by mutation, pytest's exit
    code, and the tests by outcome.
    """
    values = {m.name: m.smallest() for m in MUTATIONS if name in ("", m.name)}
    outcomes = Outcomes()
    code = pytest.main(["--quiet", "--tb=short", "-p", "no:cacheprovider", *tests], [outcomes])
    report = {"package": sml.__file__, "values": values, "exit": int(code), **outcomes.of}
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
