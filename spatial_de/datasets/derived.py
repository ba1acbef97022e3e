"""Variables computed from the published figures: one line each in the registry, with unit, formula and inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Derived:
    """A variable that is computed, not stored.

    Attributes
    ----------
    name, unit, definition
        As in the codebook.
    formula
        How it is computed, in words that match `compute`.
    inputs
        The published variables it needs.
    compute
        Function of a table with those columns.
    """

    name: str
    unit: str
    definition: str
    formula: str
    inputs: tuple[str, ...]
    compute: Callable[[pd.DataFrame], pd.Series]


def theil_urban_rural(ratio: ArrayLike, urban_share: ArrayLike) -> NDArray[np.float64]:
    """Theil index between urban and rural income, from the income ratio and the urban share of the population.

    With ratio ``r`` of mean incomes and urban population share ``u``, the urban share of income is
    ``s = u r / (u r + 1 - u)``, and ``T = s ln(s / u) + (1 - s) ln((1 - s) / (1 - u))``: the formula
    ``sum_j (Y_j / Y) ln[(Y_j / Y) / (P_j / P)]`` over urban and rural, without needing the levels.

    Parameters
    ----------
    ratio
        Urban over rural income per head, positive.
    urban_share
        Urban share of the population, between 0 and 1, both excluded.

    References
    ----------
    Theil, H. (1967). *Economics and Information Theory*, chapter 4.

    Examples
    --------
    >>> round(float(theil_urban_rural(2.5, 0.6)), 4)
    0.0815
    """
    r, u = np.asarray(ratio, dtype=np.float64), np.asarray(urban_share, dtype=np.float64)
    s = u * r / (u * r + 1.0 - u)
    return np.asarray(s * np.log(s / u) + (1.0 - s) * np.log((1.0 - s) / (1.0 - u)))


def _per_head(name: str, count: str, *, unit: str, what: str) -> Derived:
    """A count in 10 thousand over a population in 10 thousand."""
    return Derived(
        name,
        unit,
        f"{what} per resident",
        f"{count} / population",
        (count, "population"),
        lambda f: f[count] / f["population"],
    )


def _percent(name: str, part: str, whole: str, *, unit: str, what: str) -> Derived:
    return Derived(name, unit, what, f"100 * {part} / {whole}", (part, whole), lambda f: 100.0 * f[part] / f[whole])


def _per_10000(name: str, count: str, *, unit: str, what: str) -> Derived:
    """A plain count over a population in 10 thousand."""
    return Derived(
        name,
        unit,
        f"{what} per 10,000 residents",
        f"{count} / population",
        (count, "population"),
        lambda f: f[count] / f["population"],
    )


def _log(name: str, of: str, *, definition: str, inputs: tuple[str, ...]) -> Derived:
    return Derived(name, "ln", definition, f"ln({of})", inputs, lambda f: np.log(f[of]))


# In order of computation: logarithms come after what they are taken of.
DERIVED: dict[str, Derived] = {
    entry.name: entry
    for entry in (
        _per_head(
            "broadband_ports_per_head", "broadband_ports", unit="ports per person", what="Broadband access ports"
        ),
        Derived(
            "mobile_subscribers_per_100",
            "per 100 persons",
            "Mobile telephone subscribers per 100 residents",
            "100 * mobile_subscribers / population",
            ("mobile_subscribers", "population"),
            lambda f: 100.0 * f["mobile_subscribers"] / f["population"],
        ),
        _per_head("domains_per_head", "domains", unit="domains per person", what="Internet domain names"),
        _percent(
            "software_revenue_share",
            "software_revenue",
            "gdp",
            unit="% of GDP",
            what="Software business revenue relative to GDP",
        ),
        _percent(
            "ecommerce_sales_share",
            "ecommerce_sales",
            "gdp",
            unit="% of GDP",
            what="E-commerce sales of enterprises relative to GDP",
        ),
        _percent(
            "it_employment_share",
            "it_employment",
            "urban_unit_employment",
            unit="% of employees",
            what="Information transmission, software and IT services in the employment of urban units",
        ),
        Derived(
            "gdp_per_head",
            "yuan per person, current prices",
            "Gross regional product per resident",
            "10000 * gdp / population",
            ("gdp", "population"),
            lambda f: 1e4 * f["gdp"] / f["population"],
        ),
        _percent(
            "expenditure_share",
            "fiscal_expenditure",
            "gdp",
            unit="% of GDP",
            what="General public budget expenditure relative to GDP",
        ),
        _percent("tax_share", "tax_revenue", "gdp", unit="% of GDP", what="Tax revenue relative to GDP"),
        _per_10000("patents_per_10000", "patents_granted", unit="patents per 10,000 persons", what="Patents granted"),
        _per_10000(
            "rd_fte_per_10000",
            "rd_fte",
            unit="person-years per 10,000 persons",
            what="R&D personnel (full-time equivalent)",
        ),
        _per_10000(
            "graduates_per_10000",
            "bachelor_graduates",
            unit="persons per 10,000 persons",
            what="Graduates of regular undergraduate courses",
        ),
        Derived(
            "theil",
            "nats",
            "Theil index between urban and rural income",
            "s ln(s/u) + (1-s) ln((1-s)/(1-u)), s = u r / (u r + 1 - u), r = urban_rural_ratio, u = urbanisation / 100",
            ("urban_rural_ratio", "urbanisation"),
            lambda f: pd.Series(theil_urban_rural(f["urban_rural_ratio"], f["urbanisation"] / 100.0), index=f.index),
        ),
        _log(
            "ln_gap",
            "urban_rural_ratio",
            definition="Logarithm of the urban-rural income ratio",
            inputs=("urban_rural_ratio",),
        ),
        _log("ln_gdp_pc", "gdp_per_head", definition="Logarithm of GDP per head (yuan)", inputs=("gdp", "population")),
        _log(
            "ln_patents",
            "patents_per_10000",
            definition="Logarithm of patents granted per 10,000 residents",
            inputs=("patents_granted", "population"),
        ),
    )
}


def add_derived(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy of the published figures with every derived variable."""
    out = frame.copy()
    for entry in DERIVED.values():
        out[entry.name] = entry.compute(out)
    return out
