"""The C engine through its public functions, and the class that runs it from Python.

Every status of scratchml.h is provoked with structs that are broken in one place, the calls are
made in every wrong order, and the one function that all results go through, ``sml_requantize``, is
compared with exact arithmetic. Whole models are compared in test_parity.py.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from operator import mul
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, require
from scratchml._engine import ffi, lib
from test_integer import EDGES, INT32_MAX, INT32_MIN, MULTIPLIERS, exact_requantize, fits

import scratchml as sml
from scratchml import integer
from scratchml.digest import digest, stream
from scratchml.engine import compile_library, compiler
from scratchml.layouts import CORTEX_M4, LAYOUTS, PORTABLE, Layout
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]
NULL = ffi.NULL

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])


# --- the functions of scratchml.h ------------------------------------------------------------


#: A table that follows a layer, and that of a softmax of logits a twentieth apart.
NEGATED = [-code - 1 for code in range(-128, 128)]
EXPONENTIALS = [round(math.exp(-d / 20) * INT32_MAX) for d in range(256)]


class Structs:
    """A healthy model as C structs to break: 4 inputs of 2 channels, 3 units, 2 outputs.

    The last layer is followed by a table that negates codes, roughly, and by a softmax.

    cffi frees what Python does not refer to: everything that is made stays in ``owned``.
    """

    def __init__(self) -> None:
        self.owned: list[Any] = []
        self.layers = self.new("sml_dense[]", 2)
        for layer, (inputs, outputs) in zip(self.layers, [(4, 3), (3, 2)], strict=True):
            layer.run = ffi.addressof(lib, "sml_dense_portable")
            layer.inputs, layer.outputs = inputs, outputs
            layer.weights = self.new("int8_t[]", list(range(1, inputs * outputs + 1)))
            layer.channels = self.new("sml_channel[]", [(10, 2**30, -3)] * outputs)
            layer.zero_point, layer.act_min, layer.act_max = 5, -128, 127
        self.layers[0].place, self.layers[1].place = 1, 0
        self.layers[1].table = self.new("int8_t[]", NEGATED)
        self.features = self.new("sml_feature[]", 2)
        for feature in self.features:
            feature.mean, feature.min, feature.max = 100, -1000, 1000
            feature.multiplier, feature.shift = 2**30, -2
        self.head = self.new("sml_head *")
        self.head.apply = ffi.addressof(lib, "sml_softmax")
        self.head.table = self.new("int32_t[]", EXPONENTIALS)
        self.model = self.new("sml_model *")
        self.model.version, self.model.layout = lib.SML_MODEL_VERSION, 0
        self.model.input_zero_point = -7
        self.model.layer_count, self.model.layers = 2, self.layers
        self.model.feature_count, self.model.features = 2, self.features
        self.model.memory_bytes, self.model.head = 8, self.head
        self.context = self.new("sml_context *")
        self.memory = self.new("uint32_t[]", 2)
        self.input = self.new("int8_t[]", [1, -2, 3, -4])
        self.counts = self.new("int32_t[]", [100, 200, 300, 400])
        self.output = self.new("int8_t[]", 2)

    def new(self, kind: str, *initializer: Any) -> Any:
        self.owned.append(ffi.new(kind, *initializer))
        return self.owned[-1]

    def load(self) -> int:
        return int(lib.sml_load_model(self.context, self.model))

    def give_memory(self) -> int:
        return int(lib.sml_initialize_model_memory(self.context, self.memory, 8))

    def set_input(self, n: int = 4) -> int:
        return int(lib.sml_set_input(self.context, self.input, n))

    def prepare_input(self, n: int = 4) -> int:
        return int(lib.sml_prepare_input(self.context, self.counts, n))

    def run(self, n: int = 2) -> int:
        return int(lib.sml_run_model(self.context, self.output, n))


@pytest.fixture
def c() -> Structs:
    return Structs()


@pytest.fixture
def ready(c: Structs) -> Structs:
    """Loaded, and with memory."""
    assert (c.load(), c.give_memory()) == (lib.SML_OK, lib.SML_OK)
    return c


def test_the_healthy_structs_run(ready: Structs) -> None:
    assert (ready.set_input(), ready.run()) == (lib.SML_OK, lib.SML_OK)
    first = [
        sum(w * x for w, x in zip(row, (1, -2, 3, -4), strict=True)) + 10 for row in rows_of(4)
    ]
    middle = [exact_requantize(v, 2**30, -3) + 5 for v in first]
    last = [sum(w * x for w, x in zip(row, middle, strict=True)) + 10 for row in rows_of(3)]
    codes = [exact_requantize(v, 2**30, -3) + 5 for v in last[:2]]
    assert list(ready.output) == probabilities([-code - 1 for code in codes])


def probabilities(codes: list[int]) -> list[int]:
    """The softmax of ``Structs``; integer.softmax is tested in test_integer.py."""
    table = np.array(EXPONENTIALS, np.int32)
    return integer.softmax(np.array([codes], np.int8), table)[0].tolist()


def rows_of(width: int) -> list[list[int]]:
    """The weights of ``Structs``: 1, 2, 3 ... row by row."""
    return [list(range(1 + width * r, 1 + width * (r + 1))) for r in range(3)]


def test_the_statuses_are_the_documented_ones() -> None:
    names = ["OK", "ARGUMENT", "VERSION", "MEMORY", "SHAPE", "STATE", "LAYOUT", "ALIGNMENT"]
    values = [getattr(lib, f"SML_{name}" if name == "OK" else f"SML_ERR_{name}") for name in names]
    assert values == [0, -1, -2, -3, -4, -5, -6, -7]


def broken_struct(name: str, status: str, change: Callable[[Structs], Any]) -> Any:
    return pytest.param(change, getattr(lib, f"SML_ERR_{status}"), id=name)


def one_layer(c: Structs, inputs: int, outputs: int) -> None:
    """As large a layer as the struct can say, in a model that has nothing else to refuse."""
    c.model.layer_count, c.model.head = 1, NULL
    c.layers[0].inputs, c.layers[0].outputs = inputs, outputs


@pytest.mark.parametrize(
    ("change", "status"),
    [
        broken_struct("version 0", "VERSION", lambda c: setattr(c.model, "version", 0)),
        broken_struct("version 1", "VERSION", lambda c: setattr(c.model, "version", 1)),
        broken_struct("version 3", "VERSION", lambda c: setattr(c.model, "version", 3)),
        broken_struct("layout 1", "LAYOUT", lambda c: setattr(c.model, "layout", 1)),
        broken_struct("layout 2", "LAYOUT", lambda c: setattr(c.model, "layout", 2)),
        broken_struct("layout 255", "LAYOUT", lambda c: setattr(c.model, "layout", 255)),
        broken_struct("no layers", "ARGUMENT", lambda c: setattr(c.model, "layers", NULL)),
        broken_struct("0 layers", "ARGUMENT", lambda c: setattr(c.model, "layer_count", 0)),
        broken_struct("no kernel", "ARGUMENT", lambda c: setattr(c.layers[0], "run", NULL)),
        broken_struct("no second kernel", "ARGUMENT", lambda c: setattr(c.layers[1], "run", NULL)),
        broken_struct("no weights", "ARGUMENT", lambda c: setattr(c.layers[0], "weights", NULL)),
        broken_struct("nor second", "ARGUMENT", lambda c: setattr(c.layers[1], "weights", NULL)),
        broken_struct("no channels", "ARGUMENT", lambda c: setattr(c.layers[0], "channels", NULL)),
        broken_struct("nor others", "ARGUMENT", lambda c: setattr(c.layers[1], "channels", NULL)),
        broken_struct("no inputs", "SHAPE", lambda c: setattr(c.layers[0], "inputs", 0)),
        broken_struct("no middle", "SHAPE", lambda c: setattr(c.layers[0], "outputs", 0)),
        broken_struct("no outputs", "SHAPE", lambda c: setattr(c.layers[1], "outputs", 0)),
        broken_struct("narrow chain", "SHAPE", lambda c: setattr(c.layers[1], "inputs", 2)),
        broken_struct("wide chain", "SHAPE", lambda c: setattr(c.layers[1], "inputs", 4)),
        broken_struct("a word short", "SHAPE", lambda c: setattr(c.model, "memory_bytes", 4)),
        broken_struct("a byte short", "SHAPE", lambda c: setattr(c.model, "memory_bytes", 7)),
        broken_struct("wide input", "SHAPE", lambda c: setattr(c.layers[0], "inputs", 9)),
        broken_struct("place 2 of 2", "SHAPE", lambda c: setattr(c.layers[0], "place", 2)),
        broken_struct("the last's", "SHAPE", lambda c: setattr(c.layers[1], "place", 2)),
        broken_struct("place 65535", "SHAPE", lambda c: setattr(c.layers[1], "place", 65535)),
        broken_struct("65535 inputs", "SHAPE", lambda c: one_layer(c, 65535, 1)),
        broken_struct("65535 outputs", "SHAPE", lambda c: one_layer(c, 4, 65535)),
        broken_struct("no head", "ARGUMENT", lambda c: setattr(c.head, "apply", NULL)),
        broken_struct("no table", "ARGUMENT", lambda c: setattr(c.head, "table", NULL)),
    ],
)
def test_a_broken_model_is_refused(
    c: Structs, change: Callable[[Structs], Any], status: int
) -> None:
    assert c.load() == lib.SML_OK
    change(c)
    assert c.load() == status
    # nothing of the earlier model is left in the context
    assert c.context.model == NULL
    assert c.give_memory() == lib.SML_ERR_STATE


@pytest.mark.parametrize(
    ("inputs", "outputs", "place", "words"),
    [
        (1, 1, 1, 2),
        (4, 4, 1, 2),
        (5, 4, 2, 3),
        (4, 5, 1, 3),
        (1, 8, 3, 5),
        (65535, 1, 16384, 16385),
        (1, 65535, 1, 16385),
        (65535, 65535, 16384, 32768),
        (65535, 65532, 65535, 65535 + 16383),
    ],
)
def test_a_layer_needs_its_memory_to_the_last_word(
    c: Structs, inputs: int, outputs: int, place: int, words: int
) -> None:
    one_layer(c, inputs, outputs)
    c.layers[0].place = place
    for bytes_, status in (
        (4 * words, lib.SML_OK),
        (4 * words + 5, lib.SML_OK),
        (4 * words - 1, lib.SML_ERR_SHAPE),
        (4 * words - 4, lib.SML_ERR_SHAPE),
        (2**32 - 1, lib.SML_OK),
    ):
        c.model.memory_bytes = bytes_
        assert c.load() == status, bytes_


@each_layout
def test_a_model_of_another_layout_is_refused(layout: Layout) -> None:
    with sml.Engine(random_model([3, 5, 2], 1), layout) as engine:
        load, context = engine._lib.sml_load_model, engine._ffi.new("sml_context *")
        for number in (0, 1, 2, 3, 255):
            engine._struct.layout = number
            expected = engine._lib.SML_OK if number == layout.number else -6
            assert load(context, engine._struct) == expected


def exact_code(feature: Any, count: int, zero_point: int) -> int:
    """The definition of ``sml_feature``."""
    difference = min(max(count, feature.min), feature.max) - feature.mean
    code = exact_requantize(difference, feature.multiplier, feature.shift) + zero_point
    return min(max(code, -128), 127)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_inputs_take_turns_at_the_channels(ready: Structs, count: int) -> None:
    """Input i belongs to channel i % feature_count, also where that is no whole number of turns."""
    c = ready
    c.model.features = c.new("sml_feature[]", [(10 * i, -99, 99, 2**30, 1) for i in range(count)])
    c.model.feature_count = count
    values = [-120, 17, 44, 61]
    assert lib.sml_prepare_input(c.context, values, 4) == lib.SML_OK
    codes = list(ffi.cast("int8_t *", c.memory)[0:4])
    assert codes == [exact_code(c.model.features[i % count], v, -7) for i, v in enumerate(values)]


@pytest.mark.parametrize(
    "values",
    [
        {"mean": 5, "min": 5, "max": 5},
        {"shift": 30, "mean": 0, "min": -1, "max": 1},
        {"shift": -31},
        {"multiplier": 0},
        {"mean": 0, "min": -INT32_MAX, "max": INT32_MAX, "shift": -23},
        {"mean": INT32_MAX, "min": 0, "max": INT32_MAX, "shift": -23},
        {"mean": INT32_MIN, "min": INT32_MIN, "max": -1, "shift": -23},
    ],
    ids=str,
)
def test_a_channel_at_the_end_of_its_range_is_exact(ready: Structs, values: dict[str, int]) -> None:
    c, feature = ready, ready.features[0]
    for name, value in values.items():
        setattr(feature, name, value)
    assert c.load() == c.give_memory() == lib.SML_OK
    prepared = ffi.cast("int8_t *", c.memory)
    around = [feature.mean + step for step in range(-260, 261, 13)]
    for count in {INT32_MIN, -1, 0, 1, INT32_MAX, feature.min, feature.max, *around}:
        if INT32_MIN <= count <= INT32_MAX:
            assert lib.sml_prepare_input(c.context, [count, 0, count, 0], 4) == lib.SML_OK
            assert prepared[0] == prepared[2] == exact_code(feature, count, -7), count


def test_null_pointers_are_refused_everywhere(ready: Structs) -> None:
    c = ready
    assert c.set_input() == lib.SML_OK
    results = [
        lib.sml_load_model(NULL, c.model),
        lib.sml_initialize_model_memory(NULL, c.memory, 8),
        lib.sml_initialize_model_memory(c.context, NULL, 8),
        lib.sml_prepare_input(NULL, c.counts, 4),
        lib.sml_prepare_input(c.context, NULL, 4),
        lib.sml_set_input(NULL, c.input, 4),
        lib.sml_set_input(c.context, NULL, 4),
        lib.sml_run_model(NULL, c.output, 2),
        lib.sml_run_model(c.context, NULL, 2),
    ]
    assert results == [lib.SML_ERR_ARGUMENT] * len(results)
    assert c.run() == lib.SML_OK  # none of them did any harm
    assert lib.sml_load_model(c.context, NULL) == lib.SML_ERR_ARGUMENT
    assert c.run() == lib.SML_ERR_STATE  # but this one took the model away


@pytest.mark.parametrize(("size", "status"), [(0, "MEMORY"), (7, "MEMORY"), (8, None), (9, None)])
def test_the_memory_must_be_large_enough(c: Structs, size: int, status: str | None) -> None:
    assert c.load() == lib.SML_OK
    memory = c.new("uint32_t[]", 4)
    expected = getattr(lib, f"SML_ERR_{status}") if status else lib.SML_OK
    assert lib.sml_initialize_model_memory(c.context, memory, size) == expected
    assert c.set_input() == (lib.SML_ERR_STATE if status else lib.SML_OK)


@pytest.mark.parametrize("offset", range(9))
def test_the_memory_must_start_at_a_multiple_of_4(c: Structs, offset: int) -> None:
    assert c.load() == lib.SML_OK
    memory = ffi.cast("int8_t *", c.new("uint32_t[]", 6)) + offset
    is_aligned = offset % 4 == 0
    expected = lib.SML_OK if is_aligned else lib.SML_ERR_ALIGNMENT
    assert lib.sml_initialize_model_memory(c.context, memory, 12) == expected
    assert c.set_input() == (lib.SML_OK if is_aligned else lib.SML_ERR_STATE)


def test_memory_that_is_refused_leaves_the_earlier_one(ready: Structs) -> None:
    c = ready
    assert c.set_input() == lib.SML_OK
    give, odd = lib.sml_initialize_model_memory, ffi.cast("int8_t *", c.memory) + 1
    refusals = give(c.context, c.memory, 7), give(c.context, odd, 8), give(c.context, NULL, 8)
    assert refusals == (lib.SML_ERR_MEMORY, lib.SML_ERR_ALIGNMENT, lib.SML_ERR_ARGUMENT)
    assert c.run() == lib.SML_OK


def test_calls_before_a_model_and_before_memory_are_refused(c: Structs) -> None:
    out_of_order = lib.SML_ERR_STATE
    assert (c.give_memory(), c.set_input(), c.prepare_input(), c.run()) == (out_of_order,) * 4
    assert c.load() == lib.SML_OK
    assert (c.set_input(), c.prepare_input(), c.run()) == (out_of_order,) * 3


def test_every_run_needs_an_input_of_its_own(ready: Structs) -> None:
    c = ready
    assert c.run() == lib.SML_ERR_STATE
    assert (c.set_input(), c.run(), c.run()) == (lib.SML_OK, lib.SML_OK, lib.SML_ERR_STATE)
    assert (c.prepare_input(), c.run(), c.run()) == (lib.SML_OK, lib.SML_OK, lib.SML_ERR_STATE)


def test_of_two_inputs_the_later_one_counts(ready: Structs) -> None:
    c = ready
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    expected = list(c.output)
    assert (c.prepare_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    assert list(c.output) != expected
    assert (c.prepare_input(), c.set_input(), c.run()) == (lib.SML_OK,) * 3
    assert list(c.output) == expected


def test_new_memory_and_a_new_model_forget_the_input(ready: Structs) -> None:
    c = ready
    assert (c.set_input(), c.give_memory(), c.run()) == (lib.SML_OK, lib.SML_OK, lib.SML_ERR_STATE)
    assert (c.set_input(), c.load(), c.run()) == (lib.SML_OK, lib.SML_OK, lib.SML_ERR_STATE)


@pytest.mark.parametrize("n", [0, 1, 3, 5, 2**32 + 4])
def test_inputs_of_another_length_are_refused(ready: Structs, n: int) -> None:
    assert ready.set_input(n) == ready.prepare_input(n) == lib.SML_ERR_SHAPE
    assert ready.run() == lib.SML_ERR_STATE


@pytest.mark.parametrize("n", [0, 1, 3, 2**32 + 2])
def test_outputs_of_another_length_are_refused_and_the_input_stays(ready: Structs, n: int) -> None:
    assert ready.set_input() == lib.SML_OK
    assert ready.run(n) == lib.SML_ERR_SHAPE
    assert ready.run() == lib.SML_OK


@pytest.mark.parametrize(("count", "is_there"), [(0, False), (0, True), (2, False)])
def test_counts_need_channels(c: Structs, count: int, is_there: bool) -> None:
    c.model.feature_count, c.model.features = count, c.features if is_there else NULL
    assert (c.load(), c.give_memory()) == (lib.SML_OK, lib.SML_OK)
    assert c.prepare_input() == lib.SML_ERR_STATE
    assert c.run() == lib.SML_ERR_STATE
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)


def test_without_a_head_the_codes_of_the_last_layer_come_out(ready: Structs) -> None:
    c = ready
    c.layers[1].table, c.model.head = NULL, NULL
    assert (c.load(), c.give_memory(), c.set_input(), c.run()) == (lib.SML_OK,) * 4
    plain = list(c.output)
    assert len(set(plain)) == 2

    c.layers[1].table = c.new("int8_t[]", [-(code // 2) - 1 for code in range(-128, 128)])
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    looked_up = [-(code // 2) - 1 for code in plain]
    assert list(c.output) == looked_up

    c.model.head = c.head
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    assert list(c.output) == probabilities(looked_up)

    c.layers[1].table = NULL
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    assert list(c.output) == probabilities(plain)


def test_a_table_follows_any_layer(ready: Structs) -> None:
    c = ready
    c.layers[0].table, c.layers[1].table, c.model.head = c.new("int8_t[]", NEGATED), NULL, NULL
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    first = [sum(map(mul, row, (1, -2, 3, -4))) + 10 for row in rows_of(4)]
    middle = [-(exact_requantize(v, 2**30, -3) + 5) - 1 for v in first]
    last = [sum(map(mul, row, middle)) + 10 for row in rows_of(3)]
    assert list(c.output) == [exact_requantize(v, 2**30, -3) + 5 for v in last[:2]]


@pytest.mark.parametrize("bias", [-(2**31), -9000, -700, 700, 9000, 2**31 - 1])
def test_bounds_beyond_int8_do_not_leave_a_table(ready: Structs, bias: int) -> None:
    """The numbers of a model are not checked; a wrong one gives a wrong code, and no more."""
    c, layer = ready, ready.layers[1]
    c.model.head, layer.act_min, layer.act_max = NULL, -(2**15), 2**15 - 1
    for channel in layer.channels[0:2]:
        channel.bias = bias
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    assert set(c.output) <= set(NEGATED)
    looked_up = list(c.output)
    layer.table = NULL
    assert (c.set_input(), c.run()) == (lib.SML_OK, lib.SML_OK)
    assert looked_up == [NEGATED[code + 128] for code in c.output]


@pytest.mark.parametrize(("outputs", "status"), [(511, "OK"), (512, "ERR_SHAPE")])
def test_a_softmax_has_at_most_511_classes(c: Structs, outputs: int, status: str) -> None:
    many = 512
    c.layers[1].outputs, c.model.memory_bytes, c.layers[0].place = outputs, 4 + many, many // 4
    c.layers[1].weights = c.new("int8_t[]", 3 * many)
    c.layers[1].channels = c.new("sml_channel[]", many)
    assert c.load() == getattr(lib, f"SML_{status}")
    c.model.head = NULL
    assert c.load() == lib.SML_OK


def test_rows_stop_at_the_first_error(ready: Structs) -> None:
    c = ready
    codes, output = c.new("int8_t[]", 8), c.new("int8_t[]", [77] * 4)
    run, prepare = lib.sml_run_rows, lib.sml_prepare_rows
    assert run(c.context, NULL, codes, 3, output, 2, 2) == lib.SML_ERR_SHAPE
    assert run(c.context, NULL, codes, 4, output, 1, 2) == lib.SML_ERR_SHAPE
    assert prepare(c.context, c.counts, codes, 3, 1) == lib.SML_ERR_SHAPE
    assert list(output) == [77] * 4
    assert run(c.context, NULL, NULL, 4, output, 2, 0) == lib.SML_OK  # no rows, no pointers needed
    assert run(c.context, NULL, codes, 4, output, 2, 2) == lib.SML_OK
    assert 77 not in list(output)


@each_layout
@pytest.mark.parametrize(
    "sizes",
    [[1, 1], [1, 9, 1], [9, 1, 9], [4, 7, 3, 8, 2], [16, 1, 1, 16], [17, 14, 5], [33, 31, 6, 13]],
)
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_nothing_is_written_outside_of_the_memory_given(
    sizes: list[int], offset: int, layout: Layout
) -> None:
    """And what is not written does not matter: the guards are in the padding of rows, too."""
    model = random_model(sizes, 0)
    rows = np.random.default_rng(0).integers(-128, 128, (20, sizes[0]), np.int8)
    with sml.Engine(model, layout) as engine:
        ffi, lib = engine._ffi, engine._lib
        words, guard = layout.memory_bytes(model.sizes) // 4, 0x557F80AA
        area = ffi.new("uint32_t[]", [guard] * (words + 16))
        context = ffi.new("sml_context *")
        output = ffi.new("int8_t[]", [0x55] * (model.outputs + 8))
        assert lib.sml_load_model(context, engine._struct) == lib.SML_OK
        memory = area + 8 + offset
        assert lib.sml_initialize_model_memory(context, memory, 4 * words) == lib.SML_OK
        for row, expected in zip(rows.tolist(), model.run(rows).tolist(), strict=True):
            assert lib.sml_set_input(context, row, len(row)) == lib.SML_OK
            assert lib.sml_run_model(context, output, model.outputs) == lib.SML_OK
            assert list(output) == expected + [0x55] * 8
        assert list(area[0 : 8 + offset]) == [guard] * (8 + offset)
        assert list(area[8 + offset + words : words + 16]) == [guard] * (8 - offset)
        assert list(area[8 + offset : 8 + offset + words]) != [guard] * words


def test_requantize_in_c_equals_the_definition(tmp_path: Path) -> None:
    require("gcc")
    (tmp_path / "nothing.c").write_text("extern int nothing;\n")
    compile_library(tmp_path / "nothing.c", tmp_path / "engine.so")
    requantize = ctypes.CDLL(str(tmp_path / "engine.so")).sml_requantize
    requantize.argtypes, requantize.restype = [ctypes.c_int32] * 3, ctypes.c_int32
    rng = np.random.default_rng(0)
    for shift in range(-31, 31):
        left = max(shift, 0)
        values = [value for value in EDGES if fits(value, shift)]
        values += (rng.integers(INT32_MIN, INT32_MAX, 20, endpoint=True) >> left).tolist()
        values += [INT32_MIN >> left, INT32_MAX >> left]
        for multiplier in [*MULTIPLIERS, *rng.integers(2**30, 2**31, 3).tolist()]:
            for value in values:
                result = requantize(value, multiplier, shift)
                assert result == exact_requantize(value, multiplier, shift), (value, multiplier)


# --- the digest ------------------------------------------------------------------------------


def fmix32(h: int) -> int:
    """MurmurHash3's 32-bit finalizer, in unbounded numbers."""
    h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
    h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
    return h ^ h >> 16


