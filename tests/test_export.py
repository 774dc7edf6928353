"""The exported C: the same bytes every time, clean under every compiler, right when it runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, random_model, require

import scratchml as sml
from scratchml.export import flash_bytes, golden_inputs
from scratchml.resources import engine_folder, engine_sources

SELF_TEST = ROOT / "tests" / "c" / "self_test.c"
WARNINGS = (
    "-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes "
    "-Wmissing-prototypes -Wundef -Wdouble-promotion -Werror"
).split()
#: What the Arduino cores for the two boards pass.
CORTEX_M4 = "-mcpu=cortex-m4 -mthumb".split()
CORTEX_M0PLUS = "-mcpu=cortex-m0plus -mthumb".split()
ARDUINO = "-Os -funsigned-char -ffunction-sections -fdata-sections".split()


@pytest.fixture(scope="module")
def models(model: sml.QuantizedMLP) -> dict[str, sml.QuantizedMLP]:
    """The snow model with its features and sigmoid, one with neither, a deep and a wide one."""
    plain = random_model([5, 7, 3], 1)
    return {
        "snow_model": model,
        "logits_model": sml.QuantizedMLP(plain.layers),
        "deep_model": random_model([4, 9, 1, 8, 2, 16, 3], 2),
        "wide_model": random_model([64, 32, 10], 3),
    }


NAMES = ("snow_model", "logits_model", "deep_model", "wide_model")


def compile_c(compiler: str, *arguments: str | Path) -> None:
    command = [require(compiler), *map(str, arguments), "-I", str(engine_folder())]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_the_same_model_gives_the_same_bytes(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    for folder in ("a", "b/deeper"):
        sml.export_c(model, tmp_path / folder, name="snow")
    model.save(tmp_path / "model.tflite")
    sml.export_c(sml.QuantizedMLP.load(tmp_path / "model.tflite"), tmp_path / "c", name="snow")
    for file in ("snow.c", "snow.h"):
        first = (tmp_path / "a" / file).read_bytes()
        assert (tmp_path / "b/deeper" / file).read_bytes() == first
        assert (tmp_path / "c" / file).read_bytes() == first
        assert str(tmp_path).encode() not in first


def test_every_weight_stands_in_the_file(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    source, _ = sml.export_c(model, tmp_path, name="snow")
    text = source.read_text("utf-8")
    for number, layer in enumerate(model.layers, start=1):
        for name, values in (
            ("weights", layer.weights),
            ("bias", layer.folded_bias),
            ("multiplier", layer.multiplier),
            ("shift", layer.shift),
        ):
            found = re.search(rf"layer{number}_{name}\[\d+\] = {{(.*?)}};", text, re.DOTALL)
            assert found is not None
            numbers = [int(word) for word in re.findall(r"-?\d+", found[1])]
            assert numbers == values.ravel().tolist()


def test_golden_outputs_are_not_all_alike(model: sml.QuantizedMLP) -> None:
    outputs = model.run(golden_inputs(model))
    assert len(np.unique(outputs)) > 10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("optimization", ["-O0", "-O3"])
def test_golden_vectors_pass_under_sanitizers(
    models: dict[str, sml.QuantizedMLP],
    name: str,
    compiler: str,
    optimization: str,
    tmp_path: Path,
) -> None:
    """ASan and UBSan in GCC; UBSan alone in Clang, whose ASan is a package of its own."""
    source, _ = sml.export_c(models[name], tmp_path, name=name)
    address = ["-fsanitize=address"] if compiler == "gcc" else ["-fsanitize-trap=all"]
    program = tmp_path / "self_test"
    compile_c(
        compiler,
        *WARNINGS,
        optimization,
        "-fsanitize=undefined",
        *address,
        "-fno-sanitize-recover=all" if compiler == "gcc" else "-g",
        "-DSML_SELF_TEST",
        f"-DMODEL={name}",
        f"-DMODEL_UPPER={name.upper()}",
        "-I",
        tmp_path,
        SELF_TEST,
        source,
        *engine_sources(),
        "-o",
        program,
    )
    result = subprocess.run([program], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "self-test 32/32\n"), result.stderr


def test_a_wrong_weight_fails_the_self_test(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    """The vectors must be able to fail."""
    source, _ = sml.export_c(model, tmp_path, name="snow")
    text = source.read_text("utf-8")
    weight = int(model.layers[1].weights[0, 0])
    opening = "layer2_weights[12] = {\n    "
    assert f"{opening}{weight}," in text
    source.write_text(text.replace(f"{opening}{weight},", f"{opening}{-weight or 9},"))
    flags = ["-DSML_SELF_TEST", "-DMODEL=snow", "-DMODEL_UPPER=SNOW", "-I", tmp_path]
    program = tmp_path / "self_test"
    compile_c("gcc", *flags, SELF_TEST, source, *engine_sources(), "-o", program)
    result = subprocess.run([program], capture_output=True, text=True)
    assert result.returncode == 1
    assert re.fullmatch(r"self-test \d+/32\n", result.stdout)


@pytest.mark.parametrize("cpu", [CORTEX_M4, CORTEX_M0PLUS], ids=["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("name", NAMES)
def test_flash_bytes_is_what_the_arm_compiler_makes_of_it(
    models: dict[str, sml.QuantizedMLP], name: str, cpu: list[str], tmp_path: Path
) -> None:
    """Constant sections of the object file, as flagged by the Arduino cores, nothing in RAM."""
    source, _ = sml.export_c(models[name], tmp_path, name=name)
    target = tmp_path / "model.o"
    compile_c("arm-none-eabi-gcc", *cpu, *ARDUINO, *WARNINGS, "-c", source, "-o", target)
    size = [require("arm-none-eabi-gcc").replace("-gcc", "-size"), "--format=sysv", str(target)]
    lines = subprocess.run(size, capture_output=True, text=True, check=True).stdout.splitlines()
    sections = {line.split()[0]: int(line.split()[1]) for line in lines if line.startswith(".")}
    constants = [bytes_ for name, bytes_ in sections.items() if name.startswith(".rodata")]
    assert sum(-(-bytes_ // 4) * 4 for bytes_ in constants) == flash_bytes(models[name])
    in_ram = {n: b for n, b in sections.items() if n.startswith((".data", ".bss")) and b}
    assert in_ram == {}


@pytest.mark.parametrize("cpu", [CORTEX_M4, CORTEX_M0PLUS], ids=["cortex-m4", "cortex-m0plus"])
def test_engine_compiles_for_both_boards(cpu: list[str], tmp_path: Path) -> None:
    """And needs nothing from a C library but memory functions: no malloc, no stdio, no floats."""
    objects = []
    for source in engine_sources():
        objects.append(tmp_path / f"{source.stem}.o")
        compile_c("arm-none-eabi-gcc", *cpu, *ARDUINO, *WARNINGS, "-c", source, "-o", objects[-1])
    nm = [require("arm-none-eabi-gcc").replace("-gcc", "-nm"), *map(str, objects)]
    lines = subprocess.run(nm, capture_output=True, text=True, check=True).stdout.splitlines()
    symbols = [tuple(line.split()[-2:]) for line in lines if len(line.split()) >= 2]
    undefined = {name for kind, name in symbols if kind == "U"}
    defined = {name for kind, name in symbols if kind in "Tt"}
    variables = {name for kind, name in symbols if kind in "BDbd"}
    assert variables == set()
    # 64-bit multiplication on the M0+, which has no instruction for it
    assert undefined - defined <= {"memcpy", "memset", "memmove", "__aeabi_lmul"}


@pytest.mark.parametrize("standard", ["c++14", "c++20"])
def test_headers_can_be_included_from_cpp(
    model: sml.QuantizedMLP, standard: str, tmp_path: Path
) -> None:
    sml.export_c(model, tmp_path, name="snow_model")
    program = tmp_path / "main.cpp"
    program.write_text(
        '#include "snow_model.h"\n#include "snow_model.h"\n'
        "int main() { return snow_model.layer_count == 2 ? SNOW_MODEL_OUTPUTS - 1 : 1; }\n"
    )
    compile_c(
        "g++", f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
        "-I", tmp_path, "-c", program, "-o", tmp_path / "main.o",
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1st",
        "a-b",
        "a b",
        "int",
        "sml_x",
        "layers",
        "../x",
        "layer1_bias",
        "é",
        "a\n",
        "scratchml",
        "SCRATCHML",
        "stdint",
        "new",
        "template",
        "size_t",
        "INT32_MIN",
        "SML_OK",
    ],
)
def test_names_that_c_cannot_take_are_refused(
    model: sml.QuantizedMLP, name: str, tmp_path: Path
) -> None:
    with pytest.raises(sml.ScratchmlError, match="cannot name a C variable"):
        sml.export_c(model, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []


def test_text_from_a_file_cannot_leave_its_comment(model: sml.QuantizedMLP, tmp_path: Path) -> None:
    """Metadata of a foreign file is written into comments."""
    assert model.scaler is not None
    nasty = "*/ int evil; /*\n#error \\"
    scaler = sml.Scaler(
        (nasty, nasty),
        (nasty, "%"),
        model.scaler.resolution,
        model.scaler.mean,
        model.scaler.std,
    )
    hostile = sml.QuantizedMLP(model.layers, True, scaler, 0.5, {"data": nasty, "seed": nasty})
    source, _ = sml.export_c(hostile, tmp_path, name="snow")
    compile_c("gcc", *WARNINGS, "-c", source, "-o", tmp_path / "snow.o")
    assert b"evil" not in (tmp_path / "snow.o").read_bytes()
