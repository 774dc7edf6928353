#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rebuild digits.csv.gz from the copy of the images that scikit-learn carries.

    python data/rebuild_digits.py              # write the file anew
    python data/rebuild_digits.py --check      # compare line by line, write nothing

The 1,797 images and their order are scikit-learn's; nothing is changed but the format: 64 columns
p00 to p77, line by line from the top left, then the label. README.md says where they come from.

Exit status: 0 done or equal, 1 different or failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

from rebuilding import RebuildError, committed_text, require_equal, write

OUTPUT = Path(__file__).resolve().parent / "digits.csv.gz"
IMAGES = 1_797


def rebuild() -> str:
    """The text of the data set, header and all images."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise RebuildError("scikit-learn is not installed: pip install scikit-learn") from None
    source = load_digits()
    pixels, labels = source.data.astype(int), source.target.astype(int)
    if pixels.shape != (IMAGES, 64) or not (pixels == source.data).all():
        raise RebuildError(f"scikit-learn has other images than the {IMAGES:,} of 8x8 pixels")
    header = [f"p{line}{column}" for line in range(8) for column in range(8)]
    rows = ([*image, label] for image, label in zip(pixels.tolist(), labels.tolist(), strict=True))
    return "".join(",".join(map(str, row)) + "\n" for row in ([*header, "label"], *rows))


def run(output: Path, check: bool) -> str:
    """Do what the command line asks for; the answer is the line to print."""
    text = rebuild()
    if not check:
        write(output, text)
        return f"{output}: {IMAGES:,} images written"
    require_equal(output, committed_text(output), text, "scikit-learn")
    return f"{output}: all {IMAGES:,} images are equal to scikit-learn's"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Rebuild the embedded digits.")
    where = "file to write, or with --check to compare; default: the committed one"
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", default=OUTPUT, help=where)
    parser.add_argument("--check", action="store_true", help="compare only; 1 if any line differs")
    options = parser.parse_args(arguments)
    try:
        print(run(options.output, options.check))
    except (RebuildError, OSError, EOFError, ValueError, zlib.error) as error:
        print("rebuild_digits.py:", " ".join(str(error).split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
