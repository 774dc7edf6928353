"""One inference with every integer written down, by numpy and by the C engine.

``trace_numpy`` takes the steps of ``integer`` one by one. ``trace_c`` runs the engine, compiled so
that it reports what it computes, and reads its constants back from the structs it ran on. Both
fill the same ``Trace``, so two of them are compared with ``==``; ``first_difference`` says where.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from itertools import cycle, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml import integer
from scratchml._engine_trace import ffi, lib
from scratchml.errors import ScratchmlError
from scratchml.layers import QuantizedDense
from scratchml.quantized import QuantizedMLP
from scratchml.structs import model_struct

Ints = npt.NDArray[Any]

# The engine's hook has no argument that could tell two threads' models apart.
_ONE_AT_A_TIME = threading.Lock()


class Step(IntEnum):
    """What the engine says a value is: ``sml_trace_step`` of ``kernel.h``."""

    INPUT = 0
    ACCUMULATOR = 1
    REQUANTIZED = 2
    CLAMPED = 3
    TABLE = 4
    EXPONENTIAL = 5
    SUM = 6
    RECIPROCAL = 7
    OUTPUT = 8


@dataclass(frozen=True)
class OutputTrace:
    """One output of a dense layer, in the order of the computation.

    Attributes:
        bias: as the file has it; ``folded_bias``: with the input's zero point folded in.
        accumulator: the folded bias and the products.
        multiplier, shift: ``si * sw / so = multiplier / 2^31 * 2^shift``.
        requantized: the accumulator times that; ``shifted``: with the output's zero point added.
        clamped: to the bounds of the activation.
        code: what the next layer reads: ``clamped``, looked up if the layer has a table.
    """

    bias: int
    folded_bias: int
    accumulator: int
    multiplier: int
    shift: int
    requantized: int
    shifted: int
    clamped: int
    code: int


@dataclass(frozen=True)
class LayerTrace:
    """A dense layer: the constants that all outputs share, and each output."""

    zero_point: int
    act_min: int
    act_max: int
    outputs: tuple[OutputTrace, ...]

    @property
    def codes(self) -> tuple[int, ...]:
        """What the next layer reads."""
        return tuple(output.code for output in self.outputs)


@dataclass(frozen=True)
class SoftmaxTrace:
    """The steps of a softmax.

    Attributes:
        greatest: of the logits' codes.
        exponentials: ``exp(logit - greatest)`` of each class, Q0.31.
        sum: of them, Q12.19; ``zeros``: how many lead it, of 32 bits.
        reciprocal: of the sum shifted left by ``zeros``, which lies in 1 .. 2; Q0.31.
        codes: the probabilities.
    """

    greatest: int
    exponentials: tuple[int, ...]
    sum: int
    zeros: int
    reciprocal: int
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Trace:
    """One inference: the codes it began with, its layers, perhaps a softmax, and its result."""

    input: tuple[int, ...]
    layers: tuple[LayerTrace, ...]
    softmax: SoftmaxTrace | None
    output: tuple[int, ...]


@dataclass(frozen=True)
class Reading:
    """How a sensor reading becomes a code, in the order of the computation.

    Attributes:
        channel, unit: of the scaler; ``resolution``: counts a unit.
        counts: the reading.
        low, high: to which it is clamped; ``mean``: of the training rows; all in counts.
        difference: of the clamped counts to the mean.
        multiplier, shift: codes a count, ``multiplier / 2^31 * 2^shift``.
        requantized: the difference times that.
        zero_point: of the model's input; ``code``: the sum, clamped to int8.
    """

    channel: str
    unit: str
    resolution: int
    counts: int
    low: int
    high: int
    mean: int
    difference: int
    multiplier: int
    shift: int
    requantized: int
    zero_point: int
    code: int


def trace_readings(model: QuantizedMLP, counts: npt.ArrayLike) -> tuple[Reading, ...]:
    """``counts[inputs]``, int32, to codes in numpy integers, step by step.

    Raises:
        ScratchmlError: the model has no scaler, or these are not counts for its inputs.
    """
    if model.scaler is None or model.features is None:
        raise ScratchmlError("this model has no scaler: trace int8 codes instead of counts")
    values = model.check_rows(np.asarray(counts)[np.newaxis], np.int32)[0].astype(np.int64)
    f, zero_point = model.features.tiled(model.inputs), model.layers[0].source.zero_point
    difference = np.clip(values, f.low, f.high) - f.mean
    requantized = integer.requantize(difference, f.multiplier, f.shift)
    code = np.clip(requantized + zero_point, -128, 127)
    constants = (f.low, f.high, f.mean, difference, f.multiplier, f.shift)
    rows = _rows(values, *constants, requantized, np.full(model.inputs, zero_point), code)
    channels = cycle(model.scaler.channels)
    return tuple(Reading(*next(channels), *row) for row in rows)


def trace_numpy(model: QuantizedMLP, codes: npt.ArrayLike) -> Trace:
    """``codes[inputs]``, int8, through the model by the functions of ``integer``.

    Raises:
        ScratchmlError: these are not int8 codes for the model's inputs.
    """
    x = model.check_rows(np.asarray(codes)[np.newaxis], np.int8)[0].astype(np.int64)
    given, layers = _ints(x), []
    for layer in model.layers:
        layers.append(_layer_in_numpy(layer, x))
        x = np.array(layers[-1].codes, np.int64)
    softmax = _softmax_in_numpy(model.softmax.table, x) if model.softmax else None
    return Trace(given, tuple(layers), softmax, softmax.codes if softmax else _ints(x))


def trace_c(model: QuantizedMLP, codes: npt.ArrayLike) -> Trace:
    """``codes[inputs]``, int8, through the C engine.

    Raises:
        ScratchmlError: these are not int8 codes for the model's inputs, or the engine refuses the
            model.
    """
    row = model.check_rows(np.asarray(codes)[np.newaxis], np.int8)[0]
    return _run_c(model, lib.sml_set_input, "int8_t[]", row)


def trace_c_counts(model: QuantizedMLP, counts: npt.ArrayLike) -> Trace:
    """The same from sensor counts ``[inputs]``, int32: the engine prepares its input itself."""
    row = model.check_rows(np.asarray(counts)[np.newaxis], np.int32)[0]
    return _run_c(model, lib.sml_prepare_input, "int32_t[]", row)


def first_difference(a: Trace, b: Trace) -> tuple[str, Any, Any] | None:
    """Where two traces of one model differ first, and their two values there."""
    for (where, one), (_, other) in zip(_walk(asdict(a)), _walk(asdict(b)), strict=True):
        if one != other:
            return where, one, other
    return None


def _layer_in_numpy(layer: QuantizedDense, x: Ints) -> LayerTrace:
    accumulator = layer.weights.astype(np.int64) @ x + layer.folded_bias
    requantized = integer.requantize(accumulator, layer.multiplier, layer.shift)
    shifted = requantized + layer.target.zero_point
    clamped = np.clip(shifted, layer.act_min, layer.act_max)
    code = clamped if layer.table is None else integer.look_up(clamped, layer.table)
    before, between = (layer.bias, layer.folded_bias), (layer.multiplier, layer.shift)
    rows = _rows(*before, accumulator, *between, requantized, shifted, clamped, code)
    outputs = tuple(OutputTrace(*row) for row in rows)
    return LayerTrace(layer.target.zero_point, layer.act_min, layer.act_max, outputs)


def _softmax_in_numpy(table: Ints, logits: Ints) -> SoftmaxTrace:
    greatest = int(logits.max())
    exponentials = table[greatest - logits].astype(np.int64)
    total = int(integer.rounding_shift_right(exponentials, 12).sum())
    zeros = 32 - total.bit_length()
    reciprocal = integer.one_over_one_plus(np.array((total << zeros) - 2**31))
    product = integer.rounding_high_multiply(reciprocal, exponentials)
    codes = np.minimum(integer.rounding_shift_right(product, 35 - zeros) - 128, 127)
    steps = (greatest, _ints(exponentials), total, zeros, int(reciprocal))
    return SoftmaxTrace(*steps, _ints(codes))


def _run_c(model: QuantizedMLP, set_input: Any, kind: str, row: Ints) -> Trace:
    struct, _owned = model_struct(model, ffi, lib)
    context = ffi.new("sml_context *")
    _check(lib.sml_load_model(context, struct))
    memory = ffi.new("uint32_t[]", struct.memory_bytes // 4)
    _check(lib.sml_initialize_model_memory(context, memory, struct.memory_bytes))
    _check(set_input(context, ffi.from_buffer(kind, row), len(row)))

    # room for four values an output, and for a softmax and the result
    room = model.inputs + 4 * sum(model.sizes[1:]) + 2 * model.outputs + 2
    records, count = ffi.new("sml_trace_record[]", room), ffi.new("size_t *")
    output = ffi.new("int8_t[]", model.outputs)
    with _ONE_AT_A_TIME:
        _check(lib.sml_run_traced(context, output, len(output), records, room, count))

    reports = _Reports(records[0 : count[0]])
    given = reports.take(Step.INPUT, model.inputs)
    layers = tuple(
        _layer_in_c(layer.bias, struct.layers[i], reports) for i, layer in enumerate(model.layers)
    )
    softmax = _softmax_in_c(layers[-1].codes, reports) if struct.head else None
    return Trace(given, layers, softmax, tuple(output))


class _Reports:
    """What the engine's hook was told, to be taken in the order of the computation."""

    def __init__(self, records: Any) -> None:
        told: dict[int, list[tuple[int, int]]] = {step: [] for step in Step}
        for record in records:
            told[record.step].append((record.index, record.value))
        self._told = {step: iter(values) for step, values in told.items()}

    def take(self, step: Step, n: int) -> tuple[int, ...]:
        """The next ``n`` values of a step by their index: kernels differ in the order of rows."""
        values = dict(islice(self._told[step], n))
        return tuple(values[i] for i in range(n))


