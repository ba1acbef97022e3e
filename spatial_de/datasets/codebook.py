"""What every variable of the China panel means, who published it, and what to beware of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spatial_de.datasets.derived import DERIVED
from spatial_de.errors import OptionError
from spatial_de.wording import did_you_mean, name_some

DATA = Path(__file__).parent / "data"
COLUMNS = ("variable", "unit", "definition", "publisher", "checks_and_warnings", "formula", "inputs")
_CAUTIONS = ("break", "before", "one source", "vintage", "only", "ends", "missing", "onwards", "to 20")


@dataclass(frozen=True)
class Codebook:
    """Entries of the codebook.

    Attributes
    ----------
    table
        One row per variable, indexed by name: unit, definition, publisher, checks_and_warnings, formula (of derived
        variables), inputs.
    """

    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """The entries with the variable's name as a column."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types: variable -> entry."""
        return {str(name): dict(row) for name, row in self.table.iterrows()}

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return "\n\n".join(_entry(str(name), row) for name, row in self.table.iterrows())

    def _repr_html_(self) -> str:
        return str(self.table.to_html())


def codebook(variable: str | None = None) -> Codebook:
    """The codebook of the China panel, or the entry of one variable.

    Raises
    ------
    OptionError
        There is no such variable; the nearest name is given.

    Examples
    --------
    >>> print(codebook("gdp_per_head"))
    gdp_per_head [yuan per person, current prices]
      Gross regional product per resident
      formula    10000 * gdp / population
      inputs     gdp, population
    """
    table = _table()
    if variable is None:
        return Codebook(table)
    if variable not in table.index:
        raise OptionError(
            f"The codebook has no variable {variable!r}.{did_you_mean(variable, table.index)} "
            f"It has {name_some([name for name in table.index if variable in name] or table.index, 8)}."
        )
    return Codebook(table.loc[[variable]])


def warnings_for(variables: Iterable[str]) -> list[str]:
    """What to beware of in some variables and the figures they are computed from, each once.

    Parameters
    ----------
    variables
        Published or derived variables.

    Examples
    --------
    >>> warnings_for(["ln_gdp_pc"])[0][:5]
    'gdp: '
    """
    table = _table()
    published: list[str] = []
    for variable in variables:
        codebook(variable)
        published += DERIVED[variable].inputs if variable in DERIVED else (variable,)
    notes = []
    for name in dict.fromkeys(published):
        text = str(table.loc[name, "checks_and_warnings"])
        if any(word in text for word in _CAUTIONS):
            notes.append(f"{name}: {text}")
    return notes


def _table() -> pd.DataFrame:
    published = pd.read_csv(DATA / "codebook.csv", keep_default_na=False)
    derived = pd.DataFrame(
        [
            {
                "variable": entry.name,
                "unit": entry.unit,
                "definition": entry.definition,
                "publisher": "computed",
                "checks_and_warnings": "",
                "formula": entry.formula,
                "inputs": ", ".join(entry.inputs),
            }
            for entry in DERIVED.values()
        ]
    )
    return pd.concat([published, derived]).fillna("")[list(COLUMNS)].set_index("variable")


def _entry(name: str, row: pd.Series) -> str:
    lines = [f"{name} [{row['unit']}]", f"  {row['definition']}"]
    labels = {"publisher": "publisher", "checks_and_warnings": "beware", "formula": "formula", "inputs": "inputs"}
    for key, label in labels.items():
        if row[key] and row[key] != "computed":
            lines.append(f"  {label:<10} {row[key]}")
    return "\n".join(lines)
