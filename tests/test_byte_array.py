"""A .tflite file as a C array: what a compiler makes of it is the file, aligned, byte for byte.

Not covered: other runtimes that read the array in place.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import random_model, require

import scratchml as sml
from scratchml import tflite
from scratchml.byte_array import export_byte_array

WARNINGS = "-Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror".split()
C11 = ["-std=c11", *WARNINGS]
CPP14 = ["-x", "c++", "-std=c++14", *WARNINGS]

PRINT = """
#include "snow_tflite.h"
#include "snow_tflite.h" /* headers must bear being included twice */
#include <stdio.h>

int main()
{
    return fwrite(snow_tflite, 1, SNOW_TFLITE_BYTES, stdout) == sizeof snow_tflite ? 0 : 1;
}
"""


@pytest.fixture(scope="module")
def file(model: sml.QuantizedMLP) -> bytes:
    return tflite.to_bytes(model)


def compile_c(compiler: str, *arguments: str | Path) -> None:
    command = [require(compiler), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def printed(source: Path, compiler: str, flags: list[str]) -> bytes:
    """What a program writes that has the array from the header; the array is compiled as C11."""
    folder = source.parent
    (folder / "main.c").write_text(PRINT)
    compile_c(compiler, *C11, "-I", folder, "-c", source, "-o", folder / "array.o")
    compile_c(compiler, *flags, "-I", folder, "-c", folder / "main.c", "-o", folder / "main.o")
    compile_c(compiler, folder / "main.o", folder / "array.o", "-o", folder / "main")
    return subprocess.run([folder / "main"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("flags", [C11, CPP14], ids=["C11", "C++14"])
def test_the_compiled_array_is_the_file(
    compiler: str, flags: list[str], file: bytes, tmp_path: Path
) -> None:
    source, header = export_byte_array(file, tmp_path, name="snow")
    assert (source.name, header.name) == ("snow_tflite.c", "snow_tflite.h")
    assert printed(source, compiler, flags) == file


@pytest.mark.parametrize("length", [1, 15, 16, 17, 256])
def test_any_bytes_of_any_length(length: int, tmp_path: Path) -> None:
    data = np.random.default_rng(length).permutation(256).astype(np.uint8).tobytes()[:length]
    source, _ = export_byte_array(data, tmp_path, name="snow")
    assert printed(source, "gcc", C11) == data


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("optimization", ["-O0", "-Os"])
def test_arrays_of_odd_lengths_all_begin_at_multiples_of_16(
    compiler: str, optimization: str, tmp_path: Path
) -> None:
    """One after the other in one program, they would not if they did not ask for it."""
    lengths = [1, 3, 5, 7, 9, 11, 13, 15]
    sources = [
        export_byte_array(bytes(length), tmp_path, name=f"odd{length}")[0] for length in lengths
    ]
    includes = "".join(f'#include "odd{length}_tflite.h"\n' for length in lengths)
    sums = " + ".join(f"(uintptr_t)odd{length}_tflite % 16" for length in lengths)
    (tmp_path / "main.c").write_text(
        f"#include <stdint.h>\n{includes}int main(void) {{ return (int)({sums}); }}\n"
    )
    program = tmp_path / "main"
    compile_c(
        compiler, *C11, optimization, "-I", tmp_path,
        tmp_path / "main.c", *sources, "-o", program,
    )  # fmt: skip
    assert subprocess.run([program]).returncode == 0


def test_the_array_lies_in_flash_on_a_board(file: bytes, tmp_path: Path) -> None:
    source, _ = export_byte_array(file, tmp_path, name="snow")
    cpu = "-mcpu=cortex-m0plus -mthumb -Os -fdata-sections".split()
    compile_c("arm-none-eabi-gcc", *cpu, *C11, "-c", source, "-o", tmp_path / "array.o")
    objdump = require("arm-none-eabi-gcc").replace("-gcc", "-objdump")
    listed = subprocess.run(
        [objdump, "-h", str(tmp_path / "array.o")], capture_output=True, text=True, check=True
    ).stdout
    sections = re.findall(r"^ *\d+ (\.\S+) +([0-9a-f]+) .* 2\*\*(\d+)$", listed, re.MULTILINE)
    filled = {name: (int(size, 16), int(power)) for name, size, power in sections if int(size, 16)}
    (constants,) = [name for name in filled if name.startswith(".rodata")]
    assert filled[constants] == (len(file), 4)  # 2^4 = 16
    assert not [name for name in filled if name.startswith((".data", ".bss"))]


def test_the_same_bytes_give_the_same_source(file: bytes, tmp_path: Path) -> None:
    for folder in ("a", "b/deeper"):
        export_byte_array(file, tmp_path / folder, name="snow")
    for name in ("snow_tflite.c", "snow_tflite.h"):
        first = (tmp_path / "a" / name).read_bytes()
        assert (tmp_path / "b/deeper" / name).read_bytes() == first
        assert str(tmp_path).encode() not in first
        assert max(map(len, first.splitlines())) <= 100


def test_the_array_is_read_back_as_the_model(tmp_path: Path) -> None:
    model = random_model([5, 7, 3], 1)
    source, _ = export_byte_array(tflite.to_bytes(model), tmp_path, name="snow")
    rows = np.random.default_rng(0).integers(-128, 128, (50, 5), np.int8)
    read = tflite.from_bytes(printed(source, "gcc", C11))
    assert (read.run(rows) == model.run(rows)).all()


@pytest.mark.parametrize("name", ["", "1st", "a-b", "../x", "int", "sml_x", "é", "a b"])
def test_names_that_c_cannot_take_are_refused(name: str, file: bytes, tmp_path: Path) -> None:
    with pytest.raises(sml.ScratchmlError, match="cannot name a C variable"):
        export_byte_array(file, tmp_path, name=name)
    assert list(tmp_path.iterdir()) == []
