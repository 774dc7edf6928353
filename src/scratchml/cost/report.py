"""A model's cost on several CPUs, as tables for people and as one dictionary for machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from rich import box
from rich.console import RenderableType
from rich.table import Table

from scratchml.cost.energy import FORMULA, Energy, Power, Usage
from scratchml.cost.front_end import FrontEndCost
from scratchml.cost.measure import Cost
from scratchml.cost.memory import FLASHES
from scratchml.cost.parts import INFERENCE
from scratchml.cost.station import StationCost

#: Cells of the longest bar.
BAR = 12

CYCLES = "  Modelled cycles, zero wait states"

T = TypeVar("T")

Row = tuple[str, Callable[[Cost], str]]


def cost_json(cost: Cost, energy: Energy, power: Power, usage: Usage) -> dict[str, Any]:
    """One CPU's figures; sizes in bytes, cycles at zero wait states but for the estimates."""
    return {
        "board": cost.cpu.board,
        "chip": cost.cpu.chip,
        "clock_hz": cost.cpu.clock,
        "compiler": cost.compiler,
        "instructions": cost.instructions,
        "cycles": cost.cycles,
        "cycles_min": cost.cycles_min,
        "inputs": cost.inputs,
        "microseconds": cost.microseconds,
        "flash": cost.flash["total"],
        "flash_parts": {name: size for name, size in cost.flash.items() if name != "total"},
        "flash_read": cost.flash_read,
        "ram": cost.ram,
        "stack": cost.stack,
        "layers": [asdict(part) for part in cost.layers],
        "rest": [asdict(part) for part in cost.rest],
        "calls": {
            name: {"instructions": instructions, "cycles": cycles}
            for name, (instructions, cycles) in cost.calls.items()
        },
        "estimates": {
            **asdict(cost.estimates),
            "assumptions": FLASHES[cost.cpu.name].assumptions,
        },
        "energy": {**asdict(energy), **asdict(power), **asdict(usage), "formula": FORMULA},
    }


def cost_table(costs: Sequence[Cost]) -> Table:
    """The whole inference, a column for each CPU."""
    names = [f"{cost.cpu.title}\n{cost.cpu.chip}, {cost.cpu.clock / 1e6:g} MHz" for cost in costs]
    rows: list[Row] = [
        ("instructions", lambda c: f"{c.instructions:,}"),
        ("modelled cycles, zero wait states", lambda c: f"{c.cycles:,}"),
        (f"  over {costs[0].inputs} inputs", _range),
        ("microseconds, zero wait states", lambda c: f"{c.microseconds:,.1f}"),
        ("flash, bytes", lambda c: f"{c.flash['total']:,}"),
        *((f"  {label}", _flash_part(name)) for name, label in FLASH_PARTS.items()),
        ("flash read by an inference, bytes", lambda c: f"{c.flash_read:,}"),
        ("RAM, bytes", lambda c: f"{c.ram:,}"),
        ("stack, bytes", lambda c: f"{c.stack:,}"),
        ("estimated cycles, weights in RAM", lambda c: f"{c.estimates.weights_in_ram:,}"),
        ("  weights in flash, warm", lambda c: f"{c.estimates.warm_flash:,}"),
        ("  weights in flash, cold", lambda c: f"{c.estimates.cold_flash:,}"),
    ]
    table = _table("One sml_run_model call", *names)
    for label, cell in rows:
        table.add_row(label, *map(cell, costs))
    return table


#: What the parts of ``Cost.flash`` are called in a table.
FLASH_PARTS = {"engine": "engine", "model": "model", "head": "head", "program": "its calls"}


def _flash_part(name: str) -> Callable[[Cost], str]:
    return lambda cost: f"{cost.flash[name]:,}"


def _range(cost: Cost) -> str:
    constant = cost.cycles == cost.cycles_min
    return "constant" if constant else f"{cost.cycles_min:,} .. {cost.cycles:,}"


def parts_table(costs: Sequence[Cost]) -> Table:
    """Where the cycles go: a row for each part, a bar for its share of the cycles."""
    columns = [column for cost in costs for column in (cost.cpu.title, "")]
    table = _table("part", *columns, title=CYCLES)
    for column in table.columns[2::2]:
        column.justify = "left"
    named = [{part.name: part for part in cost.parts} for cost in costs]
    for name in dict.fromkeys(name for parts in named for name in parts):
        cells: list[str] = []
        for parts, cost in zip(named, costs, strict=True):
            share = parts[name].cycles / cost.cycles if name in parts else 0.0
            cells += (
                [f"{parts[name].cycles:,}", f"{share:4.0%} {bar(share)}"] if share else ["", ""]
            )
        table.add_row(name, *cells)
    return table


def bar(share: float) -> str:
    """A line of blocks, ``BAR`` of them for the whole; something is never nothing."""
    cells = round(share * BAR)
    return "█" * cells if cells or not share else "▏"


