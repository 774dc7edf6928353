"""Copy a UF2 file onto a Raspberry Pi Pico, which then starts it::

    python tools/uf2_upload.py firmware.uf2

The board has to show itself as the drive RPI-RP2: it does when it is plugged in while its button
BOOTSEL is held. One that runs an Arduino sketch is asked to, by opening its serial port at 1200
baud; that needs pyserial, which comes with PlatformIO. PlatformIO runs this, with a Python of its
own, for ``pio run -e pico -t upload``.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import string
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

HOW = "hold BOOTSEL while you plug the Pico in, and repeat"
LABEL = Path("/dev/disk/by-label/RPI-RP2")  # of the drive on Linux, mounted or not

#: The format: https://github.com/microsoft/uf2
BLOCK_BYTES = 512
HEADER, END = struct.Struct("<8I"), struct.Struct("<I")
MAGIC_START, MAGIC_END = (0x0A324655, 0x9E5D5157), 0x0AB16F30
FAMILY_ID_PRESENT, RP2040 = 0x2000, 0xE48BFF56

#: USB numbers: whose a Pico is, whatever runs on it, and what of theirs is a debugger instead.
RASPBERRY_PI, DEBUG_PROBES = 0x2E8A, (0x0004, 0x000C)

DEFAULT_WAIT = 10.0  # seconds
GOING = 3.0  # seconds until a drive that goes is seen to be gone
LOOK_EVERY = 0.2

NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


class UploadError(Exception):
    """Why the file is not on the board."""


def check(name: Path, contents: bytes) -> None:
    """Raise UploadError unless ``contents`` is a UF2 file for an RP2040."""
    for start in range(0, max(len(contents), 1), BLOCK_BYTES):
        block = contents[start : start + BLOCK_BYTES]
        if len(block) < BLOCK_BYTES:
            raise UploadError(f"{name} is no UF2 file: build the firmware anew")
        first, second, flags, _, _, _, _, family = HEADER.unpack(block[: HEADER.size])
        (last,) = END.unpack(block[-END.size :])
        if (first, second) != MAGIC_START or last != MAGIC_END:
            raise UploadError(f"{name} is no UF2 file: build the firmware anew")
        if not flags & FAMILY_ID_PRESENT or family != RP2040:
            raise UploadError(f"{name} is for another chip than the Pico's RP2040")


# --- the drive -------------------------------------------------------------------------------


def is_pico(folder: Path) -> bool:
    """Whether it is the drive of an RP2040's boot loader, which says so in a file."""
    try:
        return "Board-ID: RPI-RP2" in (folder / "INFO_UF2.TXT").read_text("ascii", "replace")
    except OSError:
        return False


def mount_points(mounts: str) -> list[Path]:
    """The folders of FAT drives in a file such as /proc/mounts, where a space is ``\\040``."""
    fields = [line.split(" ") for line in mounts.splitlines()]
    names = [words[1] for words in fields if words[2:3] == ["vfat"]]
    return [Path(re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), name)) for name in names]


