"""platformio.ini: what the official environments say, and that what they name is there.

PlatformIO's registry is not asked, so the environments are never built here. Instead the files that
each of them chooses are compiled with its flags on stand-ins of Arduino and the sensors' libraries
(tests/c/arduino), and put together: every function is defined, and defined once.
"""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from c_builds import CPUS, compiled, printed
from conftest import ROOT, require

INI = ROOT / "platformio.ini"
STAND_INS = ROOT / "tests" / "c" / "arduino"

OFFICIAL = ("nano33ble", "pico", "pico_earlephilhower")
CPU_OF = {"nano33ble": "cortex-m4", "pico": "cortex-m0plus"}

#: The flags that choose a sensor, for each board.
SENSORS = {
    "nano33ble": ("SENSOR_HS3003", "SENSOR_HTS221", "SENSOR_REPLAY"),
    "pico": ("SENSOR_DHT22", "SENSOR_DHT11", "SENSOR_REPLAY"),
}

EXACT = re.compile(r"[\w-]+/[\w -]+@\d+\.\d+\.\d+")  # OWNER/NAME@1.2.3: no ^, ~ or range
TAG = re.compile(r"https://github\.com/[\w-]+/[\w-]+\.git#v\d[\w.-]+")


def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    assert parser.read(INI) == [str(INI)]
    return parser


def section(parser: configparser.ConfigParser, name: str) -> dict[str, str]:
    """Its options, with those that it extends, and ``${station.build_flags}`` put in."""
    options = dict(parser[name])
    parent = options.pop("extends", None)
    if parent:
        options = section(parser, parent) | options
    replace = re.compile(r"\$\{(\w+)\.(\w+)\}")
    return {
        key: replace.sub(lambda found: section(parser, found[1])[found[2]], value)
        for key, value in options.items()
    }


def environment(name: str) -> dict[str, str]:
    return section(config(), f"env:{name}")


def sources(name: str) -> list[Path]:
    """The files that the environment's filter chooses, in no folder but these."""
    folder = ROOT / config()["platformio"]["src_dir"]
    words = environment(name)["build_src_filter"].split()
    patterns = [re.fullmatch(r"\+<([^>]+)>", word) for word in words]
    chosen: list[Path] = []
    for pattern in patterns:
        assert pattern, words
        found = sorted(path.resolve() for path in folder.glob(pattern[1]))
        assert found, pattern[1]
        chosen += found
    assert len(chosen) == len(set(chosen))
    return chosen


def flags(name: str) -> list[str]:
    return re.sub(r"-([DI]) ", r"-\1", environment(name)["build_flags"]).split()


@pytest.mark.parametrize("name", OFFICIAL)
def test_versions_are_exact(name: str) -> None:
    options = environment(name)
    assert EXACT.fullmatch(options["platform"]) or TAG.fullmatch(options["platform"])
    libraries = options["lib_deps"].split("\n")[1:]
    assert len(libraries) == 2
    assert all(EXACT.fullmatch(library) for library in libraries)


def test_these_are_the_environments_and_the_nano_is_built_by_default() -> None:
    parser = config()
    environments = [name for name in parser.sections() if name.startswith("env:")]
    assert environments == [f"env:{name}" for name in OFFICIAL]
    assert parser["platformio"]["default_envs"] == "nano33ble"
    assert {environment(name)["framework"] for name in OFFICIAL} == {"arduino"}
    assert [environment(name)["board"] for name in OFFICIAL] == ["nano33ble", "pico", "pico"]
    assert environment("pico_earlephilhower")["board_build.core"] == "earlephilhower"
    assert "board_build.core" not in environment("pico")


def test_every_option_has_its_reason_above_it() -> None:
    lines = INI.read_text().splitlines()
    options = [i for i, line in enumerate(lines) if re.match(r"[a-z_.]+ *=", line)]
    assert len(options) > 20
    assert [lines[i] for i in options if not lines[i - 1].startswith("; ")] == []
    sections = [i for i, line in enumerate(lines) if line.startswith("[")]
    assert [lines[i] for i in sections[1:] if not lines[i - 1].startswith("; ")] == []


@pytest.mark.parametrize("name", OFFICIAL)
def test_flags_and_paths_exist(name: str) -> None:
    text = "".join(path.read_text() for path in sources(name) if path.suffix != ".S")
    for flag in flags(name):
        if flag.startswith("-I"):
            assert (ROOT / flag[2:]).is_dir(), flag
        else:
            macro = flag.removeprefix("-D").partition("=")[0]
            assert re.search(rf"defined\({macro}\)|#ifn?def {macro}\b", text), flag
    assert sum(flag.startswith("-DSENSOR_") for flag in flags(name)) == 1
    assert all((ROOT / path).exists() for path in config()["platformio"]["extra_configs"].split())


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_comment_names_every_sensor_of_the_board(name: str) -> None:
    board = environment(name)["board"]
    text = INI.read_text()
    for flag in SENSORS[board]:
        assert flag in text
        assert any(f"defined({flag})" in path.read_text() for path in sources(name))


