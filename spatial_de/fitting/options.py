"""Options of `fit`, checked once and resolved: weights of every term, effects, lagged regressors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import EstimationWarning, OptionError, WeightsError
from spatial_de.fitting.alignment import align, align_times
from spatial_de.models import MODELS, SpatialLinks
from spatial_de.models.prior import FLAT, Prior
from spatial_de.panel.transforms import EFFECTS, Effects
from spatial_de.weights import SpatialWeights
from spatial_de.weights.stacked import StackedWeights, stack
from spatial_de.wording import check_option, check_whole, did_you_mean, name_some

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spatial_de.models import ModelSpec
    from spatial_de.models.problem import Bias, RandomForm
    from spatial_de.panel.design import Design
    from spatial_de.weights.stacked import MissingNeighbors

GivenWeights = SpatialWeights | Mapping[Any, SpatialWeights]
_TERMS = {
    "error_weights": "they belong to models with a spatial error, 'sem', 'sac', 'sdem' and 'gns'",
    "durbin_weights": "they belong to models with lagged regressors, 'slx', 'sdm', 'sdem' and 'gns'",
}


def check_moment_options(method: str, spec: ModelSpec, *, information: str, instrument_lags: int | None) -> None:
    """Refuse options of one method given to the other."""
    if method == "gmm" and information != "observed":
        raise OptionError(f"information={information!r} belongs to method='ml': moments have no information matrix.")
    if instrument_lags is None:
        return
    if method != "gmm" or not spec.lag_y:
        raise OptionError(
            f"instrument_lags= has no use in model={spec.name!r} with method={method!r}: it belongs to models with a "
            "lagged response, 'sar', 'sac', 'sdm' and 'gns', with method='gmm'."
        )
    check_whole(instrument_lags, "instrument_lags", least=1)


def resolve_links(
    design: Design, spec: ModelSpec, *, missing: MissingNeighbors | None = None, **given: GivenWeights | None
) -> tuple[ModelSpec, SpatialLinks]:
    """Weights of every term, aligned; without links in any of them the model loses its spatial terms.

    Where units are missing at some times, or weights differ between times, all are stacked.
    """
    terms = {"error_weights": spec.lag_error, "durbin_weights": spec.lag_x}
    for name, present in terms.items():
        if given[name] is not None and not present:
            raise OptionError(f"{name}= has no use in model={spec.name!r}: {_TERMS[name]}.")
    own = {name: given["w"] if given[name] is None else given[name] for name in terms}
    needed = [*([given["w"]] if spec.lag_y else []), *(own[name] for name, present in terms.items() if present)]
    if any(w is None for w in needed):
        raise OptionError(f"model={spec.name!r} needs spatial weights: fit(formula, data, w, model={spec.name!r}).")
    distinct = {id(w): w for w in (given["w"], *own.values()) if w is not None}
    names = {id(w): name for name, w in reversed({"w": given["w"], **own}.items()) if w is not None}
    aligned = _align_all(design, {names[key]: w for key, w in distinct.items()}, missing=missing)
    pick = {name: aligned.get(id(w)) for name, w in {"lag": given["w"], **own}.items()}
    links = SpatialLinks(lag=pick["lag"], error=pick["error_weights"], durbin=pick["durbin_weights"])
    used = links.used(spec)
    if used and all(w.n_links == 0 for w in used.values()):
        return _without_links(spec), SpatialLinks.same(None)
    for name, w in used.items():
        if w.n_links == 0:
            raise WeightsError(f"{name} hold no links: the term they stand for is not identified. Leave it out.")
    return spec, links


def _align_all(
    design: Design, given: dict[str, GivenWeights], *, missing: MissingNeighbors | None
) -> dict[int, SpatialWeights]:
    """Weights by the id of what was given: as one W, or stacked where one does not do."""
    found = {
        name: align_times(design, w, name) if isinstance(w, Mapping) else [align(design, w)]
        for name, w in given.items()
    }
    changes = any(len(by_time) > 1 and len({w.fingerprint for w in by_time}) > 1 for by_time in found.values())
    if design.present is None and missing is not None:
        raise OptionError(f"missing_neighbors={missing!r} has no use here: every unit is there at every time.")
    if design.times is None or (design.present is None and not changes):
        return {id(w): found[name][0] for name, w in given.items()}
    T, N = design.y.shape
    present = np.ones((T, N), dtype=bool) if design.present is None else design.present
    return {
        id(w): stack(
            found[name] * (T if len(found[name]) == 1 < T else 1),
            present,
            units=design.units,
            times=list(design.times),
            missing=missing or "renormalize",
        )
        for name, w in given.items()
    }


def _without_links(spec: ModelSpec) -> ModelSpec:
    warnings.warn(
        f"The weights hold no links: rho, lambda and theta of {spec.name!r} are not identified, and the model is "
        "estimated without spatial terms.",
        EstimationWarning,
        stacklevel=3,
    )
    return MODELS["ols"]


def resolve_random(design: Design, random: bool | str, *, correlated: bool, method: str) -> RandomForm | None:
    """Form of the random unit effects; None without."""
    if not isinstance(random, bool | str):  # 0 and 1 equal False and True
        raise OptionError(f"random={random!r} is not available: use True, False, 'bsk' or 'kkp'.")
    check_option(random, (True, False, "bsk", "kkp"), "random")
    check_option(correlated, (True, False), "correlated")
    if random is False:
        if correlated:
            raise OptionError("correlated=True adds unit means to random effects: say random=True as well.")
        return None
    if not design.is_panel:
        raise OptionError(f"random={random!r} needs a panel: build sde.Panel(df, unit=..., time=...).")
    T, N = design.y.shape
    if T < 2:
        raise OptionError(
            f"random={random!r} needs at least two times; the panel has {T}: nothing tells unit effects from errors."
        )
    if N < 2:
        raise OptionError(f"random={random!r} needs at least two units; the panel has {N}.")
    if method != "ml":
        raise OptionError(f"random={random!r} is estimated by method='ml' only, not by {method!r}.")
    return "kkp" if random == "kkp" else "bsk"


def resolve_effects(
    design: Design, fixed: Effects | None, bias: Bias | None, *, random: RandomForm | None = None
) -> tuple[Effects, Bias]:
    """Fixed effects and the treatment of their bias."""
    if not design.is_panel:
        if fixed not in {None, "none"}:
            raise OptionError(f"fixed={fixed!r} needs a panel: build sde.Panel(df, unit=..., time=...).")
        if bias not in {None, "none"}:
            raise OptionError(f"bias={bias!r} belongs to fixed effects: this is a cross-section.")
        return "none", "none"
    effects: Effects = "two-way" if fixed is None else fixed
    check_option(effects, EFFECTS, "fixed")
    T, N = design.y.shape
    if random is not None:
        return effects, _bias_with_random(effects, bias)
    if T < 2 and effects in {"individual", "two-way"}:
        raise OptionError(f"fixed={effects!r} needs at least two times; the panel has {T}. Use fixed='none'.")
    if N < 2 and effects in {"time", "two-way"}:
        raise OptionError(f"fixed={effects!r} needs at least two units; the panel has {N}.")
    treatment: Bias = "lee-yu" if bias is None else bias
    check_option(treatment, ("lee-yu", "none", "correction"), "bias")
    return effects, treatment


def _bias_with_random(effects: Effects, bias: Bias | None) -> Bias:
    if effects in {"individual", "two-way"}:
        raise OptionError(
            f"fixed={effects!r} and random effects both stand for the units: use random=True with fixed='none' or "
            f"'time', or fixed={effects!r} alone. For estimates within units and regressors that do not change over "
            "time, use random=True, correlated=True."
        )
    if effects == "none":
        if bias not in {None, "none"}:
            raise OptionError(
                f"bias={bias!r} belongs to fixed effects: with random effects alone there is no such bias."
            )
        return "none"
    treatment: Bias = "lee-yu" if bias is None else bias
    check_option(treatment, ("lee-yu", "none"), "bias")
    return treatment


def refuse_on_cells(
    design: Design, links: SpatialLinks, spec: ModelSpec, *, random: RandomForm | None, **options: str
) -> None:
    """Options that need a balanced panel under one W."""
    if design.present is None and not any(isinstance(w, StackedWeights) for w in links.used(spec).values()):
        return
    what = "a panel that is not balanced" if design.present is not None else "weights that change over time"
    if random is not None:
        raise OptionError(f"Random effects are not available for {what}: use fixed effects, or panel.balance().")
    advice = {
        ("bias", "correction"): "use bias='lee-yu', which adjusts the scores exactly",
        ("information", "expected"): "use information='observed'",
        ("method", "bayes"): "use method='ml', or panel.balance()",
    }
    for (name, value), instead in advice.items():
        if options[name] == value:
            raise OptionError(f"{name}={value!r} is not available for {what}: {instead}.")


def resolve_durbin(durbin: Sequence[str] | None, design: Design, spec: ModelSpec) -> tuple[str, ...] | None:
    """Regressors that enter spatially lagged; None for all that can."""
    if durbin is None:
        if spec.lag_x and design.dummies.all():
            raise OptionError(
                f"model={spec.name!r} lags regressors, and the formula has none that can be lagged (dummies and "
                "constants cannot): use model='sar', 'sem' or 'ols'."
            )
        return None
    if isinstance(durbin, str) or not isinstance(durbin, Iterable):
        raise OptionError(f"durbin={durbin!r} must be a list of names: durbin=[{durbin!r}].")
    if not spec.lag_x:
        raise OptionError(f"durbin= belongs to slx, sdm, sdem and gns; model={spec.name!r} lags no regressors.")
    durbin = tuple(durbin)
    for name in durbin:
        if name not in design.x_names:
            raise OptionError(
                f"durbin= names {name!r}, which is not a regressor.{did_you_mean(name, design.x_names)} "
                f"There are {name_some(design.x_names, 10)}."
            )
    if not durbin:
        raise OptionError("durbin=[] lags no regressors: use model='sar', 'sem' or 'ols' instead.")
    return durbin


@dataclass(frozen=True, slots=True)
class PosteriorOptions:
    """How a posterior is drawn."""

    draws: int = 10_000
    seed: int = 0
    prior: Prior = FLAT


def resolve_posterior(
    method: str, *, draws: int | None, seed: int | None, prior: Prior | None, cov: str, information: str
) -> PosteriorOptions:
    """Options of ``method="bayes"``, refused with other methods and beside options of these."""
    given = {"draws": draws, "seed": seed, "prior": prior}
    if method != "bayes":
        for name, value in given.items():
            if value is not None:
                raise OptionError(f"{name}= belongs to method='bayes', not to method={method!r}.")
        return PosteriorOptions()
    if cov != "classical" or information != "observed":
        raise OptionError("method='bayes' has no covariance to choose: its standard errors are those of the posterior.")
    if prior is not None and not isinstance(prior, Prior):
        raise OptionError(f"prior= must be a Prior, not {type(prior).__name__}: sde.Prior(coefficients=..., ...).")
    default = PosteriorOptions()
    found = PosteriorOptions(
        draws=default.draws if draws is None else draws,
        seed=default.seed if seed is None else seed,
        prior=default.prior if prior is None else prior,
    )
    check_whole(found.draws, "draws", least=100)
    check_whole(found.seed, "seed", least=0)
    return found
