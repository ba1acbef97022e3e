"""`composite_index`: several indicators of a panel as one number per unit and time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from spatial_de.errors import DataError, DataWarning, OptionError
from spatial_de.index.indicators import Indicators, read_indicators
from spatial_de.index.methods import METHODS, Scores
from spatial_de.index.normalisation import NORMALIZATIONS, Normalization, Normalized
from spatial_de.panel import Panel
from spatial_de.panel.checks import numeric_values
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

IndexMethod = Literal["entropy", "entropy-topsis", "pca", "equal"]
Scope = Literal["global", "per-year"]

_COMPARABILITY = {
    "global": "Normalised and weighted over all times together: values compare between units and between times; "
    "leaving out or adding units or times changes all of them.",
    "per-year": "Normalised and weighted within each time: values and ranks compare between units of the same time "
    "only; a change over time is not a change in level, so do not use it in a regression over time.",
}


@dataclass(frozen=True, slots=True, eq=False)
class CompositeIndex:
    """A composite index with its weights, from `composite_index`.

    Attributes
    ----------
    values
        The index, indexed by (unit, time); ``panel.assign(digital=index.values)`` adds it to the panel.
    weights
        Index indicator, for scope per-year (time, indicator). Columns: ``direction``; ``weight``, adding up to one;
        ``entropy`` and ``redundancy``, or ``loading_1``, ... by method; ``minimum`` and ``maximum``, or ``mean``
        and ``std``, of the normalisation; ``label``, ``unit`` and ``source`` for a preset.
    summary
        Index scope ("all" or the times). Columns: ``observations``, and ``components`` and ``explained`` for PCA.
    method, scope, normalization
        The options used.
    notes
        How the values may be compared.
    """

    values: pd.Series
    weights: pd.DataFrame
    summary: pd.DataFrame
    method: IndexMethod
    scope: Scope
    normalization: Normalization
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the index."""
        return str(self.values.name)

    def to_frame(self) -> pd.DataFrame:
        """The values as a table with one column, indexed by (unit, time)."""
        return self.values.to_frame()

    def to_dict(self) -> dict[str, Any]:
        """Values, weights and options in plain Python types."""
        return {
            "name": self.name,
            "method": self.method,
            "scope": self.scope,
            "normalization": self.normalization,
            "notes": list(self.notes),
            "values": self.values.reset_index().to_dict(orient="list"),
            "weights": self.weights.reset_index().to_dict(orient="list"),
            "summary": self.summary.reset_index().to_dict(orient="list"),
        }

    def __str__(self) -> str:
        head = (
            f"Composite index {self.name!r}: method {self.method}, scope {self.scope}, normalisation "
            f"{self.normalization}, {plural(len(self.values), 'observation')}, values {self.values.min():.4f} to "
            f"{self.values.max():.4f}"
        )
        table = self.weights.drop(columns=["label", "source"], errors="ignore")
        lines = [head, table.to_string(float_format="{:.4g}".format, max_rows=20)]
        if "explained" in self.summary:
            lines.append(self.summary.to_string(float_format="{:.4f}".format))
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.weights.to_html()


