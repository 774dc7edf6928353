"""A network comes back from its file as it went in, or not at all."""

from __future__ import annotations

import io
import json
import math
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchml import MLP, Checkpoint, Recipe, Scaler, ScratchmlError
from scratchml.mlp import OUTPUTS
from scratchml.tasks import from_metadata

examples = settings(deadline=None, max_examples=100)

SCALER = Scaler(
    ("temperature_2m", "relative_humidity_2m"), ("C", "%"), (100, 100), (0.1, 70 / 3), (8.9, 1e-3)
)
RECIPE = Recipe(window=2, horizon=4, snow_above=0.1, split="random", balance="all", seed=5)


def checkpoint(sizes: tuple[int, ...] = (4, 3, 1), seed: int = 7, **options: Any) -> Checkpoint:
    net = MLP(sizes, dropout=0.2, seed=seed, **options)
    net.parameters[:] = np.random.default_rng(seed).normal(size=len(net.parameters))
    net.threshold = 1 / 3
    return Checkpoint(net, SCALER, RECIPE, "a" * 64)


def saved(model: Checkpoint, folder: Path) -> bytes:
    model.save(folder / "saved.npz")
    return (folder / "saved.npz").read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def whole(folder: Path) -> bytes:
    """The file of ``checkpoint()``."""
    return saved(checkpoint(), folder)


