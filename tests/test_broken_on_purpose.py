"""Every mistake of the catalogue in broken_on_purpose.py is made, and must be noticed.

For each one the project is copied, one line is changed, the C engine is compiled anew, and a
process that imports the copy computes the smallest input and runs the tests that have to fail. A
mistake that they let pass is a hole in the suite. An unbroken copy is the control. All C is
compiled as on a board here, with a ``char`` that has no sign.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broken_on_purpose import C_LAYERS, DENSE_M0PLUS, DENSE_M4, MUTATIONS, TENTH, Mutation, model
from conftest import ROOT, require
from test_quantize import exact_multiplier

import scratchml as sml
from scratchml import _engine
from scratchml.affine import Quantization

UNSIGNED_CHAR = "-funsigned-char"

#: The engine's extensions: what compiles each, and its layout.
EXTENSIONS = {
    "_engine": ("engine_builder", 0),
    "_engine_cortex_m4": ("m4_builder", 1),
    "_engine_cortex_m0plus": ("m0plus_builder", 2),
}

#: Writes what cffi wraps around the engine.
EMIT = """
import runpy
import sys
build = runpy.run_path("src/scratchml/_engine_build.py")
build[sys.argv[1]].emit_c_code(sys.argv[2])
"""

each_mutation = pytest.mark.parametrize("mutation", MUTATIONS, ids=[m.name for m in MUTATIONS])


# --- the catalogue ---------------------------------------------------------------------------


def test_every_mutation_has_a_name_of_its_own_and_a_test_that_sees_it() -> None:
    assert len({m.name for m in MUTATIONS}) == len(MUTATIONS)
    assert all(m.caught_by and m.why for m in MUTATIONS)
    assert min(sum(m.is_c for m in MUTATIONS), sum(not m.is_c for m in MUTATIONS)) >= 15


@each_mutation
def test_a_mutation_changes_one_line_that_is_still_there(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text("utf-8")
    assert text.count(mutation.before) == 1
    assert "\n" not in mutation.before + mutation.after
    assert mutation.before != mutation.after


@each_mutation
def test_the_unbroken_code_is_right_for_the_smallest_input(mutation: Mutation) -> None:
    if mutation.file == C_LAYERS:
        require("gcc")
    assert mutation.smallest() == mutation.right != mutation.wrong


# --- holes that the catalogue has found ------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "low", "high"),
    [("linear", -128, 127), ("relu", 3, 127), ("relu6", 3, 63), ("relu_n1_to_1", -7, 13)],
)
def test_every_clamp_is_exported(activation: str, low: int, high: int, tmp_path: Path) -> None:
    require("gcc")
    tenths = Quantization(float(np.float32(0.1)), 3)
    one = model([[1]], source=tenths, target=tenths, activation=activation)
    codes = np.arange(-128, 128).astype(np.int8)[:, None]
    source, _ = sml.export_c(one, tmp_path, name="clamped")
    with sml.Engine.from_c(source, one) as engine:
        # the input's zero point is taken off and added again,
        assert (engine.run(codes) == np.clip(codes, low, high)).all()


def test_factors_are_formed_in_float64() -> None:
    """Outputs hardly show it: rounded to float32, one factor in thousands gives another code."""
    scales = (10 ** np.random.default_rng(0).uniform(-6, 2, 200)).astype(np.float32)
    source, target = Quantization(float(np.float32(0.3)), 0), TENTH
    layer = model([[1]] * 200, scales=scales.tolist(), source=source, target=target).layers[0]
    factors = [Fraction(source.scale * scale / target.scale) for scale in scales.tolist()]
    pairs = list(zip(layer.multiplier.tolist(), layer.shift.tolist(), strict=True))
    assert pairs == [exact_multiplier(factor) for factor in factors]
    single = np.float32(source.scale) * scales / np.float32(target.scale)
    assert sum(f != Fraction(float(s)) for f, s in zip(factors, single, strict=True)) > 150


# --- the copies ------------------------------------------------------------------------------


def compile_c(*arguments: str | Path) -> None:
    """Run gcc with the flags that all C gets here."""
    command = [require("gcc"), "-std=c11", "-O1", "-fPIC", "-w", UNSIGNED_CHAR, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def compile_engine(tree: Path, extension: str) -> None:
    """An extension of a copy: the C files in it, and cffi's wrapping."""
    builder, layout = EXTENSIONS[extension]
    folders = [tree / "csrc/engine", tree / "csrc/host", sysconfig.get_paths()["include"]]
    flags = [f"-DSML_LAYOUT={layout}", *(f"-I{folder}" for folder in folders)]
    wrapping = tree / f"{extension}.o"
    if not wrapping.exists():  # it knows declarations only, so it comes along into every copy
        emit = [sys.executable, "-c", EMIT, builder, f"{extension}.c"]
        subprocess.run(emit, cwd=tree, check=True, capture_output=True)
        compile_c(*flags, "-c", wrapping.with_suffix(".c"), "-o", wrapping)
    hosts = ("rows", "batch") if layout == 0 else ("rows",)
    sources = sorted((tree / "csrc/engine").glob("*.c"))
    sources += [tree / f"csrc/host/{host}.c" for host in hosts]
    suffix = Path(_engine.__file__).name.removeprefix("_engine")
    compile_c(
        *flags, "-shared", wrapping, *sources, "-o", tree / f"src/scratchml/{extension}{suffix}"
    )