def input_stream(seed: int, first_word: int, count: int) -> Int8:
    """The definition: words one after the other, little end first, as ``count`` codes."""
    words = range(first_word, first_word + -(-count // 4))
    numbers = [fmix32((seed + i * 0x9E3779B9) % 2**32) for i in words]
    data = b"".join(number.to_bytes(4, "little") for number in numbers)
    return np.frombuffer(data, np.int8)[:count]


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**31, 2**32 - 1])
@pytest.mark.parametrize(("first", "count"), [(0, 0), (0, 1), (0, 4), (0, 1001), (7, 50), (10, 3)])
def test_the_input_stream_is_the_documented_one(seed: int, first: int, count: int) -> None:
    expected = input_stream(seed, 0, first + count)[first:]
    assert (stream(seed, first, count) == expected).all()


def test_the_input_stream_goes_on_beyond_2_to_the_32_words() -> None:
    first_word = 2**32 - 2
    expected = input_stream(3, first_word, 24)
    assert (stream(3, 4 * first_word, 24) == expected).all()
    assert (expected[8:] == input_stream(3, 0, 16)).all()  # it begins again


@each_layout
@pytest.mark.parametrize("sizes", [[1, 1], [2, 3], [3, 5, 2], [4, 1], [5, 4, 3], [7, 2]])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_digest_is_the_crc_32_of_all_outputs(sizes: list[int], seed: int, layout: Layout) -> None:
    model = random_model(sizes, 1)
    rows = input_stream(seed, 0, 333 * sizes[0]).reshape(333, sizes[0])
    expected = zlib.crc32(model.run(rows).tobytes())
    with sml.Engine(model, layout) as engine:
        assert engine.digest(333, seed) == digest(model, 333, seed) == expected
        assert engine.digest(0, seed) == digest(model, 0, seed) == 0
        assert engine.digest(332, seed) != expected
        assert engine.digest(333, seed ^ 1) != expected


