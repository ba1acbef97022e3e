"""`specification_tests`: which spatial model, which effects, and why."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from spatial_de.diagnostics.base import HypothesisTest, as_table
from spatial_de.diagnostics.candidates import Candidates
from spatial_de.diagnostics.registry import TESTS
from spatial_de.diagnostics.rendering import render_html, render_text
from spatial_de.diagnostics.verdict import decide
from spatial_de.errors import CapacityError, ConvergenceError, IdentificationError, OptionError, SpatialDEWarning

if TYPE_CHECKING:
    import pandas as pd

    from spatial_de.diagnostics.base import Need
    from spatial_de.models.problem import Bias
    from spatial_de.panel import Panel
    from spatial_de.panel.transforms import Effects
    from spatial_de.weights import SpatialWeights


@dataclass(frozen=True)
class SpecificationTests:
    """Tests of one specification, with a recommendation.

    Attributes
    ----------
    tests
        The tests that were made, in the order of the table.
    verdict
        The recommendation in one sentence.
    reasons
        What it rests on, with the numbers.
    model
        The recommended model by name, e.g. ``"sdm"``.
    effects
        Effects that the joint tests support; None for a cross-section.
    alpha
        Level of the decisions.
    setting
        What was tested, by name: formula, data, weights, effects, bias, information.
    not_tested
        Tests that could not be made, with the reason.
    notes
        What the fits behind the tests had to say.
    """

    tests: tuple[HypothesisTest, ...]
    verdict: str
    reasons: tuple[str, ...]
    model: str
    effects: str | None
    alpha: float
    setting: dict[str, str]
    not_tested: tuple[str, ...]
    notes: tuple[str, ...]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Index test; columns statistic, df, df_resid (of F tests, else NaN), p_value, null, reference."""
        return as_table(self.tests)

    @cached_property
    def readable(self) -> pd.DataFrame:
        """Index test; columns statistic, distribution (what it is compared with), p_value, null, reference."""
        table = self.table.assign(distribution=[test.distribution for test in self.tests])
        return table[["statistic", "distribution", "p_value", "null", "reference"]]

    def to_frame(self) -> pd.DataFrame:
        """The table with the name of the test as a column."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "setting": dict(self.setting),
            "alpha": self.alpha,
            "verdict": self.verdict,
            "model": self.model,
            "effects": self.effects,
            "reasons": list(self.reasons),
            "not_tested": list(self.not_tested),
            "notes": list(self.notes),
            "tests": [test.to_dict() for test in self.tests],
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> SpecificationTests:
        """Rebuild from `to_dict`."""
        parts = {key: tuple(content[key]) for key in ("reasons", "not_tested", "notes")}
        tests = tuple(HypothesisTest(**test) for test in content["tests"])
        return cls(**content | parts | {"tests": tests})

    def __repr__(self) -> str:
        return render_text(self)

    def _repr_html_(self) -> str:
        return render_html(self)


def specification_tests(
    formula: str,
    data: Panel | pd.DataFrame,
    w: SpatialWeights,
    *,
    fixed: Effects | None = None,
    bias: Bias | None = None,
    durbin: list[str] | None = None,
    alpha: float = 0.05,
    information: Literal["observed", "expected"] = "observed",
    general: bool = False,
) -> SpecificationTests:
    """Which spatial model do the data ask for? Tests, a recommendation, and its reasons.

    Lagrange multiplier tests for a spatial lag, a spatial error and lagged regressors (plain, robust and joint) on the
    residuals of OLS, and for what SAR, SEM and SDM leave; likelihood ratio and Wald tests of the SDM against SAR, SEM
    and SLX, of SLX against OLS, of SDEM against SLX; Moran's I, variance and normality of the residuals; for panels
    dependence between units and the joint significance of individual and of time effects; for cross-sections the
    spatial Hausman test.

    Parameters
    ----------
    formula, data, w
        As for `fit`.
    fixed
        Effects under which the spatial tests are made: ``"two-way"`` (default for panels), ``"individual"``,
        ``"time"``, ``"none"``. The joint tests of effects are always those of two-way effects against one kind.
    bias
        Treatment of the effects, as for `fit`: ``"lee-yu"`` (default), ``"correction"``, ``"none"``.
    durbin
        Regressors that enter spatially lagged in SDM and SLX; by default all but categorical ones.
    alpha
        Level of the decisions.
    information
        Information matrix of the Wald tests: ``"observed"`` (default) or ``"expected"``.
    general
        Whether to fit the general nesting model too, and test its restrictions to SDM, SDEM and SAC. It takes longer,
        and its parameters are often hard to tell from each other.

    Returns
    -------
    SpecificationTests

    Raises
    ------
    OptionError, FormulaError, DataError, PanelError, AlignmentError, IdentificationError
        As for `fit`. A test that cannot be made (a fit at its bound, a model that is not nested) does not stop the
        others: the result names it in `not_tested` with the reason.

    Notes
    -----
    The recommendation starts from the Lagrange multiplier tests. If neither rejects, SLX is tested against OLS, and
    the SDM against SLX. If one does, the SDM is the starting point: SAR or SEM is recommended only if its restriction
    is rejected neither by the likelihood ratio nor by the Wald test, and the (robust) Lagrange multiplier tests point
    the same way; in every conflict the SDM is kept, since leaving out what is there biases, and keeping what is not
    there only costs precision. A sequence of tests has a larger overall error than its level.

    References
    ----------
    Elhorst, J. P. (2010). Applied spatial econometrics: raising the bar. *Spatial Economic Analysis* 5, 9-28.
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, chapter 6.

    Examples
    --------
    >>> tests = sde.specification_tests("ln_gap ~ digital + urban", panel, w)  # doctest: +SKIP
    >>> print(tests)  # doctest: +SKIP
    """
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1, e.g. alpha=0.05.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpatialDEWarning)  # each once, below, however many fits give it
        candidates = Candidates(formula, data, w, durbin=durbin, fixed=fixed, bias=bias, information=information)
        tests, not_tested = _run(candidates, general=general)
    for message, category in {str(item.message): item.category for item in caught}.items():
        warnings.warn(message, category, stacklevel=2)
    base = candidates["ols"]
    verdict = decide(tests, alpha=alpha, fixed=base.fixed, panel=base.times is not None)
    return SpecificationTests(
        tests=tuple(tests.values()),
        verdict=verdict.sentence,
        reasons=verdict.reasons,
        model=verdict.model,
        effects=verdict.effects,
        alpha=alpha,
        setting=_setting(candidates),
        not_tested=tuple(not_tested),
        notes=_notes(candidates),
    )


def _run(candidates: Candidates, *, general: bool) -> tuple[dict[str, HypothesisTest], list[str]]:
    """Every registered test that applies; those that cannot be made, with the reason."""
    base = candidates["ols"]
    given: set[Need] = {"panel" if base.times is not None else "cross-section"}
    given |= {"general"} if general else set()
    given |= {"no time effects"} if base.fixed in {"none", "individual"} else set()
    tests: dict[str, HypothesisTest] = {}
    failures: dict[str, Exception] = {}
    for name, entry in TESTS.items():
        if not given.issuperset(entry.needs):
            continue
        try:
            tests[name] = entry.run(candidates)
        except (IdentificationError, ConvergenceError, OptionError, CapacityError) as error:
            failures[name] = error
    if "LM lag" in failures:
        raise failures["LM lag"]
    return tests, [f"{name}: {error}" for name, error in failures.items()]


def _notes(candidates: Candidates) -> tuple[str, ...]:
    """What the fits had to say, each once, and how their likelihoods are to be read."""
    fits = candidates.fitted
    notes = dict.fromkeys(note for fit in fits.values() for note in fit.notes)
    problem = fits["sdm"].estimate.problem if "sdm" in fits else None
    if problem is not None and problem.bias != "none" and problem.n != problem.n_free:
        notes[
            "The likelihood ratios use log-likelihoods before the bias correction and reject somewhat too often in "
            "short panels of few units; the Wald tests use the corrected estimates."
        ] = None
    return tuple(notes)


def _setting(candidates: Candidates) -> dict[str, str]:
    base = candidates["ols"]
    panel = base.times is not None
    size = f"{len(base.units):,} units" + (f", {len(base.times)} times" if base.times is not None else "")
    weights = base.weights
    return {
        "formula": base.formula,
        "data": f"{'panel' if panel else 'cross-section'}, {size}",
        "weights": "" if weights is None else f"{weights.provenance.rule}, {weights.normalization}",
        "fixed": base.fixed,
        "bias": base.bias,
        "information": base.information,
    }
