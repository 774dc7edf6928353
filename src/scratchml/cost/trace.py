"""From a trace of addresses to instructions and cycles, and to the function that took them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scratchml.cost.instructions import Instruction, Kind
from scratchml.cost.program import Span
from scratchml.cost.timing import Timing, cycles

Steps = npt.NDArray[np.int64]
Fetch = Callable[[int], Instruction]


@dataclass(frozen=True)
class Spent:
    """What each step of a trace took: instructions and cycles, both ``[steps]``.

    A step stands for its own instruction and for those after it in an IT block that were skipped.
    """

    instructions: Steps
    cycles: Steps

    def over(self, steps: slice | npt.NDArray[np.bool_]) -> tuple[int, int]:
        """The sums over some of the steps."""
        return int(self.instructions[steps].sum()), int(self.cycles[steps].sum())


def skipped(fetch: Fetch, block: int, address: int, following: int) -> int:
    """Instructions of an IT block that were passed over between ``address`` and ``following``.

    Args:
        block: where the block ends.
        address: of the first that was not executed, perhaps.
        following: the next that was.
    """
    count = 0
    while address < min(following, block):
        address = fetch(address).following
        count += 1
    return count


def spent(trace: npt.NDArray[np.uint32], fetch: Fetch, timing: Timing) -> Spent:
    """Instructions and modelled cycles of every step of a ``trace``.

    A step's cycles depend on its instruction, the one before and the one after; every combination
    is looked at once.
    """
    addresses, ids = np.unique(trace, return_inverse=True)
    code = [fetch(int(address)) for address in addresses]
    blocks = _block_ends(code, fetch)
    n = len(code)
    before, after = np.roll(ids, 1), np.roll(ids, -1)
    keys, which = np.unique((before * n + ids) * n + after, return_inverse=True)
    counts, times = np.ones(len(keys), np.int64), np.zeros(len(keys), np.int64)
    for row, key in enumerate(keys.tolist()):
        (previous, this), following = divmod(key // n, n), code[key % n].address
        instruction = code[this]
        end = blocks.get(instruction.address, 0)
        passed = 0
        if instruction.following < following <= end:
            passed = skipped(fetch, end, instruction.following, following)
        jumps = not passed and following != instruction.following
        counts[row] += passed
        times[row] = cycles(timing, instruction, code[previous], jumps=jumps)
        times[row] += passed * timing.skipped
    return Spent(counts[which], times[which])


def _block_ends(code: list[Instruction], fetch: Fetch) -> dict[int, int]:
    """Where the IT block ends that an instruction opens or stands in, by its address."""
    ends: dict[int, int] = {}
    for instruction in code:
        if instruction.kind is Kind.IF_THEN:
            members = [instruction]
            for _ in range(instruction.block):
                members.append(fetch(members[-1].following))
            ends |= {member.address: members[-1].following for member in members}
    return ends


@dataclass(frozen=True)
class Call:
    """A function's run within a trace.

    Attributes:
        function: its name.
        start: the step at its entry; ``end``: the one after its return.
        called: whether a BL or BLX led there, and not a jump at the end of another function.
    """

    function: str
    start: int
    end: int
    called: bool

    @property
    def steps(self) -> slice:
        """From the entry to the return."""
        return slice(self.start, self.end)

    @property
    def steps_with_call(self) -> slice:
        """From the BL that led there to the return."""
        return slice(self.start - 1, self.end) if self.called else self.steps


def calls(
    trace: npt.NDArray[np.uint32], functions: dict[str, Span], fetch: Fetch
) -> Iterator[Call]:
    """Every run of ``functions`` in a trace, in order of their entries.

    A function is entered where the trace comes to its first instruction from outside, and is left
    where the trace comes to the address after the call. A function that was jumped to returns where
    the one that jumped would have returned.
    """
    entries = {span.start: name for name, span in functions.items()}
    open_returns: list[tuple[int, int]] = []  # return addresses, and the steps they are reached at
    for step in np.flatnonzero(np.isin(trace, list(entries))).tolist():
        name = entries[int(trace[step])]
        if step == 0 or int(trace[step - 1]) in functions[name]:
            continue
        before = fetch(int(trace[step - 1]))
        while open_returns and open_returns[-1][1] <= step:
            open_returns.pop()
        if before.calls:
            found = np.flatnonzero(trace[step:] == before.following)
            end = step + int(found[0]) if len(found) else len(trace)
            open_returns.append((before.following, end))
        else:
            end = open_returns[-1][1] if open_returns else len(trace)
        yield Call(name, step, end, before.calls)
