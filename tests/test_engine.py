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
from operator import mul, setitem
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
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]
NULL = ffi.NULL


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
            layer.inputs, layer.outputs = inputs, outputs
            layer.weights = self.new("int8_t[]", list(range(1, inputs * outputs + 1)))
            layer.bias = self.new("int32_t[]", [10] * outputs)
            layer.multiplier = self.new("int32_t[]", [2**30] * outputs)
            layer.shift = self.new("int8_t[]", [-3] * outputs)
            layer.zero_point, layer.act_min, layer.act_max = 5, -128, 127
        self.layers[1].table = self.new("int8_t[]", NEGATED)
        self.features = self.new("sml_feature[]", 2)
        for feature in self.features:
            feature.mean, feature.min, feature.max = 100, -1000, 1000
            feature.multiplier, feature.shift = 2**30, -2
        self.head = self.new("sml_head *")
        self.head.apply = ffi.addressof(lib, "sml_softmax")
        self.head.table = self.new("int32_t[]", EXPONENTIALS)
        self.model = self.new("sml_model *")
        self.model.version, self.model.layout = lib.SML_MODEL_VERSION, lib.SML_LAYOUT_PORTABLE
        self.model.input_zero_point = -7
        self.model.layer_count, self.model.layers = 2, self.layers
        self.model.feature_count, self.model.features = 2, self.features
        self.model.memory_bytes, self.model.head = 7, self.head
        self.context = self.new("sml_context *")
        self.memory = self.new("int8_t[]", 7)
        self.input = self.new("int8_t[]", [1, -2, 3, -4])
        self.counts = self.new("int32_t[]", [100, 200, 300, 400])
        self.output = self.new("int8_t[]", 2)

    def new(self, kind: str, *initializer: Any) -> Any:
        self.owned.append(ffi.new(kind, *initializer))
        return self.owned[-1]

    def load(self) -> int:
        return int(lib.sml_load_model(self.context, self.model))

    def give_memory(self) -> int:
        return int(lib.sml_initialize_model_memory(self.context, self.memory, 7))

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
    names = ["OK", "ARGUMENT", "VERSION", "MEMORY", "SHAPE", "STATE", "LAYOUT", "RANGE"]
    values = [getattr(lib, f"SML_{name}" if name == "OK" else f"SML_ERR_{name}") for name in names]
    assert values == [0, -1, -2, -3, -4, -5, -6, -7]


def broken_struct(name: str, status: str, change: Callable[[Structs], Any]) -> Any:
    return pytest.param(change, getattr(lib, f"SML_ERR_{status}"), id=name)


def crossed_bounds(c: Structs) -> None:
    c.layers[1].act_min, c.layers[1].act_max = 4, 3


def long_row(c: Structs) -> None:
    c.model.layer_count, c.model.feature_count = 1, 0  # or they would be what does not fit
    c.layers[0].inputs, c.layers[0].outputs = 65535, 1


