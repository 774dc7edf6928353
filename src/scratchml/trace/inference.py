"""One inference to look at: where its input came from, both traces, and what came out of it.

``as_json`` holds every integer that takes part and the real number that each stands for; the page
for a terminal is in ``report``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from scratchml.affine import Quantization
from scratchml.layers import QuantizedDense
from scratchml.quantized import QuantizedMLP
from scratchml.trace import steps
from scratchml.trace.steps import Reading, Trace


@dataclass(frozen=True)
class Decision:
    """What an output says.

    Attributes:
        real: what each output code stands for.
        index: of the class; ``None`` where the outputs are no choice between classes (a regression,
            or several independent sigmoids).
        name: of the class, for people.
        threshold, threshold_code: that decide, if the output is one sigmoid.
    """

    real: tuple[float, ...]
    index: int | None = None
    name: str | None = None
    threshold: float | None = None
    threshold_code: int | None = None


@dataclass(frozen=True, eq=False)
class Inference:
    """A model's inference, traced in numpy and in C.

    Attributes:
        name: of the model, and ``origin`` of the input: for people.
        readings: how the input codes were made, if it began with sensor counts.
    """

    model: QuantizedMLP
    name: str
    origin: str
    numpy: Trace
    c: Trace
    readings: tuple[Reading, ...] | None = None

    @classmethod
    def of_codes(
        cls, model: QuantizedMLP, codes: npt.ArrayLike, *, name: str, origin: str
    ) -> Inference:
        """From int8 codes ``[inputs]``.

        Raises:
            ScratchmlError: these are not int8 codes for the model's inputs.
        """
        traces = steps.trace_numpy(model, codes), steps.trace_c(model, codes)
        return cls(model, name, origin, *traces)

    @classmethod
    def of_counts(
        cls, model: QuantizedMLP, counts: npt.ArrayLike, *, name: str, origin: str
    ) -> Inference:
        """From sensor counts ``[inputs]``, int32, which numpy and C each make codes of.

        Raises:
            ScratchmlError: the model has no scaler, or these are not counts for its inputs.
        """
        readings = steps.trace_readings(model, counts)
        in_numpy = steps.trace_numpy(model, [reading.code for reading in readings])
        return cls(model, name, origin, in_numpy, steps.trace_c_counts(model, counts), readings)

    @property
    def difference(self) -> tuple[str, int, int] | None:
        """Where numpy and C differ first, and the two values there."""
        return steps.first_difference(self.numpy, self.c)

    @cached_property
    def decision(self) -> Decision:
        """What numpy's output codes say."""
        model, codes = self.model, self.numpy.output
        real = reals(model.output_quantization, codes)
        if model.output == "softmax":
            index = int(np.argmax(codes))
            return Decision(real, index, model.classes[index] if model.classes else f"{index}")
        if model.output == "sigmoid" and model.outputs == 1:
            threshold = model.threshold, model.decision_threshold
            index = int(codes[0] >= model.decision_threshold)
            names = model.classes or ("negative", "positive")
            return Decision(real, index, names[index], *threshold)
        return Decision(real)

    @property
    def target_counts(self) -> int | None:
        """Of a regression with a target: its counts, as the exported C has them for the output."""
        target = self.model.target
        if target is None:
            return None
        counts = float(target.real(np.array(self.decision.real))[0]) * target.resolution
        return round(counts) if abs(counts) < 2**31 else None  # a file may say anything

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values; from the integers alone the output can be computed again."""
        model, difference = self.model, self.difference
        source, target = model.layers[0].source, model.output_quantization
        return {
            "model": {
                "name": self.name,
                "sizes": list(model.sizes),
                "output": model.output,
                "classes": list(model.classes),
            },
            "input": {
                "origin": self.origin,
                **asdict(source),
                "readings": self._readings_json(),
                "numpy": self.numpy.input,
                "c": self.c.input,
                "real": reals(source, self.numpy.input),
            },
            "layers": [self._layer_json(i, layer) for i, layer in enumerate(model.layers)],
            "softmax": self._softmax_json(),
            "output": {
                **asdict(target),
                "numpy": self.numpy.output,
                "c": self.c.output,
                "real": reals(target, self.numpy.output),
            },
            "decision": asdict(self.decision),
            "target": self._target_json(),
            "first_difference": dict(zip(("where", "numpy", "c"), difference, strict=True))
            if difference
            else None,
        }

    def _readings_json(self) -> list[dict[str, Any]] | None:
        if self.readings is None:
            return None
        return [{**asdict(r), "real": r.counts / r.resolution} for r in self.readings]

    def _target_json(self) -> dict[str, Any] | None:
        target, counts = self.model.target, self.target_counts
        if target is None or counts is None:
            return None
        real = counts / target.resolution
        return {"name": target.name, "unit": target.unit, "counts": counts, "real": real}

    def _layer_json(self, i: int, layer: QuantizedDense) -> dict[str, Any]:
        in_numpy, in_c = self.numpy.layers[i], self.c.layers[i]
        shared = ("zero_point", "act_min", "act_max")
        units = accumulator_units(layer).tolist()
        outputs = []
        for c, (a, b) in enumerate(zip(in_numpy.outputs, in_c.outputs, strict=True)):
            real = {
                "accumulator": a.accumulator * units[c],
                "factor": a.multiplier / 2**31 * 2.0**a.shift,
                "clamped": reals(layer.target, [a.clamped])[0],
                "code": reals(layer.output, [a.code])[0],
            }
            about = {
                "weights": layer.weights[c].tolist(),
                "weight_scale": float(layer.weight_scales[c]),
            }
            outputs.append({**about, "numpy": asdict(a), "c": asdict(b), "real": real})
        return {
            "activation": layer.activation,
            "following": [function.kind for function in layer.following],
            "input": asdict(layer.source),
            "clamped": asdict(layer.target),
            "output": asdict(layer.output),
            "numpy": {name: getattr(in_numpy, name) for name in shared},
            "c": {name: getattr(in_c, name) for name in shared},
            "table": None if layer.table is None else layer.table.tolist(),
            "outputs": outputs,
        }

    def _softmax_json(self) -> dict[str, Any] | None:
        softmax, in_numpy, in_c = self.model.softmax, self.numpy.softmax, self.c.softmax
        if softmax is None or in_numpy is None or in_c is None:
            return None
        real = {
            "exponentials": [value / 2**31 for value in in_numpy.exponentials],
            "sum": in_numpy.sum / 2**19,
            "reciprocal": in_numpy.reciprocal / 2**31,
        }
        return {
            "beta": softmax.beta,
            "input": asdict(softmax.source),
            "table": softmax.table.tolist(),
            "numpy": asdict(in_numpy),
            "c": asdict(in_c),
            "real": real,
        }


def accumulator_units(layer: QuantizedDense) -> npt.NDArray[np.float64]:
    """What 1 in each output's accumulator stands for, ``[outputs]``: ``si * sw``.

    A row of zeros has its result for a bias, in units of the output's scale: see ``layers``.
    """
    products = layer.source.scale * layer.weight_scales.astype(np.float64)
    return np.where(folded_rows(layer), layer.target.scale, products)


def folded_rows(layer: QuantizedDense) -> npt.NDArray[np.bool_]:
    """Which outputs have weights of zero only and were replaced by their result, ``[outputs]``."""
    is_one = (layer.multiplier == 2**30) & (layer.shift == 1)
    return np.asarray(~layer.weights.any(axis=1) & is_one)


def reals(quantization: Quantization, codes: Iterable[int]) -> tuple[float, ...]:
    """What int8 codes stand for."""
    with np.errstate(over="ignore"):  # a file may say that a code stands for 1e38
        values = quantization.real(np.array(list(codes), np.int8))
    return tuple(values.tolist())
