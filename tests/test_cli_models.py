"""``quantize``, ``export``, ``verify``, ``info``, ``digest``, of models from here and elsewhere."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import (
    FOREIGN,
    QUICK,
    called,
    complaint,
    copied,
    hours_table,
    json_of,
    output_of,
    refused,
    scratchml,
    terminal_run,
    write_hours,
)
from conftest import random_model, require

import scratchml as sml
from scratchml import oracle
from scratchml.cli import inspection
from scratchml.engine import compiler
from scratchml.resources import engine_folder

RUN_FILES = ("model.npz", "snow_model.c", "snow_model.h", "model.tflite")


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two thousand hours in which snow comes with cold and damp."""
    return write_hours(tmp_path_factory.mktemp("hours"))


@pytest.fixture(scope="module")
def run_folder(csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run leaves behind."""
    folder = tmp_path_factory.mktemp("run") / "snow"
    output_of("run", csv, "-o", folder, *QUICK)
    return folder


@pytest.fixture(scope="module")
def digits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A digits network after a few epochs, and its int8 twin."""
    folder = tmp_path_factory.mktemp("digits")
    output_of("train", "digits", "-o", folder, "--epochs", "5", "--hidden", "16")
    output_of("quantize", folder / "model.npz")
    return folder


@pytest.fixture
def no_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out TensorFlow Lite Micro, a process that takes a second, where it proves nothing."""
    monkeypatch.setattr(oracle, "available", lambda: False)


# quantize.


def test_quantize_shows_scales_and_sizes(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    text = output_of("quantize", run_folder / "model.npz", csv, "-o", tmp_path)
    model = sml.QuantizedMLP.load(tmp_path / "model.tflite")
    for layer in model.layers:
        assert f"{layer.target.scale:.6g}" in text
    assert "6-12-1" in text
    assert "SQNR" not in text


@pytest.mark.parametrize("task", ["snow", "digits"])
def test_quantize_tells_what_int8_costs_tensor_by_tensor(
    task: str, csv: Path, run_folder: Path, digits_folder: Path, tmp_path: Path
) -> None:
    arguments = {
        "snow": (run_folder / "model.npz", csv),
        "digits": (digits_folder / "model.npz",),
    }[task]
    found = json_of("quantize", *arguments, "-o", tmp_path)
    assert set(found) == {"file", "sizes", "flash_bytes", "ram_bytes", "errors", "warnings"}
    assert found["file"] == str(tmp_path / "model.tflite")
    assert found["warnings"] == []
    assert [e["name"] for e in found["errors"]] == ["input", "layer 1", "output"]
    text = output_of("quantize", *arguments, "-o", tmp_path, "--verbose", columns=120)
    assert re.search(r"Error of int8 +SQNR +saturated +largest error +decision flips", text)
    for e in found["errors"]:
        row = rf"{e['name']} +{e['sqnr']:.1f} dB +{e['saturated']:.2%} +{e['largest']:.4g} "
        assert re.search(rf"{row} +{e['flips']:,} of {e['rows']:,}", text)


@pytest.mark.parametrize("value", ["0", "50", "100.1", "-1", "nan", "inf"])
def test_an_impossible_percentile_leaves_the_old_model(
    value: str, csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    old = copied(run_folder, "model.npz", "model.tflite", to=tmp_path)
    before = old.read_bytes()
    line = refused("quantize", tmp_path / "model.npz", csv, "--percentile", value)
    assert f"percentile {float(value):g}: it must be above 50 and at most 100" in line
    assert old.read_bytes() == before


def test_an_outlier_is_noticed_and_a_percentile_leaves_it_out(tmp_path: Path) -> None:
    """One reading of 55 C among mild ones takes most of the input's codes for itself."""
    table = hours_table()
    table["temperature_2m"] = table["temperature_2m"].clip(-0.5, 0.5)
    table.loc[200, "temperature_2m"] = 55.0
    csv = write_hours(tmp_path, table)
    output_of("train", csv, "-o", tmp_path, "--epochs", "2")
    whole = called("quantize", tmp_path / "model.npz", csv, "--json")
    part = called("quantize", tmp_path / "model.npz", csv, "--json", "--percentile", "99.9")
    (warning, *_) = json.loads(whole.stdout)["warnings"]
    assert warning.startswith("outliers rule the range of the input: ")
    assert f"warning: {warning} (--percentile 99.9)" in whole.stderr.splitlines()
    assert json.loads(part.stdout)["warnings"] == []
    assert "warning" not in part.stderr
    errors = [json.loads(result.stdout)["errors"][0] for result in (whole, part)]
    assert errors[1]["sqnr"] > errors[0]["sqnr"] + 6  # a bit, at least: the test rows are mild
    assert errors[1]["saturated"] > errors[0]["saturated"]


# export.


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("my model-2.tflite", "my_model_2"),
        ("model.tflite", "model"),
        ("1st.tflite", "model_1st"),
        ("int.tflite", "model_int"),
        ("größe.tflite", "gr__e"),
        ("ä.tflite", "model__"),
        ("a.b (1).tflite", "a_b__1_"),
        ("scratchml.tflite", "model_scratchml"),
        (".tflite", "model__tflite"),
        ("noending", "noending"),
    ],
)
def test_any_file_s_name_becomes_one_that_c_can_use(file: str, name: str, tmp_path: Path) -> None:
    """The compiler judges."""
    path = tmp_path / file
    path.write_bytes((FOREIGN / "tf221_softmax_2.tflite").read_bytes())
    found = json_of("export", path, "-o", tmp_path / "out")
    assert found["files"] == [str(tmp_path / "out" / f"{name}.{kind}") for kind in "ch"]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command = [*compiler(), *flags, "-I", str(engine_folder()), found["files"][0]]
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_a_model_of_a_task_is_named_after_it(digits_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "anything.tflite"
    path.write_bytes((digits_folder / "model.tflite").read_bytes())
    result = called("export", path)
    assert result.returncode == 0
    assert result.stderr.split(", ") == [
        str(tmp_path / "digits_model.c"),
        str(tmp_path / "digits_model.h") + "\n",
    ]
    assert "64-16-10" in result.stdout


@pytest.mark.parametrize("task", [["snow"], {}, None, "hail", 3])
def test_metadata_of_another_kind_does_not_name_the_model(task: Any, tmp_path: Path) -> None:
    replace(random_model([3, 2], 0), metadata={"task": task}).save(tmp_path / "odd.tflite")
    assert [Path(f).name for f in json_of("export", tmp_path / "odd.tflite")["files"]] == [
        "odd.c",
        "odd.h",
    ]


@pytest.mark.parametrize(
    "name", ["int", "While", "2nd", "my-model", "sml_x", "layer1", "", "größe", "a b", "../x"]
)
def test_a_name_that_c_cannot_use_is_refused(name: str, tmp_path: Path) -> None:
    path = copied(FOREIGN, "tf221_sigmoid.tflite", to=tmp_path)
    line = refused("export", path, "--name", name, "--byte-array")
    assert f"{name!r} cannot name a C variable" in line
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_byte_array_is_the_file_aligned(tmp_path: Path) -> None:
    path = copied(FOREIGN, "tf221_float_io.tflite", to=tmp_path)
    files = json_of("export", path, "--name", "Station", "--byte-array")["files"]
    names = ["Station.c", "Station.h", "Station_tflite.c", "Station_tflite.h"]
    assert [Path(file).name for file in files] == names
    assert {p.name for p in tmp_path.iterdir()} == {path.name, *names}
    library = tmp_path / "array.so"
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*compiler(), *flags, files[2], "-o", str(library)], check=True)
    size = path.stat().st_size
    array = (ctypes.c_ubyte * size).in_dll(ctypes.CDLL(str(library)), "Station_tflite")
    assert bytes(array) == path.read_bytes()
    assert ctypes.addressof(array) % 16 == 0
    assert f"#define STATION_TFLITE_BYTES {size}\n" in Path(files[3]).read_text("utf-8")


