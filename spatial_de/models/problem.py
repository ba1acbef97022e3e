"""From design and weights to the arrays of the likelihood: lag first, then transform, then scale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spatial_de.errors import CapacityError, FormulaError, IdentificationError, WeightsError
from spatial_de.logdet import DENSE_LIMIT
from spatial_de.models.added_regressors import time_dummies, unit_means
from spatial_de.models.columns import Column, Lag, centred, lagged_regressors, transform_regressors, transform_response
from spatial_de.models.identification import check_rank
from spatial_de.models.moving import problem_at
from spatial_de.panel.design import INTERCEPT, Design
from spatial_de.panel.layout import Balanced, Cells, Layout
from spatial_de.panel.transforms import Effects
from spatial_de.weights.stacked import StackedWeights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from spatial_de.models.spec import ModelSpec
    from spatial_de.weights import SpatialWeights

Bias = Literal["lee-yu", "none", "correction"]
RandomForm = Literal["bsk", "kkp"]  # unit effects beside the spatial error, or sharing it
_TINY_LINK, _HUGE_LINK = 1e-50, 1e50
RESERVED = (INTERCEPT, "rho", "lambda", "sigma2_mu", "sigma2")


@dataclass(frozen=True)
class Problem:
    """Data of one likelihood, lagged, transformed and scaled.

    Axes are (T, N, ...), units fastest; cells without a row are zero. ``Z`` holds the regressors of the transformed
    model: intercept (where there is one), X, W X, and dummies of the times where these could not be eliminated.

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
    layout
        Where the rows are, and how effects are taken out.
    eliminated
        Effects taken out by the within transformation.
    n_time_dummies
        Number of dummies of times in Z (the last columns): weights that are not row-stochastic, or random effects.
    random
        Form of the random unit effects, or None.
    n_means
        Number of unit means of regressors in Z (the last columns before the dummies): correlated random effects.
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
    layout: Layout
    eliminated: Effects
    n_time_dummies: int
    random: RandomForm | None = None
    n_means: int = 0

    @property
    def n_free(self) -> int:
        """Dimension of the space that the effects leave."""
        return self.layout.n_free

    @property
    def k(self) -> int:
        """Number of columns of Z."""
        return int(self.Z.shape[2])

    @property
    def n_reported(self) -> int:
        """Number of columns of Z that are reported: all but the dummies of times."""
        return self.k - self.n_time_dummies

    @property
    def regressor_names(self) -> tuple[str, ...]:
        """Labels of the regressors X and W X."""
        x = self.design.x_names
        return (*x, *(f"W_{x[j]}" for j in self.lagged))

    @property
    def mean_names(self) -> tuple[str, ...]:
        """Labels of the unit means of regressors."""
        return self.names[self.n_reported - self.n_means : self.n_reported]

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


