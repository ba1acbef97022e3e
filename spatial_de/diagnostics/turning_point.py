"""Lind and Mehlum's test of a U shape: a square that is significant is not enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, check_fits, upper_p
from spatial_de.effects.inference import critical_value
from spatial_de.errors import FormulaError, IdentificationError, OptionError
from spatial_de.wording import check_level, check_option

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.results import Results

Of = Literal["own", "neighbors", "total"]


@dataclass(frozen=True, slots=True)
class UTest:
    """Whether a quadratic relation falls first and rises then (U), or the other way round, within the data.

    Attributes
    ----------
    shape
        ``"U"`` or ``"inverse U"``, by the sign of the coefficient of the square.
    extremum, conf_low, conf_high
        Where the slope is zero, and its interval by Fieller's method; infinite where the square is not significantly
        different from zero.
    low, high
        Ends of the data, between which the shape is claimed.
    slope_low, slope_high
        Slopes there.
    t_low, t_high
        The slopes over their standard errors.
    test
        The intersection-union test: its statistic is the smaller of the two, in the direction of the shape, and its
        p-value the larger of the two one-sided ones.
    """

    shape: str
    extremum: float
    conf_low: float
    conf_high: float
    low: float
    high: float
    slope_low: float
    slope_high: float
    t_low: float
    t_high: float
    test: HypothesisTest

    @property
    def p_value(self) -> float:
        """Of the test that there is no such shape within the data."""
        return self.test.p_value

    def __str__(self) -> str:
        where = "inside" if self.low < self.extremum < self.high else "outside"
        return (
            f"{self.shape}: p = {self.p_value:.4g}. Extremum {self.extremum:.4g} [{self.conf_low:.4g}, "
            f"{self.conf_high:.4g}], {where} the data [{self.low:.4g}, {self.high:.4g}]. Slopes at the ends "
            f"{self.slope_low:.4g} (t = {self.t_low:.2f}) and {self.slope_high:.4g} (t = {self.t_high:.2f})."
        )


def u_test(
    fit: Results,
    term: str,
    square: str,
    *,
    of: Of = "own",
    between: tuple[float, float] | None = None,
    level: float = 0.95,
) -> UTest:
    """Test for a U, or an inverse U, in a regressor that enters with its square.

    The null is a relation that is monotone, or of the opposite shape, within the data: it is rejected only if the
    slopes at both ends have the right signs and are significant each.

    Parameters
    ----------
    fit
        Any fit; its covariance (``cov``) is the one used.
    term, square
        Names of the regressor and of its square, as in the fit.
    of
        ``"own"``: coefficients of a unit's own values; ``"neighbors"``: those of their spatial lags; ``"total"``: sums
        of the two, which have the sign of total effects where rows of W add up to one and rho is below one.
    between
        Ends of the range in which the shape is claimed; by default smallest and largest value of the regressor.
    level
        Of the interval of the extremum.

    Raises
    ------
    FormulaError
        The fit has no such regressor, or no lag of it.
    OptionError
        The square is not the square of the regressor.

    References
    ----------
    Lind, J. T. and Mehlum, H. (2010). With or without U? The appropriate test for a U-shaped relationship. *Oxford
    Bulletin of Economics and Statistics* 72, 109-118. Sasabuchi, S. (1980). *Biometrika* 67, 429-439. Fieller, E. C.
    (1954). *Journal of the Royal Statistical Society B* 16, 175-185.

    Examples
    --------
    >>> u_test(sde.fit("gap ~ digital + I(digital**2)", panel, w), "digital", "I(digital ** 2)")  # doctest: +SKIP
    """
    check_fits(fit)
    check_level(level)
    check_option(of, ("own", "neighbors", "total"), "of")
    _refuse_other_square(fit, term, square)
    values = _column(fit, term)
    low, high = (float(values.min()), float(values.max())) if between is None else between
    if not low < high:
        raise OptionError(f"between={between!r} must be two numbers, the smaller first.")
    b, V = _pair(fit, term, square, of=of)
    ends = np.array([[1.0, 2.0 * low], [1.0, 2.0 * high]])
    slopes = ends @ b
    t = slopes / np.sqrt(np.einsum("ij,jk,ik->i", ends, V, ends))
    sign = 1.0 if b[1] > 0.0 else -1.0  # U: falls, then rises
    directed = sign * np.array([-t[0], t[1]])
    statistic = float(directed.min())
    shape = "U" if sign > 0.0 else "inverse U"
    df = fit.df_resid
    test = HypothesisTest(
        name=f"{shape} test",
        statistic=statistic,
        df=1,
        df_resid=df,
        p_value=upper_p(statistic, df),
        null=f"no {shape} in {term} within the data (monotone, or the opposite)",
        reference="Lind and Mehlum (2010)",
        law="N(0, 1), upper tail" if df is None else f"t({df}), upper tail",
    )
    conf_low, conf_high = _fieller(b, V, quantile=critical_value(level, df))
    ends_of_data = {"low": low, "high": high, "slope_low": float(slopes[0]), "slope_high": float(slopes[1])}
    return UTest(
        shape=shape,
        extremum=float(-b[0] / (2.0 * b[1])),
        conf_low=conf_low,
        conf_high=conf_high,
        **ends_of_data,
        t_low=float(t[0]),
        t_high=float(t[1]),
        test=test,
    )


def _column(fit: Results, name: str) -> NDArray[np.float64]:
    design = fit.estimate.problem.design
    if name not in design.x_names:
        raise FormulaError(f"The fit has no regressor {name!r}; it has {', '.join(map(repr, design.x_names))}.")
    present = fit.estimate.problem.layout.ones > 0
    return np.asarray(design.X[:, :, design.x_names.index(name)][present])


def _refuse_other_square(fit: Results, term: str, square: str) -> None:
    x, x2 = _column(fit, term), _column(fit, square)
    if not np.allclose(x2, x**2, rtol=1e-8, atol=1e-8 * float(np.max(x**2))):
        raise OptionError(
            f"{square!r} is not the square of {term!r}: the slope would not be b1 + 2 b2 {term}. If the square is of "
            "the centred variable, centre the variable as well."
        )


def _pair(fit: Results, term: str, square: str, *, of: Of) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two coefficients and their covariance."""
    names = list(fit.params.index)
    rows = []
    for name in (term, square):
        wanted = {"own": [name], "neighbors": [f"W_{name}"], "total": [name, f"W_{name}"]}[of]
        missing = [one for one in wanted if one not in names]
        if missing:
            raise FormulaError(f"of={of!r} needs {missing[0]!r} in the fit: model='slx', 'sdm', 'sdem' or 'gns'.")
        rows.append(np.isin(names, wanted).astype(float))
    R = np.array(rows)
    used = R.any(axis=0)
    b, V = R @ fit.params.to_numpy(), R[:, used] @ fit.cov.to_numpy()[np.ix_(used, used)] @ R[:, used].T
    if not np.isfinite(V).all():
        raise IdentificationError("The fit has no covariance to test with.")
    return b, V


def _fieller(b: NDArray[np.float64], V: NDArray[np.float64], *, quantile: float) -> tuple[float, float]:
    """Values m with ``(b0 + 2 b1 m)^2 <= q^2 Var(b0 + 2 b1 m)``."""
    q2 = quantile**2
    a = 4.0 * (b[1] ** 2 - q2 * V[1, 1])
    half = 2.0 * (b[0] * b[1] - q2 * V[0, 1])
    c = b[0] ** 2 - q2 * V[0, 0]
    inside = half**2 - a * c
    if a <= 0.0 or inside < 0.0:
        return -np.inf, np.inf
    return float((-half - np.sqrt(inside)) / a), float((-half + np.sqrt(inside)) / a)
