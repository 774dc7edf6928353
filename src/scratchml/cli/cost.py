"""What a model costs on the two boards, side by side."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, replace
from typing import Annotated

import typer

from scratchml.cli import options as opt
from scratchml.cli.app import app
from scratchml.cli.console import guarded, log, print_json, show
from scratchml.errors import ScratchmlError
from scratchml.firmware import is_for_station
from scratchml.quantized import QuantizedMLP

#: What the meter runs on; none of them is loaded before it is asked for.
WHEELS = {"unicorn": "unicorn", "capstone": "capstone", "elftools": "pyelftools"}

ENERGY = "Energy"
LEVELS = ("0", "1", "2", "3", "s")

Positive = 1e-9


@app.command("cost")
@guarded
def cost_command(
    model: opt.Int8Model,
    optimize: Annotated[
        str, typer.Option("-O", "--optimize", help="GCC's level: 2, s, 3, 1 or 0.")
    ] = "2",
    current: Annotated[
        float | None,
        typer.Option(
            min=Positive,
            help="mA while it computes. Default: the chip's, from its datasheet.",
            rich_help_panel=ENERGY,
        ),
    ] = None,
    voltage: Annotated[
        float | None,
        typer.Option(
            min=Positive, help="Default: 3.0 or 3.3, the board's.", rich_help_panel=ENERGY
        ),
    ] = None,
    sleep_current: Annotated[
        float | None,
        typer.Option(
            min=Positive,
            help="uA between inferences. Default: the chip's, from its datasheet.",
            rich_help_panel=ENERGY,
        ),
    ] = None,
    battery: Annotated[
        float, typer.Option(min=Positive, help="Its capacity in mAh.", rich_help_panel=ENERGY)
    ] = 1000.0,
    interval: Annotated[
        float,
        typer.Option(
            min=Positive, help="Seconds from inference to inference.", rich_help_panel=ENERGY
        ),
    ] = 3600.0,
    as_json: opt.Json = False,
) -> None:
    """What an inference costs on a Cortex-M4 and on a Cortex-M0+.

    Instructions, modelled cycles at zero wait states, flash, RAM, stack and energy, in all and by
    layer. The model is compiled with the engine and runs in an emulator, where every output must be
    equal to numpy's. For a model of the weather station also what the firmware around it costs; for
    a model with a front end also what a window's features cost.
    """
    if optimize not in LEVELS:
        raise ScratchmlError(f"-O{optimize}: known are {', '.join(LEVELS)}")
    require_wheels()
    from scratchml.cost import CPUS, measure, report
    from scratchml.cost.energy import POWER, Usage, energy
    from scratchml.cost.front_end import measure_front_end
    from scratchml.cost.station import measure_station

    quantized = QuantizedMLP.load(model)
    usage = Usage(battery, interval)
    given = {"current": current, "voltage": voltage, "sleep_current": sleep_current}
    chosen = {name: value for name, value in given.items() if value is not None}
    costs, stations, front_ends, powers = [], [], [], []
    for cpu in CPUS:
        with log.status(f"{cpu.title}: compiling, emulating"):
            costs.append(measure(quantized, cpu, optimize))
            if is_for_station(quantized):
                stations.append(measure_station(quantized, cpu, optimize))
            if front_end := measure_front_end(quantized, cpu, optimize):
                front_ends.append(front_end)
        source = (
            f"{', '.join(f'--{name}'.replace('_', '-') for name in chosen)} as given; the rest: "
        )
        power = POWER[cpu.name]
        powers.append(replace(power, **chosen, source=(source if chosen else "") + power.source))
    energies = [
        energy(cost.microseconds, power, usage) for cost, power in zip(costs, powers, strict=True)
    ]
    page = report.page(costs, stations, energies, powers, usage, front_ends)
    show(*page, as_json=as_json)
    if as_json:
        figures = zip(costs, energies, powers, strict=True)
        values = {c.cpu.name: report.cost_json(c, e, p, usage) for c, e, p in figures}
        for cost, station in zip(costs, stations, strict=False):  # there may be none
            values[cost.cpu.name]["station"] = asdict(station)
        for cost, front_end in zip(costs, front_ends, strict=False):
            values[cost.cpu.name]["front_end"] = asdict(front_end)
        print_json(values)


def require_wheels() -> None:
    """Raise ScratchmlError unless the extra ``cost`` is installed."""
    missing = [wheel for module, wheel in WHEELS.items() if not importlib.util.find_spec(module)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ScratchmlError(
            f"{', '.join(missing)} {verb} not installed: pip install 'scratchml[cost]'"
        )
