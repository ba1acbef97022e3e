"""`fit`: from formula, data and weights to results."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

from spatial_de.fitting import cautions
from spatial_de.fitting.options import (
    GivenWeights,
    refuse_on_cells,
    resolve_durbin,
    resolve_effects,
    resolve_links,
)
from spatial_de.logdet import METHODS, Method
from spatial_de.models import MODELS, build_problem, estimate_ml
from spatial_de.models.covariance import COVARIANCES, Covariance
from spatial_de.models.gmm import estimate_gmm
from spatial_de.panel.design import build_design
from spatial_de.panel.transforms import Effects
from spatial_de.results import Results
from spatial_de.weights.stacked import MISSING_NEIGHBORS, MissingNeighbors
from spatial_de.wording import check_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from spatial_de.models.problem import Bias
    from spatial_de.panel import Panel

Model = Literal["ols", "slx", "sar", "sem", "sac", "sdm", "sdem", "gns"]


def fit(
    formula: str,
    data: Panel | pd.DataFrame,
    w: GivenWeights | None = None,
    *,
    model: Model = "sdm",
    fixed: Effects | None = None,
    durbin: Sequence[str] | None = None,
    error_weights: GivenWeights | None = None,
    durbin_weights: GivenWeights | None = None,
    missing_neighbors: MissingNeighbors | None = None,
    bias: Bias | None = None,
    information: Literal["observed", "expected"] = "observed",
    cov: Covariance = "classical",
    bandwidth: int | None = None,
    method: Literal["ml", "gmm"] = "ml",
    logdet: Method = "auto",
) -> Results:
    """Fit a spatial model by exact maximum likelihood.

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
        ``"two-way"`` (default for panels), ``"individual"``, ``"time"``, ``"none"`` (default for cross-sections).
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
        rho is biased in short panels of few units.
    information
        ``"observed"`` (default) or ``"expected"`` information for standard errors.
    cov
        ``"classical"``, ``"robust"``, ``"cluster"`` (by unit), ``"cluster-time"``, ``"cluster-two-way"``,
        ``"driscoll-kraay"``; see `Results.with_cov`.
    bandwidth
        Lags of the Driscoll-Kraay kernel.
    method
        ``"ml"``, or ``"gmm"``: spatial two-stage least squares (cross-section sar and sdm, through spreg).
    logdet
        How ln|I - rho W| is computed: ``"eigenvalues"`` (dense), ``"sparse"`` (factorisations at a few values of rho,
        interpolated with an error bound below 1e-9), ``"stochastic"`` (random probes, with a standard error), or by
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
    Elhorst, J. P. (2014). *Spatial Econometrics: From Cross-Sectional Data to Spatial Panels*.
    """
    check_option(model, MODELS, "model")
    check_option(information, ("observed", "expected"), "information")
    check_option(cov, COVARIANCES, "cov")
    check_option(method, ("ml", "gmm"), "method")
    check_option(missing_neighbors, (None, *MISSING_NEIGHBORS), "missing_neighbors")
    check_option(logdet, ("auto", *METHODS), "logdet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(formula, data, unbalanced=True)
        effects, treatment = resolve_effects(design, fixed, bias)
        spec, links = resolve_links(
            design,
            MODELS[model],
            missing=missing_neighbors,
            w=w,
            error_weights=error_weights,
            durbin_weights=durbin_weights,
        )
        refuse_on_cells(design, links, spec, bias=treatment, information=information)
        cautions.refuse_uniform(links, effects, spec)
        cautions.refuse_exchangeable(design, links, spec)
        lagged = resolve_durbin(durbin, design, spec)
        problem = build_problem(design, links, spec=spec, effects=effects, bias=treatment, durbin=lagged)
        cautions.warn_of_two_values(design)
        cautions.warn_of_interactions(design, spec)
        cautions.warn_of_endogenous_weights(design, links.used(spec))
        cautions.warn_of_direct_bias(design, spec, effects=effects, bias=treatment)
        if method == "gmm":
            estimate = estimate_gmm(problem)
        else:
            estimate = estimate_ml(problem, information=information, logdet=logdet)
        cautions.warn_of_bound(estimate)
        notes = [str(item.message) for item in caught]
        if problem.n_time_dummies and treatment == "lee-yu":
            notes.append(cautions.TIME_DUMMIES)
        notes += cautions.note_on_islands(links, spec)
        notes += cautions.note_on_cells(design, links, spec, effects=effects, missing=missing_neighbors)
        result = Results(
            estimate=estimate,
            method=method,
            information=information,
            cov_type="classical",
            bandwidth=None,
            notes=tuple(notes),
        )
        if cov != "classical" or bandwidth is not None:
            result = result.with_cov(cov, bandwidth=bandwidth)
    for item in caught:  # again, pointing at the caller's line
        warnings.warn(item.message, item.category, stacklevel=2)
    return result
