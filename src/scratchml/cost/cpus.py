"""The two CPUs that cost is measured for, each as it stands on the board that made it known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cpu:
    """A CPU on its board.

    Attributes:
        name: in options, files and JSON.
        clock: in Hz.
        flags: for GCC.
        emulated_as: the constant of unicorn's that chooses its model of the CPU.
        flash, ram: first addresses; ``ram_bytes``: of which the stack takes the upper end.
    """

    name: str
    title: str
    board: str
    chip: str
    clock: int
    flags: tuple[str, ...]
    emulated_as: str
    flash: int
    ram: int
    ram_bytes: int


CORTEX_M4 = Cpu(
    name="cortex-m4",
    title="Cortex-M4",
    board="Arduino Nano 33 BLE",
    chip="nRF52840",
    clock=64_000_000,
    flags=("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft"),
    emulated_as="UC_CPU_ARM_CORTEX_M4",
    flash=0x00000000,
    ram=0x20000000,
    ram_bytes=256 * 1024,
)

CORTEX_M0PLUS = Cpu(
    name="cortex-m0plus",
    title="Cortex-M0+",
    board="Raspberry Pi Pico",
    chip="RP2040",
    clock=133_000_000,
    flags=("-mcpu=cortex-m0plus", "-mthumb"),
    # the M0+ has the M0's instructions; how long they take is timing.py's to say
    emulated_as="UC_CPU_ARM_CORTEX_M0",
    flash=0x10000000,
    ram=0x20000000,
    ram_bytes=256 * 1024,
)

CPUS = (CORTEX_M4, CORTEX_M0PLUS)
