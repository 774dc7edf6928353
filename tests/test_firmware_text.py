"""Lines without printf, and what the firmware's C files need of anybody else."""

from __future__ import annotations

import re
import subprocess
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import hypothesis.strategies as st
import pytest
from c_builds import CPUS
from conftest import require
from hypothesis import example, given
from station import DEFINED, FIRMWARE, SOURCES, Firmware, firmware

int32 = st.one_of(st.integers(-(2**31), 2**31 - 1), st.integers(-20_000, 20_000))
uint32 = st.one_of(st.integers(0, 2**32 - 1), st.integers(0, 20_000))


@pytest.fixture(scope="module")
def fw() -> Firmware:
    return firmware()


@given(int32)
@example(-(2**31))
@example(2**31 - 1)
def test_tenths(hundredths: int) -> None:
    fw = firmware()
    exact = (Decimal(hundredths) / 100).quantize(Decimal("0.1"), ROUND_HALF_UP)
    assert fw.text(fw.lib.text_tenths, hundredths) == str(exact or Decimal("0.0"))


@pytest.mark.parametrize(
    ("hundredths", "words"),
    [(0, "0.0"), (4, "0.0"), (5, "0.1"), (-4, "0.0"), (-5, "-0.1"), (-9, "-0.1"), (94, "0.9"),
     (95, "1.0"), (-95, "-1.0"), (1250, "12.5"), (-1250, "-12.5"), (10000, "100.0")],
)  # fmt: skip
def test_some_tenths(fw: Firmware, hundredths: int, words: str) -> None:
    assert fw.text(fw.lib.text_tenths, hundredths) == words


@given(int32, uint32)
@example(-(2**31), 2**32 - 1)
@example(0, 0)
def test_whole_numbers(signed: int, unsigned: int) -> None:
    fw = firmware()
    assert fw.text(fw.lib.text_signed, signed) == str(signed)
    assert fw.text(fw.lib.text_unsigned, unsigned) == str(unsigned)


@given(uint32, st.integers(1, 8))
def test_hexadecimal_digits(value: int, digits: int) -> None:
    fw = firmware()
    assert fw.text(fw.lib.text_hex, value, digits) == f"{value:08x}"[-digits:]


@given(st.lists(st.one_of(int32, st.text("ab", max_size=30).map(str.encode)), max_size=30))
def test_what_does_not_fit_is_left_out(pieces: list[int | bytes]) -> None:
    """And nothing is written beside it."""
    fw = firmware()
    memory = fw.ffi.new("text[2]")
    fw.ffi.memmove(memory + 1, b"\xa5" * fw.ffi.sizeof("text"), fw.ffi.sizeof("text"))
    fw.lib.text_begin(memory)
    for piece in pieces:
        add = fw.lib.text_signed if isinstance(piece, int) else fw.lib.text_add
        add(memory, piece)
    whole = "".join(str(p) if isinstance(p, int) else p.decode() for p in pieces)
    fits = bytes(fw.ffi.buffer(memory[0].bytes))[: memory[0].length].decode()
    assert fits == whole[:160]
    assert set(bytes(fw.ffi.buffer(fw.ffi.addressof(memory[1])))) == {0xA5}


# --- what the files need ---------------------------------------------------------------------

WARNINGS = """-std=c11 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wundef
-Wstrict-prototypes -Wmissing-prototypes -Werror""".split()

COMPILERS = {
    "gcc": ["gcc", "-O2"],
    "clang": ["clang", "-O2"],
    "analyzer": ["gcc", "-O1", "-fanalyzer"],
    **{cpu: ["arm-none-eabi-gcc", "-Os", *CPUS[cpu]] for cpu in CPUS},
}

#: What each file may call besides the compiler's own helpers: no stdio, no memory, no clock.
MEMORY = {"memcmp", "memcpy", "memmove", "memset"}
TEXT = {f"text_{what}" for what in "begin add character unsigned signed tenths hex".split()}
ENGINE = {"sml_set_input", "sml_prepare_input", "sml_run_model"}
BOARD = {f"board_{what}" for what in "name clock cycles listening read write".split()}
GOLDEN = {"model_golden_input", "model_golden_output"}
MAY_NEED = {
    "text": set[str](),
    "sensor": set[str](),
    "station": TEXT | MEMORY,
    "self_test": TEXT | ENGINE | GOLDEN | MEMORY,
    "console": TEXT | ENGINE | BOARD | MEMORY | {"strlen", "strncmp", "self_test"}
    | {"sml_digest_start", "sml_digest_rows", "station_describe", "station_percent"},
}  # fmt: skip

#: Whose floats are read nowhere else, as single precision in software: sensor.c.
FLOAT = re.compile(r"__aeabi_(f|d|i2f|i2d|ui2f|ui2d|l2f|l2d)|__\w+[sdt]f\d?$")


def objects(compiler: list[str], flags: list[str], folder: Path) -> dict[str, Path]:
    """Object files of the firmware; no warning may come."""
    command = [require(compiler[0]), *compiler[1:], *WARNINGS, *DEFINED, *flags, "-c"]
    words = [*command, *map(str, SOURCES)]
    result = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    return {source.stem: folder / f"{source.stem}.o" for source in SOURCES}


@pytest.mark.parametrize("compiler", COMPILERS.values(), ids=COMPILERS)
@pytest.mark.parametrize("flags", [[], ["-funsigned-char"]], ids=["", "unsigned char"])
def test_no_compiler_warns(compiler: list[str], flags: list[str], tmp_path: Path) -> None:
    objects(compiler, flags, tmp_path)


@pytest.mark.parametrize("header", sorted(path.name for path in FIRMWARE.glob("*.h")))
@pytest.mark.parametrize("language", ["c", "c++"])
def test_every_header_stands_alone(header: str, language: str, tmp_path: Path) -> None:
    source = tmp_path / "alone"
    source.write_text(f'#include "{header}"\n#include "{header}"\nextern int x;\n')
    compiler = {"c": "gcc", "c++": "g++"}[language]
    standard = {"c": "-std=c11", "c++": "-std=c++14"}[language]
    command = [require(compiler), standard, "-Wall", "-Wextra", "-Wpedantic", "-Werror", *DEFINED]
    words = [*command, "-x", language, "-c", str(source), "-o", str(tmp_path / "alone.o")]
    result = subprocess.run(words, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("cpu", CPUS)
def test_every_file_needs_what_it_says(cpu: str, tmp_path: Path) -> None:
    """No allocation, no printing, floats in sensor.c only; station.c and text.c keep nothing."""
    found = objects(COMPILERS[cpu], [], tmp_path)
    assert set(found) == set(MAY_NEED)
    nm = require("arm-none-eabi-gcc").replace("-gcc", "-nm")
    for name, path in found.items():
        listed = subprocess.run([nm, path], capture_output=True, text=True, check=True).stdout
        symbols = [line.split()[-2:] for line in listed.splitlines()]
        needs = {symbol for kind, symbol in symbols if kind == "U"}
        helpers = {symbol for symbol in needs if symbol.startswith("__")}
        assert needs - helpers <= MAY_NEED[name]
        assert all(symbol.startswith("__aeabi_") for symbol in helpers)
        assert any(map(FLOAT.match, helpers)) == (name == "sensor")
        variables = {symbol for kind, symbol in symbols if kind in "bBdDC"}
        assert not variables or name in ("console", "self_test")  # room for the model's outputs
