"""A traced inference as a page for a terminal.

Each step has its formulas, as in docs/arithmetic.md, then a table with a row for each output, then
the same formulas with the numbers of the first output put in. What numpy and the C engine have each
computed stands side by side.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scratchml import integer
from scratchml.layers import Softmax
from scratchml.rows import Scaler
from scratchml.text import printable
from scratchml.trace import layer_tables
from scratchml.trace.inference import Inference, reals
from scratchml.trace.layout import (
    Line,
    bracketed,
    ints,
    pair,
    real_texts,
    requantization,
    section,
    stands_for,
    step,
    table,
)
from scratchml.trace.steps import Reading, SoftmaxTrace

#: How many of several numbers the last line has room for.
VALUES = 4


def page(run: Inference, *, layer: int | None = None, outputs: int = 16) -> list[RenderableType]:
    """What there is to see, top to bottom; one ``layer`` only (1 is the first) if it is given.

    ``outputs`` is how many outputs of a layer, or inputs, are shown.
    """
    last = len(run.model.layers)
    parts = [_title(run)]
    if layer is None:
        parts.append(_input(run, outputs))
    numbers = range(last) if layer is None else [layer - 1]
    parts += [layer_tables.dense(run, i, outputs) for i in numbers]
    softmax, a, b = run.model.softmax, run.numpy.softmax, run.c.softmax
    if softmax and a and b and layer in (None, last):
        parts.append(_softmax(run, softmax, a, b, outputs))
    return [*parts, _result(run)]


def _title(run: Inference) -> RenderableType:
    shape = "-".join(map(str, run.model.sizes)) + f", {run.model.output}"
    return Group(
        Text(f"One inference of {printable(run.name)}: {shape}", "bold"),
        Text(f"Input: {run.origin}."),
        Text("What a code stands for: real = scale * (code - zero point).\n"),
    )


def _input(run: Inference, limit: int) -> RenderableType:
    source, left_out = run.model.layers[0].source, run.model.inputs - limit
    codes = run.numpy.input[:limit]
    columns = (
        *pair("code", codes, run.c.input),
        ("real", real_texts(reals(source, codes), source.scale)),
    )
    meaning = f"zi = {source.zero_point}, si = {source.scale:.6g}"
    if not run.readings or not run.model.scaler:
        lines = [("real", "si * (code - zi)", meaning)]
        worked = [stands_for(source.scale, codes[0], source.zero_point)]
        only = table(("k", range(len(codes))), *columns)
        return section("Input", step("", lines, [only], worked, left_out))
    lines = [
        ("M", "1 / (counts a unit * std * si)", "codes a count, = Q / 2^31 * 2^e"),
        ("d", "clamp(v, low, high) - mean", "v: the reading, in counts"),
        ("r", "d * Q / 2^31 * 2^e", "rounded twice, as below in layer 1"),
        ("code", "clamp(r + zi, -128, 127)", meaning),
        ("real", "si * (code - zi)", "the standardized reading"),
    ]
    shown = run.readings[:limit]
    rows = table(
        ("k", range(len(shown))),
        ("channel", [printable(r.channel) for r in shown]),
        ("reading", [in_units(r.counts, r.resolution, r.unit) for r in shown]),
        ("v", [r.counts for r in shown]),
        ("d", [r.difference for r in shown]),
        ("r", [r.requantized for r in shown]),
        *columns,
    )
    tables = [_channels(run.model.scaler, run.readings, limit), rows]
    worked = _worked_reading(shown[0], source.scale)
    return section("Input", step("", lines, tables, worked, left_out))


def _channels(scaler: Scaler, readings: tuple[Reading, ...], limit: int) -> Table:
    shown = readings[: min(len(scaler.names), limit)]
    return table(
        ("channel", [printable(r.channel) for r in shown]),
        ("counts\na unit", [r.resolution for r in shown]),
        ("mean", [r.mean for r in shown]),
        ("low", [r.low for r in shown]),
        ("high", [r.high for r in shown]),
        ("M", [f"{r.multiplier / 2**31 * 2.0**r.shift:.5g}" for r in shown]),
        ("Q", [r.multiplier for r in shown]),
        ("e", [r.shift for r in shown]),
    )


def in_units(counts: int, resolution: int, unit: str) -> str:
    """Counts in units, with the decimals that tell two counts apart."""
    decimals = len(str(resolution - 1)) if resolution > 1 else 0
    return f"{counts / resolution:.{decimals}f} {printable(unit)}".rstrip()


def _worked_reading(r: Reading, scale: float) -> list[Line]:
    product, rounded = requantization(r.difference, r.multiplier, r.shift)
    return [
        (
            "d[0]",
            f"clamp({r.counts}, {r.low}, {r.high}) - {bracketed(r.mean)} = {r.difference}",
            "",
        ),
        product,
        rounded,
        (
            "code[0]",
            f"clamp({r.requantized} + {bracketed(r.zero_point)}, -128, 127) = {r.code}",
            "",
        ),
        stands_for(scale, r.code, r.zero_point),
    ]


def _softmax(
    run: Inference, softmax: Softmax, a: SoftmaxTrace, b: SoftmaxTrace, limit: int
) -> RenderableType:
    logits = run.numpy.layers[-1].codes
    shown = range(min(len(logits), limit))
    names = [f" {printable(name)}" for name in run.model.classes] or [""] * len(logits)
    factor = softmax.beta * softmax.source.scale
    lines = [
        ("d", "m - y", f"m = {a.greatest}: the greatest y"),
        ("E", "table[d]", f"Q0.31: exp(-{factor:.6g} * d), computed at export"),
        ("S", "sum of E / 2^12, each rounded", "Q12.19"),
        ("R", "2^62 / (S << z)", f"Q0.31, by three Newton steps; z = {a.zeros} leading zeros"),
        ("p", "(R * E + 2^30) >> 31", ""),
        ("code", "min(p / 2^(35 - z) - 128, 127)", "rounded, ties away from zero"),
        ("real", "(code + 128) / 256", "the probability"),
    ]
    sums = table(
        ("", ["S", "R"]),
        *pair("", (a.sum, a.reciprocal), (b.sum, b.reciprocal)),
        ("real", [f"{a.sum / 2**19:.6f}", f"{a.reciprocal / 2**31:.6f}"]),
    )
    classes = table(
        ("class", [f"{c}{names[c]}" for c in shown]),
        ("y", [logits[c] for c in shown]),
        ("d", [a.greatest - logits[c] for c in shown]),
        *pair("E", a.exponentials[:limit], b.exponentials),
        ("real E", [f"{a.exponentials[c] / 2**31:.5f}" for c in shown]),
        *pair("code", a.codes[:limit], b.codes),
        ("real", real_texts(run.decision.real[:limit], 1 / 256)),
    )
    worked = _worked_softmax(a, logits[0])
    return section("Softmax", step("", lines, [sums, classes], worked, len(logits) - limit))


def _worked_softmax(a: SoftmaxTrace, y: int) -> list[Line]:
    e, d, right = a.exponentials[0], a.greatest - y, 35 - a.zeros
    p = int(integer.rounding_high_multiply(ints([e]), a.reciprocal)[0])
    return [
        ("E[0]", f"table[{a.greatest} - {bracketed(y)}] = table[{d}] = {e}", ""),
        ("p", f"({a.reciprocal} * {e} + 2^30) >> 31 = {p}", ""),
        ("code[0]", f"{p} / 2^{right} - 128 = {p / 2**right - 128:.6g}, so {a.codes[0]}", ""),
        stands_for(1 / 256, a.codes[0], -128),
    ]


def _result(run: Inference) -> RenderableType:
    difference = run.difference
    if difference:
        where, a, b = difference
        verdict = Text(f"numpy and C differ, first in {where}: numpy {a}, C {b}", "bold red")
    else:
        verdict = Text("numpy = C in every integer", "green")
    return section("Output", verdict, Text(sentence(run), "bold"))


def sentence(run: Inference) -> str:
    """What came out, in one line."""
    decision, codes = run.decision, run.numpy.output
    if decision.threshold is not None:
        sign = ">=" if decision.index else "<"
        return (
            f"code {codes[0]}: probability {decision.real[0]:.3f} {sign} threshold "
            f"{decision.threshold:g} (code {decision.threshold_code}): {printable(decision.name)}"
        )
    if decision.index is not None:
        i = decision.index
        return (
            f"code {codes[i]}: probability {decision.real[i]:.3f}, the greatest of {len(codes)}: "
            f"class {printable(decision.name)}"
        )
    target, counts = run.model.target, run.target_counts
    if target is not None and counts is not None:
        told = in_units(counts, target.resolution, target.unit)
        return (
            f"code {codes[0]}: {decision.real[0]:.4g} * {target.std:.6g} + {target.mean:.6g} = "
            f"{told}: {printable(target.name)}"
        )
    scale = run.model.output_quantization.scale
    pairs = zip(codes[:VALUES], real_texts(decision.real[:VALUES], scale), strict=True)
    values = ", ".join(f"{real} (code {code})" for code, real in pairs)
    more = f", and {len(codes) - VALUES:,} more" if len(codes) > VALUES else ""
    kind = "probability" if run.model.output == "sigmoid" else "output"
    return f"{kind}: {values}{more}"
