"""``scratchml board`` end to end: with the firmware in QEMU, on both instruction sets."""

from __future__ import annotations

from collections.abc import Iterator

import firmware_builds
import pandas as pd
import pytest
from command_line import json_of, output_of, refused
from conftest import require
from run_firmware import ENVIRONMENTS
from test_board import MODEL

import scratchml as sml
from scratchml.engine import Engine
from scratchml.export import fingerprint

HOUR_MS = 500


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def port(request: pytest.FixtureRequest) -> Iterator[str]:
    """A firmware whose hours are half seconds: their lines come between the answers."""
    require("serial")
    elf = firmware_builds.build(request.param, f"-DSTATION_HOUR_MS={HOUR_MS}")
    with firmware_builds.on_a_port(request.param, elf) as name:
        yield name


def test_status(port: str, request: pytest.FixtureRequest) -> None:
    status = json_of("board", "status", "--port", port)
    assert status["same_model"] is True
    assert status["model"] == f"{fingerprint(MODEL):08x}"
    assert request.node.name.replace("_", "-").endswith(f"[{status['board']}]")


def test_selftest(port: str) -> None:
    assert output_of("board", "selftest", "--port", port) == "self-test 32/32\n"


def test_digest(port: str) -> None:
    values = json_of("board", "digest", "--rows", "20000", "--seed", "3", "--port", port)
    with Engine(MODEL) as engine:
        expected = f"{engine.digest(20_000, 3):08x}"
    assert (values["board"], values["numpy"], values["c"]) == (expected,) * 3


def test_verify(port: str) -> None:
    values = json_of("board", "verify", "--rows", "300", "--port", port)["verify"]
    assert [(c["rows"], c["differing"]) for c in values] == [(300, 0), (300, 0)]


def test_feed(port: str, hours: pd.DataFrame, data: sml.Dataset) -> None:
    """Two days with snow in them."""
    start = hours["time"].iloc[data.test.index[data.test.y == 1][20]] - pd.Timedelta(hours=24)
    options = ("--start", f"{start:%Y-%m-%dT%H:%M}", "--hours", "48", "--port", port)
    values = json_of("board", "feed", *options)
    assert (len(values["hours"]), values["differing"]) == (48, 0)
    assert {hour["board"]["snow"] for hour in values["hours"]} == {False, True}


def test_bench(port: str) -> None:
    """An emulator has no cycles to count, and the firmware says so."""
    assert "this board has no counter of cycles" in refused("board", "bench", "--port", port)


def test_hours_went_by(port: str) -> None:
    """The board's own clock, while it answered."""
    before = json_of("board", "status", "--port", port)["hours"]
    while json_of("board", "status", "--port", port)["hours"] < before + 2:
        pass
