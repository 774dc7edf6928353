"""A built wheel and source package hold the data and C sources and work away from the checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, leave_out

import scratchml
from scratchml.resources import engine_sources, find

pytestmark = pytest.mark.network  # building asks the package index for setuptools and cffi


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source package, and a wheel built from that and not from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode and "No matching distribution" in result.stdout + result.stderr:
        leave_out("the package index cannot be reached; connect to it and repeat: make test")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_wheel_holds_data_and_c_sources(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "scratchml/data/reynolds_mountain_east_wy1999-2008.csv.gz" in names
    assert "scratchml/py.typed" in names
    for module in (ROOT / "src" / "scratchml").rglob("*.py"):
        assert module.relative_to(ROOT / "src").as_posix() in names
    for source in (ROOT / "csrc").glob("*/*.[ch]"):
        assert f"scratchml/csrc/{source.parent.name}/{source.name}" in names
    assert any(name.startswith("scratchml/_engine.") for name in names)
    assert not any("test" in name for name in names)


def test_source_package_holds_what_a_build_needs(packages: Path) -> None:
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"pyproject.toml", "setup.py", "LICENSE", "csrc/engine/scratchml.h"} <= names


def test_installed_wheel_runs_from_another_folder(packages: Path, tmp_path: Path) -> None:
    """In an environment of its own, which borrows the dependencies of this one and nothing else.

    A path in a .pth file lends its packages, but not its own .pth files: the checkout that may be
    installed there for development cannot fill in for what the wheel lacks.
    """
    (wheel,) = packages.glob("*.whl")
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True)
    (site,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = subprocess.run(
        [python, "-c", "import scratchml.cli.commands as c; print(c.__file__)"],
        cwd=elsewhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
    result = subprocess.run(
        [tmp_path / "env" / "bin" / "scratchml", "run", "--rows", "500", "--no-pictures"],
        cwd=elsewhere, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert (elsewhere / "build" / "snow" / "snow_model.c").exists()


def test_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert scratchml.__version__ == version("scratchml")


def test_resources_are_found_in_this_installation() -> None:
    assert (find("data") / "README.md").exists()
    assert [path.name for path in engine_sources()] == ["dense_portable.c", "scratchml.c"]
