"""Shared fixtures, and what happens where this machine lacks a tool.

A test that needs a compiler or the oracle asks for it with ``require``. Without it the test is left
out and named at the end of the run, with the command that adds the tool; under ``CI=true`` nothing
may be left out, so there it fails.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import numpy as np
import pandas as pd
import pytest

import scratchml as sml
from scratchml.affine import PROBABILITY
from scratchml.layers import Elementwise, QuantizedDense

if TYPE_CHECKING:
    from weather_services import Services

# CI looks at the same examples every time: what it says about a change is due to the change. New
# examples are searched for wherever else the tests run. Timing is no test's business.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "search")

# A test says itself how wide its tables are. Here a width would come from readline, which pytest
# loads: it puts the terminal's into the environment of child processes, and pytest-xdist's workers
# are such. rich keeps what it finds when the command line is imported.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

ROOT = Path(__file__).resolve().parents[1]

RP2040JS = "rp2040js@1.4.1"

#: What a test may ask for, and the command that adds it.
HOW_TO_ADD = {
    "gcc": "make toolchain",
    "clang": "make toolchain",
    "g++": "make toolchain",
    "clang++": "make toolchain",
    "cmake": "make toolchain",
    "arm-none-eabi-gcc": "make toolchain",
    "qemu-system-arm": "make toolchain",
    "node": "make toolchain",
    "npm": "make toolchain",
    "openssl": "make toolchain",
    "unicorn": "pip install 'scratchml[cost]'",
    "capstone": "pip install 'scratchml[cost]'",
    "elftools": "pip install 'scratchml[cost]'",
    "serial": "pip install 'scratchml[board]'",
    "tflite_micro": "pip install 'scratchml[oracle]' (Linux, x86-64, Python 3.10 to 3.13)",
    "matplotlib": "pip install 'scratchml[pictures]'",
    "ai_edge_litert": "pip install 'scratchml[litert]'",
    "torch": "pip install 'scratchml[test]'",
    "platformio": "pip install 'scratchml[firmware]'",
}

MODULES = (
    "tflite_micro",
    "matplotlib",
    "ai_edge_litert",
    "torch",
    "unicorn",
    "capstone",
    "elftools",
    "serial",
    "platformio",
)


def require(tool: str) -> str:
    """``tool`` itself, a program or a module that the calling test cannot do without."""
    is_here = importlib.util.find_spec if tool in MODULES else shutil.which
    if not is_here(tool):
        leave_out(f"{tool} is not here; add it with: {HOW_TO_ADD[tool]}")
    return tool


def leave_out(reason: str) -> None:
    """Leave the calling test out; under ``CI=true`` fail it instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"under CI=true nothing may be left out: {reason}", pytrace=False)
    pytest.skip(reason)  # never under CI=true; named at the end of every other run


#: How many sweeps were not run. pytest-xdist's workers choose, each among all tests, and report it.
SWEEPS = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SWEEPS] = 0


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        item.config.stash[SWEEPS] += item.get_closest_marker("sweep") is not None


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["sweeps"] = session.config.stash[SWEEPS]


@pytest.hookimpl(optionalhook=True)  # there is no such hook without pytest-xdist
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that crashed has reported nothing."""
    sweeps = getattr(node, "workeroutput", {}).get("sweeps", 0)
    node.config.stash[SWEEPS] = max(node.config.stash[SWEEPS], sweeps)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what was left out, and how to add it, as the last thing that is read."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = sorted({str(report.longrepr[2]).removeprefix("Skipped: ") for report in skipped})
    if reasons:
        terminalreporter.section(f"left out: {len(skipped)} tests")
        for reason in reasons:
            terminalreporter.line(reason)
    if sweeps := config.stash[SWEEPS]:
        terminalreporter.line(f"{sweeps} sweeps take minutes and were not run: make sweep")


@pytest.fixture(scope="session")
def rp2040js(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the emulator of an RP2040 and the scripts that use it."""
    require("node")
    folder = tmp_path_factory.mktemp("rp2040js")
    command = [require("npm"), "install", "--no-audit", "--no-fund", "--prefix", ".", RP2040JS]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    if result.returncode:
        leave_out("npm's registry cannot be reached; connect to it and repeat: make test")
    for script in (ROOT / "tests" / "js").iterdir():
        shutil.copy(script, folder)
    return folder


@pytest.fixture(scope="session")
def hours() -> pd.DataFrame:
    """The embedded ten years."""
    return sml.weather.load()


@pytest.fixture(scope="session")
def data(hours: pd.DataFrame) -> sml.Dataset:
    """The default data set: three hours in, one hour ahead, split by time."""
    return sml.make_dataset(hours)


@pytest.fixture(scope="session")
def net(data: sml.Dataset) -> sml.MLP:
    """The flagship network after two epochs: real weights, quickly."""
    net = sml.MLP([6, 12, 1], dropout=0.2, seed=0)
    sml.train(net, data.train, data.validation, epochs=2)
    net.threshold = sml.choose_threshold(net, data.validation)
    return net


@pytest.fixture(scope="session")
def model(net: sml.MLP, data: sml.Dataset) -> sml.QuantizedMLP:
    """Its int8 twin, with a scaler."""
    return sml.quantize(net, data.train, metadata={"seed": 0})


@pytest.fixture
def no_temporary_files(tmp_path: Path) -> Iterator[Path]:
    """``tmp_path``, checked afterwards for half-written files."""
    yield tmp_path
    assert [path for path in tmp_path.rglob("*") if path.name.startswith(".")] == []


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Weather services on localhost, which this process and those it starts find instead of the
    real ones, and a cache of their own."""
    from weather_services import environment, running  # it needs this module

    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with running() as served:
        for name, value in environment(served, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        yield served


def random_model(
    sizes: list[int], seed: int, *, output_scale: float = 1.0, rows: int = 64, **choices: Any
) -> sml.QuantizedMLP:
    """An untrained network with random weights and biases, calibrated on random rows.

    ``choices`` are the network's: ``activations`` and ``output``.
    """
    rng = np.random.default_rng(seed)
    net = sml.MLP(sizes, seed=seed, **choices)
    for w in net.weights:
        w[:, -1] = rng.normal(0, 0.5, len(w))
    net.weights[-1][:] *= output_scale
    return sml.quantize(net, rng.normal(0, 1, (rows, sizes[0])).astype(np.float32))


def with_sigmoid(layer: QuantizedDense) -> QuantizedDense:
    """The layer, followed by a sigmoid of its own."""
    return replace(layer, following=(Elementwise("logistic", layer.target, PROBABILITY),))
