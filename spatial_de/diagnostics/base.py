"""What a test is: a frozen record of numbers and words, and the form in which tests are registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.effects.inference import two_sided_p
from spatial_de.errors import OptionError
from spatial_de.panel.layout import Balanced
from spatial_de.results import Results
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.weights import SpatialWeights


@dataclass(frozen=True, slots=True)
class HypothesisTest:
    """One test of one hypothesis.

    Attributes
    ----------
    name
        Name of the test, e.g. ``"LM lag"``.
    statistic
        Its value.
    df
        Degrees of freedom: the number of restrictions.
    df_resid
        Denominator degrees of freedom of an F test; None where the statistic is compared with chi-squared.
    p_value
        Probability of a larger statistic under the null.
    null
        The hypothesis tested, in words.
    reference
        Where the test comes from.
    law
        What the statistic is compared with where this is neither chi-squared nor F: ``"N(0, 1)"``, ``"t(12)"``,
        ``"random draws"``, ``"chi-bar-squared"``.
    """

    name: str
    statistic: float
    df: int
    df_resid: int | None
    p_value: float
    null: str
    reference: str
    law: str = ""

    @property
    def distribution(self) -> str:
        """``"chi-squared(2)"``, ``"F(2, 45)"``, or `law`."""
        if self.law:
            return self.law
        return f"chi-squared({self.df})" if self.df_resid is None else f"F({self.df}, {self.df_resid})"

    def rejects(self, alpha: float = 0.05) -> bool:
        """Whether the null is rejected at level alpha."""
        return self.p_value < alpha

    def to_frame(self) -> pd.DataFrame:
        """One row with the columns of every table of tests."""
        return as_table([self]).reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name} = {self.statistic:.4f}, {self.distribution}, p = {self.p_value:.4g}. Null: {self.null}."

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


# a panel, a cross-section, no time effects, the general nesting model (which is fitted on request only)
Need = Literal["panel", "cross-section", "no time effects", "general"]


@dataclass(frozen=True, slots=True)
class RegisteredTest:
    """A test as `specification_tests` runs it.

    Attributes
    ----------
    name
        Its name in tables.
    group
        Heading under which it is printed.
    run
        From the candidate models to the test. Raises `IdentificationError`, `ConvergenceError` or `OptionError`
        where the test cannot be made; the message becomes part of the result.
    needs
        Conditions without which it is left out, of those `Need` names.
    """

    name: str
    group: str
    run: Callable[[Candidates], HypothesisTest]
    needs: tuple[Need, ...] = ()


def as_table(tests: Iterable[HypothesisTest]) -> pd.DataFrame:
    """Tests as rows: index test; columns statistic, df, df_resid (NaN for chi-squared), p_value, null, reference."""
    rows = [test.to_dict() for test in tests]
    columns = ["name", "statistic", "df", "df_resid", "p_value", "null", "reference"]
    table = pd.DataFrame(rows, columns=columns).astype({"df_resid": "float64"})
    return table.set_index("name").rename_axis("test")


def chi2_test(name: str, statistic: float, df: int, *, null: str, reference: str) -> HypothesisTest:
    """A test whose statistic is compared with chi-squared."""
    return HypothesisTest(name, statistic, df, None, chi2_p(statistic, df), null, reference)


def normal_test(name: str, z: float, *, null: str, reference: str) -> HypothesisTest:
    """A two-sided test whose statistic is compared with the standard normal."""
    return HypothesisTest(name, z, 1, None, normal_p(z), null, reference, law="N(0, 1)")


def normal_p(z: float) -> float:
    """Both tails of the standard normal."""
    return float(two_sided_p(np.array(z), None))


def upper_p(statistic: float, df: int | None = None) -> float:
    """Upper tail of the standard normal, or of t with `df` degrees of freedom."""
    tail = float(two_sided_p(np.array(statistic), df)) / 2.0
    return tail if statistic > 0.0 else 1.0 - tail


def one_w(fit: Results) -> SpatialWeights:
    """The weights of a fit, the same at all times.

    Raises
    ------
    OptionError
        The fit knows no weights, or they change.
    """
    w = fit.estimate.problem.weights
    if w is None:
        raise OptionError("The fit knows no weights: give them, fit(formula, data, w, model='ols').")
    if isinstance(w, StackedWeights):
        raise OptionError(
            "Specification tests need a balanced panel under one W: call panel.balance() and give one W, or compare "
            "fits of the panel as it is, with likelihood_ratio and wald_test."
        )
    return w


def check_balanced(fit: Results) -> None:
    """Raise `OptionError` unless the fit is of a cross-section or of a balanced panel under one W."""
    if not isinstance(fit.estimate.problem.layout, Balanced):
        raise OptionError("The test needs a balanced panel under one W: call panel.balance() first.")


def check_fits(*fits: object) -> None:
    """Raise `OptionError` unless all are results of `fit`."""
    for fit in fits:
        if not isinstance(fit, Results):
            raise OptionError(f"The test needs results of sde.fit(), not {type(fit).__name__}.")


def chi2_p(statistic: float, df: int) -> float:
    """Upper tail of the chi-squared distribution."""
    from scipy.special import chdtrc

    return float(chdtrc(df, statistic))


def f_p(statistic: float, df: int, df_resid: int) -> float:
    """Upper tail of the F distribution."""
    from scipy.special import fdtrc

    return float(fdtrc(df, df_resid, statistic))