def test_a_digest_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model([3, 5, 2], 1)
    monkeypatch.setattr("scratchml.engine.DIGEST_ROWS", 100)
    chunk = 500  # codes: 100 rows of the widest layer
    monkeypatch.setattr(importlib.import_module("scratchml.digest"), "CHUNK", chunk)
    in_c: list[int] = []
    in_numpy: list[int] = []
    with sml.Engine(model) as engine:
        assert engine.digest(250, 5, in_c.append) == digest(model, 250, 5, in_numpy.append)
        assert engine.digest(250, 5) == digest(model, 250, 5)
    assert in_c == in_numpy == [100, 200, 250]


@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5])
def test_a_digest_does_not_depend_on_how_the_rows_are_cut(inputs: int) -> None:
    model = random_model([inputs, 3, 2], 1)
    with sml.Engine(model) as engine:
        whole = engine.digest(41, 9)
        context, _memory = engine._context()
        output, state = ffi.new("int8_t[]", 2), ffi.new("sml_digest *")
        for cut in ([41], [1, 40], [40, 1], [0, 3, 0, 7, 31], [1] * 41):
            assert lib.sml_digest_start(state, 9) == lib.SML_OK
            for rows in cut:
                assert lib.sml_digest_rows(state, context, rows, output, 2) == lib.SML_OK
            assert state.crc == whole
    # the last row's outputs stay
    last = input_stream(9, 0, 41 * inputs)[-inputs:]
    assert list(output) == model.run(last[None])[0].tolist()


