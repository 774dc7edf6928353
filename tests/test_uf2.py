"""UF2 files: made of a linked program, read by the format's own words, copied onto a drive."""

from __future__ import annotations

import errno
import os
import re
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import make_uf2
import pytest
import uf2_upload
from conftest import ROOT, require
from hypothesis import given
from hypothesis import strategies as st

MACHINE = ROOT / "csrc" / "platform" / "machines" / "rp2040"
FLASH = 0x10000000
CPU = "-mcpu=cortex-m0plus -mthumb".split()

#: A program with code, constants and initialized data in it, for the machine's startup.c.
PROGRAM = """
int counter = 7;
static const char words[] = "a constant, of which there may be many";
void setup(void) { }
void loop(void) { counter += words[counter % 8]; }
void timer_interrupt(void) { }
void uart_interrupt(void) { }
"""


def tool(name: str, *arguments: str | Path) -> None:
    command = [require("arm-none-eabi-gcc").replace("-gcc", f"-{name}"), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small program, linked for the Pico without anything of the station in it."""
    require("elftools")
    folder = tmp_path_factory.mktemp("program")
    (folder / "program.c").write_text(PROGRAM)
    sources = [folder / "program.c", MACHINE / "startup.c", MACHINE / "boot2.S"]
    link = ["-nostartfiles", "--specs=nano.specs", "-T", MACHINE / "rp2040.ld"]
    tool("gcc", *CPU, "-Os", "-I", MACHINE, *sources, *link, "-o", folder / "program.elf")
    return folder / "program.elf"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def convert(elf: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return run(ROOT / "tools" / "make_uf2.py", elf, target)


def blocks_of(contents: bytes) -> list[tuple[int, bytes]]:
    """Address and payload of every block, as https://github.com/microsoft/uf2 has them."""
    assert len(contents) % 512 == 0
    blocks = []
    for number in range(len(contents) // 512):
        block = contents[512 * number : 512 * number + 512]
        words = struct.unpack_from("<8I", block)
        assert words[:2] == (0x0A324655, 0x9E5D5157)
        assert words[2] == 0x2000  # only: the family is given
        assert words[4:] == (256, number, len(contents) // 512, 0xE48BFF56)
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
        assert block[32 + 256 : 508] == bytes(476 - 256)
        blocks.append((words[3], block[32 : 32 + 256]))
    return blocks


# --- make_uf2.py -----------------------------------------------------------------------------


def test_the_blocks_are_what_objcopy_says_is_in_flash(elf: Path, tmp_path: Path) -> None:
    result = convert(elf, tmp_path / "program.uf2")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    blocks = blocks_of((tmp_path / "program.uf2").read_bytes())
    assert [address for address, _ in blocks] == list(range(FLASH, FLASH + 256 * len(blocks), 256))
    assert len(blocks) % 16 == 0  # whole sectors of 4 KB
    tool("objcopy", "-O", "binary", elf, tmp_path / "program.bin")
    expected = (tmp_path / "program.bin").read_bytes()
    contents = b"".join(payload for _, payload in blocks)
    assert contents[: len(expected)] == expected
    assert 0 < len(contents) - len(expected) + 4095 < 2 * 4096
    assert not any(contents[len(expected) :])
    assert b"a constant, of which" in expected


def reversed_bits(value: int, width: int) -> int:
    return int(f"{value:0{width}b}"[::-1], 2)


@given(st.binary(max_size=300))
def test_the_checksum_is_zlib_s_with_every_bit_the_other_way_round(data: bytes) -> None:
    crc = zlib.crc32(bytes(reversed_bits(byte, 8) for byte in data)) ^ 0xFFFFFFFF
    assert make_uf2.boot_rom_crc(data) == reversed_bits(crc, 32)


def test_the_checksum_of_check_values() -> None:
    """Of the catalogue of CRCs, where this one is CRC-32/MPEG-2."""
    assert make_uf2.boot_rom_crc(b"123456789") == 0x0376E6E7


def refused(elf: Path, folder: Path) -> str:
    """The only line that is said; no file is left."""
    before = set(folder.iterdir())
    result = convert(elf, folder / "refused.uf2")
    assert (result.returncode, result.stdout) == (1, "")
    assert set(folder.iterdir()) == before
    assert result.stderr.startswith("make_uf2: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_a_changed_second_stage_needs_another_checksum(elf: Path, tmp_path: Path) -> None:
    """The message says which, and with it there is a file."""
    tool("objcopy", "-O", "binary", "-j", ".boot2", elf, tmp_path / "boot2.bin")
    boot2 = bytearray((tmp_path / "boot2.bin").read_bytes())
    boot2[200] ^= 1  # it is not reached
    (tmp_path / "boot2.bin").write_bytes(boot2)
    changed = tmp_path / "changed.elf"
    update = f".boot2={tmp_path / 'boot2.bin'}"
    tool("objcopy", "--update-section", update, elf, changed)
    message = refused(changed, tmp_path)
    (word,) = re.findall(r"boot2\.S has to end with \.word 0x([0-9A-F]{8})$", message, re.M)
    (tmp_path / "boot2.bin").write_bytes(boot2[:252] + int(word, 16).to_bytes(4, "little"))
    tool("objcopy", "--update-section", update, elf, changed)
    assert convert(changed, tmp_path / "changed.uf2").returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--change-section-lma", ".text=0x20000000"], "0x20000000 to 0x20000"),
        (["--change-section-lma", ".text=0x101FFFF0"], "is not in flash: see the linker script"),
        (["--change-section-lma", ".boot2=0x10010000"], "no second stage of booting at 0x10000000"),
    ],
)
def test_a_program_elsewhere(elf: Path, tmp_path: Path, options: list[str], message: str) -> None:
    changed = tmp_path / "changed.elf"
    tool("objcopy", *options, elf, changed)
    assert message in refused(changed, tmp_path)


def test_segments_that_overlap() -> None:
    make_uf2.flash_image([(FLASH + 8, b"abcd"), (FLASH, b"01234567")])
    with pytest.raises(make_uf2.Uf2Error, match="two segments lie at 0x10000007"):
        make_uf2.flash_image([(FLASH + 7, b"abcd"), (FLASH, b"01234567")])


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is no ELF file"),
        (b"a text\n" * 100, "is no ELF file"),
        (Path(sys.executable).read_bytes(), "is no program for ARM"),
    ],
    ids=["empty", "text", "another computer"],
)
def test_another_file(contents: bytes, message: str, tmp_path: Path) -> None:
    require("elftools")
    (tmp_path / "other").write_bytes(contents)
    assert message in refused(tmp_path / "other", tmp_path)


