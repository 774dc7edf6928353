"""What a model's front end costs: a stream's sample, and the one that ends a window."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scratchml.cost.cpus import Cpu
from scratchml.cost.emulator import Emulator
from scratchml.cost.firmware import Build, build_firmware
from scratchml.cost.parts import Account
from scratchml.cost.program import read_program
from scratchml.cost.timing import TIMINGS
from scratchml.errors import ScratchmlError
from scratchml.front_end import FrontEnd
from scratchml.quantized import QuantizedMLP

ADD = "sml_stream_add"

#: Variables of csrc/meter/main.c that a program with a front end has.
VARIABLES = ("meter_ring", "meter_stream", "meter_features", "meter_ready")


@dataclass(frozen=True)
class FrontEndCost:
    """The front end on a CPU; of several windows, the one that takes the most cycles.

    Attributes:
        instructions, cycles: of the ``sml_stream_add`` that ends a window, with the BL to it.
        sample: modelled cycles of one that does not.
        flash: bytes of code and constants beyond a program that is given counts.
        ram: bytes of the ring, the stream and the features.
        stack: of ``sml_stream_add`` and what it calls, its caller's apart.
    """

    instructions: int
    cycles: int
    sample: int
    flash: int
    ram: int
    stack: int


def measure_front_end(model: QuantizedMLP, cpu: Cpu, optimize: str = "2") -> FrontEndCost | None:
    """Compile model, engine and front end for ``cpu``, and count over some windows of samples.

    ``None``: the model has no front end.

    Raises:
        ScratchmlError: the compiler is missing or refuses the code, or what the model makes of a
            window differs from what it does in numpy.
    """
    if model.front_end is None:
        return None
    with tempfile.TemporaryDirectory(prefix="scratchml-") as folder:
        files = build_firmware(model, Build(cpu, optimize), Path(folder))
        without, program = (read_program(files[name]) for name in ("counts", "samples"))
    emulator = Emulator(program, cpu, painted=ADD)
    found, stacks = [], []
    for window in trial_windows(model.front_end):
        run = emulator.run(window)
        codes = model.prepare_input(model.front_end.features(window[None]))
        if run.output.tolist() != model.run(codes)[0].tolist():
            raise ScratchmlError(
                f"the emulated {cpu.title} makes something else of a window than numpy: "
                "please report it"
            )
        account = Account(emulator, run, TIMINGS[cpu.name])
        calls = [account.spent.over(c.steps_with_call) for c in account.calls if c.function == ADD]
        found.append((*calls[-1], max((cycles for _, cycles in calls[:-1]), default=0)))
        stacks.append(run.stack)
    instructions, cycles, sample = max(found, key=lambda counted: counted[1])
    return FrontEndCost(
        instructions=instructions,
        cycles=cycles,
        sample=sample,
        flash=program.flash.size - without.flash.size,
        ram=sum(program.variables[name].size for name in VARIABLES),
        stack=max(stacks),
    )


def trial_windows(front_end: FrontEnd) -> list[npt.NDArray[np.int32]]:
    """What is measured, ``[window, c]`` each: rest, the extremes in turn, random counts."""
    shape = front_end.window, len(front_end.channels)
    ends = np.where(np.arange(shape[0]) % 2, 2**31 - 1, -(2**31))[:, None].repeat(shape[1], axis=1)
    rng = np.random.default_rng(0)
    windows = [np.zeros(shape), ends, rng.integers(-1000, 1001, shape)]
    return [window.astype(np.int32) for window in windows]