def test_a_digest_goes_on_beyond_2_to_the_32_words() -> None:
    model = random_model([8, 3], 1)
    with sml.Engine(model) as engine:
        context, _memory = engine._context()
        output, state = ffi.new("int8_t[]", 3), ffi.new("sml_digest *")
        assert lib.sml_digest_start(state, 3) == lib.SML_OK
        state.words = 2**32 - 3
        assert lib.sml_digest_rows(state, context, 4, output, 3) == lib.SML_OK
    rows = input_stream(3, 2**32 - 3, 32).reshape(4, 8)
    assert state.crc == zlib.crc32(model.run(rows).tobytes())


def test_a_digest_refuses_what_a_run_does(c: Structs) -> None:
    state = c.new("sml_digest *")
    start, rows = lib.sml_digest_start, lib.sml_digest_rows
    assert start(NULL, 0) == lib.SML_ERR_ARGUMENT
    assert start(state, 0) == lib.SML_OK
    assert rows(state, c.context, 1, c.output, 2) == lib.SML_ERR_STATE  # no model
    assert c.load() == lib.SML_OK
    assert rows(state, c.context, 1, c.output, 2) == lib.SML_ERR_STATE  # no memory
    assert c.give_memory() == lib.SML_OK
    assert rows(NULL, c.context, 1, c.output, 2) == lib.SML_ERR_ARGUMENT
    assert rows(state, NULL, 1, c.output, 2) == lib.SML_ERR_ARGUMENT
    assert rows(state, c.context, 1, NULL, 2) == lib.SML_ERR_ARGUMENT
    assert (state.crc, state.words) == (0, 0)  # nothing has been run
    for n in (0, 1, 3):
        assert rows(state, c.context, 1, c.output, n) == lib.SML_ERR_SHAPE
    assert state.crc == 0
    assert start(state, 0) == lib.SML_OK
    assert rows(state, c.context, 1, c.output, 2) == lib.SML_OK
    assert state.crc == zlib.crc32(bytes(ffi.buffer(c.output)))
    assert c.run() == lib.SML_ERR_STATE  # the rows were consumed