def test_a_missing_file_and_a_missing_folder(elf: Path, tmp_path: Path) -> None:
    assert f"{tmp_path / 'none.elf'}: No such file" in refused(tmp_path / "none.elf", tmp_path)
    result = convert(elf, tmp_path / "none" / "program.uf2")
    assert result.returncode == 1
    assert re.fullmatch(r"make_uf2: .*none.*: No such file or directory\n", result.stderr)


@given(st.data())
def test_a_broken_file_is_refused_in_words_or_makes_whole_blocks(
    elf: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Cut off anywhere, or with other bytes where its structure is."""
    contents = bytearray(elf.read_bytes())
    structure = 52 + 32 * 4  # the header, and that of every segment
    length = data.draw(st.sampled_from([len(contents), data.draw(st.integers(0, 8192))]))
    for place in data.draw(st.sets(st.integers(0, structure - 1), max_size=3)):
        contents[place] = data.draw(st.integers(0, 255))
    broken = elf.with_name("broken.elf")
    broken.write_bytes(contents[:length])
    try:
        image = make_uf2.flash_image(make_uf2.read_segments(broken))
        make_uf2.check_boot2(image)
    except make_uf2.Uf2Error as error:
        assert str(error) and "\n" not in str(error)
    else:
        blocks_of(make_uf2.uf2(image))


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=5000)), max_size=4),
    st.randoms(use_true_random=False),
)
def test_segments_with_gaps_in_any_order(gaps: list[tuple[int, bytes]], random: Any) -> None:
    place, segments, expected = FLASH, [], {}
    for gap, data in gaps:
        place += gap
        segments.append((place, data))
        expected.update(enumerate(data, place))
        place += len(data)
    random.shuffle(segments)
    contents = make_uf2.uf2(make_uf2.flash_image(segments))
    found = {
        address + i: byte
        for address, payload in blocks_of(contents)
        for i, byte in enumerate(payload)
    }
    assert len(found) == -(-(place - FLASH) // 4096) * 4096
    assert {at: byte for at, byte in found.items() if byte} == {
        at: byte for at, byte in expected.items() if byte
    }


# --- uf2_upload.py ---------------------------------------------------------------------------

INFO = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A folder that looks like a Pico's drive."""
    return drive_in(tmp_path / "RPI-RP2")


def drive_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(INFO)
    return folder


@pytest.fixture
def uf2(tmp_path: Path) -> Path:
    path = tmp_path / "firmware.uf2"
    path.write_bytes(make_uf2.uf2(bytes(range(256)) * 16))
    return path


@pytest.fixture
def upload(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The program in this process, on a computer with the given drives and no serial port."""

    def run(*arguments: str | Path, places: list[Path] | None = None) -> None:
        monkeypatch.setattr(uf2_upload, "places", lambda: places or [])
        monkeypatch.setattr(uf2_upload, "LABEL", Path("/nowhere"))
        monkeypatch.setattr(sys, "argv", ["uf2_upload", "--wait", "0", *map(str, arguments)])
        uf2_upload.main()

    monkeypatch.setattr(uf2_upload, "serial_ports", lambda: [])
    return run


def failure(upload: Callable[..., None], *arguments: str | Path, **named: Any) -> str:
    """Its one line: with words, Python's exit status is 1."""
    with pytest.raises(SystemExit) as error:
        upload(*arguments, **named)
    assert isinstance(error.value.code, str) and "\n" not in error.value.code
    assert error.value.code.startswith("uf2_upload: ")
    return error.value.code


def test_it_copies_the_file_as_platformio_calls_it(uf2: Path, drive: Path) -> None:
    result = run(ROOT / "tools" / "uf2_upload.py", uf2, "--drive", drive)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"firmware.uf2 is on {drive}; the Pico starts it\n"
    assert (drive / "firmware.uf2").read_bytes() == uf2.read_bytes()


def test_it_finds_the_drive(
    uf2: Path, drive: Path, tmp_path: Path, upload: Callable[..., None]
) -> None:
    """Among others, and though two paths lead to it."""
    other = tmp_path / "holiday pictures"
    other.mkdir()
    bootloader_of_another_board = drive_in(tmp_path / "FEATHERBOOT")
    (bootloader_of_another_board / "INFO_UF2.TXT").write_text(INFO.replace("RPI-RP2", "SAMD21"))
    again = tmp_path / "link"
    again.symlink_to(drive)
    places = [other, tmp_path / "none", again, bootloader_of_another_board, drive]
    upload(uf2, places=places)
    assert (drive / "firmware.uf2").read_bytes() == uf2.read_bytes()
    assert not list(other.iterdir())
    assert len(list(bootloader_of_another_board.iterdir())) == 1


def test_it_waits_for_the_drive(
    uf2: Path, tmp_path: Path, upload: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = tmp_path / "late"
    monkeypatch.setattr(uf2_upload.time, "sleep", lambda _: drive_in(late))
    upload(uf2, "--wait", "60", places=[late])
    assert (late / "firmware.uf2").exists()


def test_without_a_drive_it_says_how_to_get_one(
    uf2: Path, tmp_path: Path, upload: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failure(upload, uf2).endswith(
        "there is no drive RPI-RP2: hold BOOTSEL while you plug the Pico in, and repeat"
    )
    assert "is not the drive of a Pico: hold BOOTSEL" in failure(upload, uf2, "--drive", tmp_path)
    plugged_in = tmp_path / "by-label"
    plugged_in.touch()
    monkeypatch.setattr(uf2_upload, "places", list)
    monkeypatch.setattr(uf2_upload, "LABEL", plugged_in)
    with pytest.raises(uf2_upload.UploadError, match="not mounted: udisksctl mount -b"):
        uf2_upload.wait_for_drive(0)


def test_two_drives(uf2: Path, tmp_path: Path, upload: Callable[..., None]) -> None:
    both = [drive_in(tmp_path / "one"), drive_in(tmp_path / "two")]
    message = failure(upload, uf2, places=both)
    assert f"{both[0]}, {both[1]}: choose one with --drive" in message
    upload(uf2, "--drive", both[1], places=both)
    assert [(folder / "firmware.uf2").exists() for folder in both] == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b"", "is no UF2 file"),
        (lambda b: b[:-1], "is no UF2 file"),
        (lambda b: b"\x7fELF" + b[4:], "is no UF2 file"),
        (lambda b: b[:4] + b"XXXX" + b[8:], "is no UF2 file"),
        (lambda b: b[:-4] + bytes(4), "is no UF2 file"),
        (lambda b: b[: 512 * 3 + 8] + bytes(4) + b[512 * 3 + 12 :], "for another chip"),
        (lambda b: b[:28] + struct.pack("<I", 0xE48BFF59) + b[32:], "for another chip"),  # RP2350
    ],
)
def test_a_file_that_is_none_for_this_chip(
    change: Callable[[bytes], bytes], message: str, uf2: Path, drive: Path,
    upload: Callable[..., None],
) -> None:  # fmt: skip
    uf2.write_bytes(change(uf2.read_bytes()))
    assert message in failure(upload, uf2, places=[drive])
    assert len(list(drive.iterdir())) == 1


def test_a_missing_file(drive: Path, upload: Callable[..., None]) -> None:
    message = failure(upload, drive.parent / "none.uf2", places=[drive])
    assert message == f"uf2_upload: {drive.parent / 'none.uf2'}: No such file or directory"


def test_a_full_drive(uf2: Path, drive: Path, upload: Callable[..., None]) -> None:
    (drive / "firmware.uf2").symlink_to("/dev/full")
    message = failure(upload, uf2, places=[drive])
    assert f"{drive} does not take the file: No space left on device; hold BOOTSEL" in message
    assert not (drive / "firmware.uf2").is_symlink()


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_drive_that_may_not_be_written_to(
    code: int, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_allowed(path: Path, mode: str) -> NoReturn:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(uf2_upload.Path, "open", not_allowed)
    expected = f"{drive} does not take the file: {os.strerror(code)}; mount it so that you may"
    with pytest.raises(uf2_upload.UploadError, match=re.escape(expected)):
        uf2_upload.copy(b"contents", drive / "firmware.uf2")


@pytest.mark.parametrize("gone", [0.0, 0.3, None])
def test_the_drive_may_be_gone_with_the_last_block(
    gone: float | None,
    uf2: Path,
    drive: Path,
    upload: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The Pico starts at once, which the system may see later; an error of a drive that stays is
    one."""

    def fsync(_: int) -> None:
        if gone is not None:
            threading.Timer(gone, (drive / "INFO_UF2.TXT").unlink).start()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(uf2_upload.os, "fsync", fsync)
    if gone is not None:
        upload(uf2, places=[drive])
    else:
        monkeypatch.setattr(uf2_upload, "GOING", 0.5)
        assert "Input/output error; hold BOOTSEL" in failure(upload, uf2, places=[drive])
        assert not (drive / "firmware.uf2").exists()


# --- a sketch is running ---------------------------------------------------------------------


class Port:
    """A serial port as pyserial's list_ports names it."""

    def __init__(self, device: str, vid: int | None, pid: int | None) -> None:
        self.device, self.vid, self.pid = device, vid, pid


PICO, SECOND_PICO = Port("/dev/ttyACM1", 0x2E8A, 0x00C0), Port("/dev/ttyACM0", 0x2E8A, 0x000A)
OTHERS = [
    Port("/dev/ttyS0", None, None),
    Port("/dev/ttyACM7", 0x2341, 0x805A),  # an Arduino
    Port("/dev/ttyACM8", 0x2E8A, 0x000C),  # Raspberry Pi's Debug Probe
]


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, int, bool]]:
    """What was opened at which speed; a drive comes with the first that is closed."""
    import serial

    log: list[tuple[str, int, bool]] = []

    class Serial:
        dtr = True

        def __init__(self, device: str, baud: int) -> None:
            if device == "/dev/locked":
                raise serial.SerialException("Permission denied")
            self.device, self.baud = device, baud

        def close(self) -> None:
            log.append((self.device, self.baud, self.dtr))
            drive_in(tmp_path / "brought")
            raise serial.SerialException("the device is gone")

    monkeypatch.setattr(serial, "Serial", Serial)
    return log


def on_ports(monkeypatch: pytest.MonkeyPatch, ports: list[Port]) -> None:
    from serial.tools import list_ports

    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    monkeypatch.setattr(uf2_upload, "LABEL", Path("/nowhere"))


@pytest.fixture
def with_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """The program on a computer with serial ports, where a drive may come."""
    require("serial")

    def run(uf2: Path, *arguments: str | Path, ports: list[Port]) -> None:
        on_ports(monkeypatch, ports)
        monkeypatch.setattr(uf2_upload, "places", lambda: [tmp_path / "brought"])
        monkeypatch.setattr(sys, "argv", ["", str(uf2), "--wait", "0", *map(str, arguments)])
        uf2_upload.main()

    return run


def test_a_running_sketch_is_asked_for_the_drive(
    uf2: Path, tmp_path: Path, with_ports: Callable[..., None], touched: list[Any]
) -> None:
    with_ports(uf2, ports=[*OTHERS, PICO])
    assert touched == [("/dev/ttyACM1", 1200, False)]
    assert (tmp_path / "brought" / "firmware.uf2").read_bytes() == uf2.read_bytes()


def test_nothing_is_asked_when_the_drive_is_there(
    uf2: Path, tmp_path: Path, with_ports: Callable[..., None], touched: list[Any], drive: Path
) -> None:
    with_ports(uf2, "--drive", drive, ports=[PICO])
    drive_in(tmp_path / "brought")
    with_ports(uf2, ports=[PICO])
    assert touched == []


def test_two_running_picos(uf2: Path, with_ports: Callable[..., None], touched: list[Any]) -> None:
    """Neither is stopped before one is chosen."""
    ports = [PICO, SECOND_PICO]
    message = failure(with_ports, uf2, ports=ports)
    assert "several Picos, /dev/ttyACM0, /dev/ttyACM1: choose one with --port" in message
    assert touched == []
    with_ports(uf2, "--port", "/dev/ttyACM1", ports=ports)
    assert touched == [("/dev/ttyACM1", 1200, False)]


def test_a_port_that_cannot_be_opened(
    uf2: Path, with_ports: Callable[..., None], touched: list[Any]
) -> None:
    locked = Port("/dev/locked", 0x2E8A, 0x00C0)
    message = failure(with_ports, uf2, ports=[locked])
    assert "/dev/locked cannot be opened (Permission denied); or hold BOOTSEL" in message


def test_without_pyserial(uf2: Path, drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is only needed to ask a port that was named."""
    monkeypatch.setitem(sys.modules, "serial", None)
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    assert uf2_upload.serial_ports() == []
    with pytest.raises(uf2_upload.UploadError, match="pip install pyserial"):
        uf2_upload.ask_for_drive("/dev/ttyACM0")


# --- where drives are ------------------------------------------------------------------------


def test_the_mounts_of_linux() -> None:
    mounts = (
        "proc /proc proc rw 0 0\n"
        "/dev/sda1 /srv/my\\040drive vfat rw 0 0\n"
        "/dev/sdb1 /srv/disk ext4 rw 0 0\n"
        "/dev/sdc1 /back\\134slash vfat rw 0 0\n"
        "broken\n"
    )
    assert uf2_upload.mount_points(mounts) == [Path("/srv/my drive"), Path("/back\\slash")]


def test_the_places_of_each_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def glob(path: Path, pattern: str) -> list[Path]:
        asked.append(f"{path}/{pattern}")
        return [path / "found"]

    monkeypatch.setattr(uf2_upload.Path, "glob", glob)
    monkeypatch.setattr(uf2_upload.sys, "platform", "linux")
    assert Path("/mnt") in uf2_upload.places()
    assert asked == ["/mnt/*", "/media/*", "/media/*/*", "/run/media/*/*"]
    monkeypatch.setattr(uf2_upload.sys, "platform", "darwin")
    assert uf2_upload.places() == [Path("/Volumes/found")]
    monkeypatch.setattr(uf2_upload.sys, "platform", "win32")
    assert [str(place) for place in uf2_upload.places()][3:5] == ["D:\\", "E:\\"]
