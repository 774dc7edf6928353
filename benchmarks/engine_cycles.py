"""What an inference costs on a Cortex-M4 and on a Cortex-M0+, beside other engines.

scratchml's kernels and a naive loop are compiled and measured in this run; every output is compared
with numpy's on the way. The figures of other engines are recorded: measured once with the same
meter, compiler and options, as the table says. Run with: python benchmarks/engine_cycles.py
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import scratchml as sml
from scratchml.cost.cpus import CORTEX_M0PLUS, CORTEX_M4, CPUS, Cpu
from scratchml.cost.firmware import compiler_version
from scratchml.cost.measure import Cost, measure

SIZES = ([6, 12, 1], [64, 32, 10], [392, 64, 64, 32, 4], [256, 128, 64, 10])
NAIVE = (Path(__file__).parent / "naive_engine.c",)

#: Modelled cycles at zero wait states, int8 logits; Debian's GCC 12.2.1, -O2; the same four shapes.
RECORDED = {
    CORTEX_M4.name: {
        "CMSIS-NN, per channel": (1727, 8898, 84798, 110700),
        "TFLite Micro + CMSIS-NN": (2950, 10592, 89711, 114221),
        "NNoM (coarser arithmetic)": (1517, 11093, 122694, 161707),
        "TinyMaix, SIMD": (2085, 10830, 101634, 132621),
        "emlearn, float": (1577, 29698, 386457, 506525),
    },
    CORTEX_M0PLUS.name: {
        "CMSIS-NN, per channel": (3398, 24955, 257543, 337883),
        "TFLite Micro + CMSIS-NN": (5044, 27111, 263596, 342231),
        "NNoM (coarser arithmetic)": (2145, 19074, 219723, 289646),
    },
}


def random_model(sizes: list[int]) -> sml.QuantizedMLP:
    """Random weights, calibrated on random rows, with int8 logits for outputs."""
    rng = np.random.default_rng(0)
    net = sml.MLP(sizes, seed=0, output="linear")
    for weights in net.weights:
        weights[:, -1] = rng.normal(0, 0.5, len(weights))  # the biases
    return sml.quantize(net, rng.normal(0, 1, (64, sizes[0])).astype(np.float32))


def products(sizes: list[int]) -> int:
    """Multiply-adds of one inference."""
    return sum(a * b for a, b in pairwise(sizes))


def table(cpu: Cpu, measured: dict[str, list[Cost]]) -> Table:
    """Cycles, and cycles per multiply-add."""
    result = Table("", *("-".join(map(str, sizes)) for sizes in SIZES), title=cpu.title)
    for column in result.columns[1:]:
        column.justify = "right"
    lines = {name: [cost.cycles for cost in costs] for name, costs in measured.items()}
    lines |= {f"{name} (recorded)": list(row) for name, row in RECORDED[cpu.name].items()}
    for name, cycles in lines.items():
        cells = (f"{n:,} ({n / products(s):.2f})" for n, s in zip(cycles, SIZES, strict=True))
        result.add_row(name, *cells)
    return result


def sizes_table(measured: dict[str, list[Cost]]) -> Table:
    """Bytes of flash, RAM and stack."""
    result = Table("flash / RAM / stack", *("-".join(map(str, sizes)) for sizes in SIZES))
    for name, costs in measured.items():
        cells = (f"{cost.flash['total']:,} / {cost.ram:,} / {cost.stack}" for cost in costs)
        result.add_row(name, *cells)
    return result


def main() -> None:
    console = Console(width=130)
    models = [random_model(sizes) for sizes in SIZES]
    console.print(
        f"Modelled cycles, zero wait states, of one sml_run_model (in brackets: per multiply-add); "
        f"int8 logits; {compiler_version()}."
    )
    for cpu in CPUS:
        measured: dict[str, list[Cost]] = {}
        for level in "2s3":
            for name, layout in (("packed", None), ("portable", 0)):
                measured[f"scratchml, {name}, -O{level}"] = [
                    measure(model, cpu, level, layout) for model in models
                ]
            measured[f"naive C, -O{level}"] = [
                measure(model, cpu, level, 0, engine=NAIVE) for model in models
            ]
        console.print(table(cpu, measured), sizes_table(measured), sep="\n")
    console.print("recorded: with the same meter, GCC 12.2.1 of Debian, -O2; not run here.")


if __name__ == "__main__":
    main()
