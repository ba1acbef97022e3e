"""Tests of random effects: whether there are any, and whether they go with the regressors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, check_fits, chi2_p
from spatial_de.errors import IdentificationError, OptionError

if TYPE_CHECKING:
    from spatial_de.results import Results


def mundlak_test(fit: Results) -> HypothesisTest:
    """Wald test that random unit effects do not depend on the regressors: all coefficients of unit means are zero.

    It takes the place of Hausman's test, needs no difference of covariances, and is robust to what the covariance of
    the fit is robust to: ``mundlak_test(fit.with_cov("cluster"))``.

    Parameters
    ----------
    fit
        A fit with ``random=True, correlated=True``.

    Raises
    ------
    OptionError
        The fit has no unit means.
    IdentificationError
        The fit has no covariance.

    References
    ----------
    Mundlak, Y. (1978). *Econometrica* 46, 69-85. Wooldridge, J. M. (2010). *Econometric Analysis of Cross Section and
    Panel Data*, section 10.7.3.

    Examples
    --------
    >>> mundlak_test(sde.fit(formula, panel, w, random=True, correlated=True))  # doctest: +SKIP
    """
    check_fits(fit)
    names = list(fit.estimate.problem.mean_names)
    if not names:
        raise OptionError(
            "There are no unit means to test: fit with random=True, correlated=True and regressors that vary over time."
        )
    variance = fit.cov.loc[names, names].to_numpy()
    if not np.isfinite(variance).all():
        raise IdentificationError("The fit is at the bound of its parameter space and has no covariance to test with.")
    size = np.sqrt(np.diag(variance))
    standardised = fit.params[names].to_numpy() / size  # units of the regressors cannot matter
    statistic = float(standardised @ np.linalg.solve(variance / np.outer(size, size), standardised))
    return HypothesisTest(
        name="Mundlak",
        statistic=statistic,
        df=len(names),
        df_resid=None,
        p_value=chi2_p(statistic, len(names)),
        null="unit effects do not depend on the regressors (coefficients of all unit means are zero)",
        reference="Mundlak (1978); Wooldridge (2010, section 10.7.3)",
    )


def random_effects_test(fit: Results, pooled: Results) -> HypothesisTest:
    """Likelihood ratio test of no random unit effects, sigma2_mu = 0.

    Under the null, which lies at the end of the range of sigma2_mu, the statistic is zero in half of all samples and
    chi-squared with one degree of freedom in the others: the p-value is half of the usual one.

    Parameters
    ----------
    fit
        A fit with random effects.
    pooled
        The same without.

    Raises
    ------
    OptionError
        The two differ in more than the random effects.

    References
    ----------
    Self, S. G. and Liang, K.-Y. (1987). *Journal of the American Statistical Association* 82, 605-610, case 5.
    """
    check_fits(fit, pooled)
    one, other = fit.estimate.problem, pooled.estimate.problem
    if pooled.method != "ml":
        raise OptionError(f"The pooled fit used method={pooled.method!r}: only method='ml' has a likelihood.")
    if fit.random is None or pooled.random is not None:
        raise OptionError("random_effects_test(fit, pooled) needs a fit with random effects, then one without.")
    same = {
        "models": fit.model == pooled.model,
        "effects": fit.fixed == pooled.fixed and fit.n_likelihood == pooled.n_likelihood,
        "regressors": one.names == other.names and np.array_equal(one.design.X, other.design.X),
        "responses": one.design.index.equals(other.design.index) and np.array_equal(one.design.y, other.design.y),
        "weights": all(
            getattr(one, part) == getattr(other, part) for part in ("weights", "error_weights", "durbin_weights")
        ),
    }
    differing = [what for what, alike in same.items() if not alike]
    if differing:
        raise OptionError(
            f"The two fits have different {' and '.join(differing)}: fit both in the same way, one with random=True "
            "and one without."
        )
    statistic = max(2.0 * (fit.loglik - pooled.loglik), 0.0)  # rounding
    return HypothesisTest(
        name="LR random effects",
        statistic=statistic,
        df=1,
        df_resid=None,
        p_value=0.5 * chi2_p(statistic, 1) if statistic > 0.0 else 1.0,
        null="no random unit effects (sigma2_mu = 0); the p-value is half of that of chi-squared(1)",
        reference="Self and Liang (1987)",
    )
