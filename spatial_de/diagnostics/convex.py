"""Shares of several weights in one W: how much is geography, how much trade."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from spatial_de.errors import EstimationWarning, OptionError
from spatial_de.fitting import cautions
from spatial_de.fitting.options import resolve_durbin, resolve_effects, resolve_links
from spatial_de.models import MODELS, build_problem
from spatial_de.models.chains import CHAINS, Diagnostics, diagnose, judge
from spatial_de.models.convex import ConvexData, ConvexPosterior, convex_posterior
from spatial_de.models.identification import check_rank
from spatial_de.models.problem import check_size
from spatial_de.panel.design import INTERCEPT, build_design
from spatial_de.weights import SpatialWeights
from spatial_de.weights.stacked import StackedWeights
from spatial_de.wording import check_option, check_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem
    from spatial_de.panel import Panel
    from spatial_de.panel.transforms import Effects

_WIDTH = 88


@dataclass(frozen=True, eq=False)
class ConvexWeights:
    """Posterior of a model whose W is a convex combination of given ones.

    Attributes
    ----------
    table
        Index: rho, the share of each W, slopes (of lagged regressors ``"W_x[name]"``), sigma2; columns mean, std,
        conf_low, conf_high: posterior mean, standard deviation, 95 % interval.
    shares
        Posterior means of the shares, which add up to one.
    weights
        W at these shares, to go on with: ``sde.fit(formula, data, found.weights)``. Such a fit does not know that the
        shares were estimated.
    draws
        Draws of all parameters, a column for each row of `table`.
    diagnostics
        Of the eight chains.
    model, fixed, nobs, seed
        What was estimated.
    notes
        What the reader should know.
    """

    table: pd.DataFrame
    shares: pd.Series
    weights: SpatialWeights
    draws: pd.DataFrame
    diagnostics: Diagnostics
    model: str
    fixed: str
    nobs: int
    seed: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """The table with the parameter as a column."""
        return self.table.rename_axis("term").reset_index()

    def __repr__(self) -> str:
        rule, d = "=" * _WIDTH, self.diagnostics
        title = f"Convex combination of weights ({self.model.upper()})"
        lines = [title.center(_WIDTH).rstrip(), rule]
        lines.append(f"{self.nobs:,} observations; fixed effects: {self.fixed}; {len(self.draws):,} draws")
        lines += [rule, *self.table.to_string(float_format=lambda x: f"{x:.4g}").splitlines(), rule]
        lines.append(f"{d.chains} chains: R-hat {d.rhat:.3f}, {d.ess_bulk:,.0f} effective draws; intervals 95 %.")
        wrapped = [textwrap.wrap(f"- {note}", _WIDTH, subsequent_indent="  ") for note in self.notes]
        return "\n".join([*lines, *(part for note in wrapped for part in note)])

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda x: f"{x:.4f}"))


def convex_weights(
    formula: str,
    data: Panel | pd.DataFrame,
    weights: Mapping[str, SpatialWeights],
    *,
    model: Literal["sar", "sdm"] = "sdm",
    fixed: Effects | None = None,
    durbin: Sequence[str] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> ConvexWeights:
    """Shares of several weights in the W of a spatial lag, estimated with everything else.

    ``y = rho (gamma_1 W_1 + ... + gamma_M W_M) y + ...``: shares are not negative and add up to one. In an sdm every W
    brings lagged regressors of its own.

    Parameters
    ----------
    formula, data
        As for `fit`. Panels must be balanced.
    weights
        Name -> weights, two or more, each with rows that add up to one.
    model
        ``"sdm"`` or ``"sar"``.
    fixed, durbin
        As for `fit`; effects are eliminated by the Lee-Yu transformation.
    draws, seed
        Draws of the posterior, from eight chains, and the seed.

    Returns
    -------
    ConvexWeights

    Raises
    ------
    OptionError
        Fewer than two weights, or rows that do not add up to one.
    ConvergenceError
        The chains do not agree.

    Notes
    -----
    The prior is uniform for rho on (-1, 1) and for the shares on their simplex, flat for coefficients, and
    ``1 / sigma2``. Where rho is close to zero the data say nothing of the shares, and their posterior is the prior:
    mean 1/M, standard deviation 0.29 for two of them.

    References
    ----------
    Debarsy, N. and LeSage, J. P. (2018). Flexible dependence modeling using convex combinations of different types of
    connectivity structures. *Regional Science and Urban Economics* 69, 48-68.

    Examples
    --------
    >>> sde.convex_weights("ln_gap ~ digital", panel, {"border": w1, "economy": w2})  # doctest: +SKIP
    """
    check_option(model, ("sar", "sdm"), "model")
    check_whole(draws, "draws", least=800)
    check_whole(seed, "seed", least=0)
    _check(weights)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        problems = _problems(formula, data, weights, model=model, fixed=fixed, durbin=durbin)
        names, gathered = _gather(problems)
        found = convex_posterior(gathered, draws=draws, rng=np.random.default_rng(seed))
        sample = _in_user_units(found, problems, names)
        diagnostics = diagnose(sample.to_numpy().reshape(CHAINS, -1, sample.shape[1]), found.acceptance)
        judge(diagnostics, apart="the weights are hardly told apart", advice="fewer weights", stacklevel=2)
        shares = sample[[f"share[{name}]" for name in weights]].mean()
        _warn_of_no_lag(sample["rho"])
    for item in caught:
        warnings.warn(item.message, item.category, stacklevel=2)
    first = next(iter(problems.values()))
    return ConvexWeights(
        table=_summary(sample),
        shares=pd.Series(shares.to_numpy(), index=pd.Index(list(weights), name="weights"), name="share"),
        weights=_combined(gathered, shares.to_numpy()),
        draws=sample,
        diagnostics=diagnostics,
        model=model,
        fixed=first.effects,
        nobs=first.n,
        seed=seed,
        notes=tuple(dict.fromkeys(str(item.message) for item in caught)),
    )


def _check(weights: Any) -> None:
    if not isinstance(weights, Mapping) or len(weights) < 2:
        raise OptionError("weights= must be a mapping from names to two or more weights: {'border': w1, 'trade': w2}.")
    for name, w in weights.items():
        if not isinstance(w, SpatialWeights) or isinstance(w, StackedWeights):
            raise OptionError(f"Weights {name!r} must be SpatialWeights, not {type(w).__name__}.")
        if not w.is_row_stochastic or (w.sparse.data < 0.0).any():
            raise OptionError(
                f"The rows of weights {name!r} do not all add up to one (units without neighbours, or another "
                "normalisation): shares would compare what has no common scale. Use w.normalized('row')."
            )


def _problems(
    formula: str, data: Any, weights: Mapping[str, SpatialWeights], *, model: str, fixed: Any, durbin: Any
) -> dict[str, Problem]:
    """The model under each W: what is lagged by it, transformed and scaled."""
    design = build_design(formula, data)
    effects, bias = resolve_effects(design, fixed, None)
    out = {}
    for name, w in weights.items():
        spec, links = resolve_links(design, MODELS[model], w=w, error_weights=None, durbin_weights=None)
        cautions.refuse_uniform(links, effects, spec)
        cautions.warn_of_endogenous_weights(design, links.used(spec))
        lagged = resolve_durbin(durbin, design, spec)
        out[name] = build_problem(design, links, spec=spec, effects=effects, bias=bias, durbin=lagged)
    return out


def _gather(problems: Mapping[str, Problem]) -> tuple[list[str], ConvexData]:
    """One likelihood of all: regressors once, their lags by each W; names of the columns of Z."""
    first = next(iter(problems.values()))
    own = first.k - len(first.lagged)
    blocks, names = [first.Z[:, :, :own]], list(first.names[:own])
    for name, problem in problems.items():
        blocks.append(problem.Z[:, :, own:])
        names += [f"{label}[{name}]" for label in problem.names[own:]]
    Z = np.concatenate(blocks, axis=2)
    check_size(first.n, Z.shape[2])
    check_rank(Z.reshape(-1, Z.shape[2]), names)
    data = ConvexData(
        weights=tuple(_present(problem.weights) for problem in problems.values()),
        columns=(first.y, *(_present(problem.Wy) for problem in problems.values())),
        Z=Z,
        n=first.n,
        periods=first.periods,
        drop_unit_root=first.drop_unit_root,
    )
    return names, data


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("a model with a spatial lag has weights and a lagged response")
    return value


def _in_user_units(found: ConvexPosterior, problems: Mapping[str, Problem], names: Sequence[str]) -> pd.DataFrame:
    first = next(iter(problems.values()))
    own = first.k - len(first.lagged)
    scale = np.concatenate([first.z_scale[:own], *(problem.z_scale[own:] for problem in problems.values())])
    columns: dict[str, NDArray[np.float64]] = {"rho": found.rho}
    columns |= {f"share[{name}]": share for name, share in zip(problems, found.gamma.T, strict=True)}
    slopes = found.delta * (first.y_scale / scale)
    columns |= {name: column for name, column in zip(names, slopes.T, strict=True) if name != INTERCEPT}
    return pd.DataFrame(columns | {"sigma2": found.sigma2 * first.y_scale**2})


def _summary(sample: pd.DataFrame) -> pd.DataFrame:
    low, high = sample.quantile(0.025), sample.quantile(0.975)
    table = pd.DataFrame({"mean": sample.mean(), "std": sample.std(), "conf_low": low, "conf_high": high})
    return table.rename_axis("term")


def _combined(data: ConvexData, shares: NDArray[np.float64]) -> SpatialWeights:
    total = sum(share * w.sparse for share, w in zip(shares, data.weights, strict=True))
    return SpatialWeights(total, data.weights[0].ids, normalization="row")


def _warn_of_no_lag(rho: pd.Series) -> None:
    low, high = rho.quantile([0.025, 0.975])
    if low <= 0.0 <= high:
        warnings.warn(
            f"The 95 % interval of rho, {low:.3f} to {high:.3f}, holds zero: the data hardly say how the weights share "
            "the dependence, since there may be none.",
            EstimationWarning,
            stacklevel=3,
        )
