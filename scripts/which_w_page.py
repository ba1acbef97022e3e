"""The page that answers "which W?" for the bundled panel, from examples/which_w.py.

Runs the example and writes docs/which_w.md with its tables, and docs/which_w.png.

    python scripts/which_w_page.py        # half a minute
"""

from __future__ import annotations

import contextlib
import io
import os
import runpy
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
TERM = "digital"


def run() -> tuple[dict[str, Any], Path]:
    """What the example leaves: its variables, and the folder with its figures."""
    folder, here = Path(tempfile.mkdtemp()), Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return runpy.run_path(str(ROOT / "examples" / "which_w.py")), folder
    finally:
        os.chdir(here)


def markdown(table: pd.DataFrame, digits: dict[str, int]) -> list[str]:
    """A table with its index as first column."""
    frame = table.reset_index()
    rows = [f"| {' | '.join(map(str, frame.columns))} |", "|" + "---|" * len(frame.columns)]
    for _, row in frame.iterrows():
        cells = [
            ""
            if isinstance(value, float) and np.isnan(value)
            else f"{value:,.{digits.get(str(name), 3)}f}"
            if isinstance(value, float)
            else str(value)
            for name, value in row.items()
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def with_error(table: pd.DataFrame) -> pd.Series:
    """``"0.595 (0.119)"``."""
    return (table["estimate"].map("{:.3f}".format) + " (" + table["std_error"].map("{:.3f}".format) + ")").where(
        table["estimate"].notna(), ""
    )


def page(left: dict[str, Any]) -> str:
    """Markdown."""
    found, far, placebo = left["found"], left["far"], left["placebo"]
    table = found.table[["links", "loglik", "rho", "probability"]]
    for kind in ("direct", "indirect", "total"):
        table = table.assign(**{kind: with_error(found.effect(TERM, kind).reindex(table.index))}).fillna({kind: ""})
    several = table["probability"][table["probability"] > 0.01].sort_values(ascending=False)
    shares = ", ".join(f"{name} ({share:.2f})" for name, share in several.items())
    reach = "none" if far.reach is None else f"{far.reach:g} km"
    p, below = (float(placebo.table[column]["loglik"]) for column in ("p_value", "share_below"))
    years = f"{left['panel'].times[0]} to {left['panel'].times[-1]}"
    head = (
        "Made by `python scripts/which_w_page.py` from [examples/which_w.py](../examples/which_w.py): the spatial "
        f"Durbin model `{left['formula']}` of {left['panel'].n_units} provinces, {years}, two-way effects, Lee-Yu. "
        "Economic distance and masses are those of the year before."
    )
    which = (
        f"Effects of the digital-economy index with standard errors. The data support {shares}. Rows without effects "
        "have rho at the bound of its interval."
    )
    how_far = (
        f"Inverse distance up to a cutoff, km. Best supported: {far.boundary:g} km. Largest cutoff at which the "
        f"indirect effect is significant at the 5 % level: {reach}. Shorter cutoffs leave provinces without neighbours."
    )
    random = (
        f"Under {len(placebo.draws)} random graphs with the numbers of neighbours of queen contiguity: the true W fits "
        f"better than {100 * below:.0f} % of them (p = {p:.3f})."
    )
    scan = far.table[["links", "probability", "estimate", "std_error", "p_value"]]
    lines = ["# Which W? The bundled panel", "", head, "", "![Effects under many W](which_w.png)", ""]
    lines += [*markdown(table, {"links": 0, "loglik": 2}), "", which, "", "## How far", "", how_far, ""]
    lines += [
        *markdown(scan, {"cutoff": 0, "links": 0}),
        "",
        "## Placebo",
        "",
        random,
        "",
        *markdown(placebo.table, {}),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run and write."""
    left, folder = run()
    (ROOT / "docs" / "which_w.md").write_text(page(left), encoding="utf-8")
    shutil.copyfile(folder / "which_w.png", ROOT / "docs" / "which_w.png")
    shutil.rmtree(folder)
    print("docs/which_w.md and docs/which_w.png")


if __name__ == "__main__":
    main()