# --- Engine ----------------------------------------------------------------------------------


@pytest.fixture
def small() -> QuantizedMLP:
    return random_model([3, 5, 2], 1)


@pytest.fixture
def codes() -> Int8:
    return np.random.default_rng(0).integers(-128, 128, (500, 3), np.int8)


@pytest.fixture
def engine(small: QuantizedMLP) -> Iterator[sml.Engine]:
    with sml.Engine(small) as engine:
        yield engine


@each_layout
def test_counts_take_the_same_way_as_in_numpy(
    model: QuantizedMLP, data: sml.Dataset, layout: Layout
) -> None:
    rng = np.random.default_rng(0)
    anything = rng.integers(INT32_MIN, INT32_MAX, (1000, 6), endpoint=True)
    anything[:3] = [[INT32_MIN] * 6, [INT32_MAX] * 6, [0] * 6]
    with sml.Engine(model, layout) as engine:
        for counts in (data.test.counts, anything):
            prepared = model.prepare_input(counts)
            assert (engine.prepare_input(counts) == prepared).all()
            assert (engine.run_counts(counts) == model.run(prepared)).all()
            assert (engine.run(prepared) == model.run(prepared)).all()


def test_rows_of_any_integers_and_any_layout_are_taken(
    engine: sml.Engine, small: QuantizedMLP, codes: Int8
) -> None:
    expected = small.run(codes)
    wide = np.zeros((500, 6), np.int8)
    wide[:, ::2] = codes
    for rows in (
        codes.astype(np.int64),
        codes.astype(">i2"),
        np.asfortranarray(codes),
        wide[:, ::2],
    ):
        assert (engine.run(rows) == expected).all()
    assert (engine.run(codes[::-3]) == expected[::-3]).all()
    assert (engine.run(codes.tolist()) == expected).all()
    read_only = codes.copy()
    read_only.flags.writeable = False
    assert (engine.run(read_only) == expected).all()


