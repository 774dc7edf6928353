"""Calibration: what a network's activations are like on representative rows.

The range of an activation decides how far apart its codes lie. A few outliers can make the steps
coarse for everything else; ``outliers`` tells where, and percentiles leave them out.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from scratchml.errors import ScratchmlError
from scratchml.mlp import MLP, Floats

#: What ``outliers`` takes for the ordinary values, and how much wider than theirs a range may be.
ORDINARY, WIDER = 99.9, 4.0


def observe(net: MLP, x: Floats) -> list[Floats]:
    """The tensors that get a scale of their own, for ``x[n, inputs]``: the input, then every layer.

    Of a layer in front of a sigmoid these are its sums, since a sigmoid's own scale is fixed.

    Raises:
        ScratchmlError: no rows, or weights or inputs that are not finite.
    """
    if len(x) == 0:
        raise ScratchmlError("there are no calibration rows: they set the ranges of the int8 codes")
    if not np.isfinite(net.parameters).all() or not np.isfinite(x).all():
        raise ScratchmlError("the weights or the calibration rows hold NaN or infinity")
    # one thread: the same sums whatever the machine is doing
    with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore"):
        layers = net.forward(x)
    hidden = (*net.hidden, "linear")
    return [x] + [
        sums if activation == "sigmoid" else outputs
        for (sums, outputs), activation in zip(layers, hidden, strict=True)
    ]


def check_percentile(percentile: float) -> None:
    """Refuse one outside (50, 100]."""
    if not 50 < percentile <= 100:
        raise ScratchmlError(f"percentile {percentile:g}: it must be above 50 and at most 100")


def observed_range(values: Floats, percentile: float = 100.0) -> tuple[float, float]:
    """From the ``100 - percentile``th to the ``percentile``th percentile of ``values``.

    Where that leaves no width, as for an activation that is almost always 0, the whole range.

    Raises:
        ScratchmlError: a percentile outside (50, 100].
    """
    check_percentile(percentile)
    whole = float(values.min()), float(values.max())
    if percentile == 100 or not np.isfinite(whole).all():
        return whole
    low, high = np.percentile(values, [100 - percentile, percentile])
    return (float(low), float(high)) if min(low, 0) < max(high, 0) else whole


def outliers(tensors: list[Floats]) -> list[str]:
    """A line for each tensor of ``observe`` whose range is ruled by a few values."""
    lines = []
    for number, values in enumerate(tensors):
        whole, ordinary = observed_range(values), observed_range(values, ORDINARY)
        widths = [max(high, 0) - min(low, 0) for low, high in (whole, ordinary)]
        if widths[0] > WIDER * widths[1]:
            name = f"the output of layer {number}" if number else "the input"
            lines.append(
                f"outliers rule the range of {name}: {whole[0]:.4g} .. {whole[1]:.4g}, while "
                f"{2 * ORDINARY - 100:g} % of it lie in {ordinary[0]:.4g} .. {ordinary[1]:.4g}; "
                "consider calibrating by percentile"
            )
    return lines