def extension_of(mutation: Mutation) -> str:
    """The one whose tests must notice it: what is common to all is seen in the portable one."""
    packed = {DENSE_M4: "_engine_cortex_m4", DENSE_M0PLUS: "_engine_cortex_m0plus"}
    return packed.get(mutation.file, "_engine")


def examine(tree: Path, name: str, tests: tuple[str, ...]) -> dict[str, Any]:
    """What the process of a copy reports; see ``broken_on_purpose.main``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(tree / "src"), "CC": f"gcc {UNSIGNED_CHAR}"}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and they start slowly
    nodes = [f"tests/{test}" for test in tests]
    command = [sys.executable, "tests/broken_on_purpose.py", name, *nodes]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert Path(report["package"]).is_relative_to(tree)  # and not the one that is installed
    return report


def of_test(name: str, nodes: list[str]) -> list[str]:
    """Those of ``nodes`` that are the named test, with any parameters if it names none."""
    return [node for node in nodes if re.fullmatch(rf"tests/{re.escape(name)}(\[.*\])?", node)]


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An unbroken copy, and its report on all tests that are named in the catalogue."""
    require("gcc")
    tree = tmp_path_factory.mktemp("unbroken").resolve()
    for folder in ("src/scratchml", "csrc", "data", "tests"):
        no_caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, tree / folder, ignore=no_caches)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for extension in Path(_engine.__file__).parent.glob("_engine*.so"):
        shutil.copy(extension, tree / "src/scratchml")
    for extension in EXTENSIONS:
        compile_engine(tree, extension)
    tests = sorted({test for mutation in MUTATIONS for test in mutation.caught_by})
    return tree, examine(tree, "", tuple(tests))


@pytest.fixture(scope="module")
def reports(
    control: tuple[Path, dict[str, Any]],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Future[dict[str, Any]]]]:
    """By name, the report on each mutation that this run asks for; two at a time."""

    def break_and_examine(mutation: Mutation) -> dict[str, Any]:
        tree = tmp_path_factory.mktemp("broken").resolve()
        # Python's compiled files come along: they are as good as their sources' dates and sizes
        shutil.copytree(control[0], tree, dirs_exist_ok=True)
        file = tree / mutation.file
        file.write_text(file.read_text("utf-8").replace(mutation.before, mutation.after), "utf-8")
        if mutation.is_c:
            compile_engine(tree, extension_of(mutation))
        report = examine(tree, mutation.name, mutation.caught_by)
        shutil.rmtree(tree)
        return report

    wanted = {
        item.callspec.params["mutation"].name
        for item in request.session.items
        if isinstance(item, pytest.Function) and "reports" in item.fixturenames
    }
    with ThreadPoolExecutor(2) as threads:
        yield {m.name: threads.submit(break_and_examine, m) for m in MUTATIONS if m.name in wanted}


@pytest.mark.sweep
def test_the_control_passes(control: tuple[Path, dict[str, Any]]) -> None:
    """Also with a ``char`` that has no sign."""
    _, report = control
    assert (report["failed"], report["exit"]) == ([], 0)
    assert report["values"] == {mutation.name: mutation.right for mutation in MUTATIONS}
    for mutation in MUTATIONS:
        for test in mutation.caught_by:
            assert of_test(test, report["passed"]), f"{test} was not run"


@pytest.mark.sweep
@each_mutation
def test_a_mistake_is_noticed(
    mutation: Mutation, reports: dict[str, Future[dict[str, Any]]]
) -> None:
    report = reports[mutation.name].result()
    assert report["values"] == {mutation.name: mutation.wrong}
    assert report["exit"] == 1  # failed tests: an error while collecting them would be 2
    for test in mutation.caught_by:
        assert of_test(test, report["failed"]), f"{test} does not notice it"
