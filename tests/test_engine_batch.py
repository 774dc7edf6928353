"""Many rows at once: the short cut of ``csrc/host/batch.c`` gives the bytes of numpy's integers.

The other way, row by row through the public calls of the engine, is tested everywhere else; here it
is made sure that whoever asks for it gets it.
"""

from __future__ import annotations

import gc
import subprocess
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT, random_model, require
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scratchml._engine import ffi, lib
from test_export import WARNINGS, compile_c, with_tables
from test_parity import CASES, Case, any_model, random_counts

import scratchml as sml
from scratchml.activations import HIDDEN
from scratchml.affine import Quantization
from scratchml.layers import QuantizedDense
from scratchml.layouts import LAYOUTS, PORTABLE
from scratchml.outputs import OUTPUTS
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_sources
from scratchml.rows import Scaler

Int8 = npt.NDArray[np.int8]
LANES = lib.SML_LANES
NULL = ffi.NULL


def random_codes(n: int, inputs: int, seed: int = 0) -> Int8:
    return np.random.default_rng(seed).integers(-128, 128, (n, inputs), np.int8)


def assert_equal_to_numpy(model: QuantizedMLP, rows: Int8) -> None:
    """At once, and row by row."""
    expected = model.run(rows)
    with sml.Engine(model) as engine:
        assert (engine.run(rows) == expected).all()
        assert (engine.run(rows, row_by_row=True) == expected).all()


# --- the same bytes --------------------------------------------------------------------------


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 200),
    activations=st.sampled_from(sorted(HIDDEN)),
    output=st.sampled_from(sorted(OUTPUTS)),
)
@settings(max_examples=150)
def test_any_network_on_any_number_of_rows(
    sizes: list[int], seed: int, rows: int, activations: str, output: str
) -> None:
    try:
        model = random_model(sizes, seed, activations=activations, output=output)
    except sml.ScratchmlError:  # a layer that no row activates cannot be calibrated
        reject()
    assert_equal_to_numpy(model, random_codes(rows, sizes[0], seed))


@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 200))
@settings(max_examples=100)
def test_any_scales_zero_points_and_biases(seed: int, rows: int) -> None:
    model = any_model(seed)
    assert_equal_to_numpy(model, random_codes(rows, model.inputs, seed))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_models_made_by_hand(case: Case) -> None:
    assert_equal_to_numpy(case.model, case.inputs())


def test_tables_behind_every_layer() -> None:
    model = with_tables(random_model([6, 9, 7, 3], 6, activations="sigmoid"))
    assert_equal_to_numpy(model, random_codes(1000, 6))


@pytest.mark.parametrize("head", ["linear", "sigmoid", "softmax"])
def test_every_number_of_rows_around_a_block(head: str) -> None:
    model = random_model([5, 7, 3], 1, output=head)
    rows = random_codes(4 * LANES, 5)
    expected = model.run(rows)
    with sml.Engine(model) as engine:
        for n in range(len(rows) + 1):
            result = engine.run(rows[:n])
            assert result.shape == (n, 3) and result.dtype == np.int8
            assert (result == expected[:n]).all(), n


@pytest.mark.parametrize("inputs", [1, 2, 3, 4095, 4096])
def test_products_of_any_weights_fit_where_two_are_added(inputs: int) -> None:
    """Two of -128 * -128 are 2^15, one more than 16 bits hold; with all signs of the others."""
    extremes = np.array([-128, -127, 127], np.int8)
    weights = np.concatenate(
        [np.full((1, inputs), w, np.int8) for w in extremes]
        + [np.random.default_rng(0).choice(extremes, (5, inputs))]
    )
    # the sums of all rows are spread over the codes
    target = Quantization(float(np.float32(inputs * 2.0**7)), 0)
    layer = QuantizedDense(
        weights, np.ones(8, np.float32), np.zeros(8, np.int32), Quantization(1.0, 0), target
    )
    rows = np.random.default_rng(1).choice(extremes, (3 * LANES, inputs))
    rows[: len(extremes)] = extremes[:, np.newaxis]
    model = QuantizedMLP((layer,))
    assert model.run(rows)[:3, 0].tolist() == [127, 127, -127]
    assert_equal_to_numpy(model, rows)


def test_the_widest_layers() -> None:
    model = random_model([65535, 2], 0, rows=2)
    assert_equal_to_numpy(model, random_codes(LANES + 1, 65535))
    model = random_model([2, 65535], 0, rows=2, output="linear")
    assert_equal_to_numpy(model, random_codes(LANES + 1, 2))


