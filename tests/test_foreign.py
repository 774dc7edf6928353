"""Models that TensorFlow's converters wrote, of three versions from 2020 to 2026.

``golden/foreign`` was made by tools/make_foreign_models.py; its README lists the files. Inputs and
outputs are in each file's own type, as TensorFlow Lite Micro read and wrote them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import require

import scratchml as sml
from scratchml import oracle, tflite

FOLDER = Path(__file__).parent / "golden" / "foreign"
FILES = sorted(FOLDER.glob("*.tflite"))
REFUSED = {
    "batch_4": "operator 0 (FULLY_CONNECTED): 3 inputs and 6 outputs in tensors of shape (4, 3)",
    "conv_2d": "operator 0 (CONV_2D): it is not supported: supported are FULLY_CONNECTED",
    "dynamic_range": "operator 0 (FULLY_CONNECTED): FLOAT32 instead of INT8: convert it with int8",
    "fake_quant_softmax": "operator 3 (QUANTIZE): it is not supported here",
    "float32": "operator 0 (FULLY_CONNECTED): FLOAT32 instead of INT8: convert it with int8",
    "int16x8": "operator 0 (QUANTIZE): INT16 instead of INT8: convert it with int8",
    "legacy_uint8": "operator 0 (FULLY_CONNECTED): UINT8 instead of INT8: convert it with int8",
    "relu6_first": "operator 0 (RELU6): it is not supported here",
    "relu_first": "operator 0 (RELU): it is not supported here",
    "residual_add": "operator 2 (ADD): it is not supported: supported are FULLY_CONNECTED",
    "softmax_of_rows": "operator 2 (SOFTMAX): of shape (1, 3, 4): one row at a time",
    "tanh": "operator 1 (TANH): it is not supported: supported are FULLY_CONNECTED",
    "two_inputs": "the model has 2 inputs and 1 outputs",
    "two_outputs": "the model has 1 inputs and 2 outputs",
    "two_rows": "operator 0 (FULLY_CONNECTED): 3 inputs and 4 outputs in tensors of shape (1, 2",
}


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def path(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def rows(path: Path, name: str) -> npt.NDArray[np.generic]:
    """``inputs`` or ``outputs`` of a file, ``[n, units]`` whatever its shape."""
    with np.load(path.with_suffix(".npz")) as arrays:
        return arrays[name].reshape(len(arrays[name]), -1)


def codes_of(values: npt.NDArray[np.generic], file: tflite.File) -> npt.NDArray[np.int8]:
    """The int8 rows that a file's input becomes."""
    if file.input_type == "FLOAT32":
        return file.model.layers[0].source.codes(values)
    return (values ^ 0x80).view(np.int8) if file.input_type == "UINT8" else values


def values_of(codes: npt.NDArray[np.int8], file: tflite.File) -> npt.NDArray[np.generic]:
    """What a file puts out for int8 output rows."""
    if file.output_type == "FLOAT32":
        return file.model.output_quantization.real(codes)
    return codes.view(np.uint8) ^ 0x80 if file.output_type == "UINT8" else codes


def test_the_collection_is_whole() -> None:
    assert {path.name.split("_")[0] for path in FILES} == {"tf23", "tf28", "tf221"}
    assert all(path.with_suffix(".npz").exists() for path in FILES)
    assert len(FILES) >= 48
    types = {(tflite.read(p.read_bytes()).input_type, p.name.split("_")[0]) for p in FILES}
    assert {kind for kind, _ in types} == {"INT8", "UINT8", "FLOAT32"}


def test_numpy_gives_what_tflite_micro_gave(path: Path) -> None:
    file = tflite.read(path.read_bytes())
    outputs = file.model.run(codes_of(rows(path, "inputs"), file))
    expected = rows(path, "outputs")
    assert len(np.unique(expected, axis=0)) > 5
    assert values_of(outputs, file).dtype == expected.dtype
    assert (values_of(outputs, file) == expected).all()


def test_the_c_engine_gives_the_same(path: Path) -> None:
    file = tflite.read(path.read_bytes())
    codes = codes_of(rows(path, "inputs"), file)
    with sml.Engine(file.model) as engine:
        assert (engine.run(codes, row_by_row=True) == file.model.run(codes)).all()
        assert (engine.run(codes) == file.model.run(codes)).all()


def test_written_anew_it_is_the_same_model(path: Path) -> None:
    file = tflite.read(path.read_bytes())
    codes = codes_of(rows(path, "inputs"), file)
    again = tflite.from_bytes(tflite.to_bytes(file.model))
    assert (again.run(codes) == file.model.run(codes)).all()


@pytest.mark.parametrize("name", ["tf221_float_io", "tf28_uint8_io", "tf221_image", "tf23_relu6"])
def test_verify_proves_it_on_the_file_itself(name: str) -> None:
    require("gcc")
    require("tflite_micro")
    data = (FOLDER / f"{name}.tflite").read_bytes()
    model = tflite.from_bytes(data)
    found = sml.verify(model, random_rows=500, file=data)
    who = ["C engine", "C engine, batches", "exported C", "TFLite Micro"]
    assert [c.implementation for c in found] == who
    assert not any(c.differing for c in found)
    codes = np.zeros((1, model.inputs), np.int8)
    assert (oracle.run(model, codes, data) == oracle.run(model, codes)).all()


@pytest.mark.parametrize("path", sorted((FOLDER / "refused").iterdir()), ids=lambda p: p.stem)
def test_what_is_no_int8_perceptron_is_refused_by_name(path: Path) -> None:
    with pytest.raises(sml.ScratchmlError) as caught:
        tflite.read(path.read_bytes())
    name = path.stem.split("_", 1)[1]
    assert str(caught.value).startswith(REFUSED[name])
    assert "\n" not in str(caught.value)


def test_a_relu6_that_tflite_micro_does_not_rescale_is_pointed_out() -> None:
    noted = {p.stem for p in FILES if tflite.read(p.read_bytes()).notes}
    assert noted == {"tf221_relu_relu6", "tf28_fake_quant_relu6"}
