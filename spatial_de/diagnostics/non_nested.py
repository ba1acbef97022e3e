"""Kelejian's J test of a model against others, with another W or other regressors, that it does not nest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, check_fits, chi2_p
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.models.problem import lagged_instruments
from spatial_de.models.two_stage import instrument_basis, sandwich, two_stage
from spatial_de.results import Results
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem


def j_test(
    null: Results, alternatives: Results | Sequence[Results], *, cov: Literal["classical", "robust"] = "classical"
) -> HypothesisTest:
    """Test a spatial lag model against others that it does not nest: another W, other regressors, or both.

    The null model gets the predictions ``rho W y + Z d`` of each alternative as further regressors and is estimated by
    two-stage least squares with the instruments of all models; their coefficients are zero under the null. Not
    rejecting does not mean that the null fits better: test the other way round as well. Both may be rejected.

    Parameters
    ----------
    null, alternatives
        Cross-sections with ``model="sar"`` or ``"sdm"`` and ``method="gmm"``, of the same response of the same units.
    cov
        ``"classical"``, or ``"robust"`` to errors of different variances.

    Returns
    -------
    HypothesisTest
        Chi-squared, a degree of freedom for each alternative.

    Raises
    ------
    OptionError
        Fits of another kind, or of other data.
    IdentificationError
        A prediction is a combination of the null's regressors.

    References
    ----------
    Kelejian, H. H. (2008). A spatial J-test for model specification against a single or a set of non-nested
    alternatives. *Letters in Spatial and Resource Sciences* 1, 3-11.
    Kelejian, H. H. and Piras, G. (2011). An extension of Kelejian's J-test for non-nested spatial models. *Regional
    Science and Urban Economics* 41, 281-292.

    Examples
    --------
    >>> border = sde.fit(formula, frame, w1, model="sar", method="gmm")  # doctest: +SKIP
    >>> nearest = sde.fit(formula, frame, w2, model="sar", method="gmm")  # doctest: +SKIP
    >>> j_test(border, nearest), j_test(nearest, border)  # doctest: +SKIP
    """
    check_option(cov, ("classical", "robust"), "cov")
    if not isinstance(alternatives, list | tuple):
        check_fits(alternatives)
    others = [alternatives] if isinstance(alternatives, Results) else list(alternatives)
    check_fits(null, *others)
    if not others:
        raise OptionError("There is no alternative to test against.")
    for fit in (null, *others):
        _check(fit, null)
    first = null.estimate.problem
    Z = _regressors(first)
    predictions = np.column_stack([_prediction(fit) for fit in others])
    _refuse_known(Z, predictions)
    rivals = [fit.estimate.problem for fit in others]
    powers = [_powers(fit) for fit in (null, *others)]
    extra = [lagged_instruments(one, power) for one, power in zip((first, *rivals), powers, strict=True)]
    basis = instrument_basis(first.Z[0], np.hstack([*(one.Z[0] for one in rivals), *extra]))
    stage = two_stage(first.y[0], np.hstack([Z, predictions]), basis)
    u = stage.u

    def meat(h: NDArray[np.float64]) -> NDArray[np.float64]:
        spread = (h * u[:, None]).T @ (h * u[:, None]) if cov == "robust" else h.T @ h * float(np.mean(u**2))
        return np.asarray(spread)

    q = len(others)
    variance, weights = sandwich(stage, meat)[-q:, -q:], stage.coefficients[-q:]
    statistic = float(weights @ np.linalg.solve(variance, weights))
    return HypothesisTest(
        name="Kelejian J",
        statistic=statistic,
        df=q,
        df_resid=None,
        p_value=chi2_p(statistic, q),
        null="the predictions of the alternatives add nothing to the model",
        reference="Kelejian (2008), Kelejian and Piras (2011)",
    )


def _check(fit: Results, null: Results) -> None:
    problem = fit.estimate.problem
    if fit.method != "gmm" or problem.spec.lag_error:
        raise OptionError(
            f"The J test is for model='sar' or 'sdm' with method='gmm', not for model={fit.model!r} with "
            f"method={fit.method!r}."
        )
    if not fit.units.equals(null.units):
        raise OptionError("The J test compares models of the same units: fit all on the same data.")
    if not np.array_equal(problem.design.y, null.estimate.problem.design.y):
        raise OptionError("The J test compares models of the same response: fit all on the same data.")


def _regressors(problem: Problem) -> NDArray[np.float64]:
    if problem.Wy is None:
        raise ValueError("a model with a spatial lag has a lagged response")
    return np.column_stack([problem.Z[0], problem.Wy[0]])


def _prediction(fit: Results) -> NDArray[np.float64]:
    """``Z d + rho W y`` in the scaled units that all models of one response share."""
    return np.asarray(_regressors(fit.estimate.problem) @ np.append(fit.estimate.delta, fit.estimate.rho))


def _powers(fit: Results) -> int:
    moments = fit.estimate.moments
    if moments is None:
        raise ValueError("a fit by the method of moments has moments")
    return moments.powers


def _refuse_known(Z: NDArray[np.float64], predictions: NDArray[np.float64]) -> None:
    own = np.linalg.qr(Z)[0]
    left = predictions - own @ (own.T @ predictions)
    small = np.linalg.norm(left, axis=0) <= 1e-8 * np.linalg.norm(predictions, axis=0)
    if small.any():
        raise IdentificationError(
            f"The prediction of alternative {int(np.argmax(small)) + 1} is a combination of the null's regressors: the "
            "null nests it, so that there is nothing to test against."
        )