def _layer_in_c(file_bias: Ints, dense: Any, reports: _Reports) -> LayerTrace:
    n = int(dense.outputs)
    channels = ffi.unpack(dense.channels, n)
    bias, multiplier, shift = zip(*((c.bias, c.multiplier, c.shift) for c in channels), strict=True)
    accumulator = reports.take(Step.ACCUMULATOR, n)
    requantized = reports.take(Step.REQUANTIZED, n)
    shifted = [value + dense.zero_point for value in requantized]
    clamped = reports.take(Step.CLAMPED, n)
    code = reports.take(Step.TABLE, n) if dense.table else clamped
    columns = (bias, accumulator, multiplier, shift, requantized, shifted, clamped, code)
    rows = zip(file_bias.tolist(), *columns, strict=True)
    outputs = tuple(OutputTrace(*row) for row in rows)
    return LayerTrace(dense.zero_point, dense.act_min, dense.act_max, outputs)


def _softmax_in_c(logits: tuple[int, ...], reports: _Reports) -> SoftmaxTrace:
    exponentials = reports.take(Step.EXPONENTIAL, len(logits))
    total, reciprocal = (reports.take(step, 1)[0] for step in (Step.SUM, Step.RECIPROCAL))
    codes = reports.take(Step.OUTPUT, len(logits))
    zeros = 32 - total.bit_length()
    return SoftmaxTrace(max(logits), exponentials, total, zeros, reciprocal, codes)


def _check(status: int) -> None:
    if status != lib.SML_OK:
        name = ffi.string(ffi.cast("sml_status", status))
        raise ScratchmlError(f"the C engine answers {name} ({status})")


def _walk(part: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside dictionaries and tuples, with its path."""
    if isinstance(part, dict):
        for name, value in part.items():
            yield from _walk(value, f"{where}.{name}" if where else name)
    elif isinstance(part, tuple):
        for i, value in enumerate(part):
            yield from _walk(value, f"{where}[{i}]")
    else:
        yield where, part


def _rows(*columns: Ints) -> Iterator[tuple[int, ...]]:
    """Columns as rows of Python integers."""
    return zip(*(column.tolist() for column in columns), strict=True)


def _ints(values: Ints) -> tuple[int, ...]:
    return tuple(values.tolist())
