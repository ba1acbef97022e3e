"""From design and weights to the arrays of the likelihood: lag first, then transform, then scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spatial_de.errors import CapacityError, DataError, FormulaError, IdentificationError, WeightsError
from spatial_de.logdet import DENSE_LIMIT
from spatial_de.models.identification import check_rank
from spatial_de.panel.design import INTERCEPT, Design
from spatial_de.panel.transforms import Effects, free_observations, within
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.spec import ModelSpec
    from spatial_de.weights import SpatialWeights

Bias = Literal["lee-yu", "none", "correction"]
_TINY, _HUGE = 1e-140, 1e140
_TINY_LINK, _HUGE_LINK = 1e-50, 1e50
RESERVED = (INTERCEPT, "rho", "lambda", "sigma2")


@dataclass(frozen=True)
class Problem:
    """Data of one likelihood, lagged, transformed and scaled.

    Axes are (T, N, ...), units fastest. ``Z`` holds the regressors of the transformed model: intercept (where
    there is one), X, W X, and dummies of the times where these could not be eliminated.

    Attributes
    ----------
    weights, error_weights, durbin_weights
        W of the lagged response, M of the error, and the weights of lagged regressors, in the order of the design's
        units; None for models without spatial terms.
    y, Wy
        Shape (T, N), divided by `y_scale`.
    Z
        Shape (T, N, k), each column divided by its `z_scale`.
    My, MWy, MZ
        Their lags by the weights of the error, or None for models without a spatial error.
    names
        Labels of the k columns of Z.
    lagged
        Positions of the design's regressors whose spatial lags are in Z, in the order of their columns there.
    y_centre, Wy_centre, z_centre
        Constants taken out of the columns before scaling; they move the intercept only.
    y_scale, z_scale
        Root mean squares of the transformed columns.
    n
        Observations the likelihood counts.
    periods
        Times the log-determinant enters.
    drop_unit_root
        Whether ``ln(1 - rho)`` is taken off the log-determinant: time effects were eliminated by an orthonormal
        transformation (Lee and Yu 2010, equation 22).
    n_free
        Dimension of the space that the effects leave.
    eliminated
        Effects taken out by the within transformation.
    n_time_dummies
        Number of dummies of times in Z (the last columns): weights that are not row-stochastic.
    """

    spec: ModelSpec
    design: Design
    weights: SpatialWeights | None
    error_weights: SpatialWeights | None
    durbin_weights: SpatialWeights | None
    effects: Effects
    bias: Bias
    y: NDArray[np.float64]
    Wy: NDArray[np.float64] | None
    Z: NDArray[np.float64]
    My: NDArray[np.float64] | None
    MWy: NDArray[np.float64] | None
    MZ: NDArray[np.float64] | None
    names: tuple[str, ...]
    lagged: tuple[int, ...]
    y_centre: float
    Wy_centre: float
    z_centre: NDArray[np.float64]
    y_scale: float
    z_scale: NDArray[np.float64]
    n: int
    periods: int
    drop_unit_root: bool
    n_free: int
    eliminated: Effects
    n_time_dummies: int

    @property
    def k(self) -> int:
        """Number of columns of Z."""
        return int(self.Z.shape[2])

    @property
    def n_reported(self) -> int:
        """Number of columns of Z that are reported: all but the dummies of times."""
        return self.k - self.n_time_dummies

    def dense_weights(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """W and M as dense arrays, for what needs inverses in full.

        Raises
        ------
        CapacityError
            A dense matrix of this many units would need too much memory.
        """
        if self.weights is None or self.error_weights is None:
            raise ValueError("a model without weights has no matrix")
        n = self.weights.n
        if n > DENSE_LIMIT:
            raise CapacityError(
                f"This needs dense matrices of {n:,} x {n:,} units, {8 * n**2 / 1e9:.1f} GB each; the limit is "
                f"{DENSE_LIMIT:,} units. Observed information and classical standard errors do without."
            )
        W = self.weights.sparse.toarray()
        return W, W if self.error_weights is self.weights else self.error_weights.sparse.toarray()


@dataclass(frozen=True, slots=True)
class SpatialLinks:
    """Weights of the three spatial terms, each in the order of the design's units.

    Attributes
    ----------
    lag, error, durbin
        Of the lagged response, the error, and lagged regressors.
    """

    lag: SpatialWeights | None
    error: SpatialWeights | None
    durbin: SpatialWeights | None

    @classmethod
    def same(cls, w: SpatialWeights | None) -> SpatialLinks:
        """One W for all terms."""
        return cls(w, w, w)

    def used(self, spec: ModelSpec) -> dict[str, SpatialWeights]:
        """The weights that a model has a term for, under the names of the options of `fit`."""
        parts = (
            ("w", self.lag, spec.lag_y),
            ("error_weights", self.error, spec.lag_error),
            ("durbin_weights", self.durbin, spec.lag_x),
        )
        return {name: w for name, w, present in parts if present and w is not None}


@dataclass(frozen=True, slots=True)
class _Column:
    """A variable with a constant taken out: true values are ``values + centre``."""

    values: NDArray[np.float64]
    centre: float


def build_problem(
    design: Design,
    links: SpatialLinks,
    *,
    spec: ModelSpec,
    effects: Effects,
    bias: Bias,
    durbin: tuple[str, ...] | None = None,
) -> Problem:
    """Lag, transform and scale the data of a model.

    Parameters
    ----------
    design
        Response and regressors.
    links
        Weights of the spatial terms.
    spec, effects, bias
        The model.
    durbin
        Regressors that enter spatially lagged; None means all but dummies.

    Raises
    ------
    IdentificationError
        Regressors that are constant, absorbed by the effects, collinear, or more than the observations.
    DataError
        A constant response.
    WeightsError
        Weights beyond the range that their products need.
    """
    T, N = design.y.shape
    for name, w in links.used(spec).items():
        _check_links(name, w)
    # lagged regressors are regressors like others; only a lagged response or error ties W to the transformation
    bound = [w for name, w in links.used(spec).items() if name != "durbin_weights"]
    explicit_times = effects in {"time", "two-way"} and not all(w.is_row_stochastic for w in bound)
    eliminated: Effects = effects
    if explicit_times:
        eliminated = "individual" if effects == "two-way" else "none"
    lag, error_lag, durbin_lag = (_Lag(w, eliminated) for w in (links.lag, links.error, links.durbin))
    centred = design.intercept or effects != "none"

    y = _centre(design.y, centred=centred)
    Wy = lag(y) if spec.lag_y else None
    lagged = _lagged(design, spec=spec, durbin=durbin)
    columns, names = _regressors(design, durbin_lag, lagged=lagged, centred=centred)
    if design.intercept and effects == "none":
        columns.insert(0, _Column(np.ones((T, N)), 0.0))
        names.insert(0, INTERCEPT)
    n_dummies = 0
    if explicit_times:
        first = 1 if eliminated == "individual" else 0
        dummies = [np.repeat(np.eye(T)[t][:, None], N, axis=1) for t in range(first, T)]
        columns += [_Column(dummy, 0.0) for dummy in dummies]
        names += [f"time[{t}]" for t in range(first, T)]
        n_dummies = len(dummies)

    scaled_y, y_scale = _transform_response(y, eliminated, design.y_name)
    Z, z_scale = _transform_regressors(columns, names, effects=eliminated, shape=(T, N))
    n_free = free_observations(T, N, effects)
    if n_free <= Z.shape[2] - n_dummies:
        raise IdentificationError(
            f"{n_free} free observations cannot determine {Z.shape[2] - n_dummies} coefficients: "
            "use fewer regressors, fewer effects or more data."
        )
    check_rank(Z.reshape(T * N, -1), names)
    error = spec.lag_error
    individual = eliminated in {"individual", "two-way"} and bias != "none"
    transformed_times = eliminated in {"time", "two-way"} and bias == "lee-yu"
    return Problem(
        spec=spec,
        design=design,
        weights=links.lag,
        error_weights=links.error,
        durbin_weights=links.durbin,
        effects=effects,
        bias=bias,
        y=scaled_y,
        Wy=None if Wy is None else within(Wy.values, eliminated) / y_scale,
        Z=Z,
        My=within(error_lag.plain(y.values), eliminated) / y_scale if error else None,
        MWy=within(error_lag.plain(Wy.values), eliminated) / y_scale if error and Wy is not None else None,
        MZ=_lagged_regressors(columns, error_lag, scale=z_scale, like=Z, effects=eliminated) if error else None,
        names=tuple(names),
        lagged=lagged,
        y_centre=y.centre,
        Wy_centre=0.0 if Wy is None else Wy.centre,
        z_centre=np.array([column.centre for column in columns]),
        y_scale=y_scale,
        z_scale=z_scale,
        n=(T - individual) * (N - transformed_times),
        periods=T - individual,
        drop_unit_root=transformed_times,
        n_free=n_free,
        eliminated=eliminated,
        n_time_dummies=n_dummies,
    )


def _lagged_regressors(
    columns: list[_Column], lag: _Lag, *, scale: NDArray[np.float64], like: NDArray[np.float64], effects: Effects
) -> NDArray[np.float64]:
    """Regressors lagged by the weights of the error, shape (T, N, k)."""
    out = np.empty_like(like)
    for j, column in enumerate(columns):
        out[:, :, j] = within(lag.plain(column.values), effects) / scale[j]
    return out


class _Lag:
    """Spatial lag of a centred column.

    A large offset costs digits, so the constant is lagged by itself: ``W (x + c) = W x + c W 1``. Where the
    model absorbs ``W 1`` (rows that add up to one, or individual effects) the second term moves nothing but
    the constant.
    """

    def __init__(self, w: SpatialWeights | None, eliminated: Effects) -> None:
        self._matrix = None if w is None else w.sparse
        self._absorbs = eliminated in {"individual", "two-way"} or (w is not None and w.is_row_stochastic)

    def plain(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """``W x`` for each time, shape (T, N)."""
        if self._matrix is None:
            raise ValueError("a model without weights has no lag")
        lagged: NDArray[np.float64] = (self._matrix @ x.T).T
        return lagged

    def __call__(self, column: _Column) -> _Column:
        lagged = self.plain(column.values)
        if self._absorbs:
            return _Column(lagged, column.centre)
        lagged = lagged + column.centre * self.plain(np.ones_like(column.values))
        centre = float(lagged.mean()) if column.centre else 0.0
        return _Column(lagged - centre, centre)


def _centre(x: NDArray[np.float64], *, centred: bool) -> _Column:
    centre = float(x.mean()) if centred else 0.0
    return _Column(x - centre, centre)


def _regressors(
    design: Design, lag: _Lag, *, lagged: tuple[int, ...], centred: bool
) -> tuple[list[_Column], list[str]]:
    """Columns X, then W X, with their names."""
    columns = [_centre(design.X[:, :, j], centred=centred) for j in range(design.X.shape[2])]
    columns += [lag(columns[j]) for j in lagged]
    names = [*design.x_names, *(f"W_{design.x_names[j]}" for j in lagged)]
    taken = [name for name, count in Counter([*names, *RESERVED]).items() if count > 1]
    if taken:
        raise FormulaError(
            f"Two parameters would be called {taken[0]!r}: rename the regressor, or leave out of the formula what the "
            "model lags by itself."
        )
    return columns, names


def _lagged(design: Design, *, spec: ModelSpec, durbin: tuple[str, ...] | None) -> tuple[int, ...]:
    """Positions of the regressors that enter spatially lagged."""
    if not spec.lag_x:
        return ()
    return tuple(
        j for j, name in enumerate(design.x_names) if (name in durbin if durbin is not None else not design.dummies[j])
    )


def _transform_response(y: _Column, effects: Effects, name: str) -> tuple[NDArray[np.float64], float]:
    transformed = within(y.values, effects)
    scale = _rms(transformed)
    _check_magnitude(name, scale)
    if scale <= 1e-13 * max(abs(y.centre), np.abs(y.values).max()):
        what = "is constant" if effects == "none" else f"does not vary beyond its {effects} effects"
        raise DataError(f"The response {name!r} {what}: there is nothing to explain.")
    return transformed / scale, scale


def _transform_regressors(
    columns: list[_Column], names: list[str], *, effects: Effects, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    Z = np.empty((*shape, len(columns)))
    scales = np.empty(len(columns))
    flat = []
    for j, column in enumerate(columns):
        transformed = within(column.values, effects)
        scales[j] = _rms(transformed)
        size = np.abs(column.values).max()
        if scales[j] <= 1e-12 * size or (names[j] != INTERCEPT and size <= 1e-14 * abs(column.centre)) or size == 0.0:
            flat.append(names[j])
            continue
        _check_magnitude(names[j], scales[j])
        Z[:, :, j] = transformed / scales[j]
    if flat:
        raise IdentificationError(_flat_message(flat, effects))
    return Z, scales


def _check_magnitude(name: str, scale: float) -> None:
    """Squares of such numbers would leave the range of double precision."""
    if scale and not _TINY < scale < _HUGE:
        raise DataError(f"Variable {name!r} has values of size {scale:.0e}: express it in other units.")


def _check_links(name: str, w: SpatialWeights) -> None:
    """Products of such weights would leave the range of double precision."""
    size = float(np.abs(w.sparse.data).max(initial=0.0))
    if size and not _TINY_LINK < size < _HUGE_LINK:
        raise WeightsError(
            f"The weights of {name} have values of size {size:.0e}: multiply them by a constant, or normalise them "
            "with w.normalized('row')."
        )


def _flat_message(flat: list[str], effects: Effects) -> str:
    reason = {
        "none": "No variation in {}: the intercept absorbs a constant",
        "individual": "No variation over time within units in {}: the individual effects absorb it",
        "time": "No variation over units within times in {}: the time effects absorb it",
        "two-way": "No variation beyond unit and time means in {}: the two-way effects absorb it",
    }[effects]
    return f"{reason.format(name_some(flat))}. Leave it out, or choose other effects (fixed=...)."


def _rms(x: NDArray[np.float64]) -> float:
    size = float(np.abs(x).max(initial=0.0))
    return 0.0 if size == 0.0 else size * float(np.sqrt(np.mean((x / size) ** 2)))
