"""The engine alone: what CMake, PlatformIO and Arduino read, and the examples.

PlatformIO and the Arduino IDE are not here: what their specifications ask for is checked, and what
they would compile is compiled.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_builds import (
    BOARD,
    CPUS,
    WARNINGS,
    compiled,
    kernels_in,
    packed_kernel,
    printed,
    toolchain,
    with_cmake,
)
from conftest import ROOT

import scratchml as sml
from scratchml.engine_folder import METADATA, engine_files
from scratchml.layouts import LAYOUTS, Layout
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_assembly, engine_folder, engine_sources

EXAMPLES = engine_folder() / "examples"
SNOW = EXAMPLES / "Snow"
PLAIN = EXAMPLES / "plain_c"

each_cpu = pytest.mark.parametrize("cpu", CPUS)


# --- metadata --------------------------------------------------------------------------------


def library_json() -> dict[str, Any]:
    found = json.loads((engine_folder() / "library.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def library_properties() -> dict[str, str]:
    lines = (engine_folder() / "library.properties").read_text("utf-8").splitlines()
    assert all(re.fullmatch(r"[a-z_]+=\S.*", line) for line in lines)
    found = dict(line.split("=", 1) for line in lines)
    assert len(found) == len(lines)
    return found


def test_library_json_is_what_platformio_asks_for() -> None:
    found = library_json()
    assert {"name", "version"} <= found.keys()  # all that it insists on
    assert re.fullmatch(r"[^:;/,@<>]{1,100}", found["name"])
    assert 1 <= len(found["description"]) <= 255
    assert all(re.fullmatch(r"[a-z\d\-_+. ]{1,50}", word) for word in found["keywords"])
    assert found["frameworks"] == found["platforms"] == ["*"]
    assert found["license"] == "MIT"
    assert [author.keys() for author in found["authors"]] == [{"name"}]
    assert all((engine_folder() / header).exists() for header in found["headers"])
    known = {"keywords", "description", "license", "authors", "headers", "build"}
    assert found.keys() == {"name", "version", "frameworks", "platforms"} | known


def test_library_json_names_the_sources_and_nothing_else() -> None:
    """Examples lie in folders below: a pattern without ``**`` does not reach them."""
    build = library_json()["build"]
    assert build.keys() == {"srcDir", "srcFilter"}
    folder = engine_folder() / build["srcDir"]
    patterns = [re.fullmatch(r"\+<([^<>]+)>", rule) for rule in build["srcFilter"]]
    found = {path for pattern in patterns if pattern for path in folder.glob(pattern[1])}
    assert None not in patterns
    assert found == {*engine_sources(), *engine_assembly()}


def test_library_properties_is_what_arduino_asks_for() -> None:
    found = library_properties()
    required = "name version author maintainer sentence paragraph category url architectures"
    assert set(required.split()) <= found.keys()
    assert found.keys() - set(required.split()) == {"includes"}
    assert re.fullmatch(r"[A-Za-z\d][A-Za-z\d _.\-]{0,62}", found["name"])
    assert found["category"] == "Data Processing"  # one of its list
    assert re.fullmatch(r"https://[\w.\-]+/\S*", found["url"])
    assert found["sentence"] not in found["paragraph"]  # it is printed before it
    assert found["architectures"] == "*"
    assert (engine_folder() / found["includes"]).exists()
    # with a folder src, Arduino would not look at the sources beside it
    assert not (engine_folder() / "src").exists()


def test_both_and_the_package_agree() -> None:
    versions = {library_json()["version"], library_properties()["version"], sml.__version__}
    assert len(versions) == 1
    assert re.fullmatch(r"\d+\.\d+\.\d+", versions.pop())
    assert library_json()["name"] == library_properties()["name"] == "scratchml"


def test_the_licence_is_the_project_s() -> None:
    assert (engine_folder() / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    for path in engine_files():
        if path.name not in METADATA:
            assert path.read_text("utf-8").startswith("/* SPDX-License-Identifier: MIT\n")


def test_the_readme_speaks_of_what_is_there() -> None:
    text = (engine_folder() / "README.md").read_text("utf-8")
    for name in re.findall(r"\w+\.[chS]\b", text):
        assert (engine_folder() / name).exists() or name.startswith("snow_model")
    header = (engine_folder() / "scratchml.h").read_text("utf-8")
    layouts = (engine_folder() / "layout.h").read_text("utf-8")
    for name in re.findall(r"\bsml_\w+|\bSML_\w+", text):
        assert name in header + layouts


# --- examples --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def snow() -> QuantizedMLP:
    return QuantizedMLP.load(SNOW / "snow_model.tflite")


@pytest.fixture(scope="module")
def forecast(snow: QuantizedMLP) -> str:
    """What the examples print, by numpy: both have the same readings."""
    found = set()
    for path in (SNOW / "Snow.ino", PLAIN / "main.c"):
        numbers = re.search(r"counts\[SNOW_MODEL_INPUTS\] = {(.*?)}", path.read_text("utf-8"))
        assert numbers is not None
        found.add(numbers[1])
    (counts,) = found
    codes = snow.run(snow.prepare_input(np.array([json.loads(f"[{counts}]")])))
    return "snow" if codes[0, 0] >= snow.decision_threshold else "no snow"


def test_the_example_s_model_is_what_export_makes(snow: QuantizedMLP, tmp_path: Path) -> None:
    """If it is not: scratchml export csrc/engine/examples/Snow/snow_model.tflite"""
    for path in sml.export_c(snow, tmp_path, name="snow_model"):
        assert (SNOW / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_example_in_c(compiler: str, layout: Layout, forecast: str, tmp_path: Path) -> None:
    program = tmp_path / "snow"
    flags = [*WARNINGS, f"-DSML_LAYOUT={layout.number}", "-I", engine_folder(), "-I", SNOW]
    files = [PLAIN / "main.c", SNOW / "snow_model.c", *engine_sources()]
    compiled(compiler, *flags, *files, "-o", program)
    assert printed(program) == f"{forecast}\n"


@each_cpu
def test_the_example_in_c_for_a_board(cpu: str, tmp_path: Path) -> None:
    program = tmp_path / "snow.elf"
    flags = [*CPUS[cpu], *BOARD, *WARNINGS, "-O2", "-I", engine_folder(), "-I", SNOW]
    files = [PLAIN / "main.c", SNOW / "snow_model.c", *engine_sources(), *engine_assembly()]
    compiled("arm-none-eabi-gcc", *flags, *files, "-o", program)
    assert kernels_in(program) == {packed_kernel(cpu)}


def test_the_example_in_c_is_short() -> None:
    text = (PLAIN / "main.c").read_text("utf-8")
    code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).splitlines()
    assert len([line for line in code if line.strip()]) <= 20


def test_cmake_builds_the_example(forecast: str, tmp_path: Path) -> None:
    with_cmake(PLAIN, tmp_path / "build")
    assert printed(tmp_path / "build" / "snow") == f"{forecast}\n"


@each_cpu
def test_cmake_builds_the_example_for_a_board(cpu: str, tmp_path: Path) -> None:
    with_cmake(PLAIN, tmp_path / "build", toolchain(tmp_path, cpu))
    assert packed_kernel(cpu) in kernels_in(tmp_path / "build" / "snow")


#: As much of Arduino as the sketch uses.
ARDUINO = """\
#ifndef ARDUINO_H
#define ARDUINO_H
struct Port { void begin(long); void println(const char *); };
extern Port Serial;
void delay(unsigned long);
#endif
"""
SKETCH = """\
#include <stdio.h>
Port Serial;
void Port::begin(long) {}
void Port::println(const char *line) { puts(line); }
void delay(unsigned long) {}
int main() { setup(); loop(); }
"""


def test_the_sketch(forecast: str, tmp_path: Path) -> None:
    """Arduino includes its own header first, and compiles the sketch as C++."""
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    text = (SNOW / "Snow.ino").read_text("utf-8")
    (tmp_path / "sketch.cpp").write_text(f'#include "Arduino.h"\n{text}{SKETCH}')
    folders = ["-I", engine_folder(), "-I", SNOW]
    objects = []
    for source in (SNOW / "snow_model.c", *engine_sources()):
        objects.append(tmp_path / f"{source.stem}.o")
        compiled("gcc", *WARNINGS, *folders, "-c", source, "-o", objects[-1])
    sketch = [tmp_path / "sketch.cpp", *objects, "-o", tmp_path / "sketch"]
    compiled("g++", "-std=gnu++14", "-Wall", "-Wextra", "-Werror", *folders, *sketch)
    assert printed(tmp_path / "sketch") == f"{forecast}\n"


@each_cpu
def test_the_sketch_for_a_board(cpu: str, tmp_path: Path) -> None:
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    folders = ["-I", tmp_path, "-I", engine_folder(), "-I", SNOW]
    flags = ["-std=gnu++14", "-Wall", "-Wextra", "-Werror", *CPUS[cpu], "-Os", "-fno-exceptions"]
    sketch = ["-x", "c++", "-include", "Arduino.h", "-c", SNOW / "Snow.ino"]
    compiled("arm-none-eabi-gcc", *flags, *folders, *sketch, "-o", tmp_path / "sketch.o")


def test_arduino_s_names_of_examples() -> None:
    """A sketch has its folder's name; a main() beside it would be compiled with it."""
    sketches = sorted(EXAMPLES.glob("*/*.ino"))
    names = [path.stem for path in sketches]
    assert names == [path.parent.name for path in sketches] == ["Exercises", "Snow"]
    for name in names:
        sources = {path.name for path in (EXAMPLES / name).glob("*.c*")}
        assert sources - {"motion.c"} == {f"{name.lower()}_model.c"}
