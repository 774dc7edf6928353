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
from scratchml.front_end import Channel, FrontEnd
from scratchml.layers import Elementwise, QuantizedDense, Softmax
from scratchml.layouts import CORTEX_M0PLUS, CORTEX_M4, PORTABLE, Layout
from scratchml.quantize import activation_quantization, quantize_dense
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler
from scratchml.stream import Stream


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


def c_runs(model: QuantizedMLP, *codes: int, layout: Layout = PORTABLE) -> Any:
    """The same in the C engine."""
    with sml.Engine(model, layout) as engine:
        return engine.run([codes])[0].tolist()


def m4_runs(model: QuantizedMLP, *codes: int) -> Any:
    """The same by the C of the Cortex-M4's kernel."""
    assert all(layer.weights.dtype == np.uint32 for layer in map(CORTEX_M4.lay_out, model.layers))
    return c_runs(model, *codes, layout=CORTEX_M4)


def m0plus_runs(model: QuantizedMLP, *codes: int) -> Any:
    """The same by the C of the Cortex-M0+'s kernel."""
    laid_out = map(CORTEX_M0PLUS.lay_out, model.layers)
    assert all(layer.weights.dtype == np.uint32 for layer in laid_out)
    return c_runs(model, *codes, layout=CORTEX_M0PLUS)


def one_channel(window: int, *statistics: str) -> FrontEnd:
    """Of windows one sample apart."""
    return FrontEnd((Channel("x", "", 1),), window, 1, statistics)


def numpy_statistic(name: str, *counts: int) -> Any:
    """Of a window, in numpy."""
    return one_channel(len(counts), name).stream(np.array(counts)[:, None]).tolist()[0][0]


def c_statistic(name: str, *counts: int) -> Any:
    """The same in C."""
    return Stream(one_channel(len(counts), name)).add(np.array(counts)[:, None]).tolist()[0][0]


def clamped_sigmoid() -> QuantizedMLP:
    """A ReLU6, then a sigmoid, of codes that a packed kernel hands on."""
    codes = Quantization(0.25, 0)
    return model(
        [[4]],
        scales=1 / 4,
        source=codes,
        target=codes,
        activation="relu6",
        following=(Elementwise("logistic", codes, PROBABILITY),),
    )


def kernel_of(model: QuantizedMLP) -> str:
    """Which kernel of a Cortex-M4 takes the first layer."""
    return CORTEX_M4.lay_out(model.layers[0]).kernel


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
DIGEST, C_LAYERS = "src/scratchml/digest.py", "src/scratchml/c_layers.py"
LAYOUTS = "src/scratchml/layouts.py"
DENSE_M4, DENSE_M0PLUS = "csrc/engine/dense_cortex_m4.c", "csrc/engine/dense_cortex_m0plus.c"
DENSE_C, SOFTMAX_C = "csrc/engine/dense_portable.c", "csrc/engine/softmax.c"
FRONT_END, FRONT_END_C = "src/scratchml/front_end.py", "csrc/engine/front_end.c"
ENGINE_C, KERNEL_H = "csrc/engine/scratchml.c", "csrc/engine/kernel.h"

