"""The ``.tflite`` file that is written: it comes back equal, and TensorFlow Lite Micro runs it.

Files that others write are the subject of test_tflite_reader.py and test_tflite_refused.py, damaged
ones of test_tflite_fuzz.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, require
from flatbuffers import number_types as N
from hypothesis import given, settings
from hypothesis import strategies as st
from test_parity import judge
from tflite_files import assert_same, describe, layered

import scratchml as sml
from scratchml import oracle, tflite
from scratchml.layers import ACTIVATIONS
from scratchml.quantized import QuantizedMLP
from scratchml.rows import Scaler
from scratchml.tflite.flatbuffer import Node

Int8 = npt.NDArray[np.int8]

# --- there and back --------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
means = st.floats(-1e4, 1e4)
scalers = st.integers(1, 3).flatmap(
    lambda n: st.builds(
        Scaler,
        *(st.tuples(*[of] * n) for of in (st.text(), st.text(), st.integers(1, 10_000), means)),
        st.tuples(*[st.floats(1e-3, 1e3)] * n),
    )
)


kinds = st.tuples(
    st.sampled_from(sorted(ACTIVATIONS)),
    st.lists(st.sampled_from(["relu", "relu6", "logistic", "quantize"]), max_size=3),
)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    seed=st.integers(0, 10_000),
    layer_kinds=st.lists(kinds, min_size=4, max_size=4),
    softmax=st.booleans(),
    beta=st.floats(0.125, 8, width=32),
    windows=st.integers(1, 3),
    scaler=st.none() | scalers,
    threshold=st.floats(1 / 256, 255 / 256),
    metadata=st.dictionaries(st.text(min_size=1), json_values, max_size=3).filter(
        lambda values: not {"features", "threshold"} & set(values)
    ),
)
@settings(deadline=None, max_examples=150)
def test_a_model_comes_back_equal_in_every_field(
    sizes: list[int],
    seed: int,
    layer_kinds: list[tuple[str, list[str]]],
    softmax: bool,
    beta: float,
    windows: int,
    scaler: Scaler | None,
    threshold: float,
    metadata: Mapping[str, Any],
) -> None:
    if scaler is not None:
        sizes = [windows * len(scaler.names), *sizes[1:]]
    plain = layered(sizes, layer_kinds[: len(sizes) - 1], seed, softmax=softmax)
    head = plain.softmax and replace(plain.softmax, beta=beta)
    model = QuantizedMLP(plain.layers, head, scaler, threshold, metadata)
    data = tflite.to_bytes(model)
    again = tflite.from_bytes(data)
    assert_same(model, again)
    assert tflite.to_bytes(again) == data


def test_the_snow_model_comes_back_from_a_file(model: QuantizedMLP, tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "snow.tflite"
    model.save(path)
    again = QuantizedMLP.load(path)
    assert_same(model, again)
    assert again.features is not None and model.features is not None
    for name, values in asdict(model.features).items():
        assert (getattr(again.features, name) == values).all()


def test_an_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.tflite"
    path.write_bytes(b"not one")
    with pytest.raises(sml.ScratchmlError, match=r"odd\.tflite: this is not a \.tflite file"):
        QuantizedMLP.load(path)
    with pytest.raises(FileNotFoundError):
        QuantizedMLP.load(tmp_path / "nothing.tflite")


def test_the_same_model_gives_the_same_bytes() -> None:
    first, second = (random_model([5, 8, 2], 3) for _ in range(2))
    assert tflite.to_bytes(first) == tflite.to_bytes(second) == tflite.to_bytes(first)
    assert tflite.to_bytes(first) != tflite.to_bytes(random_model([5, 8, 2], 4))


# --- the format itself -----------------------------------------------------------------------


def test_the_file_says_what_it_is() -> None:
    data = tflite.to_bytes(random_model([2, 3, 1], 0))
    assert data[4:8] == b"TFL3"
    root = Node(data, 0).follow(0)
    assert root.scalar(0, N.Uint32Flags) == 3  # the schema's version
    assert len(root.tables(2)) == 1


def test_operator_codes_and_versions_are_those_of_the_first_int8_kernels() -> None:
    following = ["relu", "relu6", "quantize", "logistic"]
    model = layered([2, 3, 2], [("relu", following), ("linear", following)], softmax=True)
    codes = list(Node(tflite.to_bytes(model), 0).follow(0).tables(1))
    numbers = {9: 4, 19: 2, 21: 2, 114: 2, 14: 2, 25: 2}  # in order of appearance
    assert [code.scalar(3, N.Int32Flags) for code in codes] == list(numbers)
    assert [code.scalar(0, N.Int8Flags) for code in codes] == list(numbers)  # for old readers
    assert [code.scalar(2, N.Int32Flags) for code in codes] == list(numbers.values())


@pytest.mark.parametrize("sizes", [[1, 1], [2, 3, 1], [7, 13, 5], [6, 12, 1]])
def test_every_buffer_starts_at_a_multiple_of_16(sizes: list[int]) -> None:
    data = tflite.to_bytes(random_model(sizes, 0))
    root = Node(data, 0).follow(0)
    buffers = root.tables(4)
    starts = [start for start, length in (node._vector(0, 1) for node in buffers) if length]
    assert len(starts) == 2 * (len(sizes) - 1) + 1  # weights and biases, metadata
    assert [start % 16 for start in starts] == [0] * len(starts)
    assert buffers[0]._vector(0, 1) == (0, 0)  # the one that stands for "no data"


def sample(seed: int) -> QuantizedMLP:
    """Up to three layers, each with any activation and up to three operators after it."""
    rng = np.random.default_rng(seed)
    following = ["relu", "relu6", "logistic", "quantize"]
    kinds = [
        (str(rng.choice(sorted(ACTIVATIONS))), rng.choice(following, rng.integers(4)).tolist())
        for _ in range(rng.integers(1, 4))
    ]
    sizes = rng.integers(1, 9, len(kinds) + 1).tolist()
    return layered(sizes, kinds, seed, softmax=bool(rng.integers(2)))


def test_tflite_micro_runs_what_is_written(model: QuantizedMLP) -> None:
    require("tflite_micro")
    models = [model, random_model([3, 5, 4], 1), random_model([1, 1], 2), *map(sample, range(60))]
    rng = np.random.default_rng(0)
    rows = [rng.integers(-128, 128, (100, m.inputs), np.int8) for m in models]
    judged = judge(list(zip(models, rows, strict=True)))
    for number, (m, x, expected) in enumerate(zip(models, rows, judged, strict=True)):
        assert (m.run(x) == expected).all(), number
    assert (oracle.run(model, rows[0]) == judged[0]).all()


# --- metadata --------------------------------------------------------------------------------

FEATURES: dict[str, Any] = {
    "names": ["t", "h"],
    "units": ["C", "%"],
    "resolution": [100, 100],
    "mean": [1, 2],
}
GOOD = {**FEATURES, "std": [8.5, 20]}


def with_metadata(*entries: tuple[str, bytes]) -> QuantizedMLP:
    file = describe(random_model([2, 3, 1], 0))
    file.metadata = list(entries)
    return tflite.from_bytes(file.write())


def test_a_file_without_metadata_has_no_scaler_and_the_usual_threshold() -> None:
    for model in (with_metadata(), with_metadata(("min_runtime_version", b"1.5.0"))):
        assert model.scaler is None and model.features is None
        assert model.threshold == 0.5
        assert model.metadata == {}


def test_the_entry_is_found_by_its_name_among_others() -> None:
    text = json.dumps({"features": GOOD, "threshold": 0.25, "seed": 3}).encode()
    model = with_metadata(("a", b"[]"), ("scratchml", text), ("min_runtime_version", b"2"))
    assert model.scaler == Scaler(("t", "h"), ("C", "%"), (100, 100), (1.0, 2.0), (8.5, 20.0))
    assert (model.threshold, model.metadata) == (0.25, {"seed": 3})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b'"features"',
        b"{",
        b"\xff\xfe\xfd",
        b"{'seed': 0}",
        b'{"threshold": ',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
    ],
    ids=lambda text: text[:12].decode("latin-1"),
)
def test_metadata_that_is_no_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(sml.ScratchmlError, match="the metadata named scratchml is not"):
        with_metadata(("scratchml", text))


@pytest.mark.parametrize(
    "values",
    [
        {"threshold": "high"},
        {"threshold": None},
        {"threshold": [0.5]},
        {"threshold": {}},
        {"threshold": 0},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"threshold": float("inf")},
        {"threshold": 10**400},
        {"features": 7},
        {"features": "t"},
        {"features": [GOOD]},
        {"features": FEATURES},
        {"features": {**GOOD, "std": [8.5]}},
        {"features": {**GOOD, "std": [8.5, 0]}},
        {"features": {**GOOD, "std": [8.5, -1]}},
        {"features": {**GOOD, "std": [8.5, float("nan")]}},
        {"features": {**GOOD, "std": ["a", "b"]}},
        {"features": {**GOOD, "std": [8.5, None]}},
        {"features": {**GOOD, "std": 8.5}},
        {"features": {**GOOD, "std": [1e-300, 1]}},
        {"features": {**GOOD, "std": [1e-320, 1]}},
        {"features": {**GOOD, "mean": [float("inf"), 0]}},
        {"features": {**GOOD, "mean": [1e307, 0]}},
        {"features": {**GOOD, "mean": [10**400, 0]}},
        {"features": {**GOOD, "resolution": [0, 100]}},
        {"features": {**GOOD, "resolution": [float("inf"), 100]}},
        {"features": {**GOOD, "resolution": [float("nan"), 100]}},
        {"features": {**GOOD, "resolution": [10**400, 100]}},
        {"features": {**GOOD, "resolution": [10**9, 100]}},
        {"features": {name: values[:0] for name, values in GOOD.items()}},
        {"features": {name: values * 2 for name, values in GOOD.items()}},  # 4 channels, 2 inputs
    ],
    ids=lambda values: json.dumps(values).replace("0" * 400, "...")[:140],
)
def test_metadata_that_is_not_usable_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(sml.ScratchmlError):
        with_metadata(("scratchml", json.dumps(values).encode()))


@given(
    values=st.dictionaries(
        st.sampled_from(["features", "threshold", "seed"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner, max_size=5)
            ),
            max_leaves=12,
        ),
    )
)
@settings(deadline=None, max_examples=300)
def test_metadata_of_any_kind_is_read_or_refused(values: dict[str, Any]) -> None:
    try:
        model = with_metadata(("scratchml", json.dumps(values).encode()))
    except sml.ScratchmlError:
        return
    if model.features is not None:
        model.prepare_input(np.array([[0, -(2**31)], [2**31 - 1, 5]]))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_metadata_with_a_number_that_json_does_not_have_is_refused(number: str) -> None:
    # Python's parser makes a float of each, but none could be written again
    with pytest.raises(sml.ScratchmlError, match="the metadata named scratchml is not a JSON"):
        with_metadata(("scratchml", b'{"note": [%s]}' % number.encode()))


def test_metadata_entries_beyond_all_measure_are_refused() -> None:
    entries = [(f"entry {i}", b"") for i in range(1023)]
    text = b'{"seed": 3}'
    assert with_metadata(*entries, ("scratchml", text)).metadata == {"seed": 3}
    with pytest.raises(sml.ScratchmlError, match="has 1025 metadata entries: 1024 at most"):
        with_metadata(*entries, ("another", b""), ("scratchml", text))


@pytest.mark.parametrize("name", ["features", "threshold"])
def test_metadata_cannot_take_the_place_of_the_models_own(name: str) -> None:
    net, rows = sml.MLP([2, 1]), np.ones((3, 2), np.float32)
    net.threshold = 0.25
    try:
        model = sml.quantize(net, rows, metadata={name: "mine"})
    except sml.ScratchmlError:
        return
    assert tflite.from_bytes(tflite.to_bytes(model)).threshold == 0.25
