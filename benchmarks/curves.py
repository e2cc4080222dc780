"""Draw the validation curves of several runs over each other, as docs/study.md shows them.

python benchmarks/curves.py RUN... -o CURVES.png [--per 752]

Left the mean PSNR over grey, right SSIM of the first validation picture, against the pictures seen;
with --per so many against epochs. A run of several sets or heads shows its first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from tintype.training.records import read_rows

COLUMNS = {"gain_db": "PSNR over grey, dB", "ssim_of_first": "SSIM of one picture"}


def curve(run: Path, per: int) -> tuple[list[float], dict[str, list[float]]]:
    """Where a run was validated, in units of ``per`` pictures, and what each column said."""
    rows = read_rows(run / "validation.csv")
    first = [row for row in rows if (row["set"], row["head"]) == (rows[0]["set"], rows[0]["head"])]
    seen = [int(row["pictures"]) / per for row in first]
    return seen, {name: [float(row[name]) for row in first] for name in COLUMNS}


def main(runs: list[Path], target: Path, per: int) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for run in runs:
        seen, columns = curve(run, per)
        for axis, (name, title) in zip(axes, COLUMNS.items(), strict=True):
            axis.plot(seen, columns[name], label=run.name.rpartition("-")[2], linewidth=1.3)
            axis.set(xlabel="pictures seen" if per == 1 else "epoch", ylabel=title)
            axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(target, dpi=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--per", type=int, default=1, help="pictures of an epoch")
    asked = parser.parse_args()
    main(asked.runs, asked.output, asked.per)
