"""The meter against other emulators: the same instructions as QEMU, the same cycles as rp2040js."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import random_model, require

import scratchml as sml
from scratchml.cost.cpus import CORTEX_M0PLUS, CORTEX_M4, Cpu
from scratchml.cost.firmware import Build, build_firmware
from scratchml.cost.instructions import Instruction, Kind
from scratchml.cost.measure import Meter, trial_inputs
from scratchml.cost.parts import INFERENCE, Account
from scratchml.cost.program import Program, read_program

#: QEMU's boards: flash at 0, RAM at 0x20000000, of which the smaller one has 16 KB.
MACHINES = {"cortex-m4": "mps2-an386", "cortex-m0plus": "microbit"}
#: The instructions of startup.s that end the program, which the meter does not run.
ENDING = 3

#: The RP2040's SRAM, where code runs without wait states.
SRAM, CODE_BYTES = 0x20000000, 0x20000


@dataclass(frozen=True)
class Case:
    """A model, and how it is compiled."""

    model: sml.QuantizedMLP
    optimize: str = "2"
    layout: int | None = None


def cases() -> dict[str, Case]:
    classes = random_model([8, 16, 10], 4, activations="relu6", output="softmax")
    return {
        "flagship": Case(random_model([6, 12, 1], 1)),
        "flagship, portable": Case(random_model([6, 12, 1], 1), layout=0),
        "one layer": Case(random_model([5, 3], 2)),
        "softmax, small": Case(classes, optimize="s"),
        "softmax, portable": Case(classes, layout=0),
        "64-32-10, fast": Case(random_model([64, 32, 10], 3), optimize="3"),
    }


CASES = cases()


@dataclass(frozen=True)
class Built:
    """A linked program, its file, and the meter that runs it."""

    file: Path
    program: Program
    meter: Meter


def built(case: Case, cpu: Cpu, folder: Path) -> Built:
    for tool in ("arm-none-eabi-gcc", "unicorn", "capstone", "elftools"):
        require(tool)
    file = build_firmware(case.model, Build(cpu, case.optimize, case.layout), folder)["codes"]
    program = read_program(file)
    return Built(file, program, Meter(case.model, cpu, program))


# --- QEMU --------------------------------------------------------------------------------------


def qemu_trace(file: Path, machine: str) -> npt.NDArray[np.uint32]:
    """The address of every instruction that QEMU executes, condition-failed ones included."""
    qemu = require("qemu-system-arm")
    options = subprocess.run([qemu, "-help"], capture_output=True, text=True, check=True).stdout
    single = "one-insn-per-tb" if "one-insn-per-tb" in options else "singlestep"
    step = ["-accel", "tcg,one-insn-per-tb=on"] if single == "one-insn-per-tb" else ["-singlestep"]
    log = file.with_suffix(".log")
    command = [
        qemu, "-M", machine, "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel", str(file),
        *step, "-d", "exec,nochain", "-D", str(log),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    # Trace 0: 0x7f.. [cs_base/pc/flags/cflags] symbol
    lines = log.read_text().splitlines()
    return np.array(
        [int(line.split("[")[1].split("/")[1], 16) for line in lines if line.startswith("Trace")],
        np.uint32,
    )


@pytest.mark.parametrize("cpu", [CORTEX_M4, CORTEX_M0PLUS], ids=lambda cpu: cpu.name)
@pytest.mark.parametrize("name", CASES)
def test_qemu_executes_the_same_instructions(name: str, cpu: Cpu, tmp_path: Path) -> None:
    """From main's first instruction to its return; and as many within ``sml_run_model``."""
    case = CASES[name]
    on_board = replace(cpu, flash=0, ram=0x20000000, ram_bytes=16 * 1024)
    made = built(case, on_board, tmp_path)
    zeros = np.zeros(case.model.inputs, np.int8)  # as the program starts in QEMU
    account = made.meter.account(zeros, zeros)
    qemu = qemu_trace(made.file, MACHINES[cpu.name])
    main = made.program.functions["main"].start
    start = int(np.flatnonzero(qemu == main)[0])
    executed = qemu[start : len(qemu) - ENDING]

    ours = account.spent.instructions
    assert int(ours.sum()) == len(executed)
    # each step's own instruction stands where QEMU has it; those between are the skipped ones
    assert (executed[np.cumsum(ours) - ours] == account.run.trace).all()
    between = np.setdiff1d(np.arange(len(executed)), np.cumsum(ours) - ours)
    for step in between.tolist():
        before = made.meter.emulator.instruction(int(executed[step - 1]))
        assert int(executed[step]) == before.following

    steps = account.call(INFERENCE).steps_with_call
    first, last = int(ours[: steps.start].sum()), int(ours[: steps.stop].sum())
    assert account.of(INFERENCE)[0] == last - first
    bl = made.meter.emulator.instruction(int(executed[first]))
    assert bl.kind is Kind.CALL
    assert int(executed[last]) == bl.following


