"""Global Moran's I: one number for a cross-section, a table by time for a panel variable."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from spatial_de.autocorrelation import inputs
from spatial_de.autocorrelation.moments import (
    expected_moran,
    moran_statistic,
    variance_normality,
    variance_randomization,
    weight_sums,
)
from spatial_de.autocorrelation.permutation import Alternative, moran_ties, p_value_from, permuted_moran
from spatial_de.errors import DataError, IdentificationError, OptionError
from spatial_de.wording import check_option, did_you_mean, name_some, plural

if TYPE_CHECKING:
    from spatial_de.weights.core import SpatialWeights

Inference = Literal["randomization", "normality"]

_COLUMNS = ["I", "expected", "variance", "z", "p_value", "p_sim"]


@dataclass(frozen=True, slots=True)
class Moran:
    """Moran's I of one variable under one weights matrix, from `moran`.

    Attributes
    ----------
    I
        ``(n / S0) z'Wz / z'z`` with z the deviations from the mean.
    expected, variance
        Moments of I under the null hypothesis chosen by `inference`.
    z, p_value
        ``(I - expected) / sqrt(variance)`` and its normal p-value for `alternative`.
    p_sim
        Permutation p-value for `alternative`; never below 1 / (permutations + 1), two-sided 2 / (permutations + 1).
    sim_mean, sim_variance
        Mean and variance of I over the permutations.
    n, S0
        Number of units, islands included; sum of the weights.
    islands
        Units without neighbours.
    """

    name: str | None
    I: float  # noqa: E741  the literature's name
    expected: float
    variance: float
    z: float
    p_value: float
    p_sim: float
    sim_mean: float
    sim_variance: float
    n: int
    S0: float
    inference: Inference
    alternative: Alternative
    permutations: int
    seed: int
    islands: tuple[Any, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row: I, expected, variance, z, p_value, p_sim."""
        return pd.DataFrame([[getattr(self, column) for column in _COLUMNS]], [self.name], _COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Every number and setting in plain Python types."""
        return asdict(self) | {"islands": list(self.islands)}

    def __str__(self) -> str:
        lines = [
            f"Moran's I{f' of {self.name}' if self.name else ''}, {self.n} units",
            f"  I         {self.I: .6f}",
            f"  expected  {self.expected: .6f}   variance {self.variance:.6g} ({self.inference})",
            f"  z         {self.z: .4f}     p_value {self.p_value:.4g} ({self.alternative})",
            f"  p_sim      {self.p_sim:.4g}     {self.permutations:,} permutations, seed {self.seed}",
        ]
        return "\n".join([*lines, *_island_line(self.islands)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.to_frame().to_html()


@dataclass(frozen=True, slots=True, eq=False)
class MoranByTime:
    """Moran's I of a panel variable at each time, from `moran`; ``result[2015]`` is one year's `Moran`.

    Attributes
    ----------
    name
        Name of the variable.
    times
        Times in ascending order.
    results
        One `Moran` per time.
    """

    name: str | None
    times: pd.Index[Any]
    results: tuple[Moran, ...]

    @property
    def table(self) -> pd.DataFrame:
        """Index time; columns I, expected, variance, z, p_value, p_sim."""
        rows = [[getattr(result, column) for column in _COLUMNS] for result in self.results]
        return pd.DataFrame(rows, self.times, _COLUMNS)

    def to_frame(self) -> pd.DataFrame:
        """The same as `table`."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Every number and setting in plain Python types."""
        return {
            "name": self.name,
            "times": self.times.tolist(),
            "results": [result.to_dict() for result in self.results],
        }

    def __getitem__(self, time: Any) -> Moran:
        return self.results[time_position(self.times, time)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.times)

    def __len__(self) -> int:
        return len(self.times)

    def __str__(self) -> str:
        first = self.results[0]
        head = (
            f"Moran's I{f' of {self.name}' if self.name else ''} by {self.times.name or 'time'}, "
            f"{first.n} units ({first.inference}, {first.alternative}, {first.permutations:,} permutations, "
            f"seed {first.seed})"
        )
        return "\n".join([head, self.table.to_string(float_format="{:.4g}".format), *_island_line(first.islands)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table.to_html()


def moran(
    x: pd.Series,
    w: SpatialWeights,
    *,
    permutations: int = 999,
    seed: int = 0,
    inference: Inference = "randomization",
    alternative: Alternative = "two-sided",
) -> Moran | MoranByTime:
    """Moran's I with analytic and permutation inference.

    Units are matched by label, never by position. Numbers are the same to the last digit whatever the order of
    `x` and of `w`; the permutations are drawn in the order of the sorted labels.

    Parameters
    ----------
    x
        One number per unit: a series indexed by unit id, any order; or a panel variable, a series indexed by
        (unit, time) such as ``panel["gdp"]``, which gives a table by time. Every time uses the same permutations,
        so that one year of a panel and that year alone give the same numbers.
    w
        Weights of exactly the same units, under any normalisation: the statistic divides by the sum of weights.
    permutations
        Number of random arrangements for `p_sim`.
    seed
        Seed of the random arrangements; recorded in the result.
    inference
        Null hypothesis behind `variance`, `z` and `p_value`: ``"randomization"`` (the observed values, in any
        arrangement) or ``"normality"`` (independent draws from a normal distribution).
    alternative
        ``"two-sided"``, ``"greater"`` (neighbours alike) or ``"less"``; holds for `p_value` and `p_sim`.

    Returns
    -------
    Moran or MoranByTime
        `MoranByTime` for a panel variable.

    Raises
    ------
    AlignmentError
        Units missing or extra on one side, duplicated, or written differently ("110000" against 110000).
    DataError
        Missing, infinite or non-numeric values, a constant, too few units: the units and the time are named.
    OptionError
        An option that is not available.
    WeightsError
        No links.
    IdentificationError
        Every arrangement of the values gives the same I: all units linked equally to all others.

    Notes
    -----
    Two-sided p-values: `p_value` is ``2 (1 - Phi(|z|))``; `p_sim` is twice the smaller tail, at most 1.
    esda's ``p_sim`` is the smaller tail itself, half of ours; spdep's ``moran.mc`` is ``alternative="greater"``.

    Units without neighbours count in n and in the mean and add nothing to z'Wz. Over arrangements on all n units
    the moments are exact with them, too (esda does the same; spdep takes them out of n).

    References
    ----------
    Cliff, A. D. and Ord, J. K. (1981). *Spatial Processes*, Pion, eq. 1.36-1.39. The same I, expectation and
    variances as ``esda.Moran`` and spdep's ``moran.test``.

    Examples
    --------
    >>> import pandas as pd
    >>> from spatial_de.weights import SpatialWeights
    >>> ring = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    >>> w = SpatialWeights(ring, ["a", "b", "c", "d"], normalization="row")
    >>> moran(pd.Series({"d": 1.0, "c": 2.0, "b": 4.0, "a": 3.0}), w, permutations=19).I
    0.0
    """
    check_option(inference, get_args(Inference), "inference")
    check_option(alternative, get_args(Alternative), "alternative")
    inputs.check_run(permutations=permutations, seed=seed)
    settings = _Settings(int(permutations), int(seed), inference, alternative)
    panel = inputs.is_panel_variable(x)
    ordered = inputs.canonical(w)
    inputs.warn_if_few_arrangements(ordered.n, permutations=permutations)
    if not panel:
        return _moran_once(x, ordered, settings)
    found = {
        time: _moran_once(values, ordered, settings, where=f" in {time}") for time, values in inputs.by_time(x, ordered)
    }
    return MoranByTime(_text(x.name), pd.Index(list(found), name=x.index.names[1]), tuple(found.values()))


@dataclass(frozen=True, slots=True)
class _Settings:
    permutations: int
    seed: int
    inference: Inference
    alternative: Alternative


def _moran_once(x: pd.Series, w: SpatialWeights, settings: _Settings, *, where: str = "") -> Moran:
    z = inputs.align(x, w, where=where).z
    sums = weight_sums(w.sparse)
    if settings.inference == "normality":
        variance = variance_normality(sums, w.n)
    elif w.n > 3:
        variance = variance_randomization(sums, z)
    else:
        raise DataError("3 units only: the variance under randomization needs 4; use inference='normality'.")
    expected = expected_moran(w.n)
    if variance <= 1e-10 * expected**2:
        raise IdentificationError(
            f"{x.name!r}{where}: every arrangement of the values gives the same Moran's I under these weights (all "
            "units linked equally, or one value differing from all others): there is nothing to test."
        )
    I = moran_statistic(z, w.sparse, S0=sums.S0)  # noqa: E741
    simulated = permuted_moran(z, w.sparse, S0=sums.S0, permutations=settings.permutations, seed=settings.seed)
    ties = moran_ties(z, w.sparse, S0=sums.S0)
    score = (I - expected) / math.sqrt(variance)
    return Moran(
        name=_text(x.name),
        I=I,
        expected=expected,
        variance=variance,
        z=score,
        p_value=_normal_p_value(score, settings.alternative),
        p_sim=p_value_from(simulated, I, alternative=settings.alternative, ties=ties),
        sim_mean=float(simulated.mean()),
        sim_variance=float(np.var(simulated)),
        n=w.n,
        S0=sums.S0,
        inference=settings.inference,
        alternative=settings.alternative,
        permutations=settings.permutations,
        seed=settings.seed,
        islands=tuple(w.islands.tolist()),
    )


def _normal_p_value(score: float, alternative: Alternative) -> float:
    if alternative == "two-sided":
        return math.erfc(abs(score) / math.sqrt(2))
    return 0.5 * math.erfc((score if alternative == "greater" else -score) / math.sqrt(2))


def time_position(times: pd.Index[Any], time: object) -> int:
    """Where `time` stands among `times`.

    Raises
    ------
    OptionError
        No such time; the available ones are named.
    """
    if time not in times:
        raise OptionError(f"No results for {time!r}: use one of {name_some(times, 20)}.{did_you_mean(time, times)}")
    return times.tolist().index(time)


def _island_line(islands: tuple[Any, ...]) -> list[str]:
    if not islands:
        return []
    return [f"  {plural(len(islands), 'unit')} without neighbours: {name_some(islands)}"]


def _text(name: object) -> str | None:
    return None if name is None else str(name)
