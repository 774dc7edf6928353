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
        help="snow (ten years of hourly weather from Idaho, built in), digits (1,797 images of 8x8 "
        "pixels, built in), or a CSV file of hours, plain or gzip, with the columns time, "
        "temperature_2m (C), relative_humidity_2m (%) and snowfall (cm).",
    ),
]
Hours = Annotated[
    Path | None,
    typer.Argument(
        metavar="HOURS.csv",
        readable=False,  # whether it can be read is seen, and said, when it is read
        help="Hourly weather, if the model was trained on hours of your own.",
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
    Path | None, typer.Option("-o", "--output", help="Folder. Default: the model's own.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="Folder for the files. Default: build/snow, or build/digits."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
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
    int, typer.Option("--rows", min=1, max=MOST_ROWS, help="Random rows to compare.")
]

DATA, TRAINING = "Data set", "Training"
Paper = Annotated[
    bool,
    typer.Option(
        "--paper",
        help="The original exercise: horizon 0, balanced before a random split, threshold 0.5.",
        rich_help_panel=DATA,
    ),
]
Window = Annotated[
    int | None, typer.Option(help="Hours of readings. Default: 3.", rich_help_panel=DATA)
]
Horizon = Annotated[
    int | None,
    typer.Option(
        help="Hours ahead that are forecast; 0 for the hour of the newest reading. Default: 1.",
        rich_help_panel=DATA,
    ),
]
SnowAbove = Annotated[
    float | None,
    typer.Option(
        help="Snow is more than this many cm in the hour. Default: 0.5.", rich_help_panel=DATA
    ),
]
ColderThan = Annotated[
    float | None,
    typer.Option(help="... at less than this many degrees C. Default: 2.", rich_help_panel=DATA),
]
Split = Annotated[
    str | None, typer.Option(help="time or random. Default: time.", rich_help_panel=DATA)
]
Balance = Annotated[
    str | None,
    typer.Option(
        help="Undersample the majority: none, training, or all (test rows too). Default: none.",
        rich_help_panel=DATA,
    ),
]
Hidden = Annotated[
    str | None,
    typer.Option(
        help="Units of the hidden layers, as in 12 or 32,16. Default: 12 for snow, 32 for digits.",
        rich_help_panel=TRAINING,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(help="At most. Default: 20, or 100 for digits.", rich_help_panel=TRAINING),
]
BatchSize = Annotated[
    int | None,
    typer.Option(help="Rows a step. Default: 64, or 32 for digits.", rich_help_panel=TRAINING),
]
LearningRate = Annotated[
    float | None,
    typer.Option(help="Of Adam. Default: 0.001, or 0.002 for digits.", rich_help_panel=TRAINING),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        help="Share of hidden units left out of a step. Default: 0.2, or 0.1 for digits.",
        rich_help_panel=TRAINING,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="Stop after this many epochs without a better validation loss. Default: 5, or 25 for "
        "digits.",
        rich_help_panel=TRAINING,
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Probability from which it counts as snow. "
        "Default: the best F1 on validation rows; 0.5 with --paper.",
        rich_help_panel=TRAINING,
    ),
]

READING = "Reading"
Map = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW",
        help="A column's name in the file, and its name here: --map temp=temperature_2m. Again for "
        "each column.",
        rich_help_panel=READING,
    ),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="CHAR",
        help="What stands between cells: one character, or tab. Default: what the header shows of "
        "comma, semicolon, tab and |.",
        rich_help_panel=READING,
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(
        metavar="CHAR", help="The decimal sign: . or ,  Default: .", rich_help_panel=READING
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Such as cp1252 or utf-16. Default: UTF-8, or what the file's mark says.",
        rich_help_panel=READING,
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The column of time in the file. Default: time.",
        rich_help_panel=READING,
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="A pattern such as '%d.%m.%Y %H:%M'; unix or unix_ms, which count from 1970; seconds, "
        "which count from anywhere. Default: ISO 8601, as in 2020-01-31T23:00+01:00.",
        rich_help_panel=READING,
    ),
]
TimeZone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="Of times that have none, such as Europe/Berlin. Default: UTC.",
        rich_help_panel=READING,
    ),
]
Fahrenheit = Annotated[
    bool,
    typer.Option(
        "--fahrenheit",
        help="Temperatures in the file are in degrees Fahrenheit.",
        rich_help_panel=READING,
    ),
]
SkipLines = Annotated[
    int | None,
    typer.Option(min=0, help="Lines above the header. Default: 0.", rich_help_panel=READING),
]
Comment = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What lines begin with that are to be left out, such as #. Default: none.",
        rich_help_panel=READING,
    ),
]
