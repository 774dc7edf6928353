"""What a model costs: the parts are the whole, and the figures those that other tools give."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from conftest import random_model, require
from test_export import with_tables

import scratchml as sml
from scratchml.cost import CORTEX_M0PLUS, CORTEX_M4, CPUS, Cost, Cpu, measure
from scratchml.cost import report as cost_report
from scratchml.cost.firmware import Build, build_firmware
from scratchml.cost.measure import Meter, trial_inputs
from scratchml.cost.parts import INFERENCE
from scratchml.cost.program import read_program
from scratchml.errors import ScratchmlError
from scratchml.layers import QuantizedDense
from scratchml.resources import engine_folder

Measure = Callable[[str, Cpu], Cost]


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    for tool in ("arm-none-eabi-gcc", "unicorn", "capstone", "elftools"):
        require(tool)


def full_range() -> sml.QuantizedMLP:
    """A layer that holds a weight of -128."""
    model = random_model([9, 7, 3], 7)
    first = model.layers[0]
    weights = first.weights.copy()
    weights[2, 4] = -128
    return sml.QuantizedMLP((replace(first, weights=weights), model.layers[1]))


def one_scale(layer: QuantizedDense) -> QuantizedDense:
    """Quantized per tensor instead of per channel."""
    return replace(layer, weight_scales=np.full_like(layer.weight_scales, 0.01))


@pytest.fixture(scope="module")
def models(model: sml.QuantizedMLP) -> dict[str, sml.QuantizedMLP]:
    plain = random_model([5, 7, 3], 1)
    return {
        "snow, with features and a sigmoid": model,
        "logits": sml.QuantizedMLP((plain.layers[0], replace(plain.layers[1], following=()))),
        "one layer": random_model([17, 5], 2),
        "one weight": random_model([1, 1], 3),
        "deep": random_model([4, 9, 1, 8, 2, 16, 3], 4),
        "softmax": random_model([8, 16, 10], 5, activations="relu6", output="softmax"),
        "tables behind every layer": with_tables(random_model([6, 9, 7, 3], 6)),
        "a weight of -128": full_range(),
        "per tensor": sml.QuantizedMLP(
            tuple(replace(one_scale(layer), following=()) for layer in plain.layers)
        ),
        "64-32-10": random_model([64, 32, 10], 8),
    }


NAMES = (
    "snow, with features and a sigmoid",
    "logits",
    "one layer",
    "one weight",
    "deep",
    "softmax",
    "tables behind every layer",
    "a weight of -128",
    "per tensor",
    "64-32-10",
)

each_model = pytest.mark.parametrize("name", NAMES)
each_cpu = pytest.mark.parametrize("cpu", CPUS, ids=lambda cpu: cpu.name)


@pytest.fixture(scope="module")
def measured(models: dict[str, sml.QuantizedMLP]) -> Measure:
    """Each model's cost on each CPU, measured once."""
    return cache(lambda name, cpu: measure(models[name], cpu))


@each_cpu
@each_model
def test_the_parts_are_the_whole(
    models: dict[str, sml.QuantizedMLP], measured: Measure, name: str, cpu: Cpu
) -> None:
    cost, layers = measured(name, cpu), models[name].layers
    assert sum(part.instructions for part in cost.parts) == cost.instructions
    assert sum(part.cycles for part in cost.parts) == cost.cycles
    assert sum(part.flash_read for part in cost.parts) == cost.flash_read
    assert [part.name for part in cost.layers] == [f"layer {i + 1}" for i in range(len(layers))]
    assert [part.products for part in cost.layers] == [layer.weights.size for layer in layers]
    assert all(part.kernel.startswith("sml_dense_") for part in cost.layers)
    others = [part.name for part in cost.rest]
    tables = any(layer.table is not None for layer in layers)
    wanted = ["head"] * (models[name].softmax is not None) + ["tables"] * tables + ["engine"]
    assert others == wanted
    assert all(0 < part.instructions <= part.cycles for part in cost.parts)
    assert cost.cycles_min <= cost.cycles


@each_cpu
@each_model
def test_the_calls_are_those_of_the_public_functions(
    models: dict[str, sml.QuantizedMLP], measured: Measure, name: str, cpu: Cpu
) -> None:
    cost = measured(name, cpu)
    wanted = ["sml_load_model", "sml_initialize_model_memory", "sml_set_input", INFERENCE]
    if models[name].features is not None:
        wanted.append("sml_prepare_input")
    assert list(cost.calls) == wanted
    assert cost.calls[INFERENCE] == (cost.instructions, cost.cycles)
    assert all(0 < instructions < cycles for instructions, cycles in cost.calls.values())


