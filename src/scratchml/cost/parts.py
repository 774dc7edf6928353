"""Which part of an inference took what: layers, tables, head, and the engine around them.

A layer is what happens between the entry of its kernel, a function whose name begins with
``sml_dense_``, and its return. The head is ``sml_softmax``. Tables are looked up in a function that
the compiler may have inlined: there the instructions count that DWARF says come from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml.cost.emulator import Emulator, Read, Run
from scratchml.cost.program import Span
from scratchml.cost.timing import Timing
from scratchml.cost.trace import Call, calls, spent

Mask = npt.NDArray[np.bool_]

INFERENCE, KERNELS, HEAD, TABLES = "sml_run_model", "sml_dense_", "sml_softmax", "look_up"


@dataclass(frozen=True)
class Part:
    """What one part of an inference takes.

    Attributes:
        name: ``layer 1`` and so on, ``tables``, ``head`` or ``engine``.
        cycles: modelled, zero wait states.
        flash_read: bytes of data loaded from flash.
        kernel: the function that computes a layer; empty for the other parts.
        products: multiply-adds of a layer, 0 for the other parts.
    """

    name: str
    instructions: int
    cycles: int
    flash_read: int
    kernel: str = ""
    products: int = 0


class Account:
    """A run, with what each of its steps took and the public functions it called."""

    def __init__(self, emulator: Emulator, run: Run, timing: Timing) -> None:
        self.run, self.program = run, emulator.program
        self.spent = spent(run.trace, emulator.instruction, timing)
        functions = self.program.functions.items()
        public = {name: span for name, span in functions if name.startswith("sml_")}
        self.calls = list(calls(run.trace, public, emulator.instruction))

    def call(self, function: str) -> Call:
        """The first run of ``function``."""
        return next(call for call in self.calls if call.function == function)

    def of(self, function: str) -> tuple[int, int]:
        """Instructions and cycles of the first call of ``function``, its BL included."""
        return self.spent.over(self.call(function).steps_with_call)

    def by_function(self) -> dict[str, tuple[int, int]]:
        """The same of every function that ``main`` calls."""
        return {call.function: self.of(call.function) for call in _outermost(self.calls)}

    def parts(self, products: Sequence[int]) -> list[Part]:
        """All of one ``sml_run_model`` call, in parts: layers first, ``engine`` last.

        Args:
            products: multiply-adds of each layer.
        """
        inference = self.call(INFERENCE)
        self._left = self._within(inference.steps_with_call)
        inner = [c for c in self.calls if inference.start < c.start < inference.end]
        kernels = _outermost([c for c in inner if c.function.startswith(KERNELS)])
        parts = [
            self._part(f"layer {number}", self._within(call.steps), call.function, count)
            for number, (call, count) in enumerate(zip(kernels, products, strict=True), start=1)
        ]
        parts += [self._part("head", self._within(c.steps)) for c in inner if c.function == HEAD]
        tables = self._inside(self.program.bodies(TABLES))
        if (self._left & tables).any():
            parts.append(self._part("tables", tables))
        return [*parts, self._part("engine", self._left)]

    def flash_reads(self) -> Iterator[Read]:
        """Loads from flash during the ``sml_run_model`` call."""
        steps = self.call(INFERENCE).steps
        for read in self.run.reads:
            if steps.start <= read.step < steps.stop and read.address in self.program.flash:
                yield read

    def _within(self, steps: slice) -> Mask:
        mask = np.zeros(len(self.run.trace), bool)
        mask[steps] = True
        return mask

    def _inside(self, spans: list[Span]) -> Mask:
        """The steps at addresses within any of ``spans``."""
        mask = np.zeros(len(self.run.trace), bool)
        for span in spans:
            mask |= (self.run.trace >= span.start) & (self.run.trace < span.end)
        return mask

    def _part(self, name: str, mask: Mask, kernel: str = "", products: int = 0) -> Part:
        """The steps of ``mask`` that no part has had yet."""
        steps = mask & self._left
        self._left = self._left & ~steps
        read = sum(read.size for read in self.flash_reads() if steps[read.step])
        return Part(name, *self.spent.over(steps), read, kernel, products)


def _outermost(found: list[Call]) -> list[Call]:
    """The calls that are not made within another one of them."""
    kept: list[Call] = []
    for call in found:
        if not kept or call.start >= kept[-1].end:
            kept.append(call)
    return kept
