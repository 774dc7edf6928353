"""A linked program: what lies where, as its ELF file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: The sections that csrc/meter/meter.ld puts into flash, but for ``program``.
PARTS = ("engine", "model", "head")


@dataclass(frozen=True)
class Span:
    """Addresses from ``start`` to before ``end``."""

    start: int
    end: int

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end

    @property
    def size(self) -> int:
        """In bytes."""
        return self.end - self.start


@dataclass(frozen=True)
class Program:
    """What the meter needs of an ELF file.

    Attributes:
        contents: bytes by address, as they lie in flash.
        sections: by name, without the dot.
        functions, variables: by name; a function's address has no Thumb bit.
        inlined: where the compiler has put the bodies of inlined functions, by name.
        symbols: addresses of the linker script's symbols.
    """

    contents: dict[int, bytes]
    sections: dict[str, Span]
    functions: dict[str, Span]
    variables: dict[str, Span]
    inlined: dict[str, list[Span]]
    symbols: dict[str, int]

    @property
    def flash(self) -> Span:
        """What is to be flashed, initial values of variables included."""
        start = self.sections["program"].start
        return Span(start, self.symbols["flash_end"] + self.sections["data"].size)

    @property
    def ram(self) -> int:
        """Bytes of variables: data and bss."""
        return self.sections["data"].size + self.sections["bss"].size

    def bodies(self, function: str) -> list[Span]:
        """Where a function's instructions are: its own, and those inlined into others."""
        own = [self.functions[function]] if function in self.functions else []
        return [*own, *self.inlined.get(function, [])]

    @property
    def parts(self) -> dict[str, int]:
        """Bytes of flash of each of ``PARTS``."""
        return {name: self.sections[name].size for name in PARTS}


def read_program(path: Path) -> Program:
    """Read a program that ``firmware.link`` has linked."""
    from elftools.elf.elffile import ELFFile  # an extra's, loaded only by those who measure

    with path.open("rb") as file:
        elf = ELFFile(file)
        sections = {
            section.name.removeprefix("."): _span(section["sh_addr"], section["sh_size"])
            for section in elf.iter_sections()
            if section["sh_flags"] & 2  # SHF_ALLOC
        }
        for name in (*PARTS, "data", "bss"):  # a linker leaves empty ones out
            sections.setdefault(name, Span(0, 0))
        symbols = list(elf.get_section_by_name(".symtab").iter_symbols())
        return Program(
            contents={
                segment["p_paddr"]: segment.data()
                for segment in elf.iter_segments("PT_LOAD")
                if segment["p_filesz"]
            },
            sections=sections,
            functions=_spans(symbols, "STT_FUNC"),
            variables=_spans(symbols, "STT_OBJECT"),
            inlined=_inlined(elf.get_dwarf_info()),
            symbols={
                s.name: s["st_value"] for s in symbols if s["st_info"]["type"] == "STT_NOTYPE"
            },
        )


def _span(start: int, size: int) -> Span:
    return Span(start, start + size)


def _spans(symbols: list[Any], kind: str) -> dict[str, Span]:
    thumb = 1 if kind == "STT_FUNC" else 0
    return {
        symbol.name: _span(symbol["st_value"] & ~thumb, symbol["st_size"])
        for symbol in symbols
        if symbol["st_info"]["type"] == kind
    }


def _inlined(dwarf: Any) -> dict[str, list[Span]]:
    """Addresses of inlined functions, from DWARF."""
    found: dict[str, list[Span]] = {}
    for unit in dwarf.iter_CUs():
        for entry in unit.iter_DIEs():
            if entry.tag == "DW_TAG_inlined_subroutine":
                origin = entry.get_DIE_from_attribute("DW_AT_abstract_origin")
                name = origin.attributes["DW_AT_name"].value.decode()
                found.setdefault(name, []).extend(_ranges(dwarf, unit, entry))
    return found


def _ranges(dwarf: Any, unit: Any, entry: Any) -> Iterator[Span]:
    attributes = entry.attributes
    if "DW_AT_ranges" not in attributes:
        low, high = attributes["DW_AT_low_pc"], attributes["DW_AT_high_pc"]
        end = high.value if high.form == "DW_FORM_addr" else low.value + high.value
        yield Span(low.value, end)
        return
    top = unit.get_top_DIE().attributes
    base = top["DW_AT_low_pc"].value if "DW_AT_low_pc" in top else 0
    for part in dwarf.range_lists().get_range_list_at_offset(
        attributes["DW_AT_ranges"].value, unit
    ):
        if hasattr(part, "base_address"):
            base = part.base_address
        else:
            yield Span(base + part.begin_offset, base + part.end_offset)
