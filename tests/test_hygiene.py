"""The engine and a generated model under every compiler, standard and flag that users have.

Old compilers are not here: that nothing younger than GCC 7 is needed is checked by what the files
may consist of (C11 by the letter, and a short list of macros, directives and attributes).
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import random_model, require
from front_end_models import front_end_model

import scratchml as sml
from scratchml.layouts import CORTEX_M0PLUS, CORTEX_M4, LAYOUTS, PORTABLE, Layout
from scratchml.resources import engine_assembly, engine_folder, engine_sources

C = "-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wundef -Werror".split()
CPP = "-std=c++14 -Wall -Wextra -Wpedantic -Wconversion -Wundef -Werror".split()

FLAGS = {
    "plain": ["-O2", "-DSML_SELF_TEST"],
    "Arduino": ["-Os", "-funsigned-char", "-ffunction-sections", "-fdata-sections"],
    "freestanding": ["-O3", "-ffreestanding"],
    "trace": ["-O1", "-DSML_WITH_TRACE"],
}

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


@pytest.fixture(scope="module")
def files(model: sml.QuantizedMLP, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The engine's C and three models.

    One with features, one with a softmax and larger kernels, one with a front end and classes.
    """
    folder = tmp_path_factory.mktemp("models")
    classes = random_model([19, 17, 10], 1, output="softmax")
    models = {"snow_model": model, "classes_model": classes, "stream_model": front_end_model()}
    exported = [sml.export_c(m, folder, name=name)[0] for name, m in models.items()]
    return [*engine_sources(), *exported]