def build_problem(
    design: Design,
    links: SpatialLinks,
    *,
    spec: ModelSpec,
    effects: Effects,
    bias: Bias,
    durbin: tuple[str, ...] | None = None,
    random: RandomForm | None = None,
    correlated: bool = False,
) -> Problem:
    """Lag, transform and scale the data of a model.

    Parameters
    ----------
    design
        Response and regressors.
    links
        Weights of the spatial terms.
    spec, effects, bias
        The model. With random effects, dummies of times are not corrected for their bias: `bias` then is ``"none"``.
    durbin
        Regressors that enter spatially lagged; None means all but dummies.
    random, correlated
        Form of random unit effects, and whether unit means of the regressors enter with them.

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
    layout = _layout(design, links.used(spec).values(), effects)
    on_cells = isinstance(layout, Cells)
    times = effects in {"time", "two-way"} and not on_cells
    explicit_times = times and (not all(w.is_row_stochastic for w in bound) or (random is not None and bias == "none"))
    eliminated: Effects = effects
    if explicit_times and random is not None:
        bias = "none"
    if explicit_times:
        eliminated = "individual" if effects == "two-way" else "none"
    lag, error_lag, durbin_lag = (Lag(w, layout, eliminated) for w in (links.lag, links.error, links.durbin))
    takes_mean = design.intercept or effects != "none"

    y = centred(design.y, layout, wanted=takes_mean)
    Wy = lag(y) if spec.lag_y else None
    lagged = _lagged(design, spec=spec, durbin=durbin)
    own = [centred(design.X[:, :, j], layout, wanted=takes_mean) for j in range(design.X.shape[2])]
    columns, names = _regressors(design, own, durbin_lag, lagged=lagged)
    means = unit_means([column.values for column in columns]) if correlated else {}
    names += [f"mean_{names[j]}" for j in means]
    columns += [Column(values, columns[j].centre) for j, values in means.items()]
    _refuse_repeated(names)
    has_intercept = design.intercept and (effects == "none" or (random is not None and explicit_times))
    if has_intercept:
        columns.insert(0, Column(layout.ones, 0.0))
        names.insert(0, INTERCEPT)
    dummies = time_dummies(T, N, level=has_intercept or eliminated == "individual") if explicit_times else []
    columns += [Column(dummy, 0.0) for dummy in dummies]
    names += [f"time[{T - len(dummies) + t}]" for t in range(len(dummies))]
    n_dummies = len(dummies)

    scaled_y, y_scale = transform_response(y, layout, eliminated, name=design.y_name)
    Z, z_scale = transform_regressors(columns, names, layout=layout, effects=eliminated)
    check_size(layout.n_free, Z.shape[2] - n_dummies)
    check_rank(Z.reshape(T * N, -1), names)
    error = spec.lag_error
    problem = Problem(
        spec=spec,
        design=design,
        weights=links.lag,
        error_weights=links.error,
        durbin_weights=links.durbin,
        effects=effects,
        bias=bias,
        y=scaled_y,
        Wy=None if Wy is None else layout.within(Wy.values, eliminated) / y_scale,
        Z=Z,
        My=layout.within(error_lag.plain(y.values), eliminated) / y_scale if error else None,
        MWy=layout.within(error_lag.plain(Wy.values), eliminated) / y_scale if error and Wy is not None else None,
        MZ=lagged_regressors(columns, error_lag, scale=z_scale, like=Z, effects=eliminated) if error else None,
        names=tuple(names),
        lagged=lagged,
        y_centre=y.centre,
        Wy_centre=0.0 if Wy is None else Wy.centre,
        z_centre=np.array([column.centre for column in columns]),
        y_scale=y_scale,
        z_scale=z_scale,
        **_counts(layout, bias, eliminated),
        layout=layout,
        eliminated=eliminated,
        n_time_dummies=n_dummies,
        random=random,
        n_means=len(means),
    )
    return problem_at(problem, 0.0)


def _layout(design: Design, used: Iterable[SpatialWeights], effects: Effects) -> Layout:
    """Cells where rows are missing or weights change over time."""
    T, N = design.y.shape
    if design.present is not None:
        return Cells(design.present, effects)
    if any(isinstance(w, StackedWeights) for w in used):
        return Cells(np.ones((T, N), dtype=bool), effects)
    return Balanced(T, N, effects)


def _counts(layout: Layout, bias: Bias, eliminated: Effects) -> dict[str, Any]:
    """Observations of the likelihood, times its log-determinant enters, and what is taken off it."""
    if not isinstance(layout, Balanced):
        return {"n": layout.n if bias == "none" else layout.n_free, "periods": 1, "drop_unit_root": False}
    individual = eliminated in {"individual", "two-way"} and bias != "none"
    transformed_times = eliminated in {"time", "two-way"} and bias == "lee-yu"
    return {
        "n": (layout.n_times - individual) * (layout.n_units - transformed_times),
        "periods": layout.n_times - individual,
        "drop_unit_root": transformed_times,
    }


def check_size(n_free: int, k: int) -> None:
    """Refuse more coefficients than observations that are free."""
    if n_free <= k:
        raise IdentificationError(
            f"{n_free} free observations cannot determine {k} coefficients: "
            "use fewer regressors, fewer effects or more data."
        )


def _refuse_repeated(names: list[str]) -> None:
    taken = [name for name, count in Counter([*names, *RESERVED]).items() if count > 1]
    if taken:
        raise FormulaError(
            f"Two parameters would be called {taken[0]!r}: rename the regressor, or leave out of the formula what the "
            "model lags by itself."
        )


def lagged_instruments(problem: Problem, powers: int) -> NDArray[np.float64]:
    """Spatial lags of the regressors of a cross-section, shape (N, m): what a lagged response depends on beyond them.

    ``W z`` to ``W^powers z`` of every column z of `Problem.Z` but the constant and dummies, shape of each as scaled
    there.
    """
    lag = Lag(problem.weights, problem.layout, problem.eliminated)
    first = int(INTERCEPT in problem.names)
    n_own = len(problem.design.x_names)
    own = [first + j for j, dummy in enumerate(problem.design.dummies) if not dummy]
    found = []
    for j in (*own, *range(first + n_own, first + n_own + len(problem.lagged))):
        column = Column(problem.Z[:, :, j], problem.z_centre[j] / problem.z_scale[j])
        for _ in range(powers):
            column = lag(column)
            found.append(column.values[0])
    return np.column_stack(found) if found else np.empty((problem.y.shape[1], 0))


def _regressors(
    design: Design, own: list[Column], lag: Lag, *, lagged: tuple[int, ...]
) -> tuple[list[Column], list[str]]:
    """Columns X, then W X, with their names."""
    columns = [*own, *(lag(own[j]) for j in lagged)]
    names = [*design.x_names, *(f"W_{design.x_names[j]}" for j in lagged)]
    return columns, names


def _lagged(design: Design, *, spec: ModelSpec, durbin: tuple[str, ...] | None) -> tuple[int, ...]:
    """Positions of the regressors that enter spatially lagged."""
    if not spec.lag_x:
        return ()
    return tuple(
        j for j, name in enumerate(design.x_names) if (name in durbin if durbin is not None else not design.dummies[j])
    )


def _check_links(name: str, w: SpatialWeights) -> None:
    """Products of such weights would leave the range of double precision."""
    size = float(np.abs(w.sparse.data).max(initial=0.0))
    if size and not _TINY_LINK < size < _HUGE_LINK:
        raise WeightsError(
            f"The weights of {name} have values of size {size:.0e}: multiply them by a constant, or normalise them "
            "with w.normalized('row')."
        )
