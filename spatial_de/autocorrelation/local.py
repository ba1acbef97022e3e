"""Local Moran statistics (LISA): which units are alike or unlike their neighbours, with error control."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from spatial_de.autocorrelation import inputs
from spatial_de.autocorrelation.moments import local_moments
from spatial_de.autocorrelation.multiple import Control, adjust
from spatial_de.autocorrelation.overall import time_position
from spatial_de.autocorrelation.permutation import conditional_draws, conditional_p_values
from spatial_de.errors import DataWarning, OptionError
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights.core import SpatialWeights

Divisor = Literal["n-1", "n"]

QUADRANTS = ("High-High", "Low-Low", "High-Low", "Low-High")
CLUSTERS = (*QUADRANTS, "Not significant", "No neighbours")


@dataclass(frozen=True, slots=True)
class LisaSettings:
    """How local Moran statistics were computed.

    Attributes
    ----------
    alpha
        Significance level, compared with `q_value`.
    control
        Adjustment for the number of units tested: ``"fdr"``, ``"bonferroni"`` or ``"none"``.
    divisor
        By what z'z is divided in the scale of I: ``"n-1"`` or ``"n"``.
    permutations, seed
        Conditional permutations per unit and the seed of the draws.
    """

    alpha: float
    control: Control
    divisor: Divisor
    permutations: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """The settings in plain Python types."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __str__(self) -> str:
        return (
            f"alpha {self.alpha:g}, control {self.control}, {self.permutations:,} permutations, seed {self.seed}, "
            f"smallest possible p_sim {2 / (self.permutations + 1):.3g}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class LocalMoran:
    """Local Moran statistics of one variable, from `local_moran`.

    Attributes
    ----------
    name
        Name of the variable.
    table
        Index unit, in the order of the series given. Columns:
        ``value``, the variable; ``lag``, its spatial lag Wx; ``I``, the local statistic; ``expected`` and
        ``variance``, its moments given the unit's own value; ``z``, the standard deviate ``(I - expected) /
        sqrt(variance)`` (NaN where the variance is zero); ``p_sim``, two-sided conditional permutation p-value;
        ``q_value``, `p_sim` adjusted by `control`; ``significant``, ``q_value <= alpha``; ``quadrant``, own value
        and neighbours against the mean; ``cluster``, the quadrant where significant.
    settings
        How it was computed.
    """

    name: str | None
    table: pd.DataFrame
    settings: LisaSettings

    @property
    def counts(self) -> pd.Series:
        """Number of units in each cluster, all of `CLUSTERS` in their order."""
        return self.table["cluster"].value_counts(sort=False).reindex(CLUSTERS)

    def to_frame(self) -> pd.DataFrame:
        """The same as `table`."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Name, settings and table in plain Python types."""
        return _to_dict(self.name, self.table, self.settings)

    def __str__(self) -> str:
        head = f"Local Moran{f' of {self.name}' if self.name else ''}, {plural(len(self.table), 'unit')}"
        lines = [head, f"  {self.settings}"]
        for cluster, members in self.table.groupby("cluster", observed=True):
            listed = "" if cluster == "Not significant" else f": {name_some(members.index, 10)}"
            lines.append(f"  {cluster:16s}{len(members):5d}{listed}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.to_html()


@dataclass(frozen=True, slots=True, eq=False)
class LocalMoranByTime:
    """Local Moran statistics of a panel variable; ``result[2015]`` is one year's `LocalMoran`.

    Attributes
    ----------
    name
        Name of the variable.
    table
        Index (unit, time), in the order of the series given; columns as in `LocalMoran`. The number of tests is
        controlled within each time, not over all times.
    settings
        How it was computed.
    """

    name: str | None
    table: pd.DataFrame
    settings: LisaSettings

    @property
    def times(self) -> pd.Index[Any]:
        """Times in ascending order."""
        return self.table.index.unique(level=1).sort_values()

    @property
    def counts(self) -> pd.DataFrame:
        """Number of units in each cluster, index time, columns `CLUSTERS`."""
        return pd.DataFrame([self[time].counts for time in self.times], index=self.times)

    def to_frame(self) -> pd.DataFrame:
        """The same as `table`."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Name, settings and table in plain Python types."""
        return _to_dict(self.name, self.table, self.settings)

    def __getitem__(self, time: Any) -> LocalMoran:
        time_position(self.times, time)
        chosen = self.table[self.table.index.get_level_values(1) == time]
        return LocalMoran(self.name, chosen.droplevel(1), self.settings)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.times)

    def __len__(self) -> int:
        return len(self.times)

    def __str__(self) -> str:
        head = f"Local Moran{f' of {self.name}' if self.name else ''} by {self.times.name or 'time'}"
        return "\n".join([head, f"  {self.settings}", self.counts.to_string()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.counts.to_html()


def local_moran(
    x: pd.Series,
    w: SpatialWeights,
    *,
    permutations: int | None = None,
    seed: int = 0,
    alpha: float = 0.05,
    control: Control = "fdr",
    divisor: Divisor = "n-1",
) -> LocalMoran | LocalMoranByTime:
    """Local Moran statistics with conditional permutation and control of the number of tests.

    Units are matched by label. Numbers are the same to the last digit whatever the order of `x` and of `w`: the
    draws are made in the order of the sorted labels.

    Parameters
    ----------
    x
        One number per unit: a series indexed by unit id, any order; or a panel variable, a series indexed by
        (unit, time). Every time uses the same draws, so that one year of a panel and that year alone agree.
    w
        Weights of exactly the same units, under any normalisation; row-standardised weights make the lag the
        neighbours' mean and the statistics comparable between units.
    permutations
        Number of arrangements of the other units' values, per unit; None for 9,999, or as many as there are for few
        units. They bound the smallest possible p-value,
        2 / (permutations + 1), which controls for many tests have to compare with alpha / n.
    seed
        Seed of the draws; recorded in the result.
    alpha
        Significance level, between 0 and 1.
    control
        ``"fdr"`` (Benjamini-Hochberg), ``"bonferroni"`` or ``"none"``, over the units with neighbours.
    divisor
        Scale of I: z'z / (n - 1), as PySAL and GeoDa have it, or z'z / n, as spdep has it. p-values and z do not
        depend on it.

    Returns
    -------
    LocalMoran or LocalMoranByTime
        `LocalMoranByTime` for a panel variable.

    Raises
    ------
    AlignmentError
        Units missing or extra on one side, duplicated, or written differently.
    DataError
        Missing, infinite or non-numeric values, a constant, too few units: the units and the time are named.
    OptionError
        An option that is not available, alpha outside (0, 1).

    Notes
    -----
    ``I_i = z_i (Wz)_i / m2``, z the deviations from the mean. With ``divisor="n"`` the mean of I times n / S0 is
    Moran's I. The p-value is twice the smaller tail, at most 1; esda's ``alternative="directed"`` and its older
    default report the tail itself, half of ours. A unit exactly at the mean counts as low.

    A unit without neighbours keeps its value and counts in the mean; all its statistics are NaN, its cluster is
    ``"No neighbours"`` and it is never significant.

    References
    ----------
    Anselin, L. (1995). Local indicators of spatial association - LISA. *Geographical Analysis* 27, 93-115,
    eq. 12. Moments: Sokal, Oden and Thomson (1998), eq. A7-A8, the same as spdep's ``localmoran(conditional=TRUE)``.

    Examples
    --------
    >>> import pandas as pd
    >>> from spatial_de.weights import SpatialWeights
    >>> n = 30
    >>> line = [[float(abs(i - j) == 1) for j in range(n)] for i in range(n)]
    >>> w = SpatialWeights(line, range(n), normalization="row")
    >>> result = local_moran(pd.Series(range(n), dtype=float), w, control="none")
    >>> result.table.loc[2, "cluster"], result.table.loc[15, "cluster"]
    ('Low-Low', 'Not significant')
    """
    panel = inputs.is_panel_variable(x)
    ordered = inputs.canonical(w)
    arranged = inputs.enough_permutations(ordered.n - 1) if permutations is None else permutations
    settings = _check(LisaSettings(alpha=alpha, control=control, divisor=divisor, permutations=arranged, seed=seed))
    inputs.warn_if_few_arrangements(ordered.n - 1, permutations=settings.permutations)
    _warn_if_out_of_reach(ordered, settings)
    largest = int(np.diff(ordered.sparse.indptr).max())
    draws = conditional_draws(ordered.n, largest, permutations=settings.permutations, seed=seed)
    name = None if x.name is None else str(x.name)
    if not panel:
        return LocalMoran(name, _table(x, ordered, draws, settings=settings), settings)
    parts = {
        time: _table(values, ordered, draws, settings=settings, where=f" in {time}")
        for time, values in inputs.by_time(x, ordered)
    }
    table = pd.concat(parts).swaplevel().reindex(x.index)
    return LocalMoranByTime(name, table, settings)


def _check(settings: LisaSettings) -> LisaSettings:
    check_option(settings.control, get_args(Control), "control")
    check_option(settings.divisor, get_args(Divisor), "divisor")
    inputs.check_run(permutations=settings.permutations, seed=settings.seed)
    if not 0 < settings.alpha < 1:
        raise OptionError(f"alpha={settings.alpha!r} is not allowed: give a number between 0 and 1.")
    return LisaSettings(
        alpha=float(settings.alpha),
        control=settings.control,
        divisor=settings.divisor,
        permutations=int(settings.permutations),
        seed=int(settings.seed),
    )


def _warn_if_out_of_reach(w: SpatialWeights, settings: LisaSettings) -> None:
    """Warn where Bonferroni with so few permutations cannot find anything, whatever the data."""
    tested = w.n - len(w.islands)
    if settings.control == "bonferroni" and 2 * tested > settings.alpha * (settings.permutations + 1):
        warnings.warn(
            f"With {settings.permutations:,} permutations the smallest possible p-value is "
            f"{2 / (settings.permutations + 1):.3g}, above {settings.alpha:g} / {tested}: no unit can be "
            f"significant. Use permutations={int(2 * tested / settings.alpha):,} or more.",
            DataWarning,
            stacklevel=3,
        )


def _table(
    x: pd.Series,
    w: SpatialWeights,
    draws: NDArray[np.intp],
    *,
    settings: LisaSettings,
    where: str = "",
) -> pd.DataFrame:
    """The table of one cross-section, rows in the order of `x`."""
    aligned = inputs.align(x, w, where=where)
    z, W = aligned.z, w.sparse
    moments = local_moments(z, W, m2=float(z @ z) / (w.n - 1 if settings.divisor == "n-1" else w.n))
    alone = np.diff(W.indptr) == 0
    spread = np.where(moments.variance > 0, moments.variance, np.nan)
    p_sim = conditional_p_values(z, W, draws)
    q_value = adjust(p_sim, settings.control)
    quadrant = _quadrants(z, W @ z)
    quadrant[alone] = "No neighbours"
    significant = q_value <= settings.alpha
    cluster = np.where(significant | alone, quadrant, "Not significant")
    statistics = {
        "lag": W @ aligned.x,
        "I": moments.I,
        "expected": moments.expected,
        "variance": moments.variance,
        "z": (moments.I - moments.expected) / np.sqrt(spread),
        "p_sim": p_sim,
        "q_value": q_value,
    }
    columns: dict[str, Any] = {"value": aligned.x}
    columns |= {name: np.where(alone, np.nan, numbers) for name, numbers in statistics.items()}
    columns["significant"] = significant
    columns["quadrant"] = pd.Categorical(quadrant, [*QUADRANTS, "No neighbours"])
    columns["cluster"] = pd.Categorical(cluster, CLUSTERS)
    return pd.DataFrame(columns, index=x.index[aligned.position]).reindex(x.index)


def _quadrants(z: NDArray[np.float64], lag: NDArray[np.float64]) -> NDArray[np.object_]:
    names = np.array([["Low-Low", "Low-High"], ["High-Low", "High-High"]], dtype=object)
    found: NDArray[np.object_] = names[(z > 0).astype(int), (lag > 0).astype(int)]
    return found


def _to_dict(name: str | None, table: pd.DataFrame, settings: LisaSettings) -> dict[str, Any]:
    plain = table.astype({"quadrant": object, "cluster": object})
    return {"name": name, "settings": settings.to_dict(), "table": plain.reset_index().to_dict(orient="list")}
