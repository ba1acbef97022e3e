"""Which variables an index is made of, and which way each points: given by the user or by a preset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from spatial_de.errors import OptionError
from spatial_de.wording import did_you_mean, name_some, plural

_POSITIVE, _NEGATIVE = (1, "positive"), (-1, "negative")


@dataclass(frozen=True, slots=True)
class Indicators:
    """Checked indicators.

    Attributes
    ----------
    names
        Names of the variables.
    directions
        +1 where more is better, -1 where less is better.
    descriptions
        For a preset: label, unit and source, one entry per indicator.
    """

    names: tuple[str, ...]
    directions: tuple[int, ...]
    descriptions: dict[str, list[str]] = field(default_factory=dict)


def presets() -> pd.DataFrame:
    """The bundled sets of indicators.

    Returns
    -------
    DataFrame
        Index (preset, indicator); columns direction, label, unit, source.

    Examples
    --------
    >>> presets().loc["china-digital-7"].shape
    (7, 4)
    """
    tables = {name: pd.DataFrame(content["indicators"]).set_index("name") for name, content in _stored().items()}
    return pd.concat(tables, names=["preset", "indicator"])


def read_indicators(given: str | Sequence[str] | Mapping[str, int | str]) -> Indicators:
    """Indicators from names, from name -> direction, or from the name of a preset.

    Raises
    ------
    OptionError
        An unknown preset or direction, fewer than two indicators, one named twice.
    """
    if isinstance(given, str):
        return _preset(given)
    names = tuple(given)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"{plural(len(twice), 'indicator')} named more than once: {name_some(twice)}.")
    if len(names) < 2:
        raise OptionError(
            f"A composite index needs at least two indicators, got {name_some(names) or 'none'}. For one variable use "
            "the variable itself."
        )
    if isinstance(given, Mapping):
        return Indicators(names, tuple(_direction(name, given[name]) for name in names))
    return Indicators(names, (1,) * len(names))


def _preset(name: str) -> Indicators:
    stored = _stored()
    if name not in stored:
        raise OptionError(
            f"There is no preset {name!r}: use one of {name_some(stored)}.{did_you_mean(name, stored)} To use "
            f"variables of the panel, give a list of their names."
        )
    entries = stored[name]["indicators"]
    described = {key: [entry[key] for entry in entries] for key in ("label", "unit", "source")}
    return Indicators(
        tuple(entry["name"] for entry in entries), tuple(entry["direction"] for entry in entries), described
    )


def _direction(name: str, value: object) -> int:
    if value in _POSITIVE and not isinstance(value, bool):
        return 1
    if value in _NEGATIVE:
        return -1
    raise OptionError(
        f"Indicator {name!r}: direction {value!r} is not known; use 1 or 'positive' (more is better), -1 or "
        "'negative' (less is better)."
    )


@cache
def _stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files("spatial_de.index").joinpath("presets.json").read_text("utf-8"))
    return content
