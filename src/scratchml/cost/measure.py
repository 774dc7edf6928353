"""What a model costs on a CPU: compile, link, emulate, count."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scratchml.cost.cpus import Cpu
from scratchml.cost.emulator import Emulator, Run
from scratchml.cost.firmware import Build, build_firmware, compiler_version
from scratchml.cost.memory import FLASHES, Estimates, estimate
from scratchml.cost.parts import INFERENCE, Account, Part
from scratchml.cost.program import Program, read_program
from scratchml.cost.timing import TIMINGS
from scratchml.errors import ScratchmlError
from scratchml.features import Features
from scratchml.quantized import QuantizedMLP

Int8 = npt.NDArray[np.int8]

#: Random inputs, beside the extremes.
RANDOM_ROWS = 5


@dataclass(frozen=True)
class Cost:
    """One ``sml_run_model`` call: from the BL that calls it to its return, both included.

    Of several inputs the figures are those of the one that takes the most cycles. Cycles are
    modelled, at zero wait states; all else is as counted, in bytes.

    Attributes:
        cycles_min: of the input that takes the fewest; equal to ``cycles`` in constant time.
        inputs: how many were tried.
        flash: ``engine``, ``model``, ``head``, ``program`` (the calls themselves, and padding) and
            ``total``, which is the linked program less an empty one.
        flash_read: data loaded from flash.
        ram: variables: input, output, context and activation memory.
        stack: of ``sml_run_model`` and what it calls, its caller's apart.
        layers: a part each; ``rest``: the other parts. Together they are the whole.
        calls: instructions and cycles of each public function, with the BL that calls it.
        estimates: cycles with the flash's wait states.
    """

    cpu: Cpu
    compiler: str
    instructions: int
    cycles: int
    cycles_min: int
    inputs: int
    flash: dict[str, int]
    flash_read: int
    ram: int
    stack: int
    layers: tuple[Part, ...]
    rest: tuple[Part, ...]
    calls: dict[str, tuple[int, int]]
    estimates: Estimates

    @property
    def microseconds(self) -> float:
        """At the board's clock, still at zero wait states."""
        return self.cycles / self.cpu.clock * 1e6

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of them."""
        return (*self.layers, *self.rest)


def measure(
    model: QuantizedMLP,
    cpu: Cpu,
    optimize: str = "2",
    layout: int | None = None,
    engine: tuple[Path, ...] = (),
) -> Cost:
    """Compile the model and the engine for ``cpu``, run them in an emulator and count.

    Args:
        optimize: GCC's -O level: 0, 1, 2, 3 or s.
        layout: the value of the macro SML_LAYOUT; by default the CPU's own.
        engine: sources to measure instead of the engine's.

    Raises:
        ScratchmlError: the cross compiler is missing or refuses the code, or an output differs from
            ``model.run``: every measurement is a proof, too.
    """
    build = Build(cpu, optimize, layout, engine)
    with tempfile.TemporaryDirectory(prefix="scratchml-") as folder:
        files = build_firmware(model, build, Path(folder))
        programs = {name: read_program(path) for name, path in files.items()}
    meter = Meter(model, cpu, programs["codes"])
    rows = trial_inputs(model)
    times, stacks = [], []
    for row in rows:  # of each only this is kept: traces are long
        account = meter.account(row, row)
        times.append(account.of(INFERENCE)[1])
        stacks.append(account.run.stack)
    worst = rows[int(np.argmax(times))]
    account = meter.account(worst, worst, reads=True)
    parts = account.parts([layer.weights.size for layer in model.layers])
    calls = account.by_function()
    if model.features is not None:
        counting = Meter(model, cpu, programs["counts"])
        calls["sml_prepare_input"] = _prepare_input(counting, model.features)
    instructions, cycles = calls[INFERENCE]
    return Cost(
        cpu=cpu,
        compiler=" ".join([compiler_version(), *build.options]),
        instructions=instructions,
        cycles=cycles,
        cycles_min=min(times),
        inputs=len(rows),
        flash=_flash(programs["codes"], programs["empty"]),
        flash_read=sum(part.flash_read for part in parts),
        ram=programs["codes"].ram - programs["empty"].ram,
        stack=max(stacks),
        layers=tuple(part for part in parts if part.kernel),
        rest=tuple(part for part in parts if not part.kernel),
        calls=calls,
        estimates=_estimates(meter.emulator, account),
    )


def trial_inputs(model: QuantizedMLP) -> Int8:
    """The rows that are measured ``[n, inputs]``: extremes, and random ones from a fixed seed.

    Two of them drive the first unit as far down and up as it goes.
    """
    same = np.array([[-128], [127], [0]], np.int8).repeat(model.inputs, axis=1)
    positive = model.layers[0].weights[0] > 0
    driven = [np.where(positive, low, -1 - low).astype(np.int8) for low in (-128, 127)]
    rng = np.random.default_rng(0)
    random = rng.integers(-128, 128, (RANDOM_ROWS, model.inputs), np.int8)
    return np.vstack([same, *driven, random])


class Meter:
    """A linked program in the emulator, and the model whose outputs it must give."""

    def __init__(self, model: QuantizedMLP, cpu: Cpu, program: Program) -> None:
        self.model, self.timing = model, TIMINGS[cpu.name]
        self.emulator = Emulator(program, cpu)

    def account(self, given: npt.ArrayLike, codes: Int8, *, reads: bool = False) -> Account:
        """Run the program on ``given``, which the model takes as ``codes``."""
        run: Run = self.emulator.run(given, reads=reads)
        wanted = self.model.run(codes[None])[0]
        for output, (ours, theirs) in enumerate(zip(run.output, wanted, strict=True)):
            if ours != theirs:
                raise ScratchmlError(
                    f"the emulated {self.emulator.cpu.title} gives {ours} for output {output} and "
                    f"numpy {theirs}: please report it"
                )
        return Account(self.emulator, run, self.timing)


def _prepare_input(meter: Meter, features: Features) -> tuple[int, int]:
    """Instructions and cycles of ``sml_prepare_input``, for readings at either end and between."""
    found = []
    for channels in (features.low, features.high, features.mean):
        row = np.tile(channels, meter.model.inputs // len(channels)).astype(np.int32)
        codes = meter.model.prepare_input(row[None])[0]
        found.append(meter.account(row, codes).of("sml_prepare_input"))
    return max(found, key=lambda pair: pair[1])


def _flash(program: Program, empty: Program) -> dict[str, int]:
    total = program.flash.size - empty.flash.size
    parts = {name: size - empty.parts[name] for name, size in program.parts.items()}
    return {**parts, "program": total - sum(parts.values()), "total": total}


def _estimates(emulator: Emulator, account: Account) -> Estimates:
    steps = account.call(INFERENCE).steps_with_call
    trace = account.run.trace[steps]
    addresses, which = np.unique(trace, return_inverse=True)
    sizes = np.array([emulator.instruction(int(address)).size for address in addresses])
    return estimate(
        FLASHES[emulator.cpu.name],
        trace,
        sizes[which],
        [read.since(steps.start) for read in account.flash_reads()],
        account.of(INFERENCE)[1],
        [emulator.program.sections[name] for name in ("model", "head")],
    )
