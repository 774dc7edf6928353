"""A dense layer on the page of a trace: accumulate, requantize, look up."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from scratchml.affine import Quantization
from scratchml.layers import QuantizedDense
from scratchml.trace.inference import Inference, accumulator_units, folded_rows, reals
from scratchml.trace.layout import (
    Line,
    bracketed,
    ints,
    pair,
    real_text,
    real_texts,
    requantization,
    section,
    stands_for,
    step,
    table,
)
from scratchml.trace.steps import LayerTrace

#: Characters of a worked sum, for a terminal of 100 columns: a longer one is shortened.
WIDTH = 85


def dense(run: Inference, i: int, limit: int) -> RenderableType:
    """Layer ``i`` with at most ``limit`` outputs."""
    layer, a, b = run.model.layers[i], run.numpy.layers[i], run.c.layers[i]
    outputs, inputs = layer.weights.shape
    kinds = ", then ".join([layer.activation, *(function.kind for function in layer.following)])
    x = run.numpy.layers[i - 1].codes if i else run.numpy.input
    steps = [_accumulate(layer, a, b, x, limit), _requantize(layer, a, b, limit)]
    if layer.table is not None:
        steps.append(_look_up(layer, a, b, limit))
    about = Text(f"{inputs} -> {outputs}, {kinds}\n")
    return section(f"Layer {i + 1}", about, *steps)


def _accumulate(
    layer: QuantizedDense, a: LayerTrace, b: LayerTrace, x: Sequence[int], limit: int
) -> RenderableType:
    folded, units, source = folded_rows(layer), accumulator_units(layer)[:limit], layer.source
    shown = a.outputs[:limit]
    sums = ints(o.accumulator for o in shown)
    lines = [
        ("bias'", "bq - zi * sum w", f"bq: as in the file; w: weights; zi = {source.zero_point}"),
        ("acc", "bias' + sum_k x[k] * w[k]", "x: input codes"),
        ("real", "si * sw * acc", f"si = {source.scale:.6g}; sw: the weights' scale"),
    ]
    if folded[: len(shown)].any():
        lines.append(("*", "weights of zero only", "bias' is the result: M = 1, real = so * acc"))
    columns = table(
        ("c", [f"{c}*" if folded[c] else str(c) for c in range(len(shown))]),
        ("sw", [f"{scale:.5g}" for scale in layer.weight_scales[:limit]]),
        ("bq", [o.bias for o in shown]),
        ("sum w", [sum(row) for row in layer.weights[:limit].tolist()]),
        *pair("bias'", [o.folded_bias for o in shown], [o.folded_bias for o in b.outputs]),
        *pair("acc", [o.accumulator for o in shown], [o.accumulator for o in b.outputs]),
        ("real", real_texts(sums * units, units.min())),
    )
    return step("Accumulate", lines, [columns], _worked_sum(layer, a, x), len(a.outputs) - limit)


def _worked_sum(layer: QuantizedDense, a: LayerTrace, x: Sequence[int]) -> list[Line]:
    o, weights, source = a.outputs[0], layer.weights[0].tolist(), layer.source
    unit = float(accumulator_units(layer)[0])
    if folded_rows(layer)[0]:
        folding = f"{o.folded_bias}, whatever the input"
        factors = f"{layer.target.scale:.6g}"
    else:
        zero_point, total = bracketed(source.zero_point), bracketed(sum(weights))
        folding = f"{o.bias} - {zero_point} * {total} = {o.folded_bias}"
        factors = f"{source.scale:.6g} * {layer.weight_scales[0]:.6g}"
    start, end = f"{o.folded_bias} + ", f" = {o.accumulator}"
    products = _products(x, weights, WIDTH - len(start) - len(end))
    real = real_text(o.accumulator * unit, unit)
    return [
        ("bias'[0]", folding, ""),
        ("acc[0]", start + products + end, ""),
        ("real", f"{factors} * {bracketed(o.accumulator)} = {real}", ""),
    ]


def _products(x: Sequence[int], weights: Sequence[int], width: int) -> str:
    """``x[0]*w[0] + x[1]*w[1] + ...``: as many products as fit, and the last."""
    products = [f"{bracketed(a)}*{bracketed(w)}" for a, w in zip(x, weights, strict=True)]
    whole = " + ".join(products)
    if len(whole) <= width:
        return whole
    text, last = products[0], products[-1]
    for n in range(1, len(products)):
        shorter = f"{' + '.join(products[:n])} + ... {len(products) - n - 1:,} more ... + {last}"
        if len(shorter) > width:
            break
        text = shorter
    return text


def _requantize(layer: QuantizedDense, a: LayerTrace, b: LayerTrace, limit: int) -> RenderableType:
    shown, out = a.outputs[:limit], _after_clamp(layer)
    other = f"here so = {out.scale:.6g}, zo = {out.zero_point}" if out != layer.target else ""
    lines = [
        (
            "M",
            "si * sw / so = Q / 2^31 * 2^e",
            f"so = {layer.target.scale:.6g}: of the output",
        ),
        ("p", "((acc << max(e, 0)) * Q + 2^30) >> 31", "a 64-bit product; ties up"),
        ("r", "p / 2^max(-e, 0)", "rounded, ties away from zero"),
        ("y", f"clamp(r + zo, {a.act_min}, {a.act_max})", f"zo = {a.zero_point}"),
        ("real", "so * (y - zo)", other),
    ]
    columns = table(
        ("c", range(len(shown))),
        ("M", [f"{o.multiplier / 2**31 * 2.0**o.shift:.5g}" for o in shown]),
        ("Q", [o.multiplier for o in shown]),
        ("e", [o.shift for o in shown]),
        *pair("r", [o.requantized for o in shown], [o.requantized for o in b.outputs]),
        ("r + zo", [o.shifted for o in shown]),
        *pair("y", [o.clamped for o in shown], [o.clamped for o in b.outputs]),
        ("real", real_texts(reals(out, (o.clamped for o in shown)), out.scale)),
    )
    return step("Requantize", lines, [columns], _worked_factor(layer, a), len(a.outputs) - limit)


def _worked_factor(layer: QuantizedDense, a: LayerTrace) -> list[Line]:
    o, out = a.outputs[0], _after_clamp(layer)
    si, sw, so = layer.source.scale, float(layer.weight_scales[0]), layer.target.scale
    factor = f"{si:.5g} * {sw:.5g} / {so:.5g} = {si * sw / so:.5g}"
    if folded_rows(layer)[0]:
        factor = "1"
    product, rounded = requantization(o.accumulator, o.multiplier, o.shift)
    shifted = f"{o.requantized} + {bracketed(a.zero_point)}"
    return [
        ("M[0]", f"{factor} = {o.multiplier} / 2^31 * 2^{o.shift}", ""),
        product,
        rounded,
        ("y[0]", f"clamp({shifted}, {a.act_min}, {a.act_max}) = {o.clamped}", ""),
        stands_for(out.scale, o.clamped, out.zero_point),
    ]


def _after_clamp(layer: QuantizedDense) -> Quantization:
    """Of the clamped code: what follows may have become part of the clamp."""
    return layer.output if layer.table is None else layer.target


def _look_up(layer: QuantizedDense, a: LayerTrace, b: LayerTrace, limit: int) -> RenderableType:
    shown, before, out = a.outputs[:limit], layer.target, layer.output
    kinds = ", then ".join(function.kind for function in layer.following)
    lines = [
        ("code", "table[y + 128]", f"{kinds} of every int8, computed at export"),
        ("real", "s * (code - z)", f"s = {out.scale:.6g}, z = {out.zero_point}"),
    ]
    columns = table(
        ("c", range(len(shown))),
        ("y", [o.clamped for o in shown]),
        ("real y", real_texts(reals(before, (o.clamped for o in shown)), before.scale)),
        *pair("code", [o.code for o in shown], [o.code for o in b.outputs]),
        ("real", real_texts(reals(out, (o.code for o in shown)), out.scale)),
    )
    y, code = shown[0].clamped, shown[0].code
    worked = [
        ("code[0]", f"table[{y} + 128] = table[{y + 128}] = {code}", ""),
        stands_for(out.scale, code, out.zero_point),
    ]
    return step("Look up", lines, [columns], worked, len(a.outputs) - limit)
