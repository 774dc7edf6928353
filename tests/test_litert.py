"""LiteRT, and the processes in which other runtimes run: what comes back, and what may go wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import ROOT, random_model, require

import scratchml as sml
from scratchml import litert, oracle, tflite
from scratchml.affine import Quantization
from scratchml.runtimes import run_elsewhere

FOREIGN = ROOT / "tests" / "golden" / "foreign"

Int8 = npt.NDArray[np.int8]

#: Row by row through LiteRT, of a file whose input and output are int8.
LOOP = """
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
path, kernels, rows = sys.argv[1], sys.argv[2], json.load(sys.stdin)
it = Interpreter(path, num_threads=1, experimental_op_resolver_type=OpResolverType[kernels])
it.allocate_tensors()
source, target = it.get_input_details()[0], it.get_output_details()[0]
outputs = []
for row in rows:
    it.set_tensor(source["index"], np.array(row, np.int8).reshape(source["shape"]))
    it.invoke()
    outputs.append(it.get_tensor(target["index"]).ravel().tolist())
print(json.dumps(outputs))
"""


def random_rows(model: sml.QuantizedMLP, n: int, seed: int = 0) -> Int8:
    return np.random.default_rng(seed).integers(-128, 128, (n, model.inputs), np.int8)


def of_litert(path: Path, kernels: str, rows: Int8) -> list[list[int]]:
    result = subprocess.run(
        [sys.executable, "-c", LOOP, str(path), kernels],
        input=json.dumps(rows.tolist()), capture_output=True, text=True, check=True,
    )  # fmt: skip
    outputs: list[list[int]] = json.loads(result.stdout)
    return outputs


@pytest.mark.parametrize("name", ["tf221_softmax_10", "tf221_sigmoid", "tf221_linear_3"])
def test_differences_are_those_of_a_plain_loop(name: str) -> None:
    require("ai_edge_litert")
    path = FOREIGN / f"{name}.tflite"
    model = sml.QuantizedMLP.load(path)
    rows = random_rows(model, 700)
    ours = model.run(rows).tolist()
    found = litert.differences(model, rows, path.read_bytes())
    assert [d.kernels for d in found] == ["default delegate", "reference kernels"]
    for difference, kernels in zip(found, ("AUTO", "BUILTIN_REF"), strict=True):
        theirs = of_litert(path, kernels, rows)
        differing = largest = flips = 0
        for mine, other in zip(ours, theirs, strict=True):
            differing += mine != other
            largest = max(largest, *(abs(a - b) for a, b in zip(mine, other, strict=True)))
            if name == "tf221_softmax_10":
                flips += mine.index(max(mine)) != other.index(max(other))
            elif name == "tf221_sigmoid":
                flips += (mine[0] >= 0) != (other[0] >= 0)  # a probability of a half
        assert difference == litert.Difference(
            difference.kernels,
            700,
            differing,
            largest,
            None if name == "tf221_linear_3" else flips,
        )


def test_something_differs_and_it_is_reported() -> None:
    """TensorFlow Lite Micro's stand-alone RELU6 and LiteRT's have little in common."""
    require("ai_edge_litert")
    path = FOREIGN / "tf221_relu_relu6.tflite"
    model = sml.QuantizedMLP.load(path)
    for difference in litert.differences(model, random_rows(model, 300), path.read_bytes()):
        assert difference.differing > 0
        assert difference.largest > 0


def test_without_a_file_the_model_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a runtime that differs in one code of the last row."""
    model = random_model([5, 7, 4], seed=3)
    rows, files = random_rows(model, 200), []

    def run(module: str, name: str, file: bytes, model: sml.QuantizedMLP, *rest: Any) -> Int8:
        files.append(file)
        output = model.run(rest[0]).astype(np.int16)
        output[-1, 2] += 3 if output[-1, 2] < 0 else -3
        return output.astype(np.int8)

    monkeypatch.setattr(litert, "run_elsewhere", run)
    found = litert.differences(model, rows)
    assert found == [litert.Difference(name, 200, 1, 3, None) for name in litert.KERNELS]
    assert files == [tflite.to_bytes(model)] * 2
    litert.differences(model, rows, b"as it is")
    assert files[2:] == [b"as it is"] * 2