@pytest.mark.parametrize(
    ("change", "status"),
    [
        broken_struct("version 0", "VERSION", lambda c: setattr(c.model, "version", 0)),
        broken_struct("version 2", "VERSION", lambda c: setattr(c.model, "version", 2)),
        broken_struct("layout 1", "LAYOUT", lambda c: setattr(c.model, "layout", 1)),
        broken_struct("no layers", "ARGUMENT", lambda c: setattr(c.model, "layers", NULL)),
        broken_struct("0 layers", "SHAPE", lambda c: setattr(c.model, "layer_count", 0)),
        broken_struct("no weights", "ARGUMENT", lambda c: setattr(c.layers[0], "weights", NULL)),
        broken_struct("no bias", "ARGUMENT", lambda c: setattr(c.layers[1], "bias", NULL)),
        broken_struct("no factor", "ARGUMENT", lambda c: setattr(c.layers[0], "multiplier", NULL)),
        broken_struct("no shift", "ARGUMENT", lambda c: setattr(c.layers[1], "shift", NULL)),
        broken_struct("no inputs", "SHAPE", lambda c: setattr(c.layers[0], "inputs", 0)),
        broken_struct("no outputs", "SHAPE", lambda c: setattr(c.layers[1], "outputs", 0)),
        broken_struct("narrow chain", "SHAPE", lambda c: setattr(c.layers[1], "inputs", 2)),
        broken_struct("a byte short", "SHAPE", lambda c: setattr(c.model, "memory_bytes", 6)),
        broken_struct("65536 bytes", "SHAPE", long_row),  # inputs + outputs exceed 16 bits
        broken_struct("factor", "RANGE", lambda c: setitem(c.layers[0].multiplier, 2, -1)),
        broken_struct("shift 31", "RANGE", lambda c: setitem(c.layers[1].shift, 1, 31)),
        broken_struct("shift -32", "RANGE", lambda c: setitem(c.layers[1].shift, 0, -32)),
        broken_struct("bounds", "RANGE", crossed_bounds),
        broken_struct("no head", "ARGUMENT", lambda c: setattr(c.head, "apply", NULL)),
        broken_struct("no table", "ARGUMENT", lambda c: setattr(c.head, "table", NULL)),
        broken_struct("no features", "ARGUMENT", lambda c: setattr(c.model, "features", NULL)),
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
    "fields",
    [
        {"min": 101},
        {"max": 99},
        {"mean": INT32_MAX, "min": INT32_MIN, "max": INT32_MAX},  # a difference of 33 bits
        {"mean": 0, "min": INT32_MIN},
        {"mean": INT32_MIN, "min": INT32_MIN, "max": INT32_MAX},
        {"mean": -1, "min": -2, "max": INT32_MAX},
        {"multiplier": -1},
        {"shift": 31},
        {"shift": -32},
    ],
    ids=str,
)
@pytest.mark.parametrize("index", [0, 1])
def test_a_channel_out_of_range_is_refused(c: Structs, fields: dict[str, int], index: int) -> None:
    for name, value in fields.items():
        setattr(c.features[index], name, value)
    assert c.load() == lib.SML_ERR_RANGE


def test_channels_that_do_not_divide_the_inputs_are_refused(c: Structs) -> None:
    c.model.features = c.new("sml_feature[]", [(0, -1, 1, 2**30, 0)] * 3)
    c.model.feature_count = 3
    assert c.load() == lib.SML_ERR_SHAPE


@pytest.mark.parametrize(
    "values", [{"mean": 5, "min": 5, "max": 5}, {"shift": 30}, {"shift": -31}, {"multiplier": 0}]
)
def test_a_channel_at_the_end_of_its_range_is_taken(c: Structs, values: dict[str, int]) -> None:
    for name, value in values.items():
        setattr(c.features[0], name, value)
    assert c.load() == lib.SML_OK


def test_null_pointers_are_refused_everywhere(ready: Structs) -> None:
    c = ready
    assert c.set_input() == lib.SML_OK
    results = [
        lib.sml_load_model(NULL, c.model),
        lib.sml_initialize_model_memory(NULL, c.memory, 7),
        lib.sml_initialize_model_memory(c.context, NULL, 7),
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


@pytest.mark.parametrize(("size", "status"), [(0, "MEMORY"), (6, "MEMORY"), (7, None), (8, None)])
def test_the_memory_must_be_large_enough(c: Structs, size: int, status: str | None) -> None:
    assert c.load() == lib.SML_OK
    memory = c.new("int8_t[]", 16)
    expected = getattr(lib, f"SML_ERR_{status}") if status else lib.SML_OK
    assert lib.sml_initialize_model_memory(c.context, memory, size) == expected
    assert c.set_input() == (lib.SML_ERR_STATE if status else lib.SML_OK)


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


def test_counts_need_channels(c: Structs) -> None:
    c.model.feature_count, c.model.features = 0, NULL
    assert (c.load(), c.give_memory()) == (lib.SML_OK, lib.SML_OK)
    assert c.prepare_input() == lib.SML_ERR_STATE
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


@pytest.mark.parametrize(("outputs", "status"), [(511, "OK"), (512, "ERR_SHAPE")])
def test_a_softmax_has_at_most_511_classes(c: Structs, outputs: int, status: str) -> None:
    many = 512
    c.layers[1].outputs, c.model.memory_bytes = outputs, 3 + many
    c.layers[1].weights = c.new("int8_t[]", 3 * many)
    c.layers[1].bias = c.new("int32_t[]", many)
    c.layers[1].multiplier = c.new("int32_t[]", many)
    c.layers[1].shift = c.new("int8_t[]", many)
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


@pytest.mark.parametrize("sizes", [[1, 1], [1, 9, 1], [9, 1, 9], [4, 7, 3, 8, 2], [16, 1, 1, 16]])
@pytest.mark.parametrize("offset", [0, 1, 3])
def test_nothing_is_written_outside_of_the_memory_given(sizes: list[int], offset: int) -> None:
    model = random_model(sizes, 0)
    rows = np.random.default_rng(0).integers(-128, 128, (20, sizes[0]), np.int8)
    with sml.Engine(model) as engine:
        size, guard = model.memory_bytes, 0x55
        area = ffi.new("int8_t[]", [guard] * (size + 64))
        context = ffi.new("sml_context *")
        output = ffi.new("int8_t[]", [guard] * (model.outputs + 8))
        assert lib.sml_load_model(context, engine._struct) == lib.SML_OK
        memory = area + 32 + offset
        assert lib.sml_initialize_model_memory(context, memory, size) == lib.SML_OK
        for row, expected in zip(rows.tolist(), model.run(rows).tolist(), strict=True):
            assert lib.sml_set_input(context, row, len(row)) == lib.SML_OK
            assert lib.sml_run_model(context, output, model.outputs) == lib.SML_OK
            assert list(output) == expected + [guard] * 8
        assert list(area[0 : 32 + offset]) == [guard] * (32 + offset)
        assert list(area[32 + offset + size : size + 64]) == [guard] * (32 - offset)


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


@pytest.mark.parametrize("sizes", [[1, 1], [2, 3], [3, 5, 2], [4, 1], [5, 4, 3], [7, 2]])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_a_digest_is_the_crc_32_of_all_outputs(sizes: list[int], seed: int) -> None:
    model = random_model(sizes, 1)
    rows = input_stream(seed, 0, 333 * sizes[0]).reshape(333, sizes[0])
    expected = zlib.crc32(model.run(rows).tobytes())
    with sml.Engine(model) as engine:
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


def test_counts_take_the_same_way_as_in_numpy(model: QuantizedMLP, data: sml.Dataset) -> None:
    rng = np.random.default_rng(0)
    anything = rng.integers(INT32_MIN, INT32_MAX, (1000, 6), endpoint=True)
    anything[:3] = [[INT32_MIN] * 6, [INT32_MAX] * 6, [0] * 6]
    with sml.Engine(model) as engine:
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


def test_several_threads_share_one_engine() -> None:
    with sml.Engine(random_model([16, 32, 32, 4], 2)) as engine:
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
    last = ".act_max = {},\n        .table = layer2_table,"
    edit(exported, last.format(127), last.format(5))
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
