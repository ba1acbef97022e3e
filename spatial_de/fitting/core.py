"""`fit`: from formula, data and weights to results."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

from spatial_de.fitting import cautions
from spatial_de.fitting.options import (
    GivenWeights,
    check_moment_options,
    refuse_on_cells,
    resolve_durbin,
    resolve_effects,
    resolve_links,
    resolve_posterior,
    resolve_random,
)
from spatial_de.logdet import METHODS, Method
from spatial_de.models import MODELS, build_problem, estimate_ml, estimate_random
from spatial_de.models.bayes import estimate_bayes
from spatial_de.models.covariance import COVARIANCES, Covariance
from spatial_de.models.error_moments import Variances
from spatial_de.models.gmm import estimate_gmm
from spatial_de.models.prior import Prior
from spatial_de.panel.design import build_design
from spatial_de.panel.transforms import Effects
from spatial_de.results import Results
from spatial_de.weights.stacked import MISSING_NEIGHBORS, MissingNeighbors
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from spatial_de.models.problem import Bias, RandomForm
    from spatial_de.panel import Panel
    from spatial_de.weights import SpatialWeights

Model = Literal["ols", "slx", "sar", "sem", "sac", "sdm", "sdem", "gns"]


def fit(
    formula: str,
    data: Panel | pd.DataFrame,
    w: GivenWeights | None = None,
    *,
    model: Model = "sdm",
    fixed: Effects | None = None,
    random: bool | RandomForm = False,
    correlated: bool = False,
    durbin: Sequence[str] | None = None,
    error_weights: GivenWeights | None = None,
    durbin_weights: GivenWeights | None = None,
    missing_neighbors: MissingNeighbors | None = None,
    bias: Bias | None = None,
    information: Literal["observed", "expected"] = "observed",
    cov: Covariance = "classical",
    bandwidth: int | None = None,
    hac_weights: SpatialWeights | None = None,
    method: Literal["ml", "gmm", "bayes"] = "ml",
    instrument_lags: int | None = None,
    logdet: Method = "auto",
    draws: int | None = None,
    seed: int | None = None,
    prior: Prior | None = None,
) -> Results:
    """Fit a spatial model by exact maximum likelihood, a cross-section by the method of moments, or a posterior.

    Parameters
    ----------
    formula
        ``"y ~ x1 + log(x2)"``. With fixed effects the intercept is left out.
    data
        A `Panel`, which may be unbalanced, or a DataFrame indexed by unit (cross-section).
    w
        Spatial weights; needed by all models but ``"ols"``. Data and weights meet by unit label. Weights that change
        over time are a mapping from each time of the panel to its weights.
    model
        ``"ols"``, ``"slx"``, ``"sar"``, ``"sem"``, ``"sac"``, ``"sdm"``, ``"sdem"``, ``"gns"``.
    fixed
        ``"two-way"`` (default for panels), ``"individual"``, ``"time"``, ``"none"`` (default for cross-sections and
        with random effects).
    random
        Random unit effects with variance sigma2_mu: True (the same as ``"bsk"``), ``"bsk"`` (beside a spatial error:
        Anselin 1988; Baltagi, Song and Koh 2003) or ``"kkp"`` (sharing it: Kapoor, Kelejian and Prucha 2007). Without a
        spatial error the two are one. `fixed` then is ``"none"`` (default) or ``"time"``.
    correlated
        Correlated random effects: unit means of the regressors that vary over time enter as ``mean_x`` (Mundlak 1978).
    error_weights, durbin_weights
        Weights of the spatial error, and of the lagged regressors; by default `w` for both.
    missing_neighbors
        What happens to the weights of neighbours that are missing at a time, in unbalanced panels. ``"renormalize"``
        (default): the weights that are left are normalised again as those given were. ``"zero"``: they are kept, so
        that a missing neighbour counts as zero.
    durbin
        Regressors that enter spatially lagged in slx, sdm, sdem and gns; by default all but categorical ones.
    bias
        Treatment of fixed effects. ``"lee-yu"`` (default): they are eliminated by an orthonormal transformation;
        where W is not row-stochastic, time effects are estimated and the bias corrected analytically; in unbalanced
        panels and under weights that change, the scores are adjusted for their expectations.
        ``"correction"``: time effects are estimated and the bias corrected. ``"none"``: direct likelihood, whose
        rho is biased in short panels of few units. With random effects ``"lee-yu"`` or ``"none"`` for time effects.
    information
        ``"observed"`` (default) or ``"expected"`` information for standard errors.
    cov
        ``"classical"``, ``"robust"``, ``"cluster"`` (by unit), ``"cluster-time"``, ``"cluster-two-way"``,
        ``"driscoll-kraay"``, ``"hac"``; see `Results.with_cov`.
    bandwidth
        Lags of the Driscoll-Kraay kernel.
    hac_weights
        Kernel weights of pairs of units for ``cov="hac"`` (`weights.kernel`).
    method
        ``"ml"``; ``"bayes"``: draws of the posterior under the same likelihood, independent ones for models with one
        spatial parameter, chains for sac and gns; ``"gmm"`` for cross-sections: two-stage least squares of a lagged
        response, generalised moments of a spatial error. With ``cov="robust"`` the latter allow errors of different
        variance, under which maximum likelihood is not consistent.
    instrument_lags
        With ``method="gmm"``, instruments of the lagged response are the first so many spatial lags of the regressors
        (lagged ones included). By default 1, and 2 for models with lagged regressors.
    draws, seed, prior
        Of ``method="bayes"``: draws of the posterior (10,000), the seed (0), and the `Prior` (flat).
    logdet
        How ln|I - rho W| is computed: ``"eigenvalues"`` (dense), ``"sparse"`` (factorisations at a few values of rho,
        interpolated with an error bound), ``"stochastic"`` (random probes, with a standard error), or by
        default whichever of the first two is faster. The fit records what was used.

    Returns
    -------
    Results

    Raises
    ------
    OptionError, FormulaError, DataError, PanelError, AlignmentError, IdentificationError, ConvergenceError

    References
    ----------
    Ord, K. (1975). *Journal of the American Statistical Association* 70, 120-126.
    Lee, L.-F. and Yu, J. (2010). *Journal of Econometrics* 154, 165-185.
    Baltagi, B. H., Song, S. H. and Koh, W. (2003). *Journal of Econometrics* 117, 123-150.
    Kapoor, M., Kelejian, H. H. and Prucha, I. R. (2007). *Journal of Econometrics* 140, 97-130.
    Elhorst, J. P. (2014). *Spatial Econometrics: From Cross-Sectional Data to Spatial Panels*.
    """
    check_option(model, MODELS, "model")
    check_option(information, ("observed", "expected"), "information")
    check_option(cov, COVARIANCES, "cov")
    check_option(method, ("ml", "gmm", "bayes"), "method")
    check_option(missing_neighbors, (None, *MISSING_NEIGHBORS), "missing_neighbors")
    check_option(logdet, ("auto", *METHODS), "logdet")
    check_moment_options(method, MODELS[model], information=information, instrument_lags=instrument_lags)
    chosen = resolve_posterior(method, draws=draws, seed=seed, prior=prior, cov=cov, information=information)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(formula, data, unbalanced=True)
        form = resolve_random(design, random, correlated=correlated, method=method)
        effects, treatment = resolve_effects(design, "none" if form and fixed is None else fixed, bias, random=form)
        spec, links = resolve_links(
            design,
            MODELS[model],
            missing=missing_neighbors,
            w=w,
            error_weights=error_weights,
            durbin_weights=durbin_weights,
        )
        refuse_on_cells(design, links, spec, random=form, method=method, bias=treatment, information=information)
        cautions.refuse_uniform(links, effects, spec)
        cautions.refuse_exchangeable(design, links, spec)
        lagged = resolve_durbin(durbin, design, spec)
        problem = build_problem(
            design,
            links,
            spec=spec,
            effects=effects,
            bias=treatment,
            durbin=lagged,
            random=form,
            correlated=correlated,
        )
        cautions.warn_of_two_values(design)
        cautions.warn_of_interactions(design, spec)
        cautions.warn_of_endogenous_weights(design, links.used(spec))
        cautions.warn_of_direct_bias(problem, asked=treatment)
        if method == "gmm":
            variances: Variances = "different" if cov == "robust" else "equal"
            estimate = estimate_gmm(problem, variances=variances, powers=instrument_lags, logdet=logdet)
        elif method == "bayes":
            estimate = estimate_bayes(problem, draws=chosen.draws, seed=chosen.seed, prior=chosen.prior, logdet=logdet)
        else:
            by_likelihood = estimate_random if form else estimate_ml
            estimate = by_likelihood(problem, information=information, logdet=logdet)
        cautions.warn_of_bound(estimate)
        cautions.warn_of_no_unit_effects(estimate)
        notes = [str(item.message) for item in caught]
        if problem.n_time_dummies and problem.bias == "lee-yu":
            notes.append(cautions.TIME_DUMMIES)
        notes += [*cautions.note_on_islands(links, spec), *cautions.note_on_means(problem, correlated=correlated)]
        notes += cautions.note_on_cells(design, links, spec, effects=effects, missing=missing_neighbors)
        result = Results(
            estimate=estimate,
            method=method,
            information=information,
            cov_type="robust" if method == "gmm" and spec.lag_error and cov == "robust" else "classical",
            bandwidth=None,
            notes=tuple(notes),
        )
        if cov != "classical" or bandwidth is not None or hac_weights is not None:
            result = result.with_cov(cov, bandwidth=bandwidth, hac_weights=hac_weights)
    for item in caught:  # again, pointing at the caller's line
        warnings.warn(item.message, item.category, stacklevel=2)
    return result