# --- counts ----------------------------------------------------------------------------------


@given(
    channels=st.lists(
        st.tuples(st.integers(1, 10**4), st.floats(-50, 50), st.floats(-3, 3)),
        min_size=1,
        max_size=4,
    ),
    windows=st.integers(1, 3),
    rows=st.integers(1, 200),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=80)
def test_any_scaler(
    channels: list[tuple[int, float, float]], windows: int, rows: int, seed: int
) -> None:
    """A resolution, a mean and a power of ten as the standard deviation for each channel."""
    resolution, mean, exponent = zip(*channels, strict=True)
    n = len(channels)
    names = tuple(f"channel{i}" for i in range(n))
    scaler = Scaler(names, ("",) * n, resolution, mean, tuple(10.0**e for e in exponent))
    layers = random_model([n * windows, 5, 2], seed).layers
    model = QuantizedMLP(layers, scaler=scaler)
    assert model.features is not None
    features = model.features.tiled(model.inputs)
    counts = random_counts(features, rows, np.random.default_rng(seed))
    expected = model.run(model.prepare_input(counts))
    with sml.Engine(model) as engine:
        assert (engine.run_counts(counts) == expected).all()
        assert (engine.run_counts(counts, row_by_row=True) == expected).all()


def test_the_snow_models_counts(model: QuantizedMLP, data: sml.Dataset) -> None:
    ends = np.iinfo(np.int32)
    anything = np.random.default_rng(0).integers(ends.min, ends.max, (1000, 6), endpoint=True)
    anything[:2] = [[ends.min] * 6, [ends.max] * 6]
    with sml.Engine(model) as engine:
        for counts in (data.test.counts, anything, anything[:7], anything[:1]):
            expected = model.run(model.prepare_input(counts))
            assert (engine.run_counts(counts) == expected).all()


def test_counts_without_a_scaler_are_refused() -> None:
    counts = np.zeros((3 * LANES, 3), np.int32)
    with sml.Engine(random_model([3, 5, 2], 1)) as engine:
        for _ in range(2):
            with pytest.raises(sml.ScratchmlError, match=r"SML_ERR_STATE \(-5\)"):
                engine.run_counts(counts)


# --- who goes which way ----------------------------------------------------------------------


class Counted:
    """An engine whose first layer counts how often its kernel is called."""

    def __init__(self, model: QuantizedMLP) -> None:
        self.engine = sml.Engine(model)
        self.calls = 0
        self.during = lambda: None
        layer, kernel = self.engine._struct.layers[0], lib.sml_dense_portable

        @ffi.callback(ffi.typeof(layer.run))
        def run(same: Any, source: Any, target: Any) -> None:
            self.calls += 1
            self.during()
            kernel(same, source, target)

        self.callback = layer.run = run


@pytest.fixture
def counted() -> Iterator[Counted]:
    counted = Counted(random_model([3, 5, 2], 1))
    with counted.engine:
        yield counted


@pytest.mark.parametrize("n", [0, 1, 16, 17, LANES, LANES + 1, 300])
def test_row_by_row_means_the_boards_kernel_for_every_row(counted: Counted, n: int) -> None:
    counted.engine.run(random_codes(n, 3), row_by_row=True)
    assert counted.calls == n


def test_counts_go_row_by_row_too(model: QuantizedMLP, data: sml.Dataset) -> None:
    counted = Counted(model)
    with counted.engine as engine:
        engine.run_counts(data.test.counts[:300], row_by_row=True)
        assert counted.calls == 300
        engine.run_counts(data.test.counts[:300])
        assert counted.calls < 320


def test_a_digest_goes_row_by_row(counted: Counted) -> None:
    counted.engine.digest(300)
    assert counted.calls == 300


def test_many_rows_do_without_the_boards_kernel_but_for_a_few(counted: Counted) -> None:
    counted.engine.run(random_codes(10 * LANES, 3))
    assert counted.calls == 1  # which has the arguments checked


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout.name for layout in LAYOUTS])
def test_only_the_portable_layout_has_a_short_cut(layout: Any) -> None:
    model = random_model([6, 12, 4], 3)
    rows = random_codes(3 * LANES, 6)
    with sml.Engine(model, layout) as engine:
        assert hasattr(engine._lib, "sml_run_batch") == (layout == PORTABLE)
        assert (engine.run(rows) == model.run(rows)).all()
        assert (engine.run(rows, row_by_row=True) == model.run(rows)).all()