@pytest.fixture(scope="module")
def arrays(whole: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(whole), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


@pytest.fixture(scope="module")
def metadata(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(str(arrays["metadata"]))
    return values


def packed(arrays: Mapping[str, npt.NDArray[Any]], metadata: object = None) -> bytes:
    """A file of these arrays, with other metadata where some is given."""
    buffer = io.BytesIO()
    members = dict(arrays)
    if metadata is not None:
        members["metadata"] = np.array(json.dumps(metadata))
    np.savez(buffer, **members)
    return buffer.getvalue()


def same(one: Checkpoint, other: Checkpoint) -> bool:
    """Equal in everything that is stored, the parameters bit by bit."""
    nets = [
        (
            net.sizes,
            net.hidden,
            net.output,
            net.dropout,
            net.seed,
            net.threshold,
            net.parameters.tobytes(),
        )
        for net in (one.net, other.net)
    ]
    rest = [(model.scaler, model.recipe, model.data) for model in (one, other)]
    return nets[0] == nets[1] and rest[0] == rest[1]


def refusal(contents: bytes, folder: Path) -> str:
    """The one line with which a file is refused; it names the file."""
    path = folder / "refused.npz"
    path.write_bytes(contents)
    with pytest.raises(ScratchmlError) as caught:
        Checkpoint.load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


# What is whole.


@pytest.mark.parametrize("sizes", [(4, 1), (4, 3, 1), (1, 1, 1), (4, 9, 8, 7, 1), (2, 3, 5)])
def test_a_network_comes_back_bit_by_bit(sizes: tuple[int, ...], tmp_path: Path) -> None:
    model = checkpoint(sizes)
    model.save(tmp_path / "model.npz")
    assert same(Checkpoint.load(tmp_path / "model.npz"), model)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("names", [["relu6", "sigmoid"], ["linear", "relu_n1_to_1"]], ids=str)
def test_activations_and_output_come_back(names: list[str], output: str, tmp_path: Path) -> None:
    model = checkpoint((4, 5, 6, 3), activations=names, output=output)
    model.save(tmp_path / "model.npz")
    loaded = Checkpoint.load(tmp_path / "model.npz")
    assert same(loaded, model)
    assert (loaded.net.hidden, loaded.net.output) == (tuple(names), output)
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_array_equal(loaded.net.predict(x), model.net.predict(x))


def test_negative_zero_and_the_smallest_numbers_come_back(tmp_path: Path) -> None:
    model = checkpoint((2, 2, 1))
    tiny = np.finfo(np.float32).smallest_subnormal
    model.net.parameters[:4] = [-0.0, tiny, -tiny, np.finfo(np.float32).max]
    model.save(tmp_path / "model.npz")
    assert same(Checkpoint.load(tmp_path / "model.npz"), model)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    assert saved(checkpoint(), tmp_path) == saved(checkpoint(), tmp_path)
    assert saved(checkpoint(), tmp_path) != saved(checkpoint(seed=8), tmp_path)


def test_a_file_that_was_read_is_written_again_as_it_was(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(whole)
    assert saved(Checkpoint.load(path), tmp_path) == whole


def test_any_numpy_can_read_the_weights(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """As the documentation lays them out, without a word of this package's code."""
    net = checkpoint().net
    assert set(arrays) == {
        "metadata",
        *(f"layer{n}_{part}" for n in (1, 2) for part in ("weights", "bias")),
    }
    for n, w in enumerate(net.weights, start=1):
        np.testing.assert_array_equal(arrays[f"layer{n}_weights"], w[:, :-1])
        np.testing.assert_array_equal(arrays[f"layer{n}_bias"], w[:, -1])


def test_metadata_names_the_recipe_the_data_and_the_seed() -> None:
    values = checkpoint().metadata()
    assert set(values) == {"task", "classes", "recipe", "data", "seed"}
    assert from_metadata(values) == RECIPE
    assert (values["data"], values["seed"]) == ("a" * 64, 7)


def test_saving_leaves_no_temporary_file(no_temporary_files: Path) -> None:
    checkpoint().save(no_temporary_files / "models" / "model.npz")
    assert [path.name for path in (no_temporary_files / "models").iterdir()] == ["model.npz"]


# What is not.


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        Checkpoint.load(tmp_path / "gone.npz")


def test_a_file_cut_short_anywhere_is_refused(whole: bytes, folder: Path) -> None:
    for length in [*range(0, len(whole), 17), len(whole) - 1]:
        assert "not a whole model.npz" in refusal(whole[:length], folder)


def test_a_flipped_bit_is_noticed_or_harmless(whole: bytes, folder: Path) -> None:
    """Check sums protect the arrays, but not all of the archive around them."""
    path = folder / "flipped.npz"
    for place in range(0, len(whole), 3):
        contents = bytearray(whole)
        contents[place] ^= 1 << place % 8
        path.write_bytes(contents)
        try:
            loaded = Checkpoint.load(path)
        except ScratchmlError as error:
            assert "\n" not in str(error)
        else:
            assert same(loaded, checkpoint())


@examples
@given(contents=st.binary(max_size=200), start=st.sampled_from([b"", b"PK\3\4", b"\x93NUMPY\1\0"]))
def test_garbage_is_refused(contents: bytes, start: bytes, folder: Path) -> None:
    assert "not a whole model.npz" in refusal(start + contents, folder)


def test_files_of_other_kinds_are_refused(folder: Path) -> None:
    array, archive = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros(3))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("metadata", "no array")
    for contents in (array.getvalue(), archive.getvalue(), pickle.dumps({"layer1_bias": [1.0]})):
        assert "not a whole model.npz" in refusal(contents, folder)


class Bomb:
    """What a pickle must not be able to do: run a function when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was opened",)


@pytest.mark.parametrize("name", ["metadata", "layer1_weights", "layer2_bias"])
def test_a_pickle_is_refused_unopened(
    name: str, arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    array = np.empty(1, object)
    array[0] = Bomb()
    assert "not a whole model.npz" in refusal(packed({**arrays, name: array}), folder)


@pytest.mark.parametrize(
    "missing",
    [
        ["metadata"],
        ["layer1_weights"],
        ["layer1_bias"],
        ["layer2_weights"],
        ["layer2_bias"],
        ["layer1_weights", "layer1_bias"],
        ["layer1_weights", "layer1_bias", "layer2_weights", "layer2_bias"],
    ],
    ids="+".join,
)
def test_a_missing_array_is_noticed(
    missing: list[str], arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    rest = {name: array for name, array in arrays.items() if name not in missing}
    refusal(packed(rest), folder)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("layer1_weights", (12,)),
        ("layer1_weights", (4, 3)),
        ("layer1_weights", (3, 4, 1)),
        ("layer1_weights", (3, 0)),
        ("layer1_weights", ()),
        ("layer1_bias", (2,)),
        ("layer1_bias", (4,)),
        ("layer1_bias", ()),
        ("layer1_bias", (3, 1)),
        ("layer2_weights", (1, 4)),
        ("layer2_weights", (2, 3)),
        ("layer2_weights", (3,)),
        ("layer2_bias", (0,)),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(
    name: str, shape: tuple[int, ...], arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    refusal(packed({**arrays, name: np.zeros(shape, np.float32)}), folder)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["layer1_weights", "layer1_bias", "layer2_weights", "layer2_bias"])
def test_parameters_that_are_not_finite_are_refused(
    name: str, value: float, arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    array = arrays[name].copy()
    array.flat[-1] = value
    assert "not finite" in refusal(packed({**arrays, name: array}), folder)


def test_text_in_place_of_numbers_is_refused(
    arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    text = arrays["layer1_weights"].astype(str)
    refusal(packed({**arrays, "layer1_weights": text}), folder)


@pytest.mark.parametrize(
    "key", ["recipe", "data", "seed", "features", "hidden", "output", "dropout", "threshold"]
)
def test_missing_metadata_is_noticed(
    key: str,
    arrays: Mapping[str, npt.NDArray[Any]],
    metadata: Mapping[str, Any],
    folder: Path,
) -> None:
    rest = {name: value for name, value in metadata.items() if name != key}
    refusal(packed(arrays, rest), folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("threshold", None),
        ("threshold", "high"),
        ("threshold", math.nan),
        ("dropout", 1),
        ("dropout", math.nan),
        ("seed", -1),
        ("seed", math.inf),
        ("output", "tanh"),
        ("output", ["sigmoid"]),
        ("output", None),
        ("hidden", None),
        ("hidden", 1),
        ("hidden", []),
        ("hidden", ["tanh"]),
        ("hidden", ["relu", "relu"]),
        ("hidden", [["relu"]]),
        ("hidden", [None]),
        ("hidden", "elu"),
        ("hidden", {"name": "relu"}),
        ("recipe", None),
        ("recipe", []),
        ("recipe", {"windows": 3}),
        ("recipe", {"window": "3"}),
        ("recipe", {"window": 0}),
        ("recipe", {"split": "fair"}),
        ("features", None),
        ("features", {}),
        ("features", {"names": ["t"], "units": [], "resolution": [1], "mean": [0], "std": [1]}),
        ("features", {"names": ["t"], "units": ["C"], "resolution": [1], "mean": [0], "std": [0]}),
    ],
)
def test_metadata_that_means_nothing_is_refused(
    key: str,
    value: object,
    arrays: Mapping[str, npt.NDArray[Any]],
    metadata: Mapping[str, Any],
    folder: Path,
) -> None:
    refusal(packed(arrays, {**metadata, key: value}), folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"'])
def test_metadata_that_is_no_json_object_is_refused(
    text: str, arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    refusal(packed({**arrays, "metadata": np.array(text)}), folder)


@pytest.mark.parametrize("metadata", [{}, {"recipe": None}, {"recipe": {"colour": "white"}}])
def test_a_model_without_a_recipe_says_so(metadata: dict[str, Any]) -> None:
    with pytest.raises(ScratchmlError, match="does not say what data"):
        from_metadata(metadata)


def test_shapes_are_compared_before_memory_is_asked_for(
    arrays: Mapping[str, npt.NDArray[Any]], folder: Path
) -> None:
    """Two long biases stand for a matrix of hundreds of gigabytes, in a file of a few kilobytes."""
    long = np.zeros(300_000, np.float32)
    damaged = {**arrays, "layer1_bias": long, "layer2_bias": long}
    assert "shapes of the weights" in refusal(packed(damaged), folder)
