"""Make a UF2 file, which a Raspberry Pi Pico takes as a copy onto its drive, of a linked program::

    python tools/make_uf2.py firmware.elf firmware.uf2

It refuses a program that the chip's boot ROM would not start: one that is not in flash, or whose
first 256 bytes, the second stage of booting, do not end with their checksum. PlatformIO runs it
with a Python of its own: pyelftools, which comes with PlatformIO, is all that it needs.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path

FLASH, FLASH_BYTES = 0x10000000, 2 * 1024 * 1024  # of a Pico
BOOT2_BYTES = 256  # the last four are the checksum

#: The boot ROM erases flash a sector at a time, and erases it right only if all of it is written
#: (RP2040 Datasheet, erratum RP2040-E14): the rest of the last one is zeros.
SECTOR = 4096

#: The format: https://github.com/microsoft/uf2
BLOCK = struct.Struct("<8I476sI")
MAGIC_START, MAGIC_END = (0x0A324655, 0x9E5D5157), 0x0AB16F30
FAMILY_ID_PRESENT, RP2040 = 0x2000, 0xE48BFF56
PAYLOAD = 256  # bytes of a block, and the only number that the boot ROM takes


class Uf2Error(Exception):
    """Why there is no UF2 file."""


def read_segments(elf: Path) -> list[tuple[int, bytes]]:
    """What of the program is to be loaded: addresses in flash, and their bytes.

    Raises:
        Uf2Error: it cannot be read, or is no program for ARM.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise Uf2Error("pyelftools is not here: pip install pyelftools") from error
    try:
        with elf.open("rb") as file:
            program = ELFFile(file)
            if program["e_machine"] != "EM_ARM" or program["e_type"] != "ET_EXEC":
                raise Uf2Error(f"{elf} is no program for ARM")
            found = [(segment.header, segment.data()) for segment in program.iter_segments()]
    except (OSError, Uf2Error):
        raise
    except Exception as error:  # pyelftools does not say which there are for a broken file
        raise Uf2Error(f"{elf} is no ELF file, or a broken one: link it anew") from error
    loaded = [(h, data) for h, data in found if h["p_type"] == "PT_LOAD" and h["p_filesz"]]
    if any(header["p_filesz"] != len(data) for header, data in loaded):
        raise Uf2Error(f"{elf} is shorter than it says: link it anew")
    return [(header["p_paddr"], data) for header, data in loaded]


def flash_image(segments: list[tuple[int, bytes]]) -> bytes:
    """The contents of flash from its start, in whole sectors.

    Raises:
        Uf2Error: a segment lies elsewhere, or two overlap.
    """
    image = bytearray()
    for address, data in sorted(segments):
        place = address - FLASH
        if place < 0 or place + len(data) > FLASH_BYTES:
            end = address + len(data)
            raise Uf2Error(f"{address:#x} to {end:#x} is not in flash: see the linker script")
        if place < len(image):
            raise Uf2Error(f"two segments lie at {address:#x}: see the linker script")
        image += bytes(place - len(image)) + data
    return bytes(image) + bytes(-len(image) % SECTOR)


def boot_rom_crc(data: bytes) -> int:
    """The CRC-32 of RP2040 Datasheet, 2.8.1.3.1: the high bit first, and nothing inverted."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def check_boot2(image: bytes) -> None:
    """Raise Uf2Error unless the boot ROM would go on with the image."""
    code, checksum = image[: BOOT2_BYTES - 4], image[BOOT2_BYTES - 4 : BOOT2_BYTES]
    if not any(code):
        raise Uf2Error(f"there is no second stage of booting at {FLASH:#x}: link boot2.S to it")
    expected = boot_rom_crc(code)
    if checksum != struct.pack("<I", expected):
        raise Uf2Error(
            f"the checksum of the second stage of booting is wrong: boot2.S has to end with "
            f".word 0x{expected:08X}"
        )


def uf2(image: bytes) -> bytes:
    """The image in blocks for the RP2040's flash."""
    blocks = []
    count = len(image) // PAYLOAD
    for number in range(count):
        at = number * PAYLOAD
        places = (FAMILY_ID_PRESENT, FLASH + at, PAYLOAD, number, count, RP2040)
        blocks.append(BLOCK.pack(*MAGIC_START, *places, image[at : at + PAYLOAD], MAGIC_END))
    return b"".join(blocks)


def write_whole(path: Path, contents: bytes) -> None:
    """Write a file so that it is never there in part.

    PlatformIO's Python runs this, which need not have scratchml and its ``files``.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(contents)
        unfinished.replace(path)
    except BaseException:  # Ctrl-C as well leaves nothing behind
        with suppress(OSError):
            unfinished.unlink()
        raise


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a UF2 file for a Raspberry Pi Pico.")
    parser.add_argument("elf", type=Path, help="the linked program")
    parser.add_argument("uf2", type=Path, help="the file to write")
    arguments = parser.parse_args()
    try:
        image = flash_image(read_segments(arguments.elf))
        check_boot2(image)
        write_whole(arguments.uf2, uf2(image))
    except Uf2Error as error:
        sys.exit(f"make_uf2: {error}")
    except OSError as error:
        sys.exit(f"make_uf2: {error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
