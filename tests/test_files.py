"""Files appear whole or not at all, whatever goes wrong while they are made."""

from __future__ import annotations

from pathlib import Path

import pytest

from scratchml.files import atomic_write, staging


class DiskFullError(OSError):
    """An error that nothing but a test raises."""


def fail(*_: object, **__: object) -> None:
    raise DiskFullError("no space left on device")


def names(folder: Path) -> list[str]:
    """Everything below a folder, hidden files too."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# One file.


@pytest.mark.parametrize("contents", [b"", b"\x00\xff\r\n", bytes(range(256)) * 1000])
def test_bytes_arrive_unchanged(contents: bytes, no_temporary_files: Path) -> None:
    path = no_temporary_files / "file.bin"
    atomic_write(path, contents)
    assert path.read_bytes() == contents


def test_text_is_utf8_with_plain_newlines(no_temporary_files: Path) -> None:
    path = no_temporary_files / "file.txt"
    atomic_write(path, "-5 °C\nsnow\n")
    assert path.read_bytes() == b"-5 \xc2\xb0C\nsnow\n"


def test_an_old_file_is_replaced(no_temporary_files: Path) -> None:
    path = no_temporary_files / "file"
    path.write_bytes(b"something longer than what comes next")
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"


def test_missing_folders_are_made(no_temporary_files: Path) -> None:
    path = no_temporary_files / "a" / "b" / "file"
    atomic_write(path, b"new")
    assert path.read_bytes() == b"new"


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    """Temporary files are private by default; a model is not."""
    ordinary, atomic = tmp_path / "ordinary", tmp_path / "atomic"
    ordinary.write_bytes(b"")
    atomic_write(atomic, b"")
    assert atomic.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("step", ["os.fdopen", "pathlib.Path.chmod", "pathlib.Path.replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(step, fail)
        with pytest.raises(DiskFullError):
            atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_the_file_is_complete_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    seen: list[tuple[bytes, bytes, Path]] = []

    def look(temporary: Path, target: Path) -> None:
        seen.append((temporary.read_bytes(), path.read_bytes(), target))
        raise DiskFullError

    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", look)
        with pytest.raises(DiskFullError):
            atomic_write(path, b"new")
    assert seen == [(b"new", b"old", path)]


def test_a_folder_in_the_place_of_the_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="file"):
        atomic_write(tmp_path / "file", b"new")
    assert names(tmp_path) == ["file"]


# Several files that belong together.


def test_staged_files_move_in_when_the_block_succeeds(no_temporary_files: Path) -> None:
    folder = no_temporary_files / "a" / "build"
    with staging(folder) as temporary:
        (temporary / "model.c").write_bytes(b"c")
        (temporary / "model.h").write_bytes(b"h")
        assert not (folder / "model.c").exists()
    assert names(folder) == ["model.c", "model.h"]
    assert (folder / "model.c").read_bytes() == b"c"
    assert (folder / "model.h").read_bytes() == b"h"


def test_staging_replaces_its_own_files_and_keeps_the_others(no_temporary_files: Path) -> None:
    (no_temporary_files / "model.c").write_bytes(b"old")
    (no_temporary_files / "notes.txt").write_bytes(b"mine")
    with staging(no_temporary_files) as temporary:
        (temporary / "model.c").write_bytes(b"new")
    assert names(no_temporary_files) == ["model.c", "notes.txt"]
    assert (no_temporary_files / "model.c").read_bytes() == b"new"
    assert (no_temporary_files / "notes.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("error", [DiskFullError, KeyboardInterrupt, SystemExit])
def test_nothing_new_is_left_when_the_block_fails(
    error: type[BaseException], tmp_path: Path
) -> None:
    (tmp_path / "model.c").write_bytes(b"old")
    with pytest.raises(error), staging(tmp_path) as temporary:
        (temporary / "model.c").write_bytes(b"new")
        (temporary / "model.h").write_bytes(b"new")
        raise error
    assert names(tmp_path) == ["model.c"]
    assert (tmp_path / "model.c").read_bytes() == b"old"


def test_a_folder_that_staging_made_goes_when_the_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), staging(tmp_path / "build") as temporary:
        (temporary / "model.c").write_bytes(b"new")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_folder_that_was_there_stays_when_the_block_fails(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    with pytest.raises(KeyboardInterrupt), staging(tmp_path / "build"):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["build"]


def test_what_others_put_into_the_folder_meanwhile_stays(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    with pytest.raises(DiskFullError), staging(folder):
        (folder / "notes.txt").write_bytes(b"mine")
        raise DiskFullError
    assert names(tmp_path) == ["build", "build/notes.txt"]


def test_a_place_that_cannot_be_written_is_noticed_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "build").write_bytes(b"a file")
    entered: list[Path] = []
    with pytest.raises(FileExistsError), staging(tmp_path / "build") as temporary:
        entered.append(temporary)
    assert entered == []
    assert names(tmp_path) == ["build"]


def test_a_move_that_fails_leaves_no_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "build"
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", fail)
        with pytest.raises(DiskFullError), staging(folder) as temporary:
            (temporary / "model.c").write_bytes(b"new")
    assert names(tmp_path) == []


def test_errors_name_the_file_that_was_asked_for() -> None:
    for write in (
        lambda: atomic_write(Path("/proc/scratchml.txt"), "x"),
        lambda: staging(Path("/proc/self")).__enter__(),
    ):
        with pytest.raises(OSError) as caught:
            write()
        assert caught.value.filename in ("/proc/scratchml.txt", "/proc/self")
