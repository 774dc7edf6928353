"""``scratchml export --with-engine``: one folder that any C project can take."""

from __future__ import annotations

import re
from pathlib import Path

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
from command_line import called, json_of, one_line, output_of, refused
from conftest import ROOT, random_model

from scratchml.engine_folder import METADATA, engine_files
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_folder

each_cpu = pytest.mark.parametrize("cpu", CPUS)


@pytest.fixture
def tflite(model: QuantizedMLP, tmp_path: Path) -> Path:
    model.save(tmp_path / "model.tflite")
    return tmp_path / "model.tflite"


def exported(path: Path, folder: Path, name: str = "station") -> Path:
    output_of("export", path, "--with-engine", "-o", folder, "--name", name)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_holds_the_engine_and_the_model(tflite: Path, tmp_path: Path) -> None:
    folder = exported(tflite, tmp_path / "deep" / "folder")
    output_of("export", tflite, "-o", tmp_path / "alone", "--name", "station")
    engine = {path.name: path.read_bytes() for path in engine_files()}
    assert contents(folder) == engine | contents(tmp_path / "alone")
    sources = {path.name for path in engine_folder().iterdir() if path.is_file()}
    assert engine.keys() == sources >= set(METADATA)
    for text in contents(folder).values():
        assert str(tmp_path).encode() not in text
        assert str(ROOT).encode() not in text
        assert not re.search(rb"\b20\d\d-\d\d-\d\d\b", text)


def test_the_files_are_named_and_the_same_again(tflite: Path, tmp_path: Path) -> None:
    found = json_of("export", tflite, "--with-engine", "-o", tmp_path / "a")["files"]
    assert {Path(file).name for file in found} == contents(tmp_path / "a").keys()
    first = contents(tmp_path / "a")
    for folder in ("a", "b"):  # over the earlier one, and afresh
        output_of("export", tflite, "--with-engine", "-o", tmp_path / folder)
        assert contents(tmp_path / folder) == first


def test_the_default_folder_is_one_of_its_own(tflite: Path, tmp_path: Path) -> None:
    output_of("export", tflite, "--with-engine", "--name", "station")
    assert {path.name for path in tmp_path.iterdir()} == {"model.tflite", "station"}
    assert "station.c" in contents(tmp_path / "station")


def test_the_help_says_it() -> None:
    text = one_line(output_of("export", "--help"))
    assert "--with-engine" in text
    assert "one folder to drop into any C project" in text


@pytest.mark.parametrize("name", ["digest", "Digest", "layout", "dense_portable"])
def test_a_model_cannot_be_named_like_a_file_of_the_engine(
    name: str, tflite: Path, tmp_path: Path
) -> None:
    line = refused("export", tflite, "--with-engine", "-o", tmp_path / "x", "--name", name)
    assert f"{name}.c is a file of the engine: choose another --name" in line
    assert not (tmp_path / "x").exists()


def test_a_project_s_own_files_are_not_overwritten(tflite: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "README.md").write_text("my project\n")
    line = refused("export", tflite, "--with-engine", "-o", project)
    assert f"{project} holds other files: choose a new folder with -o" in line
    assert contents(project) == {"README.md": b"my project\n"}
    assert called("export", tflite, "--with-engine", "-o", project / "lib").returncode == 0


def self_test(folder: Path, name: str) -> list[str | Path]:
    """Flags for tests/c/self_test.c, and the file."""
    macros = ["-DSML_SELF_TEST", f"-DMODEL={name}", f"-DMODEL_UPPER={name.upper()}"]
    return [*macros, "-I", folder, ROOT / "tests" / "c" / "self_test.c"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_any_c_compiler_takes_the_folder(compiler: str, tflite: Path, tmp_path: Path) -> None:
    folder = exported(tflite, tmp_path / "folder")
    sources = sorted(folder.glob("*.c"))
    test = self_test(folder, "station")
    compiled(compiler, *WARNINGS, *test, *sources, "-o", tmp_path / "program")
    assert printed(tmp_path / "program") == "self-test 32/32\n"


@each_cpu
def test_the_cross_compiler_takes_the_folder(cpu: str, tflite: Path, tmp_path: Path) -> None:
    folder = exported(tflite, tmp_path / "folder")
    sources = sorted([*folder.glob("*.c"), *folder.glob("*.S")])
    flags = [*CPUS[cpu], *BOARD, "-O2", *WARNINGS, *self_test(folder, "station")]
    compiled("arm-none-eabi-gcc", *flags, *sources, "-o", tmp_path / "program.elf")
    assert kernels_in(tmp_path / "program.elf") == {packed_kernel(cpu)}


PROJECT = """\
cmake_minimum_required(VERSION 3.13)
project(firmware LANGUAGES C)
add_subdirectory(folder)
add_executable(firmware "{program}")
target_compile_definitions(firmware PRIVATE MODEL=station MODEL_UPPER=STATION)
target_link_libraries(firmware scratchml)
target_compile_definitions(scratchml PUBLIC SML_SELF_TEST)
"""


def cmake_project(tflite: Path, folder: Path) -> Path:
    """A project that has the exported folder as a part of it."""
    exported(tflite, folder / "folder")
    program = ROOT / "tests" / "c" / "self_test.c"
    (folder / "CMakeLists.txt").write_text(PROJECT.format(program=program))
    return folder


def test_cmake_takes_the_folder(tflite: Path, tmp_path: Path) -> None:
    with_cmake(cmake_project(tflite, tmp_path), tmp_path / "build")
    assert printed(tmp_path / "build" / "firmware") == "self-test 32/32\n"


@each_cpu
def test_cmake_takes_the_folder_for_a_board(cpu: str, tflite: Path, tmp_path: Path) -> None:
    project = cmake_project(tflite, tmp_path)
    with_cmake(project, tmp_path / "build", toolchain(tmp_path, cpu))
    assert packed_kernel(cpu) in kernels_in(tmp_path / "build" / "firmware")


def test_two_models_share_a_folder(tflite: Path, tmp_path: Path) -> None:
    folder = exported(tflite, tmp_path / "folder")
    random_model([5, 8, 3], 2, output="softmax").save(tmp_path / "other.tflite")
    exported(tmp_path / "other.tflite", folder, "other")
    for name in ("station", "other"):
        program = tmp_path / name
        sources = sorted(folder.glob("*.c"))
        compiled("gcc", *WARNINGS, *self_test(folder, name), *sources, "-o", program)
        assert printed(program) == "self-test 32/32\n"


def test_a_failure_leaves_nothing_behind(
    tflite: Path, no_temporary_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder / "LICENSE"))

    monkeypatch.setattr("scratchml.cli.commands.export_engine", fail)
    folder = no_temporary_files / "folder"
    assert "No space left on device" in refused("export", tflite, "--with-engine", "-o", folder)
    assert not folder.exists()
