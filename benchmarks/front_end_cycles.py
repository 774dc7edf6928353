"""What the front end costs on a board: cycles, flash and stack of ``sml_stream_add``.

Run with ``make benchmark``. The exercises' windows of 75 samples of three axes, four statistics
each, on recorded samples, in the emulator of ``scratchml cost``; the features must be Python's.
Modelled cycles, zero wait states. Of a window's 75 calls the last one does the work.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from scratchml import exercises
from scratchml.cost.cpus import CPUS, Cpu
from scratchml.cost.emulator import Emulator
from scratchml.cost.firmware import COMPILER, Build, build_firmware, compiler_version, link, run
from scratchml.cost.program import read_program
from scratchml.cost.timing import TIMINGS
from scratchml.cost.trace import calls, spent
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_assembly, engine_folder, engine_sources

MODEL = engine_folder() / "examples" / "Exercises" / "exercises_model.tflite"
ADD = "sml_stream_add"
#: Windows that are tried, evenly from all recordings.
WINDOWS = 20

MAIN = """\
#include "model.h"

static sml_stream stream;
static int32_t ring[MODEL_STREAM_BYTES / 4];
int32_t meter_counts[MODEL_WINDOW * MODEL_CHANNELS];
int32_t meter_output[MODEL_INPUTS];

int main(void)
{
    int32_t ready;
    sml_stream_start(&stream, &model_front_end, ring, sizeof ring);
    for (int i = 0; i < MODEL_WINDOW; i++) {
        sml_stream_add(&stream, meter_counts + MODEL_CHANNELS * i, MODEL_CHANNELS, meter_output,
                       MODEL_INPUTS, &ready);
    }
    return 0;
}
"""


def measure(model: QuantizedMLP, cpu: Cpu) -> list[int]:
    """Cycles of a call that only keeps a sample, and of one that ends a window; flash; stack."""
    build = Build(cpu)
    with tempfile.TemporaryDirectory(prefix="scratchml-") as name:
        folder = Path(name)
        empty = read_program(build_firmware(model, build, folder)["empty"])
        (folder / "front_end_main.c").write_text(MAIN)
        include = ["-I", str(engine_folder()), "-I", name]
        run([COMPILER, *build.flags, *include, "-c", "front_end_main.c"], folder)
        objects = [f"{source.name}.o" for source in (*engine_sources(), *engine_assembly())]
        objects += ["model.c.o", "startup.s.o", "front_end_main.o"]
        link(cpu, objects, folder / "front_end.elf")
        program = read_program(folder / "front_end.elf")
    front_end = model.front_end
    assert front_end is not None
    table = exercises.load(exercises.Recipe())[["ax", "ay", "az"]].to_numpy()
    samples = np.rint(table * 1000).astype(np.int32)
    emulator = Emulator(program, cpu, painted=ADD)
    keeping, ending, stack = 0, 0, 0
    for start in np.linspace(0, len(samples) - front_end.window, WINDOWS, dtype=int):
        window = samples[start : start + front_end.window]
        ran = emulator.run(window.ravel())
        assert (ran.output.view(np.int32) == front_end.stream(window)[0]).all()
        every = spent(ran.trace, emulator.instruction, TIMINGS[cpu.name])
        added = calls(ran.trace, {ADD: program.functions[ADD]}, emulator.instruction)
        cycles = [every.over(call.steps_with_call)[1] for call in added]
        keeping = max(keeping, *cycles[:-1])
        ending, stack = max(ending, cycles[-1]), max(stack, ran.stack)
    return [keeping, ending, program.parts["engine"] - empty.parts["engine"], stack]


def main() -> None:
    """Print a table for both CPUs."""
    model = QuantizedMLP.load(MODEL)
    found = [measure(model, cpu) for cpu in CPUS]
    table = Table(ADD, *(cpu.title for cpu in CPUS), title=f"{compiler_version()} -O2")
    names = ("cycles, a sample", "cycles, a window's last", "flash, bytes", "stack, bytes")
    for name, figures in zip(names, zip(*found, strict=True), strict=True):
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
