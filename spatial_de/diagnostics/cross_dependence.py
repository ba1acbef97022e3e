"""Dependence between units over time: Pesaran's CD, and the randomised-W test of dependence along W."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.diagnostics.base import HypothesisTest, RegisteredTest, check_balanced, check_fits, normal_test, one_w
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.weights import SpatialWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.diagnostics.candidates import Candidates
    from spatial_de.results import Results

GROUP = "Dependence between units, residuals of OLS"


def pesaran_cd(fit: Results) -> HypothesisTest:
    """Pesaran's CD test: whether residuals of different units are correlated over time.

    ``CD = sqrt(2 T / (N (N - 1))) sum_{i<j} r_ij``, r_ij the correlation over time of the residuals of units i and j.
    It finds common factors and spatial dependence alike, and has no power where correlations add up to zero.

    Parameters
    ----------
    fit
        A fit of a balanced panel without time effects.

    Raises
    ------
    IdentificationError
        Time effects make the residuals of each time add up to zero, so that CD is negative by construction and no
        longer normal (Juodis and Reese 2022): use `randomised_w_test`.

    References
    ----------
    Pesaran, M. H. (2015). Testing weak cross-sectional dependence in large panels. *Econometric Reviews* 34, 1089-1117.
    Juodis, A. and Reese, S. (2022). The incidental parameters problem in testing for remaining cross-section
    correlation. *Journal of Business & Economic Statistics* 40, 1191-1203.
    """
    e = _residuals(fit)
    if fit.fixed in {"time", "two-way"}:
        raise IdentificationError(
            "Time effects make the residuals of each time add up to zero: Pesaran's CD is negative by construction "
            "there. Use randomised_w_test, or a fit without time effects."
        )
    z = _standardised(e)
    T, N = e.shape
    total = (float(np.sum(z.sum(axis=1) ** 2)) - N) / 2.0
    return normal_test(
        "Pesaran CD",
        float(np.sqrt(2.0 * T / (N * (N - 1))) * total),
        null="errors of different units are not correlated (r_ij = 0)",
        reference="Pesaran (2015)",
    )


def randomised_w_test(
    fit: Results, w: SpatialWeights | None = None, *, draws: int = 999, seed: int = 0
) -> HypothesisTest:
    """Whether residuals of neighbours are correlated more (or less) than those of units linked at random.

    Correlations over time of all pairs are kept, and the units of W exchanged at random: what common shocks and time
    effects do to all pairs alike cannot be taken for spatial dependence.

    Parameters
    ----------
    fit
        A fit of a balanced panel, with any effects.
    w
        Weights; by default those of the fit.
    draws, seed
        Random relabellings of W, and the seed.

    Returns
    -------
    HypothesisTest
        Statistic: the weighted mean correlation ``sum w_ij r_ij / sum w_ij``. The p-value counts draws at least as far
        from the mean of all draws, on either side, and the sample itself: ``(1 + count) / (1 + draws)``.

    References
    ----------
    Millo, G. (2017). A simple randomization test for spatial correlation in the presence of common factors and serial
    correlation. *Regional Science and Urban Economics* 66, 28-38.
    """
    e = _residuals(fit)
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 19:
        raise OptionError(f"draws={draws!r} must be a whole number of at least 19, for p-values of 5 %.")
    if w is not None and not isinstance(w, SpatialWeights):
        raise OptionError(f"w must be SpatialWeights, not {type(w).__name__}.")
    weights = one_w(fit) if w is None else w.reorder(fit.units, name="the fit's units")
    if not weights.n_links:
        raise IdentificationError("The weights hold no links: there are no neighbours to compare.")
    z = _standardised(e)
    rng = np.random.default_rng(seed)
    here = _mean_correlation(z, weights.sparse)
    found = np.array([_mean_correlation(z[:, rng.permutation(z.shape[1])], weights.sparse) for _ in range(draws)])
    centre = found.mean()
    beyond = int(np.sum(np.abs(found - centre) >= abs(here - centre) * (1.0 - 1e-12)))
    return HypothesisTest(
        name="Randomised W",
        statistic=here,
        df=1,
        df_resid=None,
        p_value=(1 + beyond) / (1 + draws),
        null="errors of neighbours are correlated like those of other pairs (r along W = mean r)",
        reference="Millo (2017)",
        law=f"{draws:,} random W",
    )


def _residuals(fit: Results) -> NDArray[np.float64]:
    """Shape (T, N)."""
    check_fits(fit)
    if fit.times is None:
        raise OptionError("Correlations over time need a panel: this is a fit of a cross-section.")
    check_balanced(fit)
    if len(fit.times) < 3:
        raise IdentificationError(f"Correlations over time need three times or more; there are {len(fit.times)}.")
    return fit.estimate.e


def _standardised(e: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each unit's residuals with mean zero and length one."""
    z = e - e.mean(axis=0)
    length = np.sqrt(np.sum(z**2, axis=0))
    return np.asarray(z / np.where(length > 0.0, length, 1.0))


def _mean_correlation(z: NDArray[np.float64], w: csr_array) -> float:
    return float(np.sum(z * (w @ z.T).T) / w.sum())


def _cd(candidates: Candidates) -> HypothesisTest:
    return pesaran_cd(candidates["ols"])


def _randomised(candidates: Candidates) -> HypothesisTest:
    return randomised_w_test(candidates["ols"])


TESTS = (
    RegisteredTest("Pesaran CD", GROUP, _cd, needs=("panel", "no time effects")),
    RegisteredTest("Randomised W", GROUP, _randomised, needs=("panel",)),
)