@pytest.mark.parametrize("name", OFFICIAL[1:])
def test_a_pico_is_uploaded_to_by_the_script(name: str) -> None:
    options = environment(name)
    assert options["upload_protocol"] == "custom"
    quoted = re.fullmatch(
        r'"\$PYTHONEXE" "\$PROJECT_DIR/([\w/.]+)" "\$BUILD_DIR/\$\{PROGNAME\}\.uf2"',
        options["upload_command"],
    )
    assert quoted
    assert (ROOT / quoted[1]).is_file()


def test_the_monitor_is_as_fast_as_the_port() -> None:
    speed = environment("nano33ble")["monitor_speed"]
    assert f"Serial.begin({speed})" in (ROOT / "csrc/firmware/boards/arduino.cpp").read_text()


@pytest.mark.parametrize(
    "name, sensor", [(name, s) for name in OFFICIAL for s in SENSORS[environment(name)["board"]]]
)
def test_the_files_of_an_environment_fit_together(name: str, sensor: str, tmp_path: Path) -> None:
    """With each of its sensors: compiled for its CPU, nothing is defined twice, or left out."""
    require("arm-none-eabi-gcc")
    cpu = CPU_OF[environment(name)["board"]]
    chosen = [flag for flag in flags(name) if not flag.startswith("-DSENSOR_")]
    chosen = [f"-I{ROOT / flag[2:]}" if flag.startswith("-I") else flag for flag in chosen]
    common = [
        *CPUS[cpu], "-O0", "-funsigned-char", "-Wall", "-Wextra", "-Werror",
        *chosen, f"-D{sensor}", f"-I{STAND_INS}",
    ]  # fmt: skip
    (tmp_path / "device.cpp").write_text('#include "simulated_sensor.h"\nsimulated_sensor device;')
    stand_ins = [STAND_INS / "arduino.cpp", tmp_path / "device.cpp"]
    objects = []
    for i, source in enumerate([*sources(name), *stand_ins]):
        is_cpp = source.suffix == ".cpp"
        extra = ["-std=gnu++14", "-fno-exceptions", "-fno-rtti"] if is_cpp else ["-std=gnu11"]
        objects.append(tmp_path / f"{i}.o")
        compiled("arm-none-eabi-gcc", *common, *extra, "-c", source, "-o", objects[-1])
    compiled("arm-none-eabi-gcc", *CPUS[cpu], "-r", "-nostdlib", *objects, "-o", tmp_path / "all")
    undefined = set(re.findall(r" U (\w+)", printed("arm-none-eabi-nm", tmp_path / "all")))
    # those of the C library and the compiler's own, whose names no source of ours has
    ours = {
        symbol for symbol in undefined if re.match(r"(board|sensor|sml|station|text|model)", symbol)
    }
    assert ours == set()
    defined = re.findall(
        r" [TW] (setup|loop|board_\w+|sensor_\w+)$",
        printed("arm-none-eabi-nm", tmp_path / "all"),
        re.MULTILINE,
    )
    assert {"setup", "loop", "board_watchdog_feed", "sensor_read"} <= set(defined)


def test_the_engines_examples_are_no_part_of_the_firmware() -> None:
    for name in OFFICIAL:
        assert not any("examples" in path.parts for path in sources(name))
        engine = {path for path in sources(name) if path.parent.name == "engine"}
        assert engine == {*(ROOT / "csrc/engine").glob("*.[cS]")}


def test_platformio_reads_it_as_we_do(tmp_path: Path) -> None:
    require("platformio")
    settings = os.environ | {
        "PLATFORMIO_CORE_DIR": str(tmp_path),
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
    }

    def answer(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "platformio", "project", "config", "--json-output", *options],
            cwd=ROOT, env=settings, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert "Warning" not in answer()
    read = {name: dict(options) for name, options in json.loads(answer())}
    for name in OFFICIAL:
        theirs = read[f"env:{name}"]
        ours = environment(name)
        for option in ("platform", "board", "build_src_filter", "build_flags", "lib_deps"):
            said = theirs[option]
            words = " ".join(said) if isinstance(said, list) else said
            assert words.split() == ours[option].split(), (name, option)
    lint = ast.literal_eval(answer("--lint"))
    assert (lint["errors"], lint["warnings"]) == ([], [])
