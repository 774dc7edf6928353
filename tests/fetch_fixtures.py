"""Fixtures of the tests of ``scratchml fetch``: the services, and a cache of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from weather_services import Services, environment, running


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """The services, which this process and those it starts find in place of the real ones."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with running() as served:
        for name, value in environment(served, tmp_path / "cache").items():
            monkeypatch.setenv(name, value)
        yield served