# verify.


def test_json_is_the_only_thing_on_standard_output(csv: Path, run_folder: Path) -> None:
    """Whatever the compiler, the oracle and LiteRT print: of ``verify``, which runs them all.

    ``json_of`` says the same of every other command.
    """
    options = ("--rows", "100", "--against", "litert", "--json")
    require("ai_edge_litert")
    result = scratchml("verify", run_folder / "model.tflite", csv, *options)
    assert result.returncode == 0, result.stderr
    assert set(json.loads(result.stdout)) == {"verify", "litert"}


@pytest.mark.usefixtures("no_oracle")
def test_verify_fails_and_shows_the_first_difference(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    """A number is changed in the exported C: status 1, with input and both outputs."""
    source = copied(run_folder, "snow_model.h", "snow_model.c", to=tmp_path)
    text = source.read_text("utf-8")
    source.write_text(text.replace(".input_zero_point = ", ".input_zero_point = 1 + "))
    options = ("--c", source, "--rows", "100")
    result = called("verify", run_folder / "model.tflite", csv, *options)
    assert result.returncode == 1
    assert "differs: row " in result.stderr
    assert "numpy integers [" in result.stderr
    assert "exported C [" in result.stderr
    result = called("verify", run_folder / "model.tflite", csv, *options, "--json")
    assert result.returncode == 1
    pairs = json.loads(result.stdout)["verify"]
    differing = {p["implementation"] for p in pairs if p["differing"]}
    assert differing == {"exported C"}
    assert all((p["first"] is None) == (p["differing"] == 0) for p in pairs)


def without_module(name: str, folder: Path) -> dict[str, str]:
    """An environment whose Python cannot find a module: a blocker stands for its absence."""
    (folder / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        f"u.find_spec = lambda name, *a: None if name == {name!r} else find(name, *a)\n"
    )
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def test_verify_without_the_oracle_says_so_and_succeeds(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    result = scratchml(
        "verify", run_folder / "model.tflite", csv, "--rows", "100",
        env=without_module("tflite_micro", tmp_path),
    )  # fmt: skip
    assert result.returncode == 0
    assert "not available here" in result.stdout
    assert "TFLite Micro: not available here" in result.stderr


@pytest.mark.usefixtures("no_oracle")
def test_verify_asks_which_of_several_c_files_is_meant(
    csv: Path, run_folder: Path, tmp_path: Path
) -> None:
    path = copied(run_folder, *RUN_FILES, to=tmp_path)
    output_of("export", path, "--name", "other")
    assert "choose one with --c" in refused("verify", path, csv, "--rows", "100")
    text = called("verify", path, csv, "--rows", "100", "--c", tmp_path / "other.c")
    assert text.returncode == 0
    assert f"exported C: {tmp_path / 'other.c'}" in text.stderr


@pytest.mark.usefixtures("no_oracle")
def test_the_c_of_another_model_in_the_folder_is_not_taken(tmp_path: Path) -> None:
    """``one.c`` has the shape of ``two`` and would differ; ``two.c`` is taken once it is there."""
    for name, source in (("one", "tf221_sigmoid"), ("two", "tf221_saved_model")):
        (tmp_path / f"{name}.tflite").write_bytes((FOREIGN / f"{source}.tflite").read_bytes())
    output_of("export", tmp_path / "one.tflite")
    result = called("verify", tmp_path / "two.tflite", "--rows", "50")
    assert result.returncode == 0, result.stderr
    assert "exported C: a fresh export of the model" in result.stderr
    output_of("export", tmp_path / "two.tflite")
    result = called("verify", tmp_path / "two.tflite", "--rows", "50")
    assert result.returncode == 0, result.stderr
    assert f"exported C: {tmp_path / 'two.c'}\n" in result.stderr


def test_files_of_the_user_are_not_imported(csv: Path, run_folder: Path, tmp_path: Path) -> None:
    """The oracle's process is Python as well, and looks for modules where it is started."""
    require("tflite_micro")
    (tmp_path / "json.py").write_text("raise RuntimeError('shadowed')")
    command = [str(Path(sys.executable).parent / "scratchml"), "verify"]
    result = subprocess.run(
        [*command, str(run_folder / "model.tflite"), str(csv), "--rows", "100"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "TFLite Micro" in result.stdout


@pytest.mark.parametrize(
    "name",
    [
        "tf221_float_io_softmax",  # float32 at both ends
        "tf23_uint8_io",
        "tf221_image",  # int8 [n, 8, 8, 1]
        "tf221_relu6",
    ],
)
def test_a_model_from_elsewhere_is_verified_on_random_rows(name: str) -> None:
    """TensorFlow Lite Micro runs the file as it is, so what is written anew hides nothing."""
    require("tflite_micro")
    result = called("verify", FOREIGN / f"{name}.tflite", "--rows", "300", "--json")
    assert result.returncode == 0, result.stderr
    assert "exported C: a fresh export of the model" in result.stderr
    found = json.loads(result.stdout)["verify"]
    assert [(p["implementation"], p["rows_name"], p["rows"], p["differing"]) for p in found] == [
        (who, "random rows", 300, 0)
        for who in ("C engine", "C engine, batches", "exported C", "TFLite Micro")
    ]


@pytest.mark.usefixtures("no_oracle")
def test_another_seed_compares_other_rows(run_folder: Path, csv: Path, tmp_path: Path) -> None:
    """Seen in the first row that differs, which is told in full."""
    source = copied(run_folder, "snow_model.h", "snow_model.c", to=tmp_path)
    text = source.read_text("utf-8")
    source.write_text(text.replace(".input_zero_point = ", ".input_zero_point = 1 + "))
    firsts = []
    for seed in ("0", "1", "0"):
        options = ("--c", source, "--rows", "50", "--seed", seed, "--json")
        result = called("verify", run_folder / "model.tflite", csv, *options)
        firsts.append([p["first"] for p in json.loads(result.stdout)["verify"]])
    assert firsts[0] == firsts[2] != firsts[1]


def test_hours_for_a_model_from_elsewhere_are_refused(csv: Path) -> None:
    line = refused("verify", FOREIGN / "tf221_relu6.tflite", csv)
    assert "the model has no scaler for sensor counts: it was not trained here" in line


@pytest.mark.parametrize("metadata", [{}, {"seed": 0}])
@pytest.mark.usefixtures("no_oracle")
def test_a_model_made_by_hand_is_verified_on_random_rows(
    metadata: dict[str, Any], model: sml.QuantizedMLP, csv: Path, tmp_path: Path
) -> None:
    """It has a scaler, but does not say what data it was trained on."""
    path = tmp_path / "hand.tflite"
    replace(model, metadata=metadata).save(path)
    found = json_of("verify", path, "--rows", "100")["verify"]
    assert {p["rows_name"] for p in found} == {"random rows"}
    assert all(p["differing"] == 0 for p in found)
    for command in ("verify", "evaluate"):
        line = refused(command, path, csv)
        assert "the model does not say what data it was trained on" in line


@pytest.mark.usefixtures("no_oracle")
def test_litert_is_reported_and_not_judged() -> None:
    """Its stand-alone RELU6 is quite another one, and still the exit status is 0."""
    require("ai_edge_litert")
    path = FOREIGN / "tf221_relu_relu6.tflite"
    found = json_of("verify", path, "--rows", "400", "--against", "litert")
    assert set(found) == {"verify", "litert"}
    assert all(p["differing"] == 0 for p in found["verify"])
    assert [d["kernels"] for d in found["litert"]] == ["default delegate", "reference kernels"]
    for d in found["litert"]:
        assert (d["rows"], d["flips"]) == (400, None)
        assert 0 < d["differing"] <= 400
        assert d["largest"] >= 1
    text = output_of("verify", path, "--rows", "400", "--against", "litert", columns=120)
    for d in found["litert"]:
        share = re.escape(f"{d['differing']} ({d['differing'] / 400:.2%})")
        assert re.search(rf"{d['kernels']} +400 +{share} +{d['largest']} codes?", text)


@pytest.mark.usefixtures("no_oracle")
def test_litert_gets_the_test_rows_as_well(digits_folder: Path) -> None:
    require("ai_edge_litert")
    path = digits_folder / "model.tflite"
    found = json_of("verify", path, "--rows", "200", "--against", "litert")
    for d in found["litert"]:
        assert d["rows"] == 539 + 200
        assert 0 <= d["flips"] <= d["differing"]


@pytest.mark.parametrize("name", ["", "LiteRT", "tflite", "litert,xnnpack"])
def test_an_unknown_runtime_is_refused(name: str) -> None:
    line = refused("verify", FOREIGN / "tf221_relu6.tflite", "--against", name)
    assert line == f"error: --against {name}: known is litert"


def test_litert_that_is_not_installed_is_one_line_before_the_work(tmp_path: Path) -> None:
    result = scratchml(
        "verify", FOREIGN / "tf221_relu6.tflite", "--against", "litert",
        env=without_module("ai_edge_litert", tmp_path),
    )  # fmt: skip
    line = complaint(result)
    assert line == "error: LiteRT is not installed: pip install 'scratchml[litert]'"


# info.


@pytest.mark.parametrize(
    ("name", "operators", "ends"),
    [
        ("tf221_sigmoid", "FULLY_CONNECTED, FULLY_CONNECTED, LOGISTIC", "3 x INT8"),
        (
            "tf221_float_io",
            "QUANTIZE, FULLY_CONNECTED, FULLY_CONNECTED, LOGISTIC, DEQUANTIZE",
            "2 x FLOAT32",
        ),
        (
            "tf23_uint8_io",
            "QUANTIZE, FULLY_CONNECTED, FULLY_CONNECTED, LOGISTIC, QUANTIZE",
            "3 x UINT8",
        ),
        ("tf221_image_batch1", "RESHAPE, FULLY_CONNECTED, FULLY_CONNECTED, SOFTMAX", "64 x INT8"),
    ],
)
def test_info_shows_what_a_file_from_elsewhere_holds(name: str, operators: str, ends: str) -> None:
    path = FOREIGN / f"{name}.tflite"
    text = output_of("info", path, columns=140)
    assert re.search(rf"operators +{operators}\s", text)
    assert re.search(rf"input +{ends}\s", text)
    assert f"{path.stat().st_size:,} bytes" in text
    found = json_of("info", path)
    assert found["operators"] == operators.split(", ")
    assert found["file_bytes"] == path.stat().st_size
    assert f"{found['layers'][0]['shape'][1]} x {found['input_type']}" == ends
    assert (found["features"], found["metadata"]) == (None, {})


def test_info_of_a_model_from_here(digits_folder: Path, run_folder: Path) -> None:
    text = output_of("info", digits_folder / "model.tflite", columns=140)
    for line in (
        r"output +10 x INT8, softmax",
        r"classes +0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        r"features +pixel \(dots\)",
        r"task +digits",
        r"1, relu +64 -> 16",
        r"2, linear +16 -> 10",
        r"softmax +10 +0\.00390625 +-128",
    ):
        assert re.search(line + r"\s", text), line
    assert "threshold" not in text
    text = output_of("info", run_folder / "model.tflite", columns=140)
    model = sml.QuantizedMLP.load(run_folder / "model.tflite")
    assert re.search(rf"threshold +{model.threshold:.4g}, code {model.decision_threshold}\s", text)
    assert "temperature_2m" in text


def test_info_gives_every_number_but_the_weights() -> None:
    """Of a model whose numbers are known because it was made here."""
    model = sml.QuantizedMLP.load(FOREIGN.parent / "vectors" / "snow.tflite")
    found = json_of("info", FOREIGN.parent / "vectors" / "snow.tflite")
    for layer, values in zip(model.layers, found["layers"], strict=True):
        assert values["shape"] == list(layer.weights.shape)
        assert values["activation"] == layer.activation
        scales = np.array(values["weight_scales"], np.float32)
        assert np.array_equal(scales, layer.weight_scales)
        assert values["output"] == {
            "scale": layer.target.scale,
            "zero_point": layer.target.zero_point,
        }
    assert found["input"]["scale"] == model.layers[0].source.scale
    assert found["layers"][-1]["following"][0]["kind"] == "logistic"
    assert found["output"] == "sigmoid"
    assert found["output_quantization"] == {"scale": 1 / 256, "zero_point": -128}
    assert found["threshold"] == model.threshold
    assert model.scaler is not None
    assert found["features"]["mean"] == list(model.scaler.mean)


def test_text_in_a_file_is_neither_markup_nor_a_command_to_the_terminal(tmp_path: Path) -> None:
    odd = "[bold]x[/] \x1b[31m [/nothing]"
    scaler = sml.Scaler((odd,), ("[%]",), (1,), (0.0,), (1.0,))
    metadata = {"classes": [odd, "yes"], odd: odd, "task": "\x1b[2J"}
    model = random_model([2, 1], 0)
    path = tmp_path / "odd.tflite"
    replace(model, scaler=scaler, metadata=metadata).save(path)
    text = output_of("info", path, columns=200)
    assert "\x1b" not in text
    shown = odd.replace("\x1b", "?")
    assert re.search(rf"features +{re.escape(shown)} \(\[%\]\)", text)
    assert re.search(rf"classes +{re.escape(shown)}, yes", text)
    assert re.search(rf"\n +{re.escape(shown)} +{re.escape(shown)}\s", text)
    assert json_of("info", path)["metadata"][odd] == odd


# digest.


def input_stream(seed: int, count: int) -> bytes:
    """The first bytes of the stream of inputs, word by word in plain integers."""
    words = []
    for i in range((count + 3) // 4):
        h = (seed + i * 0x9E3779B9) % 2**32
        h ^= h >> 16
        h = h * 0x85EBCA6B % 2**32
        h ^= h >> 13
        h = h * 0xC2B2AE35 % 2**32
        words.append(h ^ h >> 16)
    return b"".join(word.to_bytes(4, "little") for word in words)[:count]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
@pytest.mark.parametrize("rows", [1, 2, 77])
@pytest.mark.parametrize("name", ["tf221_batch_norm", "tf221_softmax_10", "tf221_wide"])
def test_the_digest_is_the_crc_of_all_outputs(name: str, rows: int, seed: int) -> None:
    path = FOREIGN / f"{name}.tflite"
    model = sml.QuantizedMLP.load(path)
    stream = np.frombuffer(input_stream(seed, rows * model.inputs), np.int8)
    expected = f"{zlib.crc32(model.run(stream.reshape(rows, model.inputs)).tobytes()):08x}"
    found = json_of("digest", path, "--rows", str(rows), "--seed", str(seed))
    assert found == {"rows": rows, "seed": seed, "numpy": expected, "c": expected}


def test_the_digest_is_one_line_and_its_progress_is_on_the_terminal_only() -> None:
    path = FOREIGN / "tf221_wide.tflite"
    result = terminal_run("digest", path, "--rows", "2000", "--seed", "5")
    assert result.returncode == 0, result.stderr
    number = re.fullmatch(
        r"2,000 rows, seed 5: numpy ([0-9a-f]{8}), C ([0-9a-f]{8})\n", result.stdout
    )
    assert number is not None and number[1] == number[2]
    for word in ("numpy", "C", "100 %"):
        assert word in result.stderr
    quiet = called("digest", path, "--rows", "2000", "--seed", "5")
    assert quiet.stdout == result.stdout
    assert "%" not in quiet.stderr


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["line", "json"])
def test_two_digests_that_differ_are_status_1(
    options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "digest", lambda model, rows, seed, on_rows: 0xBAD)
    path = FOREIGN / "tf221_wide.tflite"
    result = called("digest", path, "--rows", "10", *options)
    assert result.returncode == 1
    assert "00000bad" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        "error: numpy and C differ; see where with: scratchml verify"
    )
    if options:
        found = json.loads(result.stdout)
        assert found["numpy"] == "00000bad" != found["c"]
