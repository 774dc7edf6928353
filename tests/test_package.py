"""A built wheel and source package hold the data and C sources and work away from the checkout."""

from __future__ import annotations

import re
import shutil
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
from scratchml.layouts import LAYOUTS, PORTABLE
from scratchml.resources import engine_assembly, engine_folder, engine_sources, find

#: Of ``csrc``, what is compiled on a host or by ``scratchml cost``, or read by ``scratchml board``.
C_FOLDERS = ("engine", "firmware", "host", "meter")

#: Runs a model in every layout, by the extensions that are installed.
EVERY_LAYOUT = """
import sys

import scratchml as sml
from scratchml.export import golden_inputs
from scratchml.layouts import LAYOUTS

model = sml.QuantizedMLP.load(sys.argv[1])
rows = golden_inputs(model)
for layout in LAYOUTS:
    with sml.Engine(model, layout) as engine:
        assert (engine.run(rows) == model.run(rows)).all()
"""

pytestmark = pytest.mark.network  # building asks the package index for setuptools and cffi


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source package, and a wheel built from that and not from the checkout.

    The former is built in a copy: for a moment it leaves files where other tests may look.
    """
    folder, copy = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    made = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "*.so")
    shutil.copytree(ROOT, copy, ignore=made, dirs_exist_ok=True)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode and "No matching distribution" in result.stdout + result.stderr:
        leave_out("the package index cannot be reached; connect to it and repeat: make test")
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_wheel_holds_data_and_c_sources(packages: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tables = ("reynolds_mountain_east_wy1999-2008.csv.gz", "digits.csv.gz", "exercises.csv.gz")
    for file in (*tables, "README.md", "LICENSE-seglearn.txt"):  # no data without their licence
        assert f"scratchml/data/{file}" in names
    assert "scratchml/py.typed" in names
    for module in (ROOT / "src" / "scratchml").rglob("*.py"):
        assert module.relative_to(ROOT / "src").as_posix() in names
    for folder in C_FOLDERS:
        files = [path for path in (ROOT / "csrc" / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"scratchml/{path.relative_to(ROOT).as_posix()}" for path in files} <= names
    packed = [layout.name.replace("-", "_") for layout in LAYOUTS if layout != PORTABLE]
    for extension in ("_engine", "_engine_trace", *(f"_engine_{name}" for name in packed)):
        assert any(name.startswith(f"scratchml/{extension}.") for name in names)
    assert not any(re.search(r"(^|/)tests?[/_]", name) for name in names)


def test_source_package_holds_what_a_build_needs(packages: Path) -> None:
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"pyproject.toml", "setup.py", "LICENSE", "data/LICENSE-seglearn.txt"} <= names
    for path in (ROOT / "csrc").rglob("*"):
        assert path.is_dir() or path.relative_to(ROOT).as_posix() in names


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
    model = "build/digits/model.tflite"
    for arguments in (
        ["run", "--rows", "500", "--no-pictures"],
        ["init", "digits"],
        ["run", "digits.toml", "--rows", "500", "--no-pictures", "--epochs", "3"],
        ["train", "exercises", "--epochs", "1"],
        ["info", model],
        ["digest", model, "--rows", "1000"],
        ["trace", model, "--row", "0"],
    ):
        command = [tmp_path / "env" / "bin" / "scratchml", *arguments]
        result = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    for name in ("snow", "digits"):
        assert (elsewhere / "build" / name / f"{name}_model.c").exists()
    subprocess.run([python, "-c", EVERY_LAYOUT, model], cwd=elsewhere, check=True)


def test_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert scratchml.__version__ == version("scratchml")


def test_resources_are_found_in_this_installation() -> None:
    assert (find("data") / "README.md").exists()
    names = [path.name for path in engine_sources()]
    kernels = [f"dense_{layout.name.replace('-', '_')}" for layout in LAYOUTS]
    assert names == sorted(
        [*(f"{name}.c" for name in kernels), "digest.c", "front_end.c", "scratchml.c", "softmax.c"]
    )
    assert [path.name for path in engine_assembly()] == [
        "dense_cortex_m0plus_asm.S",
        "dense_cortex_m4_asm.S",
    ]
    for path in (*engine_sources(), *engine_assembly()):
        assert path.parent == engine_folder()
    assert (find("data") / "digits.csv.gz").exists()