def calls_table(costs: Sequence[Cost]) -> Table:
    """Every public function that a program calls, each with its BL."""
    table = _table("call", *(cost.cpu.title for cost in costs), title=CYCLES)
    for function in costs[0].calls:
        table.add_row(function, *(f"{cost.calls[function][1]:,}" for cost in costs))
    return table


def station_table(costs: Sequence[Cost], stations: Sequence[StationCost]) -> Table:
    """The firmware around the model, without the board's core and the sensor's library."""
    rows: list[tuple[str, Callable[[StationCost], str]]] = [
        ("flash of its code, bytes", lambda s: f"{s.code:,}"),
        ("flash of the self-test's vectors, bytes", lambda s: f"{s.golden:,}"),
        ("flash with engine and model, bytes", lambda s: f"{s.total:,}"),
        ("RAM with the model's, bytes", lambda s: f"{s.ram:,}"),
        ("stack, bytes", lambda s: f"{s.stack:,}"),
        ("cycles, zero wait states: loop, end of an hour", lambda s: f"{s.hour:,}"),
        ("  loop, a reading", lambda s: f"{s.reading:,}"),
        ("  loop, nothing to do", lambda s: f"{s.idle:,}"),
        ("cycles, zero wait states: a whole hour", lambda s: f"{s.of_an_hour:,}"),
    ]
    return _filled("The weather station (csrc/firmware)", costs, rows, stations)


def front_end_table(costs: Sequence[Cost], front_ends: Sequence[FrontEndCost]) -> Table:
    """From samples to the counts that the network reads."""
    rows: list[tuple[str, Callable[[FrontEndCost], str]]] = [
        ("instructions, a sample that ends a window", lambda f: f"{f.instructions:,}"),
        ("  modelled cycles, zero wait states", lambda f: f"{f.cycles:,}"),
        ("  of any other sample", lambda f: f"{f.sample:,}"),
        ("flash, bytes", lambda f: f"{f.flash:,}"),
        ("RAM, bytes", lambda f: f"{f.ram:,}"),
        ("stack, bytes", lambda f: f"{f.stack:,}"),
    ]
    return _filled("The front end, one sml_stream_add call", costs, rows, front_ends)


def energy_table(
    costs: Sequence[Cost], energies: Sequence[Energy], powers: Sequence[Power], usage: Usage
) -> Table:
    """Energy and the battery's days, with the currents they follow from."""
    table = _table("Energy", *(cost.cpu.title for cost in costs))
    table.add_row("I, mA, while it computes", *(f"{p.current:g}" for p in powers))
    table.add_row("sleep current, uA", *(f"{p.sleep_current:g}" for p in powers))
    table.add_row("V, volts", *(f"{p.voltage:g}" for p in powers))
    table.add_row("T, microseconds, zero wait states", *(f"{c.microseconds:,.1f}" for c in costs))
    table.add_row("E, microjoules an inference", *(f"{e.microjoules:.3g}" for e in energies))
    table.add_row("average current, uA", *(f"{e.average_current:.4g}" for e in energies))
    label = f"days of {usage.battery:g} mAh, one every {usage.interval:g} s"
    table.add_row(label, *(f"{e.days:,.0f}" for e in energies))
    return table


def notes(costs: Sequence[Cost], powers: Sequence[Power]) -> list[str]:
    """What the figures rest on, a line each."""
    lines = [
        f"One {INFERENCE} call, from its BL to its return. Modelled cycles: Arm's Technical "
        "Reference Manuals, memory at zero wait states. Every output was equal to numpy's.",
        "RAM: input, output, context and activations. Stack: the caller's apart.",
    ]
    for cost, power in zip(costs, powers, strict=True):
        lines += [
            f"{cost.cpu.title}: {cost.compiler}.",
            f"{cost.cpu.title}, estimates: {FLASHES[cost.cpu.name].assumptions}",
            f"{cost.cpu.title}, currents: {power.source}.",
        ]
    return [*lines, f"{FORMULA}."]


def _filled(
    first: str,
    costs: Sequence[Cost],
    rows: Sequence[tuple[str, Callable[[T], str]]],
    items: Sequence[T],
) -> Table:
    """A column for each CPU, of an item each; a row says what it shows of an item, and how."""
    table = _table(first, *(cost.cpu.title for cost in costs))
    for label, cell in rows:
        table.add_row(label, *map(cell, items))
    return table


def _table(first: str, *columns: str, title: str | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", title=title)
    table.title_justify, table.title_style = "left", "bold"
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def page(
    costs: Sequence[Cost],
    stations: Sequence[StationCost],
    energies: Sequence[Energy],
    powers: Sequence[Power],
    usage: Usage,
    front_ends: Sequence[FrontEndCost] = (),
) -> list[RenderableType]:
    """All of it, for a terminal.

    ``stations`` is empty if the model is not for the station, ``front_ends`` if it has none.
    """
    return [
        cost_table(costs),
        parts_table(costs),
        calls_table(costs),
        *([front_end_table(costs, front_ends)] if front_ends else []),
        *([station_table(costs, stations)] if stations else []),
        energy_table(costs, energies, powers, usage),
        *notes(costs, powers),
    ]