def composite_index(
    panel: Panel,
    indicators: str | Sequence[str] | Mapping[str, int | str],
    *,
    method: IndexMethod = "entropy",
    scope: Scope = "global",
    normalization: Normalization | None = None,
    explained: float | None = None,
    name: str = "digital",
) -> CompositeIndex:
    """One index from several indicators, with the weights it came from.

    Parameters
    ----------
    panel
        The data; may be unbalanced, but not have gaps in the indicators.
    indicators
        Names of at least two variables, all of them "more is better"; or name -> direction, where a direction is
        1, -1, "positive" or "negative"; or the name of a preset such as ``"china-digital-7"`` (see `presets`).
    method
        ``"entropy"`` (Shannon entropy weights), ``"entropy-topsis"`` (closeness to the best observation under
        these weights), ``"pca"`` (principal components), ``"equal"`` (the mean).
    scope
        ``"global"``: normalise and weight over all units and times together, so that years compare;
        ``"per-year"``: within each time, so that they do not.
    normalization
        ``"minmax"`` (to [0, 1]) or ``"z"`` (mean 0, sample standard deviation 1, divisor m - 1). Default: the
        method's own, z for PCA and minmax for the others. Entropy needs shares of non-negative numbers and
        refuses z.
    explained
        For PCA: use as many components as hold at least this share of the variance, e.g. 0.85, averaged with
        their shares. Default: the first component.
    name
        Name of the index.

    Returns
    -------
    CompositeIndex
        In [0, 1] for entropy, TOPSIS and equal weights under minmax.

    Raises
    ------
    DataError
        An unknown variable; values missing, infinite or text; an indicator that is constant.
    OptionError
        An unknown method, scope, preset or direction; fewer than two indicators, or one named twice; a
        normalisation or option the method cannot use.

    Warns
    -----
    DataWarning
        PCA gives an indicator a negative weight: it moves against the others.

    Notes
    -----
    Zeros: the smallest observation of an indicator is 0 after min-max and contributes 0 to the entropy, the limit
    of p ln p. No constant is added.

    Examples
    --------
    >>> df = pd.DataFrame({"code": list("aabb"), "year": [1, 2, 1, 2], "ports": [0, 1, 2, 4], "firms": [1, 3, 2, 5]})
    >>> index = composite_index(Panel(df, unit="code", time="year"), ["ports", "firms"], method="equal")
    >>> index.values.tolist()
    [0.0, 0.375, 0.375, 1.0]
    """
    if not isinstance(panel, Panel):
        raise DataError(f"panel is a {type(panel).__name__}: build sde.Panel(df, unit=..., time=...) first.")
    check_option(method, METHODS, "method")
    check_option(scope, get_args(Scope), "scope")
    normalization = _check_normalization(normalization, method)
    options = _check_explained(explained, method)
    chosen = read_indicators(indicators)
    frame = panel.select(columns=chosen.names).frame
    x = numeric_values(frame)
    values, weights, summaries = np.empty(len(x)), [], []
    for block, rows in _blocks(frame, scope):
        where = f" in {block}" if scope == "per-year" else ""
        normalized = _normalise(x[rows], chosen, normalization, where=where)
        scores = METHODS[method].compute(normalized.x, **options)
        values[rows] = scores.index
        _warn_if_negative(scores, chosen, where=where)
        weights.append(_weights_table(chosen, scores, normalized))
        summaries.append({"scope": block, "observations": int(rows.sum()), **scores.summary})
    times = [entry["scope"] for entry in summaries]
    return CompositeIndex(
        values=pd.Series(values, index=frame.index, name=str(name)),
        weights=weights[0] if scope == "global" else pd.concat(weights, keys=times, names=[panel.time_name]),
        summary=pd.DataFrame(summaries).set_index("scope"),
        method=method,
        scope=scope,
        normalization=normalization,
        notes=(_COMPARABILITY[scope],),
    )


def _check_normalization(normalization: Normalization | None, method: IndexMethod) -> Normalization:
    allowed = METHODS[method].normalizations
    if normalization is None:
        return allowed[0]
    check_option(normalization, NORMALIZATIONS, "normalization")
    if normalization not in allowed:
        raise OptionError(
            f"method={method!r} cannot use normalization={normalization!r}: it needs shares of non-negative numbers, "
            "and z-scores are negative below the mean. Use normalization='minmax', or method 'pca' or 'equal'."
        )
    return normalization


def _check_explained(explained: float | None, method: IndexMethod) -> dict[str, float]:
    if explained is None:
        return {}
    if "explained" not in METHODS[method].options:
        takers = [key for key, entry in METHODS.items() if "explained" in entry.options]
        raise OptionError(f"method={method!r} takes no option explained; it belongs to {name_some(takers)}.")
    if not 0 < explained <= 1:
        raise OptionError(f"explained={explained!r} is not allowed: give a share above 0 and up to 1, e.g. 0.85.")
    return {"explained": float(explained)}


def _blocks(frame: pd.DataFrame, scope: Scope) -> Iterator[tuple[Any, NDArray[np.bool_]]]:
    """What is normalised and weighted together: its label and its rows."""
    if scope == "global":
        yield "all", np.ones(len(frame), dtype=bool)
        return
    times = frame.index.get_level_values(1)
    for time in times.unique().sort_values():
        yield time, np.asarray(times == time)


def _normalise(x: NDArray[np.float64], chosen: Indicators, normalization: Normalization, *, where: str) -> Normalized:
    flat = np.ptp(x, axis=0) <= 8 * np.finfo(np.float64).eps * np.abs(x).max(axis=0)
    if flat.any():
        names = [name for name, is_flat in zip(chosen.names, flat, strict=True) if is_flat]
        raise DataError(
            f"{plural(len(names), 'indicator')} constant{where}: {name_some(names)}. A constant cannot be put on a "
            "common scale and tells nothing: leave it out."
        )
    return NORMALIZATIONS[normalization](x, np.array(chosen.directions))


def _warn_if_negative(scores: Scores, chosen: Indicators, *, where: str) -> None:
    against = [name for name, weight in zip(chosen.names, scores.weights, strict=True) if weight < 0]
    if against:
        warnings.warn(
            f"Negative weight{where} for {name_some(against)}: the index falls where they improve, because they move "
            "against the other indicators. Check their direction, or leave them out.",
            DataWarning,
            stacklevel=3,
        )


def _weights_table(chosen: Indicators, scores: Scores, normalized: Normalized) -> pd.DataFrame:
    columns: dict[str, Any] = {"direction": list(chosen.directions), "weight": scores.weights}
    columns |= scores.details | normalized.constants | chosen.descriptions
    return pd.DataFrame(columns, index=pd.Index(chosen.names, name="indicator"))