def places() -> list[Path]:
    """Where this computer may show a drive."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase]
    if sys.platform == "darwin":
        return list(Path("/Volumes").glob("*"))
    found = [Path("/mnt"), *Path("/mnt").glob("*"), *Path("/media").glob("*")]
    found += [*Path("/media").glob("*/*"), *Path("/run/media").glob("*/*")]
    with suppress(OSError):
        found += mount_points(Path("/proc/mounts").read_text("utf-8", "replace"))
    return found


def find_drives() -> list[Path]:
    """The drives of Picos, each of them once."""
    return sorted({Path(os.path.realpath(str(place))) for place in places() if is_pico(place)})


def wait_for_drive(seconds: float) -> Path:
    """The only drive that there is within ``seconds``.

    Raises:
        UploadError: there is none, or there are several.
    """
    end = time.monotonic() + seconds
    drives = find_drives()
    if not drives and seconds > 0:
        print(f"waiting {seconds:g} s for the drive RPI-RP2", flush=True)
    while not drives and time.monotonic() < end:
        time.sleep(LOOK_EVERY)
        drives = find_drives()
    if len(drives) > 1:
        names = ", ".join(map(str, drives))
        raise UploadError(f"there are several Picos, {names}: choose one with --drive")
    if not drives and LABEL.exists():
        raise UploadError(f"RPI-RP2 is not mounted: udisksctl mount -b {LABEL}, and repeat")
    if not drives:
        raise UploadError(f"there is no drive RPI-RP2: {HOW}")
    return drives[0]


# --- the serial port -------------------------------------------------------------------------


def serial_ports() -> list[str]:
    """Those of Picos; none without pyserial."""
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        return []
    ports = [port for port in comports() if port.vid == RASPBERRY_PI]
    return sorted(port.device for port in ports if port.pid not in DEBUG_PROBES)


def ask_for_drive(name: str) -> None:
    """Restart the Pico on a serial port as a drive: it does so if an Arduino sketch runs on it.

    The sign is that somebody opens the port at 1200 baud, and closes it.

    Raises:
        UploadError: the port cannot be opened.
    """
    try:
        from serial import Serial, SerialException
    except ImportError as error:
        raise UploadError("pyserial is not here: pip install pyserial") from error
    try:
        port = Serial(name, 1200)
    except (SerialException, OSError) as error:
        raise UploadError(f"{name} cannot be opened ({error}); or {HOW}") from error
    with suppress(SerialException, OSError):  # the Pico may be gone before
        port.dtr = False
        port.close()


def bring_drive(port: str | None) -> None:
    """Have the Pico on ``port``, or on the only port there is, show itself as a drive.

    Raises:
        UploadError: there are several, or the port cannot be opened.
    """
    ports = [port] if port else serial_ports()
    if len(ports) > 1:
        raise UploadError(f"there are several Picos, {', '.join(ports)}: choose one with --port")
    for name in ports:
        print(f"restarting the Pico on {name} as a drive", flush=True)
        ask_for_drive(name)


def is_gone(drive: Path) -> bool:
    """Whether the drive goes within ``GOING`` seconds: a system may take a moment to see it."""
    until = time.monotonic() + GOING
    while is_pico(drive):
        if time.monotonic() >= until:
            return False
        time.sleep(0.1)
    return True


def copy(contents: bytes, target: Path) -> None:
    """Write a file onto a drive, down to the last byte.

    Raises:
        UploadError: the drive does not take it.
    """
    drive = target.parent
    all_sent = False
    try:
        with target.open("wb") as file:
            file.write(contents)
            file.flush()
            all_sent = True
            os.fsync(file.fileno())
    except OSError as error:
        if all_sent and is_gone(drive):
            return  # with the last block the Pico starts, and its drive goes
        with suppress(OSError):
            target.unlink()
        advice = "mount it so that you may write" if error.errno in NOT_ALLOWED else HOW
        raise UploadError(f"{drive} does not take the file: {error.strerror}; {advice}") from error


def main() -> None:
    parser = argparse.ArgumentParser(description="Copy a UF2 file onto a Raspberry Pi Pico.")
    parser.add_argument("uf2", type=Path, help="the file")
    parser.add_argument("--drive", type=Path, metavar="FOLDER", help="where its drive is")
    parser.add_argument("--port", help="the serial port of a Pico that runs an Arduino sketch")
    parser.add_argument(
        "--wait",
        type=float,
        default=DEFAULT_WAIT,
        metavar="SECONDS",
        help="how long to wait for the drive (default: %(default)s)",
    )
    arguments = parser.parse_args()
    try:
        contents = arguments.uf2.read_bytes()
        check(arguments.uf2, contents)
        if arguments.drive and not is_pico(arguments.drive):
            raise UploadError(f"{arguments.drive} is not the drive of a Pico: {HOW}")
        if not arguments.drive and not find_drives():
            bring_drive(arguments.port)
        drive = arguments.drive or wait_for_drive(arguments.wait)
        copy(contents, drive / arguments.uf2.name)
    except UploadError as error:
        sys.exit(f"uf2_upload: {error}")
    except OSError as error:
        sys.exit(f"uf2_upload: {error.filename}: {error.strerror}")
    print(f"{arguments.uf2.name} is on {drive}; the Pico starts it")


if __name__ == "__main__":
    main()