def test_an_exported_file_goes_row_by_row(tmp_path: Path) -> None:
    """Its kernel may be another than the extension's: here it turns a bit of the output."""
    require("gcc")
    model = random_model([3, 5, 2], 1, output="linear")
    source, _ = sml.export_c(model, tmp_path, name="snow")
    kernel = """#include "snow.h"
static void another(const sml_dense *layer, const void *input, void *output)
{
    sml_dense_portable(layer, input, output);
    ((int8_t *)output)[0] ^= layer->outputs == 2;
}
"""
    text = source.read_text("utf-8").replace("sml_dense_portable,", "another,")
    source.write_text(text.replace('#include "snow.h"\n', kernel), "utf-8")
    rows = random_codes(3 * LANES, 3)
    expected = model.run(rows) ^ np.array([1, 0], np.int8)
    with sml.Engine.from_c(source, model) as engine:
        assert (engine.run(rows) == expected).all()
        assert (engine.run(rows, row_by_row=True) == expected).all()


# --- the C function --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 16, 17, LANES - 1, LANES, LANES + 1, 2 * LANES + 17])
def test_nothing_is_written_beyond_the_outputs(n: int) -> None:
    model = random_model([3, 5, 2], 1)
    rows = random_codes(n, 3)
    output = np.full(2 * n + 64, 0x55, np.int8)
    with sml.Engine(model) as engine:
        context, _memory = engine._context()
        source, target = ffi.from_buffer("int8_t[]", rows), ffi.from_buffer("int8_t[]", output)
        assert lib.sml_run_batch(context, NULL, source, 3, target + 32, 2, n) == lib.SML_OK
    assert (output[32:-32].reshape(n, 2) == model.run(rows)).all()
    assert (output[:32] == 0x55).all() and (output[-32:] == 0x55).all()


@pytest.mark.parametrize("n", [1, 16, 17, 300])
def test_errors_are_those_of_single_rows(n: int) -> None:
    codes, counts, output = ffi.new("int8_t[]", 900), ffi.new("int32_t[]", 900), bytearray(600)
    target = ffi.from_buffer("int8_t[]", output)
    with sml.Engine(random_model([3, 5, 2], 1)) as engine:
        ready, _memory = engine._context()
        calls = [
            (NULL, NULL, codes, 3, target, 2),
            (ready, NULL, NULL, 3, target, 2),
            (ready, NULL, codes, 3, NULL, 2),
            (ready, NULL, codes, 2, target, 2),
            (ready, NULL, codes, 3, target, 3),
            (ready, counts, NULL, 3, target, 2),
            (ffi.new("sml_context *"), NULL, codes, 3, target, 2),
        ]
        statuses = [lib.sml_run_batch(*call, n) for call in calls]
        assert statuses == [lib.sml_run_rows(*call, n) for call in calls]
        names = "ARGUMENT ARGUMENT ARGUMENT SHAPE SHAPE STATE STATE".split()
        assert statuses == [getattr(lib, f"SML_ERR_{name}") for name in names]
        assert not any(output)
        assert lib.sml_run_batch(ready, NULL, NULL, 3, target, 2, 0) == lib.SML_OK  # no rows


# --- Engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3 * LANES])
def test_rows_of_any_layout_are_taken(n: int) -> None:
    model = random_model([6, 12, 3], 1)
    wide = random_codes(2 * n, 12)
    rows = np.ascontiguousarray(wide[:n, ::2])
    expected = model.run(rows)
    with sml.Engine(model) as engine:
        for same in (
            rows,
            wide[:n, ::2],
            np.asfortranarray(rows),
            rows[:, ::-1].copy()[:, ::-1],
            rows[::-1].copy()[::-1],
            rows.astype(np.int64),
            rows.astype(">i4"),
            rows.view(np.memmap),
            rows.tolist(),
        ):
            assert (engine.run(same) == expected).all()
            assert (engine.run(same, row_by_row=True) == expected).all()


@pytest.mark.parametrize(
    "row",
    [np.zeros((1, 6)), np.full((1, 6), 128), np.zeros((6, 1), np.int8), np.zeros(6, np.int8)],
)
def test_a_single_row_that_the_model_does_not_take_is_refused(row: npt.NDArray[Any]) -> None:
    with (
        sml.Engine(random_model([6, 12, 3], 1)) as engine,
        pytest.raises(sml.ScratchmlError, match="this model takes"),
    ):
        engine.run(row)


