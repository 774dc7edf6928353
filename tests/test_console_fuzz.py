"""The weather station's loop on arbitrary bytes: tests/c/fuzz_console.c under sanitizers.

What must come out is decided there apart from the firmware. libFuzzer runs it in Clang; GCC replays
inputs from a generator, also with mistakes in the firmware, each of which must be noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, leave_out
from station import DEFINED, FIRMWARE, SOURCES
from test_engine_fuzz import SANITIZERS, compiled, run

from scratchml.resources import engine_sources

FUZZER = ROOT / "tests" / "c" / "fuzz_console.c"
FILES = [FUZZER, *SOURCES, FIRMWARE / "model" / "model.c", *engine_sources()]

#: A header of the engine's fuzzer has more than is needed here.
FLAGS = [*SANITIZERS, *DEFINED, "-Wno-unused-function"]


def test_libfuzzer_finds_nothing(tmp_path: Path) -> None:
    result = compiled("clang", tmp_path / "fuzz", "-fsanitize=fuzzer", *FLAGS, *FILES)
    if "libclang_rt." in result.stderr:  # a package of its own, which the linker misses
        leave_out("clang's libFuzzer is not here; add it with: make toolchain")
    assert result.returncode == 0, result.stderr
    options = ["-max_len=256", "-runs=40000", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    result = run(tmp_path / "fuzz", *options)
    assert result.returncode == 0, result.stderr
    assert "Done 40000 runs" in result.stderr


#: The program that replays inputs, with a changed file or none.
Replayer = Callable[[Path | None], Path]


@pytest.fixture(scope="module")
def replayer(tmp_path_factory: pytest.TempPathFactory) -> Replayer:
    folder, known = tmp_path_factory.mktemp("objects"), dict[Path, Path]()

    def object_of(source: Path) -> Path:
        if source not in known:
            known[source] = folder / f"{len(known)}.o"
            result = compiled("gcc", known[source], *FLAGS, "-DREPLAY", "-c", source)
            assert result.returncode == 0, result.stderr
        return known[source]

    def program(changed: Path | None) -> Path:
        sources = [changed if changed and file.name == changed.name else file for file in FILES]
        target = (changed.parent if changed else folder) / "replay"
        result = compiled("gcc", target, *SANITIZERS, *map(object_of, sources))
        assert result.returncode == 0, result.stderr
        return target

    return program


def test_random_days(replayer: Replayer) -> None:
    result = run(replayer(None), "10000")
    assert (result.returncode, result.stderr) == (0, "")
    counts = list(map(int, result.stdout.split()))
    assert len(counts) == 8
    assert min(counts) > 1000  # every kind of answer and hour came, and not by accident


@dataclass(frozen=True)
class Mistake:
    """A line of the firmware, and how it might have been written."""

    file: str
    right: str
    wrong: str


MISTAKES = {
    "a byte too many": Mistake("console.c", "c->length == CONSOLE", "c->length == 1 + CONSOLE"),
    "no end of text": Mistake("console.c", "c->line[c->length] = 0;", ""),
    "endless poll": Mistake("console.c", "i < CONSOLE_POLL_BYTES", "i < 99999"),
    "two answers": Mistake("console.c", "if (end_line(c)) {", "if (end_line(c) && 0) {"),
    "no patience": Mistake("console.c", ">= CONSOLE_PATIENCE_MS", "> CONSOLE_PATIENCE_MS"),
    "endless patience": Mistake("console.c", "(c->length || c->trouble) &&", "c->trouble &&"),
    "no text": Mistake("console.c", "byte < ' ' || byte > '~'", "byte < ' '"),
    "old trouble": Mistake("console.c", "    c->trouble = NULL;\n", ""),
    "old digest": Mistake("console.c", "        c->digest_rows = 0;\n", ""),
    "asleep": Mistake("console.c", "c->digest_rows > 0 || c->more;", "c->digest_rows > 0;"),
    "an hour too few": Mistake("station.c", "hours * s->config.hour_ms);", "s->config.hour_ms);"),
    "a hole too few": Mistake("station.c", "STATION_LATE, hours - 1", "STATION_LATE, 1"),
    "wrapping": Mistake("station.c", "more < UINT32_MAX - count", "true"),
    "past the window": Mistake("station.c", "s->config.window - 1;", "s->config.window;"),
    "an old sum": Mistake("station.c", "    memset(s->sum, 0, sizeof s->sum);\n", ""),
    "twice": Mistake("station.c", "slot_at(s, now) + 1;", "slot_at(s, now);"),
    "busy": Mistake("station.c", "s->config.readings - 1);", "s->config.readings);"),
    "oversleeping": Mistake("station.c", "return sooner(idle, STATION", "return (idle + STATION"),
    "dead": Mistake("station.c", "age < slot || age - slot", "age < slot && age"),
    "steady light": Mistake("station.c", "phase(s, now) < STATION_FLASH_MS", "phase(s, now) < 900"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_would_be_found(mistake: Mistake, replayer: Replayer, tmp_path: Path) -> None:
    text = (FIRMWARE / mistake.file).read_text("utf-8")
    assert text.count(mistake.right) == 1
    changed = tmp_path / mistake.file
    changed.write_text(text.replace(mistake.right, mistake.wrong))
    result = run(replayer(changed), "10000")
    assert result.returncode != 0
    assert re.search("not so|Sanitizer|runtime error", result.stderr)
