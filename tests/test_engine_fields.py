"""A healthy model with one field of one struct wrong: every field, several values, all layouts.

The engine checks what can be checked on a board: version, layout, shapes, pointers and memory. Each
value must give the status that ``RULES`` has for it, or do no harm, under ASan and UBSan. A field
that is added to a struct needs a rule here. What the engine cannot check is not wrong here either:
numbers are proved at export, and that an array is shorter than its count nobody can see.
"""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import random_model, require
from scratchml._engine import ffi

import scratchml as sml
from scratchml.layouts import LAYOUTS, Layout
from scratchml.quantized import QuantizedMLP
from scratchml.resources import engine_folder, engine_sources
from scratchml.structs import model_struct

#: Copies of a model's structs, each case with one change, and the first call that fails.
PROGRAM = """\
#include "wrong.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS (sizeof layers / sizeof *layers)
static sml_model model;
static sml_dense dense[LAYERS];
static sml_channel channel[LAYERS][16];
static sml_feature feature[sizeof features / sizeof *features];
static sml_head head;

static void restore(void)
{
    model = wrong;
    memcpy(dense, layers, sizeof layers);
    memcpy(feature, features, sizeof features);
    head = softmax;
    model.layers = dense;
    model.features = feature;
    model.head = &head;
    for (size_t i = 0; i < LAYERS; i++) {
        if (dense[i].channels) {
            memcpy(channel[i], dense[i].channels, dense[i].outputs * sizeof **channel);
            dense[i].channels = channel[i];
        }
    }
}

static sml_status use(const char **name, void *memory, int8_t *output)
{
    static const int8_t codes[WRONG_INPUTS] = {-128, 127, 3};
    static const int32_t counts[WRONG_INPUTS] = {-5000, 9000, 0, 1234567};
    sml_context c;
    sml_status status;
#define CALL(what, call) \\
    *name = what; \\
    if ((status = call) != SML_OK) { \\
        return status; \\
    }
    CALL("load", sml_load_model(&c, &model))
    CALL("memory", sml_initialize_model_memory(&c, memory, WRONG_MEMORY_BYTES))
    CALL("input", sml_set_input(&c, codes, WRONG_INPUTS))
    CALL("run", sml_run_model(&c, output, WRONG_OUTPUTS))
    CALL("prepare", sml_prepare_input(&c, counts, WRONG_INPUTS))
    CALL("run", sml_run_model(&c, output, WRONG_OUTPUTS))
    *name = "ok";
    return SML_OK;
}

static void attempt(void)
{
    const char *name;
    int8_t *output = malloc(WRONG_OUTPUTS);
    void *memory = malloc(WRONG_MEMORY_BYTES);
    const sml_status status = use(&name, memory, output);
    printf("%s %d\\n", name, status);
    free(memory);
    free(output);
}

int main(void)
{
CASES
    return 0;
}
"""


@dataclass(frozen=True)
class Case:
    """A value that one field of a healthy model does not have."""

    struct: str
    field: str
    index: int  # of the layer or feature
    value: int
    healthy: int

    @property
    def statement(self) -> str:
        """The change, in C."""
        index = {"dense": f"[{self.index}]", "feature": f"[{self.index}]"}
        index["channel"] = f"[{self.index}][0]"
        value = "NULL" if is_pointer(self.struct, self.field) else self.value
        return f"{self.struct}{index.get(self.struct, '')}.{self.field} = {value};"


# --- which values ----------------------------------------------------------------------------

MILLION = (-(10**6), 0, 10**6)
FACTOR = (0, 2**30, 2**31 - 1)
SHIFT = (-31, -1, 0, 1)

#: Numbers are proved by the exporter; these it may write.
NUMBERS: dict[str, tuple[int, ...]] = {
    "bias": MILLION,
    "mean": MILLION,
    "min": MILLION,
    "max": MILLION,
    "multiplier": FACTOR,
    "shift": SHIFT,
}

#: Nobody can see that an array is shorter than such a field says.
COUNTS = ("layer_count", "feature_count")


def is_pointer(struct: str, field: str) -> bool:
    return field_type(struct, field).kind != "primitive"


def field_type(struct: str, field: str) -> Any:
    return dict(ffi.typeof(f"sml_{struct}").fields)[field].type