def test_no_rows_give_no_outputs(engine: sml.Engine, model: QuantizedMLP) -> None:
    result = engine.run(np.zeros((0, 3), np.int8))
    assert result.shape == (0, 2) and result.dtype == np.int8
    with sml.Engine(model) as with_scaler:
        nothing = np.zeros((0, 6), np.int32)
        assert with_scaler.run_counts(nothing).shape == (0, 1)
        assert with_scaler.prepare_input(nothing).shape == (0, 6)


@pytest.mark.parametrize(
    "rows",
    [np.zeros((2, 4), np.int8), np.zeros(3, np.int8), np.zeros((2, 3)), np.full((2, 3), 128)],
)
def test_rows_that_the_model_does_not_take_are_refused(
    engine: sml.Engine, rows: npt.NDArray[Any]
) -> None:
    with pytest.raises(sml.ScratchmlError, match="this model takes"):
        engine.run(rows)


def test_every_call_has_outputs_of_its_own(engine: sml.Engine, codes: Int8) -> None:
    first = engine.run(codes)
    before = first.copy()
    engine.run(codes[::-1])
    assert (first == before).all()
    assert first.flags.writeable


def test_counts_without_a_scaler_are_refused(engine: sml.Engine) -> None:
    for call in (engine.run_counts, engine.prepare_input):
        with pytest.raises(sml.ScratchmlError, match=r"the C engine answers SML_ERR_STATE \(-5\)"):
            call(np.zeros((1, 3), np.int32))


