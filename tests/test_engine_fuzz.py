"""Models made of random bytes and calls in random order: tests/c/fuzz_engine.c under sanitizers.

What must come out is decided there apart from the engine. libFuzzer runs it in Clang; GCC replays
inputs from a generator, also with mistakes in the engine, each of which must be noticed. Wrong
values field by field are in test_engine_fields.py.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, leave_out, require

from scratchml.layouts import LAYOUTS, Layout
from scratchml.resources import engine_folder, engine_sources

FUZZER = ROOT / "tests" / "c" / "fuzz_engine.c"
FLAGS = "-std=c11 -g -O1 -Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror".split()
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

#: Blocks are freed after each input only: to keep them longer finds nothing and takes time.
QUICK = {"ASAN_OPTIONS": "quarantine_size_mb=1:malloc_context_size=5"}

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def compiled(
    compiler: str, target: Path, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    command = [require(compiler), *FLAGS, *map(str, arguments), "-o", str(target)]
    return subprocess.run(command, capture_output=True, text=True)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    words = list(map(str, command))
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, **QUICK})


@each_layout
def test_libfuzzer_finds_nothing(layout: Layout, tmp_path: Path) -> None:
    result = compiled(
        "clang", tmp_path / "fuzz", "-fsanitize=fuzzer", *SANITIZERS,
        f"-DSML_LAYOUT={layout.number}", "-I", engine_folder(), FUZZER, *engine_sources(),
    )  # fmt: skip
    if "libclang_rt." in result.stderr:  # a package of its own, which the linker misses
        leave_out("clang's libFuzzer is not here; add it with: make toolchain")
    assert result.returncode == 0, result.stderr
    options = ["-max_len=128", "-runs=40000", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    result = run(tmp_path / "fuzz", *options)
    assert result.returncode == 0, result.stderr
    assert "Done 40000 runs" in result.stderr


#: The object file of a layout and a source.
Objects = Callable[[int, Path], Path]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Object files of GCC, each compiled once: of the engine's sources and of the fuzzer."""
    folder, known = tmp_path_factory.mktemp("objects"), {}

    def of(layout: int, source: Path) -> Path:
        if (layout, source) not in known:
            target = folder / f"{len(known)}.o"
            flags = [*SANITIZERS, "-DREPLAY", f"-DSML_LAYOUT={layout}", "-I", engine_folder()]
            result = compiled("gcc", target, *flags, "-c", source)
            assert result.returncode == 0, result.stderr
            known[layout, source] = target
        return known[layout, source]

    return of


def replay(
    objects: Objects, layout: int, folder: Path, changed: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The fuzzer's program on 20,000 inputs; ``changed`` takes the place of an engine's file."""
    sources = [changed if changed and s.name == changed.name else s for s in engine_sources()]
    files = [objects(layout, source) for source in (FUZZER, *sources)]
    result = compiled("gcc", folder / "replay", *SANITIZERS, *files)
    assert result.returncode == 0, result.stderr
    return run(folder / "replay", "20000")


@each_layout
def test_random_models_and_calls(layout: Layout, objects: Objects, tmp_path: Path) -> None:
    result = replay(objects, layout.number, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    counts = list(map(int, result.stdout.split()))
    assert len(counts) == 8
    assert min(counts) > 500  # every status came, and not by accident
    assert counts[0] > 100_000


@dataclass(frozen=True)
class Mistake:
    """A line of the engine, and how it might have been written."""

    file: str
    right: str
    wrong: str
    layout: int = 0


ROOM = "place + sml_words(units) > model->memory_bytes / 4"
MISTAKES = {
    "no units": Mistake("scratchml.c", "units == 0 || ", ""),
    "no place": Mistake("scratchml.c", ROOM, ROOM.replace("place", "0 * place")),
    "bytes for words": Mistake("scratchml.c", ROOM, ROOM.removesuffix(" / 4")),
    "rounded memory": Mistake("scratchml.c", ROOM, ROOM.replace("/ 4", "/ 4 + 1")),
    "wide layer": Mistake("scratchml.c", "layer->inputs != units", "layer->inputs < units"),
    "512 classes": Mistake("scratchml.c", "units > SML_MAX_CLASSES", "units > SML_MAX_CLASSES + 1"),
    "no weights": Mistake("scratchml.c", "!layer->weights", "!layer->run"),
    "no channels": Mistake("scratchml.c", "!layer->channels", "!layer->weights"),
    "no exponentials": Mistake("scratchml.c", "!model->head->table", "!model->head->apply"),
    "a byte too few": Mistake("scratchml.c", "bytes < context", "bytes + 1 < context"),
    "halfwords": Mistake("scratchml.c", "(uintptr_t)memory % 4", "(uintptr_t)memory % 2"),
    "old input": Mistake("scratchml.c", "context->input_ready = 0;\n    trace", "trace"),
    "old model": Mistake("scratchml.c", "*context = (sml_context){NULL, NULL, 0};", ""),
    "a row too many": Mistake("dense_portable.c", "c < layer->outputs", "c <= layer->outputs"),
    "wide codes": Mistake("dense_portable.c", "(int8_t)(code - SML_OFFSET)", "code", 1),
    "a pair too many": Mistake("dense_cortex_m4.c", "left >= 2 * p", "left + 1 >= 2 * p", 1),
    "long single row": Mistake("dense_cortex_m4.c", "inputs + 3U", "inputs + 4U", 1),
    "padding": Mistake("dense_cortex_m0plus.c", "w += layer->inputs & 1;", "w += 1;", 2),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_would_be_found(mistake: Mistake, objects: Objects, tmp_path: Path) -> None:
    text = (engine_folder() / mistake.file).read_text("utf-8")
    assert text.count(mistake.right) == 1
    changed = tmp_path / mistake.file
    changed.write_text(text.replace(mistake.right, mistake.wrong))
    result = replay(objects, mistake.layout, tmp_path, changed)
    assert result.returncode != 0
    assert re.search("not so|Sanitizer|runtime error", result.stderr)
