"""A FlatBuffer whose every offset, length and count is checked against the file's length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import number_types as N

from scratchml.errors import ScratchmlError


class Node:
    """A table of the file; a field that is absent reads as 0 or as empty, as the format says."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position

    def scalar(self, slot: int, kind: Any) -> int:
        place = self._place(slot)
        return int(self._get(kind, place)) if place else 0

    def real(self, slot: int) -> float:
        place = self._place(slot)
        return float(self._get(N.Float32Flags, place)) if place else 0.0

    def table(self, slot: int) -> Node | None:
        place = self._place(slot)
        return self.follow(place) if place else None

    def tables(self, slot: int) -> Tables:
        return Tables(self, *self._vector(slot, 4))

    def numbers(self, slot: int, dtype: str) -> npt.NDArray[Any]:
        kind = np.dtype(dtype)
        start, length = self._vector(slot, kind.itemsize)
        return np.frombuffer(self.data, kind, length, start)

    def follow(self, place: int) -> Node:
        """The table that the offset at ``place`` points to."""
        target = place + int(self._get(N.UOffsetTFlags, place))
        self._get(N.SOffsetTFlags, target)  # every table begins with one, so it lies in the file
        return Node(self.data, target)

    def _vector(self, slot: int, item_size: int) -> tuple[int, int]:
        """Start and length; the whole vector lies within the file."""
        place = self._place(slot)
        if not place:
            return 0, 0
        start = place + int(self._get(N.UOffsetTFlags, place))
        length = int(self._get(N.UOffsetTFlags, start))
        if start + 4 + length * item_size > len(self.data):
            raise ScratchmlError("the .tflite file is damaged: a vector reaches past its end")
        return start + 4, length

    def _place(self, slot: int) -> int:
        """Position of a field, or 0 where the table has none."""
        position = self.position
        vtable = position - int(self._get(N.SOffsetTFlags, position))
        entry = 4 + 2 * slot
        if entry + 2 > int(self._get(N.VOffsetTFlags, vtable)):
            return 0
        offset = int(self._get(N.VOffsetTFlags, vtable + entry))
        return position + offset if offset else 0

    def _get(self, kind: Any, place: int) -> Any:
        if not 0 <= place <= len(self.data) - kind.bytewidth:
            raise ScratchmlError("the .tflite file is damaged: an offset points outside of it")
        return kind.packer_type.unpack_from(self.data, place)[0]


class Tables:
    """A vector of tables, each looked up when it is asked for: a small file can name millions."""

    def __init__(self, owner: Node, start: int, length: int) -> None:
        self.owner, self.start, self.length = owner, start, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Node:
        if not 0 <= index < self.length:
            raise ScratchmlError(f"the .tflite file is damaged: it has no item {index}")
        return self.owner.follow(self.start + 4 * index)

    def __iter__(self) -> Iterator[Node]:
        return map(self.__getitem__, range(self.length))
