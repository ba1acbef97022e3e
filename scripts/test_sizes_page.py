"""The page of sizes and powers of the specification tests, from its table."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import numpy as np
import pandas as pd

LOW, HIGH = 3.5, 6.5


@dataclass(frozen=True)
class Role:
    """Under which truth the null of a test holds, and under which it does not."""

    null: str
    alternative: str
    why: str = ""  # what is known where the size is not 5 %


TWO_WAY: dict[str, Role] = {
    "LM lag": Role("no dependence", "lag"),
    "LM error": Role("no dependence", "error"),
    "Robust LM lag": Role("no dependence", "lag"),
    "Robust LM error": Role("no dependence", "error"),
    "LM lag and error": Role("no dependence", "lag"),
    "LM WX": Role("no dependence", "WX"),
    "LM lag and WX": Role("no dependence", "lag and WX"),
    "Robust LM WX": Role("no dependence", "WX"),
    "Robust LM lag (WX)": Role("no dependence", "lag"),
    "LM error and WX": Role("no dependence", "error"),
    "LR SDM -> SAR": Role("lag", "lag and WX"),
    "Wald SDM -> SAR": Role("lag", "lag and WX"),
    "LR SDM -> SEM": Role("error", "lag and WX"),
    "Wald SDM -> SEM": Role("error", "lag and WX"),
    "LR SDM -> SLX": Role("WX", "lag and WX"),
    "Wald SDM -> SLX": Role("WX", "lag and WX"),
    "F SLX -> OLS": Role("no dependence", "WX"),
    "LR SDEM -> SLX": Role("WX", "error"),
    "Wald SDEM -> SLX": Role("WX", "error"),
    "LM error in SAR": Role("lag", "lag and error"),
    "LM lag in SEM": Role("error", "lag and error"),
    "LM error in SDM": Role("lag and WX", "lag and error"),
    "Moran of residuals": Role("no dependence", "error"),
    "Koenker": Role("no dependence", "growing variance"),
    "Jarque-Bera": Role(
        "no dependence",
        "skewed errors",
        "The chi-squared distribution is slow to arrive: below 5 % in samples of a hundred (Jarque and Bera 1987).",
    ),
    "Randomised W": Role("no dependence", "error"),
    "Hausman OLS, SEM": Role(
        "error",
        "lag",
        "The two covariances are those of the estimated lambda, and their difference is small.",
    ),
    "LR individual effects": Role(
        "no effects",
        "small effects",
        "The number of effects tested grows with N, so that chi-squared holds for long panels only; the F test, from "
        "the same sums of squares, is exact.",
    ),
    "F individual effects": Role("no effects", "small effects"),
    "LR time effects": Role("no effects", "small effects", "As for individual effects."),
    "F time effects": Role("no effects", "small effects"),
}
UNIT: dict[str, Role] = {
    "BSK LM1": Role("no effects", "unit effects"),
    "BSK LM2": Role("no effects", "error"),
    "BSK joint": Role("no effects", "unit effects, error"),
    "BSK LM lambda | mu": Role("unit effects", "unit effects, error"),
    "BSK LM mu | lambda": Role("error", "unit effects, error"),
    "LR random effects": Role("no effects", "unit effects"),
    "Hausman": Role(
        "unit effects",
        "effects that follow x1",
        "Made only where the difference of two estimated covariances is positive definite; use the Mundlak test.",
    ),
    "Mundlak": Role("unit effects", "effects that follow x1"),
    "Pesaran CD": Role("unit effects", "time effects"),
}
TITLES = {
    "cross-section": ("Cross-sections of 100 units", TWO_WAY),
    "panel, two-way effects": ("Panels of 50 units and 10 times, two-way effects", TWO_WAY),
    "panel, unit effects": ("Panels of 50 units and 10 times, unit effects or none", UNIT),
}


def page(table: pd.DataFrame, *, made: str, seconds: float, seed: int) -> str:
    """Markdown."""
    samples = int(table["samples"].min())
    rates = table.set_index(["setting", "truth", "test"])
    error = 100 * np.sqrt(0.05 * 0.95 / samples)
    head = (
        f"Made by `{made}` in {seconds:,.0f} s (seed {seed}, Python {platform.python_version()}, numpy "
        f"{np.__version__}). {samples:,} samples of each truth; simulation error of a size of 5 %: {error:.1f} points. "
        "All rates, every test under every truth, are in [test_sizes.csv](test_sizes.csv); what is simulated is in the "
        "text of the script."
    )
    reading = (
        "Size: share of samples in which a test at the 5 % level rejects though its null is true. Power: share in "
        f"which it rejects where another truth holds. A size outside {LOW} to {HIGH} % is marked, and explained below."
    )
    parts = ["# Size and power of the specification tests", "", head, "", reading]
    notes: list[str] = []

    def rate(*at: str) -> float:
        return 100.0 * float(rates.loc[at, "rate"]) if at in rates.index else np.nan

    for setting, (title, roles) in TITLES.items():
        made_here = set(table.loc[table["setting"] == setting, "test"])
        rows = [(test, role) for test, role in roles.items() if test in made_here]
        parts += [
            "",
            f"## {title}",
            "",
            "| test | null true: | size, % | alternative: | power, % |",
            "|---|---|---|---|---|",
        ]
        for test, role in rows:
            size, power = (rate(setting, truth, test) for truth in (role.null, role.alternative))
            marked = not LOW <= size <= HIGH
            power_text = "not made" if np.isnan(power) else f"{power:.0f}"
            name = test.replace("|", "given")
            cells = (name, role.null, f"{size:.1f}{' *' if marked else ''}", role.alternative, power_text)
            parts.append(f"| {' | '.join(cells)} |")
            if marked:
                notes.append(f"* **{name}** ({title.lower()}), {size:.1f} %. {role.why}".rstrip())
            if (setting, role.null, test) in rates.index and rates.loc[(setting, role.null, test), "made"] < 1.0:
                share = 100.0 * float(rates.loc[(setting, role.null, test), "made"])
                notes.append(
                    f"* **{name}** ({title.lower()}) could be made in {share:.0f} % of samples under its null."
                )
    parts += ["", f"## Sizes outside {LOW} to {HIGH} %", ""]
    parts += notes or ["None."]
    return "\n".join(parts) + "\n"