def compile_all(
    compiler: str, flags: Iterable[str], files: Iterable[Path], folder: Path
) -> list[Path]:
    """Object files in ``folder``; no warning may come."""
    sources = list(files)
    includes = [f"-I{path}" for path in sorted({source.parent for source in sources})]
    command = [require(compiler), *flags, f"-I{engine_folder()}", *includes, "-c"]
    result = subprocess.run(
        [*command, *map(str, sources)], cwd=folder, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    return [folder / f"{source.stem}.o" for source in sources]


# --- computers -------------------------------------------------------------------------------


@each_layout
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_no_compiler_warns(
    files: list[Path], compiler: str, layout: Layout, flags: list[str], tmp_path: Path
) -> None:
    compile_all(compiler, [*C, *flags, f"-DSML_LAYOUT={layout.number}"], files, tmp_path)


@each_layout
def test_gcc_s_analyzer_finds_nothing(files: list[Path], layout: Layout, tmp_path: Path) -> None:
    flags = [*C, "-O1", "-fanalyzer", f"-DSML_LAYOUT={layout.number}"]
    compile_all("gcc", flags, files, tmp_path)


@each_layout
@pytest.mark.parametrize(("c", "cpp"), [("gcc", "g++"), ("clang", "clang++")])
def test_a_cpp14_program_runs_a_model(
    files: list[Path], c: str, cpp: str, layout: Layout, tmp_path: Path
) -> None:
    """Its headers are included, twice, and the functions have C's names in them."""
    program = tmp_path / "main.cpp"
    program.write_text("""\
#include "scratchml.h"
#include "scratchml.h"
#include "snow_model.h"
#include "classes_model.h"
#include "stream_model.h"
#include "snow_model.h"

static uint32_t memory[SNOW_MODEL_MEMORY_BYTES / 4];

int main()
{
    sml_context context;
    const int8_t input[SNOW_MODEL_INPUTS] = {};
    int8_t output[SNOW_MODEL_OUTPUTS];
    sml_stream stream;
    int32_t ring[STREAM_MODEL_STREAM_BYTES / 4];
    return classes_model.head == nullptr || stream_model_classes[2] == nullptr ||
           sml_stream_start(&stream, &stream_model_front_end, ring, sizeof ring) != SML_OK ||
           sml_load_model(&context, &snow_model) != SML_OK ||
           sml_initialize_model_memory(&context, memory, sizeof memory) != SML_OK ||
           sml_set_input(&context, input, SNOW_MODEL_INPUTS) != SML_OK ||
           sml_run_model(&context, output, SNOW_MODEL_OUTPUTS) != SML_OK;
}
""")
    macro = f"-DSML_LAYOUT={layout.number}"
    objects = compile_all(c, [*C, macro], files, tmp_path)
    folders = [f"-I{engine_folder()}", f"-I{files[-1].parent}"]
    command = [require(cpp), *CPP, macro, *folders, str(program), *map(str, objects)]
    result = subprocess.run(
        [*command, "-o", str(tmp_path / "main")], capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert subprocess.run([tmp_path / "main"]).returncode == 0


@pytest.mark.parametrize("header", ["scratchml.h", "kernel.h", "layout.h"])
def test_every_header_stands_alone(header: str, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{header}"\n#include "{header}"\nextern int x;\n')
    compile_all("gcc", C, [source], tmp_path)


# --- microcontrollers ------------------------------------------------------------------------

#: What may come from the compiler's own library: a Cortex-M0+ has no 64-bit product and, which the
#: front end alone asks for, no division.
FROM_LIBGCC = {
    "cortex-m4": set[str](),
    "cortex-m0plus": {"__aeabi_lmul", "__aeabi_uidiv", "__aeabi_idiv"},
}
COMPILERS = {
    "gcc": ["arm-none-eabi-gcc"],
    "clang": ["clang", "--target=arm-none-eabi", "-ffreestanding"],
}


def symbols(objects: list[Path]) -> dict[str, set[str]]:
    """Names by their kind in nm's list: U is undefined, T code, R constants, D and B variables."""
    nm = require("arm-none-eabi-gcc").replace("-gcc", "-nm")
    command = [nm, "--quiet", *map(str, objects)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found: dict[str, set[str]] = {}
    for *_, kind, name in (line.split() for line in lines if len(line.split()) >= 2):
        found.setdefault(kind, set()).add(name)
    return found


def compile_for(
    cpu: str, compiler: list[str], flags: list[str], files: list[Path], to: Path
) -> dict[str, set[str]]:
    """The symbols of C and assembly, compiled for a CPU."""
    program, *target = compiler
    sources = [*files, *engine_assembly()]
    return symbols(
        compile_all(program, [*target, *C, f"-mcpu={cpu}", "-mthumb", *flags], sources, to)
    )


@pytest.mark.parametrize("cpu", FROM_LIBGCC)
@pytest.mark.parametrize("optimization", ["-O0", "-Os", "-O2", "-O3"])
@pytest.mark.parametrize("compiler", COMPILERS.values(), ids=COMPILERS)
def test_a_board_needs_no_library(
    files: list[Path], compiler: list[str], cpu: str, optimization: str, tmp_path: Path
) -> None:
    """No C library, not even memcpy, and no variables: at any optimization."""
    found = compile_for(cpu, compiler, [optimization, "-funsigned-char"], files, tmp_path)
    defined = found["T"] | found["R"]
    assert found["U"] - defined <= FROM_LIBGCC[cpu]
    assert not found.keys() & set("DdBbCG")
    network = [file for file in files if file.name != "front_end.c"]
    found = compile_for(cpu, compiler, [optimization, "-funsigned-char"], network, tmp_path)
    assert found["U"] - found["T"] - found["R"] == FROM_LIBGCC[cpu] & {"__aeabi_lmul"}


@pytest.mark.parametrize(
    ("cpu", "layout"),
    [
        ("cortex-m0", CORTEX_M0PLUS),
        ("cortex-m0plus", CORTEX_M0PLUS),
        ("cortex-m3", PORTABLE),
        ("cortex-m4", CORTEX_M4),
        ("cortex-m7", CORTEX_M4),
        ("cortex-m23", PORTABLE),
        ("cortex-m33", CORTEX_M4),
        ("cortex-m33+nodsp", PORTABLE),
        ("cortex-a9", PORTABLE),
    ],
)
def test_the_cpu_chooses_the_layout(cpu: str, layout: Layout, tmp_path: Path) -> None:
    kernel = f"sml_dense_{layout.name.replace('-', '_')}"
    chosen = {kernel, f"{kernel}_small"} if layout.pack else set()
    for flags, expected in ([], chosen), (["-DSML_LAYOUT=0"], set()):
        found = compile_for(cpu, COMPILERS["gcc"], flags, engine_sources(), tmp_path)
        kernels = {name for name in found["T"] if name.startswith("sml_dense_")}
        assert kernels == expected | {"sml_dense_portable"}


# --- old compilers ---------------------------------------------------------------------------

#: Identifiers that begin with underscores: GCC 7 knows these.
RESERVED = {
    "_Static_assert",
    "__cplusplus",
    "__linux__",
    "__ARM_ARCH_PROFILE",
    "__ARM_ARCH_6M__",
    "__ARM_FEATURE_DSP",
}
PREPROCESSOR = set("include define undef if ifdef ifndef elif else endif".split())
ASSEMBLER = set(
    "syntax thumb thumb_func section global type size req set macro endm rept endr".split()
)


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)


def test_nothing_is_younger_than_gcc_7(files: list[Path]) -> None:
    """-std=c11 -Wpedantic refuses what is younger in the language; this, what surrounds it."""
    headers = sorted(engine_folder().glob("*.h"))
    for path in [*files, *headers, *engine_assembly()]:
        text = without_comments(path)
        assert set(re.findall(r"\b_[_A-Z]\w*", text)) <= RESERVED
        assert set(re.findall(r"^\s*#\s*(\w+)", text, re.M)) <= PREPROCESSOR
    for path in engine_assembly():
        directives = set(re.findall(r"^\w*\s*\.(\w+)", without_comments(path), re.M))
        assert directives <= ASSEMBLER | {"if", "else", "endif"}


def test_object_files_may_be_named_after_their_sources() -> None:
    """Many a Makefile puts all of them into one folder."""
    stems = [path.stem for path in (*engine_sources(), *engine_assembly())]
    assert len(set(stems)) == len(stems)
