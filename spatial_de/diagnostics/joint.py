"""Joint significance of individual effects (given time effects) and of time effects (given individual effects)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, RegisteredTest, as_table, chi2_p, f_p
from spatial_de.errors import IdentificationError
from spatial_de.panel.design import build_design
from spatial_de.panel.transforms import Effects, within

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.panel import Panel
    from spatial_de.panel.design import Design

GROUP = "Joint significance of fixed effects, from OLS"
_ROUNDING = 1e-12
Dimension = Literal["individual", "time"]
_OTHER: dict[Dimension, Effects] = {"individual": "time", "time": "individual"}


def fixed_effects_tests(formula: str, data: Panel) -> pd.DataFrame:
    """Joint significance of individual and of time effects, as likelihood ratio and as F test.

    Parameters
    ----------
    formula, data
        As for `fit`; a panel.

    Returns
    -------
    DataFrame
        Index test; columns statistic, df, df_resid, p_value, null, reference.

    Notes
    -----
    From least squares without spatial terms, as Elhorst (2014, ch. 3) does: two-way effects against one of the
    two, ``LR = N T ln(SSR_0 / SSR_1)``, both log-likelihoods direct ones of the same N T observations. The degrees
    of freedom are those that the other effects and the regressors leave: N - 1 individual effects (not N) beside
    time effects, T - 1 time effects (not T) beside individual effects; one less for each regressor that does not vary
    over time (over units). The number of individual effects grows with N, so that the chi-squared distribution of
    the likelihood ratio holds for long panels only (N = 31, T = 10: 11 % of true nulls rejected at the 5 % level).
    The F statistic, a function of the same two sums of squares, is exact for normal errors at every size, and is the
    one the verdict uses.

    References
    ----------
    Elhorst, J. P. (2014). *Spatial Econometrics: From Cross-Sectional Data to Spatial Panels*, chapter 3.
    Baltagi, B. H. (2021). *Econometric Analysis of Panel Data*, section 3.2.
    """
    design = build_design(formula, data)
    dimensions: tuple[Dimension, ...] = ("individual", "time")
    return as_table(make(design, which) for which in dimensions for make in (_likelihood_ratio, _f_test))


@dataclass(frozen=True, slots=True)
class SumsOfSquares:
    """What both tests are made of.

    Attributes
    ----------
    restricted, free
        Sum of squared residuals without and with the effects tested.
    df, df_resid
        Number of effects tested, and dimension that the larger model leaves.
    n
        Observations, N T.
    """

    restricted: float
    free: float
    df: int
    df_resid: int
    n: int


def sums_of_squares(design: Design, which: Dimension) -> SumsOfSquares:
    """Least squares with two-way effects, and with the effects other than `which` only.

    Raises
    ------
    IdentificationError
        Not a panel of at least two units and times, too few observations, or an exact fit.
    """
    T, N = design.y.shape
    if not design.is_panel or T < 2 or N < 2:
        raise IdentificationError("Joint tests of effects need a panel with at least two units and two times.")
    other = _OTHER[which]
    restricted, small_rank = _residual_sum(design, other)
    free, big_rank = _residual_sum(design, "two-way")
    df_resid = (N - 1) * (T - 1) - big_rank
    levels = N - 1 if which == "individual" else T - 1
    df = levels - (small_rank - big_rank)  # a regressor that the effects absorb leaves one of them untested
    if df_resid < 1 or df < 1:
        raise IdentificationError("Two-way effects and regressors leave no degrees of freedom for a joint test.")
    if free <= _ROUNDING**2 * float(np.sum((design.y - design.y.mean()) ** 2)):
        raise IdentificationError("Two-way effects and regressors fit the response exactly: there is nothing to test.")
    return SumsOfSquares(restricted, free, df, df_resid, design.y.size)


def _residual_sum(design: Design, effects: Effects) -> tuple[float, int]:
    """Sum of squared residuals, and rank of the regressors, after the effects are taken out."""
    from scipy.linalg import qr

    y = within(design.y - design.y.mean(), effects).ravel()
    X = within(design.X - design.X.mean(axis=(0, 1)), effects).reshape(y.size, -1)
    norms = np.sqrt(np.sum(X**2, axis=0))
    whole = np.sqrt(np.sum(design.X**2, axis=(0, 1)))
    kept = norms > _ROUNDING * whole
    if not kept.any():
        return float(y @ y), 0
    Q, R, _ = qr(X[:, kept] / norms[kept], mode="economic", pivoting=True)
    size = np.abs(np.diag(R))
    rank = int((size > _ROUNDING * size[0]).sum())
    basis: NDArray[np.float64] = Q[:, :rank]
    residual = y - basis @ (basis.T @ y)
    return float(residual @ residual), rank


def _likelihood_ratio(design: Design, which: Dimension) -> HypothesisTest:
    s = sums_of_squares(design, which)
    statistic = s.n * float(np.log(s.restricted / s.free))
    return HypothesisTest(
        name=f"LR {which} effects",
        statistic=statistic,
        df=s.df,
        df_resid=None,
        p_value=chi2_p(statistic, s.df),
        null=_null(which),
        reference="Elhorst (2014, ch. 3)",
    )


def _f_test(design: Design, which: Dimension) -> HypothesisTest:
    s = sums_of_squares(design, which)
    statistic = (s.restricted - s.free) / s.df / (s.free / s.df_resid)
    return HypothesisTest(
        name=f"F {which} effects",
        statistic=statistic,
        df=s.df,
        df_resid=s.df_resid,
        p_value=f_p(statistic, s.df, s.df_resid),
        null=_null(which),
        reference="Baltagi (2021, section 3.2)",
    )


def _null(which: Dimension) -> str:
    return f"no {which} effects, given {_OTHER[which]} effects"


def _registered(which: Dimension) -> tuple[RegisteredTest, RegisteredTest]:
    def ratio(candidates: Candidates) -> HypothesisTest:
        return _likelihood_ratio(candidates["ols"].estimate.problem.design, which)

    def f_test(candidates: Candidates) -> HypothesisTest:
        return _f_test(candidates["ols"].estimate.problem.design, which)

    return (
        RegisteredTest(f"LR {which} effects", GROUP, ratio, needs=("panel",)),
        RegisteredTest(f"F {which} effects", GROUP, f_test, needs=("panel",)),
    )


TESTS = (*_registered("individual"), *_registered("time"))