@pytest.mark.parametrize("n", [1, 2, 3 * LANES])
def test_outputs_are_the_callers_own(n: int) -> None:
    model = random_model([6, 12, 3], 1)
    rows = random_codes(2 * n, 6)
    with sml.Engine(model) as engine:
        first = engine.run(rows[:n])
        second = engine.run(rows[n:])
        assert (first == model.run(rows[:n])).all() and (second == model.run(rows[n:])).all()
        assert not np.shares_memory(first, second)
        first[:] = 99
        assert (engine.run(rows[:n]) == model.run(rows[:n])).all()
    assert first.flags.writeable and first.flags.c_contiguous and (first == 99).all()


def test_threads_of_all_numbers_of_rows_share_one_engine() -> None:
    model = random_model([16, 32, 32, 4], 2)
    batches = [random_codes(n, 16, seed) for seed, n in enumerate([1, 1, 2, 1, 40, 3000, 1, 500])]
    expected = [model.run(batch) for batch in batches]
    start = threading.Barrier(len(batches))

    def hammer(which: int) -> bool:
        start.wait()
        return all(
            np.array_equal(engine.run(batches[which]), expected[which])
            for _ in range(20000 // (len(batches[which]) + 50))
        )

    with sml.Engine(model) as engine, ThreadPoolExecutor(len(batches)) as threads:
        assert all(threads.map(hammer, range(len(batches))))
        assert 1 <= len(engine._idle) <= len(batches)


@pytest.mark.parametrize("row_by_row", [False, True])
@pytest.mark.parametrize("n", [1, 5, 3 * LANES])
def test_an_engine_closed_while_it_runs_ends_that_run_first(n: int, row_by_row: bool) -> None:
    model = random_model([3, 5, 2], 1)
    rows = random_codes(n, 3)
    counted = Counted(model)
    engine = counted.engine
    structs = [weakref.ref(one) for one in engine._owned]
    assert structs

    def close() -> None:
        engine.close()
        if counted.calls == 1:  # collecting takes its time
            gc.collect()
            assert all(one() is not None for one in structs)

    counted.during = close
    assert (engine.run(rows, row_by_row=row_by_row) == model.run(rows)).all()
    assert counted.calls >= 1
    gc.collect()
    assert all(one() is None for one in structs)  # and now they are gone
    with pytest.raises(sml.ScratchmlError, match="closed"):
        engine.run(rows)


# --- compilers -------------------------------------------------------------------------------

PROGRAM = ROOT / "tests" / "c" / "batch.c"
HOST = ROOT / "csrc" / "host"

#: GCC has ASan besides; Clang's is a package of its own.
SANITIZERS = {
    "gcc": "-fsanitize=undefined,address -fno-sanitize-recover=all".split(),
    "clang": "-fsanitize=undefined -fsanitize-trap=all -g".split(),
}


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [["-O3"], ["-O3", "-DSML_VECTORIZED="]], ids=" ".join)
def test_batches_pass_under_sanitizers(
    model: QuantizedMLP, compiler: str, flags: list[str], tmp_path: Path
) -> None:
    """Also without what the loader could pick."""
    all_flags = [*WARNINGS, *SANITIZERS[compiler], *flags, "-I", str(HOST)]
    objects = []
    for source in (*engine_sources(), HOST / "rows.c", HOST / "batch.c"):
        objects.append(tmp_path / f"{source.stem}.o")
        compile_c(compiler, *all_flags, "-c", source, "-o", objects[-1])
    models = {
        "snow_model": model,
        "classes_model": random_model([9, 16, 10], 4, activations="relu6", output="softmax"),
        "tables_model": with_tables(random_model([6, 9, 7, 3], 6, activations="sigmoid")),
    }
    for name, one in models.items():
        source, _ = sml.export_c(one, tmp_path, name=name)
        target = tmp_path / name
        names = [f"-DMODEL={name}", f"-DMODEL_UPPER={name.upper()}", "-I", str(tmp_path)]
        compile_c(compiler, *all_flags, *names, PROGRAM, source, *objects, "-o", target)
        result = subprocess.run([target], capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        lines = ["codes 201/201"] + ["counts 201/201"] * (one.features is not None)
        assert result.stdout.splitlines() == lines
