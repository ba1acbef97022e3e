"""Lagrange multiplier tests of spatial dependence, from the likelihood that is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spatial_de.diagnostics.base import HypothesisTest, RegisteredTest, as_table, chi2_test, one_w
from spatial_de.diagnostics.candidates import Candidates
from spatial_de.diagnostics.scores import lagged_names, scores_beside, scores_without_dependence
from spatial_de.errors import IdentificationError
from spatial_de.models import MODELS, ModelSpec, SpatialLinks, build_problem

if TYPE_CHECKING:
    import pandas as pd

    from spatial_de.fitting import Model
    from spatial_de.models.problem import Bias, Problem
    from spatial_de.panel import Panel
    from spatial_de.panel.transforms import Effects
    from spatial_de.results import Results
    from spatial_de.weights import SpatialWeights

GROUP = "Lagrange multiplier, from OLS"
DURBIN_GROUP = "Lagrange multiplier for the spatial Durbin model, from OLS"
CONDITIONAL_GROUP = "Lagrange multiplier for what is left, from spatial models"
WX = "WX"  # stands for all lagged regressors


def lm_tests(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights,
    *,
    fixed: Effects | None = None,
    bias: Bias | None = None,
) -> pd.DataFrame:
    """LM lag, LM error, their robust forms and the joint test, from the residuals of the model without spatial terms.

    Parameters
    ----------
    formula, data, w, fixed, bias
        As for `fit`.

    Returns
    -------
    DataFrame
        Index test; columns statistic, df, df_resid, p_value, null, reference.

    Notes
    -----
    The tests take errors as independent with one variance. Same numbers as ``spdep::lm.RStests`` and
    ``spreg.OLS(spat_diag=True)`` for cross-sections, as ``splm::slmtest`` and Elhorst's ``LMsarsem_panel`` for
    panels with ``bias="none"`` (with time effects only where rows add up to one: elsewhere their formulas leave out
    what the demeaning does to W, and the numbers here are those of the score test with dummies), as Debarsy and
    Ertur's routines for individual effects with ``bias="lee-yu"``.
    With time effects and few units the classical form rejects a true null too often: at the 5 % level with two-way
    effects, N = 30, T = 12, LM lag in 11.5 % and LM error in 14.2 % of 10,000 samples, against 4.9 and 5.0 % after
    the transformation of Lee and Yu.

    References
    ----------
    Anselin, L. (1988). Lagrange multiplier test diagnostics for spatial dependence and spatial heterogeneity.
    *Geographical Analysis* 20, 1-17.
    Anselin, L., Bera, A. K., Florax, R. and Yoon, M. J. (1996). Simple diagnostic tests for spatial dependence.
    *Regional Science and Urban Economics* 26, 77-104.
    Debarsy, N. and Ertur, C. (2010). Testing for spatial autocorrelation in a fixed effects panel data model.
    *Regional Science and Urban Economics* 40, 453-470.
    Elhorst, J. P. (2014). *Spatial Econometrics: From Cross-Sectional Data to Spatial Panels*, chapter 3.
    """
    candidates = Candidates(formula, data, w, fixed=fixed, bias=bias)
    return _run(candidates, GROUP)


def durbin_lm_tests(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights,
    *,
    durbin: list[str] | None = None,
    fixed: Effects | None = None,
    bias: Bias | None = None,
) -> pd.DataFrame:
    """LM tests for spatially lagged regressors and a spatial lag, each beside the other and both at once.

    Parameters
    ----------
    formula, data, w, durbin, fixed, bias
        As for `fit`.

    Returns
    -------
    DataFrame
        Index test; columns statistic, df, df_resid, p_value, null, reference.

    Notes
    -----
    The null is the model without spatial terms. If the joint test rejects, the robust ones tell which term it is: the
    spatial lag, WX, or both, which is the spatial Durbin model. Where every regressor is lagged, the robust test of
    the lag is that of a spatial error (a lag beside WX can only be told by what WX does not explain). Effects of a
    panel are treated as in `lm_tests`.

    References
    ----------
    Koley, M. and Bera, A. K. (2024). To use, or not to use the spatial Durbin model? - that is the question.
    *Spatial Economic Analysis* 19, 30-56.
    """
    return _run(Candidates(formula, data, w, durbin=durbin, fixed=fixed, bias=bias), DURBIN_GROUP)


def conditional_lm_tests(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights,
    *,
    durbin: list[str] | None = None,
    fixed: Effects | None = None,
    bias: Bias | None = None,
) -> pd.DataFrame:
    """LM tests of what a spatial model leaves: an error beside the lag of SAR and SDM, a lag beside the error of SEM.

    Parameters
    ----------
    formula, data, w, durbin, fixed, bias
        As for `fit`.

    Returns
    -------
    DataFrame
        Index test; columns statistic, df, df_resid, p_value, null, reference.

    References
    ----------
    Anselin, L. (1988). *Spatial Econometrics: Methods and Models*, section 8.1.3.
    Debarsy, N. and Ertur, C. (2010). *Regional Science and Urban Economics* 40, 453-470.
    """
    return _run(Candidates(formula, data, w, durbin=durbin, fixed=fixed, bias=bias), CONDITIONAL_GROUP)


def _run(candidates: Candidates, group: str) -> pd.DataFrame:
    return as_table(entry.run(candidates) for entry in (*TESTS, *CONDITIONAL_TESTS) if entry.group == group)


@dataclass(frozen=True, slots=True)
class _Kind:
    """One test from OLS: which parameters, and which may locally be different from zero."""

    name: str
    group: str
    spec: str
    tested: tuple[str, ...]
    null: str
    robust_to: tuple[str, ...] = ()

    def __call__(self, candidates: Candidates) -> HypothesisTest:
        base = candidates["ols"]
        problem = _larger(base, MODELS[self.spec], candidates.durbin)
        tested = _parameters(problem, self.tested)
        scores = scores_without_dependence(problem)
        statistic = scores.statistic(tested, robust_to=_parameters(problem, self.robust_to))
        return chi2_test(self.name, statistic, len(tested), null=self.null, reference=self._reference(base))

    def _reference(self, base: Results) -> str:
        if self.group == DURBIN_GROUP:
            return "Koley and Bera (2024)"
        robust = "Anselin, Bera, Florax and Yoon (1996)"
        return _with_panel(base, robust if self.robust_to or len(self.tested) > 1 else "Anselin (1988)")


@dataclass(frozen=True, slots=True)
class _Conditional:
    """One test of what a spatial model leaves."""

    name: str
    model: Model
    larger: str
    tested: str
    null: str

    def __call__(self, candidates: Candidates) -> HypothesisTest:
        small = candidates[self.model]
        if not small.converged:
            raise IdentificationError(f"The {self.model.upper()} is at its bound, where no score is zero.")
        problem = _larger(small, MODELS[self.larger], candidates.durbin)
        statistic = scores_beside(problem, small.estimate).statistic([self.tested])
        reference = _with_panel(small, "Anselin (1988, section 8.1.3)")
        return chi2_test(self.name, statistic, 1, null=self.null, reference=reference)


def _larger(fit: Results, spec: ModelSpec, durbin: tuple[str, ...] | None) -> Problem:
    """The larger model, on the data of a fit."""
    problem = fit.estimate.problem
    links = SpatialLinks.same(one_w(fit))
    effects, bias = problem.effects, problem.bias
    return build_problem(problem.design, links, spec=spec, effects=effects, bias=bias, durbin=durbin)


def _parameters(problem: Problem, names: tuple[str, ...]) -> list[str]:
    found = [part for name in names for part in (lagged_names(problem) if name == WX else [name])]
    if WX in names and not problem.lagged:
        raise IdentificationError("No regressor enters spatially lagged: there is nothing to test.")
    return found


def _with_panel(base: Results, own: str) -> str:
    if base.times is None:
        return own
    panel = "Elhorst (2014, ch. 3)" if base.fixed == "none" or base.bias == "none" else "Debarsy and Ertur (2010)"
    return f"{own}; {panel}"


_NO_LAG, _NO_ERROR = "no spatial lag of the response (rho = 0)", "no spatial errors (lambda = 0)"
_NO_WX = "no spatially lagged regressors (theta = 0)"
_KINDS = (
    _Kind("LM lag", GROUP, "sac", ("rho",), f"{_NO_LAG} if errors are not spatial"),
    _Kind("LM error", GROUP, "sac", ("lambda",), f"{_NO_ERROR} if there is no spatial lag"),
    _Kind("Robust LM lag", GROUP, "sac", ("rho",), f"{_NO_LAG}, spatial errors or not", ("lambda",)),
    _Kind("Robust LM error", GROUP, "sac", ("lambda",), f"{_NO_ERROR}, spatial lag or not", ("rho",)),
    _Kind(
        "LM lag and error", GROUP, "sac", ("rho", "lambda"), "no spatial lag and no spatial errors (rho = lambda = 0)"
    ),
    _Kind("LM WX", DURBIN_GROUP, "sdm", (WX,), f"{_NO_WX} if there is no spatial lag"),
    _Kind("LM lag and WX", DURBIN_GROUP, "sdm", ("rho", WX), "neither a spatial lag nor WX (rho = theta = 0)"),
    _Kind("Robust LM WX", DURBIN_GROUP, "sdm", (WX,), f"{_NO_WX}, spatial lag or not", ("rho",)),
    _Kind("Robust LM lag (WX)", DURBIN_GROUP, "sdm", ("rho",), f"{_NO_LAG}, spatially lagged regressors or not", (WX,)),
    _Kind(
        "LM error and WX", DURBIN_GROUP, "sdem", ("lambda", WX), "neither spatial errors nor WX (lambda = theta = 0)"
    ),
)
_CONDITIONAL = (
    _Conditional("LM error in SAR", "sar", "sac", "lambda", f"{_NO_ERROR} beside a spatial lag"),
    _Conditional("LM lag in SEM", "sem", "sac", "rho", f"{_NO_LAG} beside spatial errors"),
    _Conditional("LM error in SDM", "sdm", "gns", "lambda", f"{_NO_ERROR} beside a spatial lag and WX"),
)


TESTS = tuple(RegisteredTest(kind.name, kind.group, kind) for kind in _KINDS)
CONDITIONAL_TESTS = tuple(RegisteredTest(kind.name, CONDITIONAL_GROUP, kind) for kind in _CONDITIONAL)