@pytest.mark.parametrize(
    "name", ["tf221_float_io", "tf23_uint8_io", "tf221_image_batch1", "tf221_int8_to_float"]
)
@pytest.mark.parametrize("runtime", ["oracle", "litert"])
def test_int8_rows_reach_a_file_of_any_input(runtime: str, name: str) -> None:
    """float32, uint8 and 8x8 images: what comes back are int8 codes, close to ours or equal."""
    path = FOREIGN / f"{name}.tflite"
    model = sml.QuantizedMLP.load(path)
    rows, data = random_rows(model, 150), path.read_bytes()
    ours = model.run(rows)
    if runtime == "oracle":
        require("tflite_micro")
        assert np.array_equal(oracle.run(model, rows, data), ours)
    else:
        require("ai_edge_litert")
        for difference in litert.differences(model, rows, data):
            assert difference.largest <= 8
            assert difference.differing < 150 / 2


@pytest.mark.parametrize("runtime", ["oracle", "litert"])
def test_a_refused_file_is_one_line_that_names_the_runtime(runtime: str) -> None:
    model = random_model([3, 2], seed=0)
    damaged = b"\x1c\x00\x00\x00TFL3" + bytes(200)
    rows = random_rows(model, 3)
    if runtime == "oracle":
        require("tflite_micro")
        with pytest.raises(sml.ScratchmlError, match=r"^TensorFlow Lite Micro failed \(") as caught:
            oracle.run(model, rows, damaged)
    else:
        require("ai_edge_litert")
        with pytest.raises(sml.ScratchmlError, match=r"^LiteRT failed \(") as caught:
            litert.differences(model, rows, damaged)
    assert "\n" not in str(caught.value)


# The two sides of a process, without any runtime.

ECHO = """
import numpy as np
from scratchml.runtimes import Child
child = Child()
codes = np.arange(-128, 128)
expected = {{
    "int8": codes, "uint8": codes + 128, "float32": np.float32(0.037) * np.float32(codes + 5)
}}["{kind}"].reshape(-1, 4)
for n, row in enumerate(child.rows({{"shape": np.array({shape}), "dtype": np.{kind}}})):
    assert row.shape == {shape}, row.shape
    assert row.dtype == np.{kind}
    assert np.array_equal(row.ravel(), expected[n]), (row, expected[n])
    child.send(row.reshape(-1){change})
"""


def echo(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    edge: Quantization,
) -> tuple[Int8, Int8]:
    """Every code through a module of the test's own, whose output is its input."""
    (tmp_path / "echo_runtime.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    model = random_model([4, 4], seed=0)
    layer = replace(model.layers[0], source=edge, target=edge, following=())
    model = replace(model, layers=(layer,))
    rows = np.arange(-128, 128).astype(np.int8).reshape(64, 4)
    return rows, run_elsewhere("echo_runtime", "Echo", b"", model, rows)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("int8", (1, 4)), ("int8", (1, 2, 2, 1)), ("uint8", (4,)), ("float32", (1, 2, 2, 1))],
)
def test_every_code_comes_back(
    kind: str, shape: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ECHO.format(shape=shape, kind=kind, change="")
    sent, received = echo(tmp_path, monkeypatch, program, Quantization(0.037, -5))
    assert np.array_equal(sent, received)


def test_a_float_output_that_is_no_code_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rounding it would hide a difference."""
    program = ECHO.format(shape=(1, 4), kind="float32", change=" + np.float32(0.001)")
    with pytest.raises(sml.ScratchmlError, match=r"Echo failed .*not what its code stands for"):
        echo(tmp_path, monkeypatch, program, Quantization(0.037, -5))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit(7)", r"Echo failed \(7\): no message"),
        ("print('few', end='')", r"Echo failed \(0\)"),
        ("raise ValueError('what is this\\nmodel')", r"Echo failed \(1\): "),
        ("import os; os.abort()", r"Echo failed \(-6\)"),
    ],
)
def test_a_process_that_fails_is_told_with_its_last_line(
    program: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(sml.ScratchmlError, match=message) as caught:
        echo(tmp_path, monkeypatch, program, Quantization(0.037, -5))
    assert "\n" not in str(caught.value)
