"""A model in the place of the weather station's own: ``csrc/firmware/model`` of a checkout."""

from __future__ import annotations

from pathlib import Path

from scratchml.dataset import CHANNELS
from scratchml.errors import ScratchmlError
from scratchml.export import export_c
from scratchml.files import staging
from scratchml.quantized import QuantizedMLP
from scratchml.resources import find

#: Under which name the firmware knows its model.
NAME = "model"

#: Where it lies in a checkout.
FOLDER = Path("csrc") / "firmware" / "model"


def committed_model() -> Path:
    """The ``.tflite`` file of the model that the firmware of this checkout or package runs."""
    return find("csrc") / "firmware" / "model" / f"{NAME}.tflite"


def find_checkout(start: Path) -> Path:
    """The folder with ``platformio.ini``: ``start`` or one above it.

    Raises:
        ScratchmlError: there is none.
    """
    folder = start.resolve()
    for place in (folder, *folder.parents):
        if (place / "platformio.ini").is_file() and (place / FOLDER.parent / "main.cpp").is_file():
            return place
    raise ScratchmlError(
        f"{folder} is not in a checkout of scratchml, where the firmware is: go there, or name it "
        "with -o"
    )


def check_station_model(model: QuantizedMLP) -> None:
    """Raise ScratchmlError unless the weather station can feed the model and read its answer."""
    if model.scaler is None or model.scaler.channels != CHANNELS:
        wanted = " and ".join(name for name, _, _ in CHANNELS)
        raise ScratchmlError(
            f"the weather station measures {wanted}: a model of other inputs needs a firmware of "
            "its own (export --with-engine)"
        )
    if model.output != "sigmoid" or model.outputs != 1:
        raise ScratchmlError("the weather station asks for yes or no: one sigmoid output")


def is_for_station(model: QuantizedMLP) -> bool:
    """Whether ``check_station_model`` has nothing to say."""
    try:
        check_station_model(model)
    except ScratchmlError:
        return False
    return True


def export_firmware(model: QuantizedMLP, checkout: Path) -> list[Path]:
    """Write ``model.c``, ``model.h`` and ``model.tflite`` into the firmware; returns their paths.

    Raises:
        ScratchmlError: it is not a model for the weather station.
    """
    check_station_model(model)
    folder = checkout / FOLDER
    with staging(folder) as temporary:
        written = [*export_c(model, temporary, name=NAME), temporary / f"{NAME}.tflite"]
        model.save(written[-1])
    return [folder / path.name for path in written]
