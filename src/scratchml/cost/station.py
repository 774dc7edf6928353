"""What the weather station around the model costs: ``csrc/firmware`` without a board's core."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scratchml.cost.cpus import Cpu
from scratchml.cost.emulator import Emulator
from scratchml.cost.firmware import COMPILER, Build, build_firmware, link, run
from scratchml.cost.program import Program, read_program
from scratchml.cost.timing import TIMINGS
from scratchml.cost.trace import calls, spent
from scratchml.errors import ScratchmlError
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_assembly, engine_folder, engine_sources, find

#: The emulated hour and its readings: enough to meet each kind of loop, and a trace that is short.
HOUR_MS, READINGS = 12_000, 12

#: What the emulated sensor says, in counts: 0 degrees C, 80 %.
READING = (0, 8000)

#: Of a real hour, as main.cpp has it: readings, and loops in all, one each four seconds.
READINGS_AN_HOUR, LOOPS_AN_HOUR = 12, 900

#: Of main.cpp.
LOOP = "loop"

MACROS = ["-DSML_SELF_TEST", f"-DSTATION_HOUR_MS={HOUR_MS}", f"-DSTATION_READINGS={READINGS}"]


@dataclass(frozen=True)
class StationCost:
    """The station, its console and its self-test on a CPU; a board's core and sensor apart.

    Attributes:
        code: bytes of flash of the firmware's own code and what it needs of the C library.
        golden: bytes of the self-test's vectors.
        total: bytes of flash with engine and model.
        ram: bytes of variables, with those of the model.
        stack: of ``loop`` and all that it calls.
        hour: modelled cycles of the ``loop`` that ends an hour with a forecast, the inference and
            a reading in it.
        reading: of one that takes a reading and nothing else; ``idle``: of one with nothing to do.
    """

    code: int
    golden: int
    total: int
    ram: int
    stack: int
    hour: int
    reading: int
    idle: int

    @property
    def of_an_hour(self) -> int:
        """Modelled cycles of a whole hour: with a forecast, awake every four seconds."""
        idle = LOOPS_AN_HOUR - READINGS_AN_HOUR
        return self.hour + (READINGS_AN_HOUR - 1) * self.reading + idle * self.idle


def measure_station(model: QuantizedMLP, cpu: Cpu, optimize: str = "2") -> StationCost:
    """Compile the firmware for ``cpu``, let it come to its first forecast, and count.

    Args:
        model: one that ``firmware.check_station_model`` takes.

    Raises:
        ScratchmlError: the compiler is missing or refuses the code, or the station says something
            other than Python does.
    """
    build = Build(cpu, optimize)
    with tempfile.TemporaryDirectory(prefix="scratchml-") as name:
        folder = Path(name)
        bare = read_program(build_firmware(model, build, folder)["counts"])
        station = read_program(build_station(build, folder))
    emulator = Emulator(station, cpu, painted=LOOP)
    counts = np.tile(np.array(READING, np.int32), model.inputs // len(READING))
    ran = emulator.run(counts)
    _check_line(model, counts, ran.output.tobytes().rstrip(b"\0").decode("ascii"), cpu)
    every = spent(ran.trace, emulator.instruction, TIMINGS[cpu.name])
    cycles: dict[tuple[bool, bool], int] = {}  # by whether a loop reads, and whether it reports
    for loop in calls(ran.trace, {LOOP: station.functions[LOOP]}, emulator.instruction):
        trace = ran.trace[loop.steps]
        kind = _enters(trace, station, "sensor_read"), _enters(trace, station, "board_write")
        cycles[kind] = every.over(loop.steps_with_call)[1]  # of several the last: it forecasts
    return StationCost(
        code=station.parts["engine"] - bare.parts["engine"],
        golden=station.parts["model"] - bare.parts["model"],
        total=sum(station.parts.values()),
        ram=_variables(station, cpu),
        stack=ran.stack,
        hour=cycles[True, True],
        reading=cycles[True, False],
        idle=cycles[False, False],
    )


def build_station(build: Build, folder: Path) -> Path:
    """Link the firmware with the model's object and the engine's, which lie in ``folder``."""
    csrc = find("csrc")
    firmware = csrc / "firmware"
    include = [f"-I{path}" for path in (engine_folder(), folder, firmware)]
    compiler = [COMPILER, *build.flags, *MACROS, *include, "-c"]
    objects = [f"{source.name}.o" for source in (*engine_sources(), *engine_assembly())]
    sources = [*sorted(firmware.glob("*.c")), csrc / "meter" / "station_main.c", folder / "model.c"]
    for source in sources:
        run([*compiler, str(source), "-o", f"{source.name}.o"], folder)
    cxx = [flag for flag in compiler[1:] if not flag.startswith("-std")]
    cxx = [COMPILER, *cxx, "-std=gnu++14", "-fno-exceptions", "-fno-rtti"]
    run([*cxx, str(firmware / "main.cpp"), "-o", "main.cpp.o"], folder)
    program = folder / "station.elf"
    names = [*(f"{source.name}.o" for source in sources), "main.cpp.o", "startup.s.o"]
    link(build.cpu, [*objects, *names], program)
    return program


def _check_line(model: QuantizedMLP, counts: npt.NDArray[np.int32], line: str, cpu: Cpu) -> None:
    """What the emulated station said must be what the model decides."""
    code = int(model.run(model.prepare_input(counts[None]))[0, 0])
    percent = ((code + 128) * 100 + 128) // 256
    wanted = f"-> snow {percent} % ({'yes' if code >= model.decision_threshold else 'no'})"
    if not line.endswith(wanted):
        raise ScratchmlError(
            f"the emulated {cpu.title} says {line!r} instead of {wanted!r}: please report it"
        )


def _enters(trace: npt.NDArray[np.uint32], program: Program, function: str) -> bool:
    return bool((trace == program.functions[function].start).any())


def _variables(program: Program, cpu: Cpu) -> int:
    """Bytes of the firmware's variables in RAM: not those of the meter's board."""
    sizes = {
        name: span.size
        for name, span in program.variables.items()
        if cpu.ram <= span.start < cpu.ram + cpu.ram_bytes
    }
    return sum(size for name, size in sizes.items() if not name.startswith("meter_"))