def test_some_of_them_are_skipped_in_if_then_blocks(tmp_path: Path) -> None:
    """Else the comparison above would not show that these are counted."""
    made = built(CASES["softmax, portable"], CORTEX_M4, tmp_path)
    zeros = np.zeros(8, np.int8)
    account = made.meter.account(zeros, zeros)
    assert int(account.spent.instructions.sum()) > len(account.run.trace)


# --- rp2040js ----------------------------------------------------------------------------------


def emulated_rp2040(
    folder: Path, built: Built, call: Instruction, rows: npt.NDArray[np.int8]
) -> list[dict[str, Any]]:
    """What rp2040js says of each row: cycles from ``call`` to its return, and the output."""
    program = built.program
    output = program.variables["meter_output"]
    job = {
        "segments": [[address, data.hex()] for address, data in program.contents.items()],
        "main": program.functions["main"].start,
        "end": program.functions["meter_end"].start,
        "stack_top": program.symbols["stack_top"],
        "input": program.variables["meter_codes"].start,
        "output": output.start,
        "outputs": output.size,
        "call": call.address,
        "return": call.following,
        "rows": [row.tobytes().hex() for row in rows],
    }
    (folder / "job.json").write_text(json.dumps(job))
    command = [require("node"), "rp2040_cycles.mjs", "job.json"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    results: list[dict[str, Any]] = json.loads(result.stdout)
    return results


def counted_otherwise(account: Account, fetch: Any) -> int:
    """How often rp2040js takes a cycle less than Arm's manual says.

    The manual counts LR in PUSH (1 + n) and PC in POP (3 + n) among the n registers of the list;
    rp2040js leaves them out.
    """
    steps = account.call(INFERENCE).steps_with_call
    code = [fetch(address) for address in account.run.trace[steps].tolist()]
    pushes = sum(i.kind is Kind.STORE_MULTIPLE and "lr" in i.text for i in code)
    pops = sum(i.kind is Kind.LOAD_MULTIPLE and i.sets_pc for i in code)
    return pushes + pops


@pytest.mark.network
@pytest.mark.parametrize("name", CASES)
def test_rp2040js_counts_the_same_cycles(name: str, rp2040js: Path, tmp_path: Path) -> None:
    """What differs is explained to the last cycle; with the boards' own kernels it is below 2 %.

    The portable kernel calls a function for every output, each with a PUSH and a POP.
    """
    case = CASES[name]
    in_sram = replace(
        CORTEX_M0PLUS, flash=SRAM, ram=SRAM + CODE_BYTES, ram_bytes=264 * 1024 - CODE_BYTES
    )
    made = built(case, in_sram, tmp_path)
    rows = trial_inputs(case.model)
    accounts = [made.meter.account(row, row) for row in rows]
    start = accounts[0].call(INFERENCE).start
    call = made.meter.emulator.instruction(int(accounts[0].run.trace[start - 1]))
    theirs = emulated_rp2040(rp2040js, made, call, rows)
    for account, result, row in zip(accounts, theirs, rows, strict=True):
        _, ours = account.of(INFERENCE)
        assert np.array(result["output"], np.uint8).view(np.int8).tolist() == (
            case.model.run(row[None])[0].tolist()
        )
        if case.layout is None:
            assert abs(ours - result["cycles"]) <= 0.02 * ours
        assert ours - result["cycles"] == counted_otherwise(
            account, made.meter.emulator.instruction
        )