@each_cpu
def test_each_weight_is_read_once(
    models: dict[str, sml.QuantizedMLP], measured: Measure, cpu: Cpu
) -> None:
    """A byte for each weight and at least a word for each output; and nothing much twice."""
    cost, model = measured("64-32-10", cpu), models["64-32-10"]
    for part, layer in zip(cost.layers, model.layers, strict=True):
        assert part.flash_read >= layer.weights.size + 4 * layer.weights.shape[0]
    assert cost.flash_read < cost.flash["model"] + 256


@each_cpu
@each_model
def test_ram_is_input_output_context_and_activations(
    models: dict[str, sml.QuantizedMLP], measured: Measure, name: str, cpu: Cpu, tmp_path: Path
) -> None:
    """Each by itself, by the compiler."""
    sml.export_c(models[name], tmp_path, name="model")
    (tmp_path / "ram.c").write_text(
        '#include "model.h"\n'
        "char memory[MODEL_MEMORY_BYTES], input[MODEL_INPUTS], output[MODEL_OUTPUTS];\n"
        "sml_context context;\n"
    )
    command = ["arm-none-eabi-gcc", *cpu.flags, "-I", str(engine_folder()), "-c", "ram.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    sizes = symbol_sizes(tmp_path / "ram.o")
    assert sizes.keys() == {"memory", "input", "output", "context"}
    assert measured(name, cpu).ram == sum(-(-size // 4) * 4 for size in sizes.values())


@each_cpu
@pytest.mark.parametrize("name", ["snow, with features and a sigmoid", "softmax"])
def test_flash_is_what_binutils_say(
    models: dict[str, sml.QuantizedMLP], measured: Measure, name: str, cpu: Cpu, tmp_path: Path
) -> None:
    """The image that would be flashed, less that of an empty program; the parts add up to it."""
    files = build_firmware(models[name], Build(cpu), tmp_path)
    images = {}
    for program in ("codes", "empty"):
        image = tmp_path / f"{program}.bin"
        command = ["arm-none-eabi-objcopy", "-O", "binary", files[program], image]
        subprocess.run(command, check=True)
        images[program] = len(image.read_bytes())
    flash = measured(name, cpu).flash
    words = {program: -(-size // 4) for program, size in images.items()}
    assert flash["total"] == 4 * (words["codes"] - words["empty"])
    assert sum(size for part, size in flash.items() if part != "total") == flash["total"]
    sizes = symbol_sizes(files["codes"])
    head = sum(sizes.get(symbol, 0) for symbol in ("sml_softmax", "softmax_table", "softmax"))
    assert (head > 0) == (flash["head"] > 0) == (name == "softmax")
    assert head <= flash["head"] <= head + 512
    model = sum(size for symbol, size in sizes.items() if symbol.startswith(("layer", "feature")))
    assert model <= flash["model"] <= model + sizes["model"] + 16
    assert 0 < flash["program"] < 100


def symbol_sizes(program: Path) -> dict[str, int]:
    """Bytes of each symbol that has some, by nm."""
    command = ["arm-none-eabi-nm", "--print-size", program]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    words = [line.split() for line in lines]
    return {word[3]: int(word[1], 16) for word in words if len(word) == 4}


@each_cpu
def test_prepare_input_is_linked_only_where_it_is_called(
    models: dict[str, sml.QuantizedMLP], cpu: Cpu, tmp_path: Path
) -> None:
    files = build_firmware(models["snow, with features and a sigmoid"], Build(cpu), tmp_path)
    functions = {name: read_program(file).functions for name, file in files.items()}
    assert "sml_prepare_input" not in functions["codes"]
    assert "sml_set_input" not in functions["counts"]
    assert {"sml_set_input", INFERENCE} <= functions["codes"].keys()
    assert "sml_softmax" not in functions["codes"]
    assert not any(name.startswith("sml_") for name in functions["empty"])


@each_cpu
@pytest.mark.parametrize(
    "name", [name for name in NAMES if name not in ("softmax", "a weight of -128")]
)
def test_dense_layers_and_tables_take_constant_time(
    models: dict[str, sml.QuantizedMLP], measured: Measure, name: str, cpu: Cpu
) -> None:
    assert measured(name, cpu).cycles_min == measured(name, cpu).cycles


@each_cpu
def test_the_flagship_takes_constant_time_on_many_rows(
    models: dict[str, sml.QuantizedMLP], cpu: Cpu, tmp_path: Path
) -> None:
    """Every row's trace is the same, address by address, and its output equal to numpy's."""
    model = models["snow, with features and a sigmoid"]
    program = read_program(build_firmware(model, Build(cpu), tmp_path)["codes"])
    meter = Meter(model, cpu, program)
    rows = np.random.default_rng(1).integers(-128, 128, (100, model.inputs), np.int8)
    accounts = [meter.account(row, row) for row in (*trial_inputs(model), *rows)]
    outputs = {int(account.run.output[0]) for account in accounts}
    assert len(outputs) > 5
    first = accounts[0].run.trace
    assert all(np.array_equal(account.run.trace, first) for account in accounts)
    assert {account.of(INFERENCE)[1] for account in accounts} == {accounts[0].of(INFERENCE)[1]}


def test_trial_inputs_reach_both_ends(models: dict[str, sml.QuantizedMLP]) -> None:
    model = models["64-32-10"]
    rows = trial_inputs(model)
    sums = rows.astype(np.int64) @ model.layers[0].weights[0]
    reach = np.where(model.layers[0].weights[0] > 0, 127, -128).astype(np.int64)
    assert sums.max() == reach @ model.layers[0].weights[0]
    assert sums.min() == (-1 - reach) @ model.layers[0].weights[0]
    assert (trial_inputs(model) == rows).all()
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_the_kernel_is_the_cpu_s_own_unless_another_layout_is_asked_for(
    models: dict[str, sml.QuantizedMLP], measured: Measure
) -> None:
    model = models["logits"]
    portable = {cpu.name: measure(model, cpu, layout=0) for cpu in CPUS}
    for cpu in CPUS:
        kernels = {part.kernel for part in portable[cpu.name].layers}
        assert kernels == {"sml_dense_portable"}
        assert "-DSML_LAYOUT=0" in portable[cpu.name].compiler
        own = measured("logits", cpu)
        kernel = "sml_dense_" + cpu.name.replace("-", "_")
        assert all(part.kernel.startswith(kernel) for part in own.layers)
        assert own.cycles < portable[cpu.name].cycles


@each_cpu
def test_optimizing_for_size_makes_the_engine_smaller(
    models: dict[str, sml.QuantizedMLP], cpu: Cpu
) -> None:
    costs = {level: measure(models["softmax"], cpu, level, layout=0) for level in ("s", "3")}
    assert costs["s"].flash["engine"] < costs["3"].flash["engine"]
    assert costs["s"].cycles > costs["3"].cycles
    assert all(f"-O{level}" in cost.compiler for level, cost in costs.items())


@each_cpu
def test_the_same_model_costs_the_same(
    models: dict[str, sml.QuantizedMLP], measured: Measure, cpu: Cpu
) -> None:
    assert measure(models["softmax"], cpu) == measured("softmax", cpu)


def test_an_output_that_differs_from_numpy_s_is_an_error(
    models: dict[str, sml.QuantizedMLP], tmp_path: Path
) -> None:
    """A measurement of something that computes something else would be worth nothing."""
    model = models["logits"]
    program = read_program(build_firmware(model, Build(CORTEX_M4), tmp_path)["codes"])
    last = model.layers[1]
    other = sml.QuantizedMLP((model.layers[0], replace(last, bias=last.bias + 10_000)))
    zeros = np.zeros(5, np.int8)
    Meter(model, CORTEX_M4, program).account(zeros, zeros)
    with pytest.raises(ScratchmlError, match=r"the emulated Cortex-M4 gives .* and numpy"):
        Meter(other, CORTEX_M4, program).account(zeros, zeros)


def test_code_that_does_not_compile_is_one_line(models: dict[str, sml.QuantizedMLP]) -> None:
    with pytest.raises(ScratchmlError, match="arm-none-eabi-gcc cannot compile the firmware"):
        measure(models["logits"], CORTEX_M0PLUS, "fast-and-small")


@each_cpu
def test_no_load_is_unaligned(
    models: dict[str, sml.QuantizedMLP], cpu: Cpu, tmp_path: Path
) -> None:
    """The M4 takes longer for one, which the timing does not know; the M0+ faults."""
    model = models["softmax"]
    program = read_program(build_firmware(model, Build(cpu, "3"), tmp_path)["codes"])
    row = trial_inputs(model)[-1]
    account = Meter(model, cpu, program).account(row, row, reads=True)
    assert len(account.run.reads) > 100
    assert all(read.address % min(read.size, 4) == 0 for read in account.run.reads)


def test_a_bar_is_as_long_as_its_share() -> None:
    assert cost_report.bar(1.0) == "█" * cost_report.BAR
    assert cost_report.bar(0.5) == "█" * (cost_report.BAR // 2)
    assert cost_report.bar(0.001) == "▏"
    assert cost_report.bar(0.0) == ""