def test_a_closed_engine_says_so(small: QuantizedMLP, codes: Int8) -> None:
    engine = sml.Engine(small)
    engine.run(codes)
    engine.close()
    for call in (engine.run, engine.run_counts, engine.prepare_input):
        with pytest.raises(sml.ScratchmlError, match="this engine has been closed"):
            call(codes)
    engine.close()  # a second time does no harm


def test_an_engine_is_closed_when_its_block_ends(small: QuantizedMLP, codes: Int8) -> None:
    with sml.Engine(small) as engine:
        engine.run(codes)
    with pytest.raises(sml.ScratchmlError, match="closed"):
        engine.run(codes)
    with pytest.raises(KeyError), sml.Engine(small) as engine:
        raise KeyError
    with pytest.raises(sml.ScratchmlError, match="closed"):
        engine.run(codes)


def test_the_engine_does_not_depend_on_the_models_arrays(codes: Int8) -> None:
    model = random_model([3, 5, 2], 1)
    expected = model.run(codes)
    with sml.Engine(model) as engine:
        for layer in model.layers:
            layer.weights[:] = 0
            layer.bias[:] = 0
        assert (engine.run(codes) == expected).all()


def test_a_layer_too_wide_for_the_structs_is_refused() -> None:
    layer = random_model([2, 1], 0).layers[0]
    with pytest.raises(sml.ScratchmlError):
        sml.Engine(QuantizedMLP((replace(layer, weights=np.ones((1, 65536), np.int8)),)))


def in_threads(engine: sml.Engine, inputs: int) -> None:
    """Four threads, each with rows of its own, all at once on one engine."""
    rng = np.random.default_rng(0)
    batches = [rng.integers(-128, 128, (3000, inputs), np.int8) for _ in range(12)]
    expected = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(5):
            for result, alone in zip(threads.map(engine.run, batches), expected, strict=True):
                assert (result == alone).all()


@pytest.mark.parametrize("layout", [PORTABLE, CORTEX_M4], ids=["portable", "cortex-m4"])
def test_several_threads_share_one_engine(layout: Layout) -> None:
    with sml.Engine(random_model([16, 32, 32, 4], 2), layout) as engine:
        in_threads(engine, 16)