def wrong_values(struct: str, field: str, healthy: int) -> list[int]:
    if is_pointer(struct, field):
        return [0] if healthy else []
    if field in NUMBERS:
        return [value for value in NUMBERS[field] if value != healthy]
    kind = field_type(struct, field)
    bits = 8 * ffi.sizeof(kind) - (not kind.cname.startswith("u"))
    high = 2**bits - 1
    low = 0 if kind.cname.startswith("u") else -high - 1
    near = {healthy + d for d in (-4, -1, 1, 4)} | {0, 1, 2 * healthy, -healthy, 500, 600}
    values = {value for value in near | {low, high, high // 2} if low <= value <= high}
    return sorted(v for v in values if v != healthy and (field not in COUNTS or v < healthy))


# --- what must happen ------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """The healthy one, for the rules."""

    model: QuantizedMLP
    layout: Layout

    def has_room(self, place: int, units: int) -> bool:
        words = -(-units // 4) * self.layout.bytes
        return 4 * (place + words) <= self.layout.memory_bytes(self.model.sizes)

    def place(self, layer: int) -> int:
        return self.layout.places(self.model.sizes)[layer]

    def inputs(self, c: Case) -> str:
        """Another length of the first layer is another length of the input."""
        return "input -4" if c.index == 0 and c.value and self.has_room(0, c.value) else "load -4"

    def outputs(self, c: Case) -> str:
        """Another length of the last layer is another length of the output."""
        is_last = c.index == len(self.model.layers) - 1
        fits = 0 < c.value <= 511 and self.has_room(self.place(c.index), c.value)
        return "run -4" if is_last and fits else "load -4"

    def is_at(self, c: Case) -> str:
        units = self.model.sizes[c.index + 1]
        return "ok 0" if self.has_room(c.value, units) else "load -4"


def always(outcome: str) -> Callable[[Model, Case], str]:
    return lambda model, case: outcome


RULES: dict[str, dict[str, Callable[[Model, Case], str]]] = {
    "model": {
        "version": always("load -2"),
        "layout": always("load -6"),
        "input_zero_point": always("ok 0"),
        "layer_count": lambda m, c: "run -4" if c.value else "load -1",  # an earlier layer's length
        "feature_count": lambda m, c: "ok 0" if c.value else "prepare -5",
        "memory_bytes": lambda m, c: "load -4" if c.value < c.healthy else "memory -3",
        "layers": always("load -1"),
        "features": always("prepare -5"),
        "head": always("ok 0"),
    },
    "dense": {
        "run": always("load -1"),
        "inputs": Model.inputs,
        "outputs": Model.outputs,
        "weights": always("load -1"),
        "channels": always("load -1"),
        "zero_point": always("ok 0"),
        "act_min": always("ok 0"),
        "act_max": always("ok 0"),
        "place": Model.is_at,
        "table": always("ok 0"),
    },
    "channel": dict.fromkeys(("bias", "multiplier", "shift"), always("ok 0")),
    "feature": dict.fromkeys(("mean", "min", "max", "multiplier", "shift"), always("ok 0")),
    "head": {"apply": always("load -1"), "table": always("load -1")},
}


def test_every_field_of_a_model_has_a_rule() -> None:
    header = (engine_folder() / "scratchml.h").read_text("utf-8")
    names = set(re.findall(r"^} sml_(\w+);", header, re.M))
    callers = {"status", "context", "digest"}  # what a program has, not a model
    streams = {"statistic", "front_end", "stream"}  # test_front_end_c.py has those
    assert names - callers - streams == RULES.keys()
    for struct, rules in RULES.items():
        assert [name for name, _ in ffi.typeof(f"sml_{struct}").fields] == list(rules)


def cases(struct: Any, module: ModuleType, healthy: QuantizedMLP) -> list[Case]:
    """All of them, for the structs of a healthy model."""
    found = []
    layers = [struct.layers[i] for i in range(len(healthy.layers))]
    objects = {
        "model": [struct],
        "dense": layers,
        "channel": [layer.channels[0] for layer in layers if layer.channels],
        "feature": [struct.features[i] for i in range(2)],
        "head": [struct.head],
    }
    for name, instances in objects.items():
        for index, instance in enumerate(instances):
            for field in RULES[name]:
                value = getattr(instance, field)
                number = value != module.ffi.NULL if is_pointer(name, field) else value
                wrong = wrong_values(name, field, int(number))
                found += [Case(name, field, index, v, int(number)) for v in wrong]
    return found


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_one_wrong_field_gives_its_status_or_does_no_harm(
    model: sml.QuantizedMLP, layout: Layout, tmp_path: Path
) -> None:
    random = random_model([6, 9, 5, 3], 8, output="softmax", activations="sigmoid")
    healthy = replace(random, scaler=model.scaler)
    suffix = layout.name.replace("-", "_")
    module = importlib.import_module(f"scratchml._engine{'_' + suffix if layout.number else ''}")
    struct, _owned = model_struct(healthy, module.ffi, module.lib, layout)
    all_cases = cases(struct, module, healthy)
    fields = {(case.struct, case.field) for case in all_cases}
    expected_fields = {(s, f) for s in RULES for f in RULES[s]}
    if layout.pack:
        expected_fields -= {("dense", "channels"), *(("channel", f) for f in RULES["channel"])}
    assert fields == expected_fields

    sml.export_c(healthy, tmp_path, name="wrong")
    lines = "".join(f"    restore();\n    {case.statement}\n    attempt();\n" for case in all_cases)
    program = tmp_path / "program.c"
    program.write_text(PROGRAM.replace("CASES\n", f"    restore();\n    attempt();\n{lines}"))
    found = run_program(program, layout)
    assert found[0] == "ok 0"
    rules = Model(healthy, layout)
    expected = [RULES[case.struct][case.field](rules, case) for case in all_cases]
    differing = [
        (case, outcome, found_outcome)
        for case, outcome, found_outcome in zip(all_cases, expected, found[1:], strict=True)
        if outcome != found_outcome
    ]
    assert differing == []
    assert {"load -1", "load -2", "memory -3", "load -4", "prepare -5", "load -6"} <= set(expected)


def run_program(program: Path, layout: Layout) -> list[str]:
    """The lines that it prints, compiled with the engine under ASan and UBSan."""
    target = program.with_suffix("")
    flags = ["-std=c11", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    includes = ["-I", str(engine_folder()), "-I", str(program.parent)]
    sources = [str(program), *map(str, engine_sources())]
    command = [require("gcc"), *flags, f"-DSML_LAYOUT={layout.number}", *includes, *sources]
    built = subprocess.run([*command, "-o", str(target)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    result = subprocess.run([target], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