# Tests that several of them share.
GOLDEN = "test_golden.py::test_numpy_gives_the_golden_outputs"
GOLDEN_C = "test_golden.py::test_the_c_engine_gives_the_golden_outputs"
FOREIGN = "test_foreign.py::test_numpy_gives_what_tflite_micro_gave"
FOREIGN_C = "test_foreign.py::test_the_c_engine_gives_the_same"
COUNTS = "test_golden.py::test_the_snow_models_counts_give_the_golden_codes_and_outputs"
DIGESTS = "test_sweep.py::test_numpy_and_c_agree_on_200_000_rows_of_the_snow_model"
REMAINDERS = "test_layouts.py::test_every_remainder_of_rows_and_columns_equals_numpy"
M4_ROWS, M0PLUS_ROWS = f"{REMAINDERS}[11-cortex-m4]", f"{REMAINDERS}[11-cortex-m0plus]"
ZERO_ROWS = "test_layouts.py::test_rows_of_zeros_are_their_constants"
REASONS = "test_layouts.py::test_each_reason_alone_takes_the_portable_kernel"
CLAMPED_TABLE = "test_layouts.py::test_a_clamp_comes_before_the_table"
STATISTIC = "test_front_end.py::test_every_statistic_is_what_its_definition_says"
STREAMS_C = "test_front_end_c.py::test_sanitizers_find_nothing[gcc]"
TIGHT = "test_layouts.py::test_the_bound_of_packed_sums_is_tight"

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
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
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
            f"{GOLDEN_C}[deep-portable]",
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
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
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
        caught_by=(f"{GOLDEN_C}[wide-portable]",),
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
        caught_by=(f"{GOLDEN_C}[corners-portable]",),
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
        "const sml_channel *channel = &layer->channels[c];",
        "const sml_channel *channel = &(sml_channel){layer->channels[c].bias, "
        "layer->channels->multiplier, layer->channels->shift};",
        "The same in C, where two loads less in the loop tempt too.",
        smallest=lambda: c_runs(model([[1], [1]], scales=(1.0, 2.0)), 1),
        right=[1, 2],
        wrong=[1, 1],
        caught_by=(f"{GOLDEN_C}[wide-portable]",),
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
        "const int32_t accumulator = (int32_t)sum;",
        "const int32_t accumulator = (int16_t)sum;",
        "A product of two bytes fits in 16 bits, and so do the sums of small examples.",
        smallest=lambda: c_runs(model([[127, 127, 127]], scales=1 / 512), 127, 127, 127),
        right=[95],
        wrong=[-33],
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
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
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
    ),
    Mutation(
        "C: inputs without a sign",
        DENSE_C,
        "sum += (uint32_t)((int32_t)row[k] * x[k]);",
        "sum += (uint32_t)((int32_t)row[k] * (uint8_t)x[k]);",
        "uint8_t is the habitual type of a buffer; with a cast no compiler warns.",
        smallest=lambda: c_runs(model([[1]]), -1),
        right=[-1],
        wrong=[127],
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
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
        "code = sml_clamp(value + layer->zero_point, layer->act_min, layer->act_max);",
        "code = value + layer->zero_point;",
        "The cast is what silences the compiler's warning; what does not fit wraps around.",
        smallest=lambda: c_runs(model([[1]], bias=128), 0),
        right=[127],
        wrong=[-128],
        caught_by=(f"{GOLDEN_C}[deep-portable]",),
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
        caught_by=(f"{GOLDEN_C}[corners-portable]",),
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
        C_LAYERS,
        ".act_max = {data.act_max},",
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
        "table[codes[i] + 128 - SML_OFFSET]",
        "table[(uint8_t)codes[i]]",
        "A byte is a natural index, and stays inside the table; its halves change places again.",
        smallest=lambda: c_runs(model([[1]], following=SIGMOID_OF_CODES), 0),
        right=[0],
        wrong=[-128],
        caught_by=(
            f"{GOLDEN_C}[sigmoid-portable]",
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
        "sml_clamp(counts[i], f->min, f->max) - f->mean;",
        "counts[i] - f->mean;",
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
        "sml_activation *target = (sml_activation *)(memory + layer->place);",
        "sml_activation *target = (sml_activation *)memory;",
        "It would save memory; but the first output replaces an input that the second one needs.",
        smallest=lambda: c_runs(model([[-1], [1]]), 1),
        right=[-1, 1],
        wrong=[-1, -1],
        caught_by=(
            f"{GOLDEN_C}[deep-portable]",
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

PAIRS = (
    Mutation(
        "M4: the upper row is found seven bits up",
        DENSE_M4,
        "const int32_t a = (int32_t)(h[i] - l[i]) >> 8;",
        "const int32_t a = (int32_t)(h[i] - l[i]) >> 7;",
        "A byte has eight bits, of which one is the sign: but 256 * A is not 128 * A.",
        smallest=lambda: m4_runs(model([[4], [4]], scales=1 / 4), 5),
        right=[5, 5],
        wrong=[10, 5],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the lower row's sum stays in the upper one",
        DENSE_M4,
        "const int32_t a = (int32_t)(h[i] - l[i]) >> 8;",
        "const int32_t a = (int32_t)h[i] >> 8;",
        "The shift drops the lower byte anyway; but a negative sum below it borrows, a large adds.",
        smallest=lambda: m4_runs(model([[-1], [-1]], scales=1 / 4), 1),
        right=[0, 0],
        wrong=[-1, 0],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the upper row is shifted without its sign",
        DENSE_M4,
        "const int32_t a = (int32_t)(h[i] - l[i]) >> 8;",
        "const int32_t a = (int32_t)((h[i] - l[i]) >> 8);",
        "The sums wrap around, so they are unsigned; and what shifts them fills in zeros.",
        smallest=lambda: m4_runs(model([[4], [4]], scales=1 / 4), -1),
        right=[-1, -1],
        wrong=[127, -1],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the lower row is not unpacked",
        DENSE_M4,
        "l[i] = smlad(sxtb16(*w), &x[k], l[i]);",
        "l[i] = smlad(*w, &x[k], l[i]);",
        "SXTB16 costs a third of the loop; without it both sums hold both rows.",
        smallest=lambda: m4_runs(model([[4], [4]], scales=1 / 4), 1),
        right=[1, 1],
        wrong=[0, 127],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the two columns of a word change places",
        DENSE_M4,
        "return sum + (uint32_t)(low * x[0]) + (uint32_t)(high * x[1]);",
        "return sum + (uint32_t)(low * x[1]) + (uint32_t)(high * x[0]);",
        "As one writes a word, its upper half comes first; in memory it comes last.",
        smallest=lambda: m4_runs(model([[4, -4], [4, 4]], scales=1 / 4), 3, 1),
        right=[2, 4],
        wrong=[-2, 4],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the high product without what it is added to",
        DENSE_M4,
        "const int32_t value = accumulator + (int32_t)(product >> 32);",
        "const int32_t value = (int32_t)(product >> 32);",
        "SMMULR instead of SMMLAR: twice the multiplier has lost its 32nd bit, the accumulator.",
        smallest=lambda: m4_runs(model([[4]], scales=1 / 4), 5),
        right=[5],
        wrong=[-5],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the high product is not rounded",
        DENSE_M4,
        "const int64_t product = (int64_t)accumulator * (int32_t)twice_q + (INT64_C(1) << 31);",
        "const int64_t product = (int64_t)accumulator * (int32_t)twice_q;",
        "SMMLA instead of SMMLAR: one letter less.",
        smallest=lambda: m4_runs(model([[1]], scales=1 / 4), 1),
        right=[1],
        wrong=[0],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: the lower row has the upper row's shift",
        DENSE_M4,
        "y[2 * i + 1] = requantize((int32_t)l[i], w[1], w[2] >> 8, layer->zero_point);",
        "y[2 * i + 1] = requantize((int32_t)l[i], w[1], w[2], layer->zero_point);",
        "Both shifts are in one word, and often they are equal.",
        smallest=lambda: m4_runs(model([[8], [8]], scales=(1 / 4, 1 / 8)), 3),
        right=[6, 3],
        wrong=[6, 6],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: codes are not clamped",
        DENSE_M4,
        "return (int16_t)sml_clamp(code, INT8_MIN, INT8_MAX);",
        "return (int16_t)code;",
        "Activations have 16 bits here, so they fit; but the last ones leave as int8, and wrap.",
        smallest=lambda: m4_runs(model([[127]], scales=1 / 4), 5),
        right=[127],
        wrong=[-97],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "M4: a single row's padding is not read",
        DENSE_M4,
        "for (size_t k = 0; k < (layer->inputs + 3U) / 4 * 4; k += 2) {",
        "for (size_t k = 0; k < (layer->inputs + 1U) / 2 * 2; k += 2) {",
        "Pairs of rows are padded to two columns, a single row to four; then comes its scale.",
        smallest=lambda: m4_runs(model([[4]], scales=1 / 4), 5),
        right=[5],
        wrong=[20],
        caught_by=(M4_ROWS,),
    ),
)

FOURS = (
    Mutation(
        "M0+: half of the offset is taken off",
        DENSE_M0PLUS,
        "const uint32_t b = t - (u << 16) - a - (sum << 15);",
        "const uint32_t b = t - (u << 16) - a - (sum << 14);",
        "128 in the upper byte of a halfword is bit 15, if one starts to count at 0.",
        smallest=lambda: m0plus_runs(model([[4]] * 4, scales=1 / 4), 5),
        right=[5, 5, 5, 5],
        wrong=[5, 127, 5, 5],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: the first row's sum stays in the second one",
        DENSE_M0PLUS,
        "const uint32_t b = t - (u << 16) - a - (sum << 15);",
        "const uint32_t b = t - (u << 16) - (sum << 15);",
        "The shift that follows drops it? Only its lowest byte.",
        smallest=lambda: m0plus_runs(model([[-1]] * 4, scales=1 / 4), 1),
        right=[0, 0, 0, 0],
        wrong=[0, -1, 0, 0],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: the upper half of a word without its sign",
        DENSE_M0PLUS,
        "u += (uint32_t)((int32_t)*w >> 16) * x[k];",
        "u += (*w >> 16) * x[k];",
        "LSRS instead of ASRS, to get at a halfword: a negative one becomes 65536 too large.",
        smallest=lambda: m0plus_runs(model([[4], [4], [4], [-4]], scales=1 / 4), 1),
        right=[1, 1, 1, -1],
        wrong=[1, 1, 1, 127],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: the third row is found in the wrong byte",
        DENSE_M0PLUS,
        "c += (uint32_t)(weight(*w, 2) * x[k]);",
        "c += (uint32_t)(weight(*w, 1) * x[k]);",
        "A, B, C: the second byte is B's, and the sum is B's with 128 too much.",
        smallest=lambda: m0plus_runs(model([[4], [4], [8], [4]], scales=1 / 4), 5),
        right=[5, 5, 10, 5],
        wrong=[5, 5, -128, 22],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: the last row is shifted without its sign",
        DENSE_M0PLUS,
        "y[3] = requantize((int32_t)(u - c) >> 8, w + 6, layer->zero_point);",
        "y[3] = requantize((int32_t)((u - c) >> 8), w + 6, layer->zero_point);",
        "As on a Cortex-M4: of unsigned numbers the shift fills in zeros.",
        smallest=lambda: m0plus_runs(model([[4]] * 4, scales=1 / 4), -1),
        right=[-1, -1, -1, -1],
        wrong=[-1, -1, -1, 127],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: the word beside an odd last column is not skipped",
        DENSE_M0PLUS,
        "w += layer->inputs & 1;",
        "w += layer->inputs & 0;",
        "There is no column, so why a word? The assembly takes two columns at a time.",
        smallest=lambda: m0plus_runs(model([[4]] * 4, scales=1 / 4), 5),
        right=[5, 5, 5, 5],
        wrong=[0, 10, 10, 10],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: codes are clamped to int8",
        DENSE_M0PLUS,
        "return (uint8_t)sml_clamp(code, 0, UINT8_MAX);",
        "return (uint8_t)sml_clamp(code, INT8_MIN, INT8_MAX);",
        "As everywhere else; but here an activation is its code plus 128, 0 to 255.",
        smallest=lambda: m0plus_runs(model([[4]], scales=1 / 4), 5),
        right=[5],
        wrong=[-1],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "M0+: a single row's weights without a sign",
        DENSE_M0PLUS,
        "accumulator += (uint32_t)(weight(w[k / 4], k % 4) * x[k]);",
        "accumulator += (w[k / 4] >> 8 * (k % 4) & 0xFF) * x[k];",
        "A shift and a mask get at a byte; the sign that SXTB extends is lost.",
        smallest=lambda: m0plus_runs(model([[-4]], scales=1 / 4), 1),
        right=[-1],
        wrong=[127],
        caught_by=(M0PLUS_ROWS,),
    ),
)

PACKING = (
    Mutation(
        "the two rows of a pair change places",
        LAYOUTS,
        "halves = (256 * weights[a] + weights[b])[:, :columns]",
        "halves = (256 * weights[b] + weights[a])[:, :columns]",
        "One comes first, so it goes into the lower byte? The biases say that it is the upper one.",
        smallest=lambda: m4_runs(model([[4], [8]], scales=1 / 4), 1),
        right=[1, 2],
        wrong=[2, 1],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "a Cortex-M4's multipliers are not doubled",
        LAYOUTS,
        "multipliers = 2 * rows.multiplier",
        "multipliers = rows.multiplier",
        "2^31 stands for 1, as everywhere else; SMMLAR takes the upper 32 bits, not 33.",
        smallest=lambda: m4_runs(model([[4]], scales=1 / 4), 8),
        right=[8],
        wrong=[20],
        caught_by=(M4_ROWS,),
    ),
    Mutation(
        "row B is offset by 127",
        LAYOUTS,
        "packed = ((256 * d + c) << 16) + 256 * (b + 128) + a",
        "packed = ((256 * d + c) << 16) + 256 * (b + 127) + a",
        "Weights end at -127, so 127 would do: no borrow crosses. But the kernel takes off 128.",
        smallest=lambda: m0plus_runs(model([[4]] * 4, scales=1 / 4), 5),
        right=[5, 5, 5, 5],
        wrong=[5, -28, 5, 5],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "biases for codes without their offset",
        LAYOUTS,
        "return cls(weights, bias - offset * weights.sum(axis=1), multiplier, shift, reach)",
        "return cls(weights, bias, multiplier, shift, reach)",
        "The input's zero point is folded in already; a Cortex-M0+ adds 128 to every code besides.",
        smallest=lambda: m0plus_runs(model([[1]], scales=1 / 4), 0),
        right=[0],
        wrong=[32],
        caught_by=(M0PLUS_ROWS,),
    ),
    Mutation(
        "sums reach as far as 127 takes them",
        LAYOUTS,
        "reach = np.abs(bias) + 128 * np.abs(weights).sum(axis=1)",
        "reach = np.abs(bias) + 127 * np.abs(weights).sum(axis=1)",
        "The greatest code is 127; but the least one is -128, and there the sum leaves 24 bits.",
        smallest=lambda: kernel_of(model([[127]], scales=2.0**-20, bias=2**23 - 128 * 127)),
        right="sml_dense_portable",
        wrong="sml_dense_cortex_m4_small",
        caught_by=(TIGHT, f"{REASONS}[a sum of 2^23: positive-cortex-m4]"),
    ),
    Mutation(
        "packed sums of 25 bits",
        LAYOUTS,
        "PACKED_REACH = 2**23",
        "PACKED_REACH = 2**24",
        "Above the lower byte there are 24 bits: one of them is the sign.",
        smallest=lambda: kernel_of(model([[127]], scales=2.0**-20, bias=2**23 - 128 * 127)),
        right="sml_dense_portable",
        wrong="sml_dense_cortex_m4_small",
        caught_by=(TIGHT, f"{REASONS}[a sum of 2^23: negative-cortex-m0plus]"),
    ),
    Mutation(
        "a weight of -128 is packed",
        LAYOUTS,
        "(self.weights > -128).all()",
        "(self.weights >= -128).all()",
        "It is an int8; but 256 * -128 leaves no room below it, and the halfword wraps around.",
        smallest=lambda: c_runs(model([[-128], [-4]], scales=1 / 4), 1, layout=CORTEX_M4),
        right=[-32, -1],
        wrong=[32, -1],
        caught_by=(f"{REASONS}[a weight of -128: one-cortex-m4]",),
    ),
    Mutation(
        "a factor of 1/2 is packed",
        LAYOUTS,
        "(self.shift > 0).all()",
        "(self.shift >= 0).all()",
        "A shift by 0 is a shift; the assembly finds what falls out of it in the carry.",
        smallest=lambda: kernel_of(model([[1]], scales=1 / 2)),
        right="sml_dense_portable",
        wrong="sml_dense_cortex_m4_small",
        caught_by=(f"{REASONS}[a factor of 1/2: exactly-cortex-m4]",),
    ),
    Mutation(
        "codes of 16 bits before their zero point",
        LAYOUTS,
        "CODE_REACH = 2**15 - 256",
        "CODE_REACH = 2**15",
        "SSAT16 clamps 16 bits to 8; but the zero point is added before it, and may be 127.",
        smallest=lambda: kernel_of(model([[127, 127, 3]], scales=0.498, bias=2**15)),
        right="sml_dense_portable",
        wrong="sml_dense_cortex_m4_small",
        caught_by=(f"{REASONS}[a code of 16 bits: exactly-cortex-m4]",),
    ),
    Mutation(
        "a row of zeros is a quarter of its constant",
        LAYOUTS,
        "bias[zero] = 4 * np.clip(bias[zero], -256, 256)",
        "bias[zero] = np.clip(bias[zero], -256, 256)",
        "A factor of 1 is 2^30 / 2^31 * 2^1; but packed kernels shift to the right only.",
        smallest=lambda: m4_runs(model([[0]], bias=8), 0),
        right=[8],
        wrong=[2],
        caught_by=(f"{ZERO_ROWS}[0-cortex-m4]",),
    ),
    Mutation(
        "a factor of nothing is a quarter",
        LAYOUTS,
        "multiplier[tiny], shift[tiny] = 2**30, 31",
        "multiplier[tiny], shift[tiny] = 2**30, 1",
        "A packed kernel has no multiplier of 0; the least one needs the largest shift beside it.",
        smallest=lambda: m4_runs(model([[4]], scales=1e-30), 5),
        right=[0],
        wrong=[5],
        caught_by=("test_layouts.py::test_factors_too_small_for_any_code_are_packed",),
    ),
    Mutation(
        "a clamp behind the table",
        LAYOUTS,
        "return codes.astype(np.int8) if layer.table is None else layer.table[codes + 128]",
        "return (codes if layer.table is None else np.clip(layer.table, *codes[[0, -1]])).astype("
        "np.int8)",
        "A clamp and a table make one table; but the clamp is one of what goes in.",
        smallest=lambda: m4_runs(clamped_sigmoid(), 20),
        right=[126],
        wrong=[24],
        caught_by=(f"{CLAMPED_TABLE}[relu6-logistic-cortex-m4]",),
    ),
    Mutation(
        "activations of 16 bits in as much memory as bytes",
        LAYOUTS,
        "return [-(-n // 4) * self.bytes for n in sizes]",
        "return [-(-n // 4) for n in sizes]",
        "A model's sizes count activations; a Cortex-M4 keeps each in two bytes.",
        smallest=lambda: refused_or(lambda: m4_runs(model([[4]], scales=1 / 4), 5)),
        right=[5],
        wrong="refused",
        caught_by=("test_layouts.py::test_memory_of_some_shapes",),
    ),
    Mutation(
        "an output behind its input",
        LAYOUTS,
        "return [0 if i % 2 else total - words for i, words in enumerate(outputs)]",
        "return [0 if i % 2 else self._words(sizes)[i] for i, words in enumerate(outputs)]",
        "There it has room; but the next layer's output, from the start, may reach into it.",
        smallest=lambda: PORTABLE.places((4, 4, 8)),
        right=[2, 0],
        wrong=[1, 0],
        caught_by=(
            "test_layouts.py::test_memory_of_some_shapes",
            "test_layouts.py::test_a_layers_input_and_output_do_not_overlap[portable]",
        ),
    ),
)

STATISTICS = (
    Mutation(
        "numpy: counts without a limit",
        FRONT_END,
        "x = np.clip(windows.astype(np.int64), -limit, limit)",
        "x = windows.astype(np.int64)",
        "64 bits have room here; on the board the sum of a few such counts has left its 32.",
        smallest=lambda: numpy_statistic("minimum", -(2**31)),
        right=1 - 2**30,
        wrong=-(2**31),
        caught_by=(STATISTIC,),
    ),
    Mutation(
        "numpy: the mean rounds down",
        FRONT_END,
        "value = np.sign(total) * ((np.abs(total) + n // 2) // n)",
        "value = total // n",
        "A mean is a sum over a number. It would be half a count low on average.",
        smallest=lambda: numpy_statistic("mean", 0, 1),
        right=1,
        wrong=0,
        caught_by=(STATISTIC,),
    ),
    Mutation(
        "numpy: a root is not rounded",
        FRONT_END,
        "return (integer_root(radicand) + n) // (2 * n)",
        "return integer_root(radicand) // (2 * n)",
        "The floor of a floor: deviations are half a count low on average.",
        smallest=lambda: numpy_statistic("std", 0, 1),
        right=1,
        wrong=0,
        caught_by=(STATISTIC,),
    ),
    Mutation(
        "numpy: zero crossings by a product",
        FRONT_END,
        "value = np.diff(x < 0, axis=1).sum(axis=1)",
        "value = (x[:, 1:] * x[:, :-1] < 0).sum(axis=1)",
        "What textbooks write. A sample of exactly zero hides the crossing.",
        smallest=lambda: numpy_statistic("zero_crossings", -1, 0),
        right=1,
        wrong=0,
        caught_by=(STATISTIC,),
    ),
    Mutation(
        "C: counts without a limit",
        FRONT_END_C,
        "sml_clamp(sample[channel], stream->low, stream->high);",
        "sample[channel];",
        "No sensor gives counts that large; a broken one gives 0x80000000.",
        smallest=lambda: c_statistic("minimum", -(2**31)),
        right=1 - 2**30,
        wrong=-(2**31),
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: a mean below zero rounds towards it",
        FRONT_END_C,
        "return sum < 0 ? -quotient : quotient;",
        "return (sum + (int32_t)(n / 2)) / (int32_t)n;",
        "Half of the divisor is added before C divides: right for what is positive.",
        smallest=lambda: c_statistic("mean", -1, 0),
        right=-1,
        wrong=0,
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: a root that misses squares",
        FRONT_END_C,
        "if (rest >= trial) {",
        "if (rest > trial) {",
        "Roots of squares come out one too small; only ties, a deviation of 0.5 here, show it.",
        smallest=lambda: c_statistic("std", 0, 1),
        right=1,
        wrong=0,
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: the square of the sum in 32 bits",
        FRONT_END_C,
        "const int64_t square = (int64_t)sum * sum;",
        "const int64_t square = (int64_t)((uint32_t)sum * (uint32_t)sum);",
        "Enough for small counts; then a window at rest has a deviation.",
        smallest=lambda: c_statistic("std", 2**16, 2**16),
        right=0,
        wrong=2**16,
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: differences over the number of samples",
        FRONT_END_C,
        "return differences ? (int32_t)((sum + differences / 2) / differences) : 0;",
        "return (int32_t)((sum + (differences + 1) / 2) / (differences + 1));",
        "Between n samples there are n - 1 differences.",
        smallest=lambda: c_statistic("mean_abs_diff", 0, 2),
        right=2,
        wrong=1,
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: the newest sample is the oldest one's neighbour",
        FRONT_END_C,
        "for (uint32_t left = stream->front_end->window; left > 1; left--) {",
        "for (uint32_t left = stream->front_end->window; left > 0; left--) {",
        "Round the ring once too often: from the newest sample back to the oldest.",
        smallest=lambda: c_statistic("mean_crossings", 0, 1),
        right=1,
        wrong=2,
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: a window begins where the ring does",
        FRONT_END_C,
        "const uint32_t oldest = stream->place + channel;",
        "const uint32_t oldest = channel;",
        "Right for the first window, and for sums; not for what depends on the order.",
        smallest=lambda: (
            Stream(one_channel(3, "zero_crossings")).add([[0], [-1], [0], [0]]).tolist()
        ),
        right=[[2], [1]],
        wrong=[[2], [2]],
        caught_by=(STREAMS_C,),
    ),
    Mutation(
        "C: the first window is not waited for",
        FRONT_END_C,
        "stream->wait = stream->front_end->window;",
        "stream->wait = stream->front_end->step;",
        "A window every step, from the first step on: what is in the ring then is nobody's.",
        smallest=lambda: Stream(one_channel(2)).add([[5], [6]]).tolist(),
        right=[[5, 6]],
        wrong=[[0, 5], [5, 6]],
        caught_by=(
            "test_front_end_c.py::test_no_window_reaches_across_a_reset",
            "test_front_end_c.py::test_ready_says_that_features_were_written",
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
    *PAIRS,
    *FOURS,
    *PACKING,
    *STATISTICS,
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