# --- Engine.from_c ---------------------------------------------------------------------------


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, checked afterwards to be empty."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def exported(small: QuantizedMLP, tmp_path: Path, temporary: Path) -> Path:
    require("gcc")
    return sml.export_c(small, tmp_path / "build", name="snow")[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def test_an_exported_model_runs_and_cleans_up(
    exported: Path, small: QuantizedMLP, codes: Int8, temporary: Path
) -> None:
    with sml.Engine.from_c(exported, small) as engine:
        assert (engine.run(codes) == small.run(codes)).all()
        assert len(list(temporary.iterdir())) == 1
        in_threads(engine, 3)
    assert list(temporary.iterdir()) == []
    with pytest.raises(sml.ScratchmlError, match="closed"):
        engine.run(codes)
    engine.close()


def test_the_numbers_that_run_are_those_in_the_file(
    exported: Path, small: QuantizedMLP, codes: Int8
) -> None:
    last = ".act_max = {},\n        .place = 0,\n        .table = layer2_table,"
    packed, portable = exported.read_text("utf-8").split("#else")
    assert portable.count(last.format(127)) == 1
    edited = portable.replace(last.format(127), last.format(5))
    exported.write_text(f"{packed}#else{edited}", "utf-8")
    table = small.layers[-1].table
    assert table is not None
    with sml.Engine.from_c(str(exported), small) as engine:
        result = engine.run(codes)
    assert result.max() <= table[5 + 128] < small.run(codes).max()


def test_two_exported_models_of_one_name_do_not_mix(tmp_path: Path, codes: Int8) -> None:
    require("gcc")
    models = [random_model([3, 5, 2], seed) for seed in (1, 2)]
    sources = [
        sml.export_c(model, tmp_path / str(i), name="snow")[0] for i, model in enumerate(models)
    ]
    with (
        sml.Engine.from_c(sources[0], models[0]) as one,
        sml.Engine.from_c(sources[1], models[1]) as other,
    ):
        assert (one.run(codes) == models[0].run(codes)).all()
        assert (other.run(codes) == models[1].run(codes)).all()


def test_an_exported_scaler_is_the_models(
    model: QuantizedMLP, data: sml.Dataset, tmp_path: Path
) -> None:
    require("gcc")
    counts = data.test.counts[:300]
    source, _ = sml.export_c(model, tmp_path, name="snow")
    with sml.Engine.from_c(source, model) as engine:
        assert (engine.prepare_input(counts) == model.prepare_input(counts)).all()
        assert (engine.run_counts(counts) == model.run(model.prepare_input(counts))).all()


def test_a_missing_file_is_an_os_error(
    small: QuantizedMLP, tmp_path: Path, temporary: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        sml.Engine.from_c(tmp_path / "snow.c", small)


@pytest.mark.parametrize("name", ["1snow.c", "snow-model.c", "snow model.c", "sn\u00f6w.c", ".c"])
def test_a_file_that_is_not_named_after_a_model_is_refused(
    name: str, small: QuantizedMLP, tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / name).write_text("int x;")
    with pytest.raises(sml.ScratchmlError, match="not named after a model"):
        sml.Engine.from_c(tmp_path / name, small)


def test_c_that_does_not_compile_is_refused_with_the_compilers_words(
    exported: Path, small: QuantizedMLP
) -> None:
    edit(exported, ".layer_count = 2,", ".layer_count = two,")
    with pytest.raises(sml.ScratchmlError, match=r"^the exported C does not compile: .*two"):
        sml.Engine.from_c(exported, small)


def test_a_missing_header_is_refused_with_the_compilers_words(
    exported: Path, small: QuantizedMLP
) -> None:
    exported.with_suffix(".h").unlink()
    with pytest.raises(sml.ScratchmlError, match=r"does not compile: .*snow\.h"):
        sml.Engine.from_c(exported, small)


def test_a_file_without_its_model_is_refused(exported: Path, small: QuantizedMLP) -> None:
    renamed = exported.with_name("rain.c")
    exported.rename(renamed)
    with pytest.raises(sml.ScratchmlError, match=r"rain\.c: the compiled model cannot be loaded"):
        sml.Engine.from_c(renamed, small)


def test_c_of_another_models_shape_is_refused(exported: Path) -> None:
    for sizes in ([4, 5, 2], [3, 5, 1]):
        with pytest.raises(sml.ScratchmlError, match="are not those of the"):
            sml.Engine.from_c(exported, random_model(sizes, 1))


def test_c_for_another_engine_is_refused(exported: Path, small: QuantizedMLP) -> None:
    edit(exported, ".version = SML_MODEL_VERSION", ".version = SML_MODEL_VERSION + 1")
    with pytest.raises(sml.ScratchmlError, match=r"answers SML_ERR_VERSION \(-2\)"):
        sml.Engine.from_c(exported, small)


def test_no_compiler_at_all(
    exported: Path, small: QuantizedMLP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sml.ScratchmlError, match="no C compiler: install gcc or clang"):
        sml.Engine.from_c(exported, small)
    with pytest.raises(sml.ScratchmlError, match="no C compiler"):
        sml.verify(small, random_rows=5, use_oracle=False)


def test_a_compiler_that_is_not_there(
    exported: Path, small: QuantizedMLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O3")
    with pytest.raises(
        sml.ScratchmlError, match=r"'no-such-compiler', named by \$CC, is not there"
    ):
        sml.Engine.from_c(exported, small)


def test_a_compiler_that_fails_without_a_word(
    exported: Path, small: QuantizedMLP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", require("false"))
    with pytest.raises(sml.ScratchmlError, match="does not compile: no message"):
        sml.Engine.from_c(exported, small)


def test_the_compiler_is_the_one_in_cc_or_the_first_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clang", "gcc"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CC", "clang -m32 '-DNAME=a b'")
    assert compiler() == ["clang", "-m32", "-DNAME=a b"]
    monkeypatch.setenv("CC", "  ")
    assert compiler() == ["gcc"]
    monkeypatch.delenv("CC")
    (tmp_path / "cc").touch(0o755)
    assert compiler() == ["cc"]


def test_the_compiled_library_is_not_left_behind_when_loading_is_interrupted(
    exported: Path, small: QuantizedMLP, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ctypes, "CDLL", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sml.Engine.from_c(exported, small)
    assert list(temporary.iterdir()) == []
