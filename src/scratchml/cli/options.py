"""The options that commands share, with the help that teaches them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Hours = Annotated[
    Path | None,
    typer.Argument(
        metavar="HOURS.csv",
        readable=False,  # whether it can be read is seen, and said, when it is read
        help="Hourly weather: CSV, plain or gzip, with the columns time, temperature_2m (C), "
        "relative_humidity_2m (%) and snowfall (cm). Default: ten years from Idaho, built in.",
    ),
]
FloatModel = Annotated[Path, typer.Argument(help="model.npz", readable=False)]
Int8Model = Annotated[Path, typer.Argument(help="model.tflite", readable=False)]
AnyModel = Annotated[Path, typer.Argument(help="model.npz or model.tflite", readable=False)]
OutputBeside = Annotated[
    Path | None, typer.Option("-o", "--output", help="Folder. Default: the model's own.")
]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder for the files.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything random.")]
Name = Annotated[str, typer.Option(help="The model's name in C.")]
RandomRows = Annotated[int, typer.Option("--rows", min=1, help="Random rows to compare.")]

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
    str,
    typer.Option(help="Units of the hidden layers, as in 12 or 32,16.", rich_help_panel=TRAINING),
]
Epochs = Annotated[int, typer.Option(help="At most.", rich_help_panel=TRAINING)]
BatchSize = Annotated[int, typer.Option(help="Rows a step.", rich_help_panel=TRAINING)]
LearningRate = Annotated[float, typer.Option(help="Of Adam.", rich_help_panel=TRAINING)]
Dropout = Annotated[
    float, typer.Option(help="Share of hidden units left out of a step.", rich_help_panel=TRAINING)
]
Patience = Annotated[
    int,
    typer.Option(
        help="Stop after this many epochs without a better validation loss.",
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
