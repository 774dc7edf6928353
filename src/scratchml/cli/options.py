"""The options that commands share, with the help that teaches them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

#: Of random inputs; more would take days, and numpy's own limits are not far.
MOST_ROWS = 10**9

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="One of three examples that are built in, snow (ten years of hourly weather from "
        "Idaho), digits (1,797 images of 8x8 pixels) or exercises (acceleration of a wrist); any "
        "CSV table, plain or gzip, with --features and --label or --target; a CSV file of hours, "
        "with the columns time, temperature_2m (C), relative_humidity_2m (%) and snowfall (cm); "
        "or a recipe, a TOML file as scratchml init writes it. Options win over a recipe.",
    ),
]
Table = Annotated[
    Path | None,
    typer.Argument(
        metavar="DATA.csv",
        readable=False,  # whether it can be read is seen, and said, when it is read
        help="The hours or the table of your own that the model was trained on, or others like it.",
    ),
]
FloatModel = Annotated[
    Path,
    typer.Argument(metavar="MODEL.npz", help="As train or run has written it.", readable=False),
]
Int8Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL.tflite", help="From here or from elsewhere, in int8.", readable=False
    ),
]
AnyModel = Annotated[
    Path, typer.Argument(metavar="MODEL", help="model.npz or model.tflite.", readable=False)
]
OutputBeside = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER", help="Folder. Default: the model's own."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FOLDER",
        help="For the files. Default: build/, and there the name of the data or the recipe.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[
    int | None,
    typer.Option(min=0, metavar="N", help="Of everything random. Default: 0.", show_default=False),
]
RowsSeed = Annotated[int, typer.Option("--seed", min=0, help="Of the random rows.")]
Paper = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="The original exercise: horizon 0, balanced before a random split, threshold 0.5.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(help="The model's name in C. Default: that of its task, or of its file."),
]
WithEngine = Annotated[
    bool,
    typer.Option(
        "--with-engine",
        help="Also the C engine: one folder to drop into any C project, with what CMake, "
        "PlatformIO and Arduino look for. Default folder: NAME, beside the model.",
    ),
]
Percentile = Annotated[
    float,
    typer.Option(
        help="Where the range of an activation ends: 99.9 leaves a thousandth of the values out at "
        "either end; 100 goes from the least to the greatest.",
    ),
]
RandomRows = Annotated[
    int, typer.Option("--rows", min=1, max=MOST_ROWS, metavar="N", help="Random rows to compare.")
]
