"""Estimates of one model for many responses, and regressors where these differ: Monte Carlo, bootstraps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from spatial_de.errors import DataError, OptionError
from spatial_de.logdet import log_determinant
from spatial_de.models.batch import EXACT_FIT, Factors, Maxima, maximise_batch
from spatial_de.models.estimate import make_jacobian
from spatial_de.panel.design import INTERCEPT
from spatial_de.panel.transforms import within
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.logdet import LogDeterminant, Method
    from spatial_de.models.problem import Problem
    from spatial_de.weights import SpatialWeights

_CHUNK = 100_000  # numbers worked on together: what a processor's cache holds
_EIGENVALUES = 1500  # units up to which all eigenvalues are computed: a second or two
_FEW = 64  # units up to which a dense product is faster than a sparse one


@dataclass(frozen=True)
class BatchEstimate:
    """Numbers of R fitted replications, in the user's units.

    Attributes
    ----------
    problem
        The problem whose model, weights and (unless replaced) regressors all replications share.
    names
        Labels of the p parameters, as in `Estimate`.
    params
        Estimates, shape (R, p); NaN where there is none.
    bread
        Inverse observed information, shape (R, p, p); NaN where `status` is not ``"converged"``.
    loglik
        Log-likelihoods, shape (R,).
    status
        ``"converged"``, ``"at bound"``, ``"no maximum"``, ``"exact fit"``, ``"collinear"``, shape (R,).
    n_maxima
        Number of maxima of each likelihood, shape (R,).
    logdet
        The log-determinant of the spatial parameter; None in linear models.
    """

    problem: Problem
    names: tuple[str, ...]
    params: NDArray[np.float64]
    bread: NDArray[np.float64]
    loglik: NDArray[np.float64]
    status: NDArray[np.str_]
    n_maxima: NDArray[np.intp]
    logdet: LogDeterminant | None

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Which replications have an interior maximum, shape (R,)."""
        return np.asarray(self.status == "converged")

    @property
    def cov(self) -> NDArray[np.float64]:
        """Classical covariance, shape (R, p, p): `bread`, in linear models with the unbiased error variance."""
        problem = self.problem
        if problem.spec.lag_y or problem.spec.lag_error:
            return self.bread
        out = self.bread.copy()
        out[:, :-1, :-1] *= problem.n / (problem.n_free - problem.n_reported)
        return out

    @property
    def std_errors(self) -> NDArray[np.float64]:
        """Standard errors from `cov`, shape (R, p)."""
        return np.asarray(np.sqrt(np.einsum("rii->ri", self.cov)))


def estimate_replications(
    problem: Problem,
    y: NDArray[np.float64],
    *,
    X: NDArray[np.float64] | None = None,
    logdet: Method = "auto",
) -> BatchEstimate:
    """What `estimate_ml` gives for each of R data sets of one model, with everything shared computed once.

    Parameters
    ----------
    problem
        The model, its weights and effects, as `build_problem` makes it from any one of the data sets. Models with one
        spatial parameter, or none.
    y
        Responses, shape (R, T, N).
    X
        Regressors where these differ, shape (R, T, N, k), columns as in ``problem.design.X``; by default those of the
        problem.
    logdet
        As in `estimate_ml`; ``"auto"`` takes eigenvalues up to 1,500 units, whose cost many replications share.

    Notes
    -----
    Give thousands of replications at a time, not millions: work arrays hold R times N numbers.

    Raises
    ------
    OptionError
        Models with two spatial parameters, or with a bias correction, which are not done in batches.
    DataError
        Arrays of the wrong shape or with values that are not finite.
    """
    _check(problem, y, X)
    spec = problem.spec
    w = problem.weights if spec.lag_y else problem.error_weights
    method: Method = "eigenvalues" if logdet == "auto" and w is not None and w.n <= _EIGENVALUES else logdet
    jacobian = make_jacobian(problem, w, logdet=method) if spec.lag_y or spec.lag_error else None
    compress = _Shared(problem) if X is None else _Own(problem, X)
    step = max(1, _CHUNK // (y[0].size * compress.columns))
    data = _join([compress(y, slice(start, start + step)) for start in range(0, len(y), step)])
    found = maximise_batch(data.factors, n=problem.n, jacobian=jacobian)
    found.status[data.flat_y] = EXACT_FIT
    params, bread = _to_original(problem, data, found)
    return BatchEstimate(
        problem=problem,
        names=(*problem.names[: problem.n_reported], *["rho"] * spec.lag_y, *["lambda"] * spec.lag_error, "sigma2"),
        params=params,
        bread=bread,
        loglik=found.loglik - problem.n * np.log(data.y_scale),
        status=found.status,
        n_maxima=found.n_maxima,
        logdet=None if jacobian is None or w is None else log_determinant(w, method),
    )


def _check(problem: Problem, y: NDArray[np.float64], X: NDArray[np.float64] | None) -> None:
    spec = problem.spec
    if spec.lag_y and spec.lag_error:
        raise OptionError(f"model={spec.name!r} has two spatial parameters: batches are for models with one or none.")
    if problem.bias == "correction" or (problem.n_time_dummies and problem.bias != "none"):
        raise OptionError(
            "Estimates with a bias correction are not done in batches: use row-standardised weights with "
            "bias='lee-yu', or bias='none'."
        )
    shape, k = problem.y.shape, problem.design.X.shape[2]
    for name, values, wanted in (("y", y, (len(y), *shape)), ("X", X, (len(y), *shape, k))):
        if values is None:
            continue
        if values.shape != wanted or not len(values):
            raise DataError(f"{name} has shape {values.shape}: it must be {wanted} with at least one replication.")
        bad = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        if len(bad):
            raise DataError(f"{name} has values that are not finite in replications {name_some(bad)} (from 0).")


@dataclass(frozen=True, slots=True)
class _Compressed:
    """Factors of r replications, and what leads back to the user's units.

    Attributes
    ----------
    y_scale, y_centre, Wy_centre
        As in `Problem`, shape (r,).
    z_scale, z_centre
        Shape (r, k), or (1, k) where regressors are shared.
    flat_y
        Responses that do not vary beyond their effects, shape (r,).
    """

    factors: Factors
    y_scale: NDArray[np.float64]
    y_centre: NDArray[np.float64]
    Wy_centre: NDArray[np.float64]
    z_scale: NDArray[np.float64]
    z_centre: NDArray[np.float64]
    flat_y: NDArray[np.bool_]


def _join(pieces: list[_Compressed]) -> _Compressed:
    """Chunks of replications as one."""

    def joined(parts: list[Any]) -> Any:
        if parts[0] is None or parts[0] is parts[-1]:  # absent, or shared by all
            return parts[0]
        if isinstance(parts[0], Factors):
            return Factors(**{f.name: joined([getattr(part, f.name) for part in parts]) for f in fields(Factors)})
        return np.concatenate(parts)

    return _Compressed(**{f.name: joined([getattr(piece, f.name) for piece in pieces]) for f in fields(_Compressed)})


@dataclass(frozen=True, slots=True)
class _Responses:
    """Transformed responses and their lags (of y in models with rho, by M in models with lambda), shape (r, T N)."""

    y: NDArray[np.float64]
    lagged: NDArray[np.float64] | None
    centre: NDArray[np.float64]
    lagged_centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    flat: NDArray[np.bool_]


class _Transform:
    """Lag, transform, scale: what `build_problem` does, for arrays with axes (r, T, N)."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.centred = problem.design.intercept or problem.effects != "none"

    def responses(self, given: NDArray[np.float64]) -> _Responses:
        """Scaled responses and their lags."""
        problem = self.problem
        y, centre = self.centre(given)
        lagged, lagged_centre = None, np.zeros(len(y))
        if problem.spec.lag_y and problem.weights is not None:
            lagged, lagged_centre = self.lag(problem.weights, y, centre)
        elif problem.spec.lag_error and problem.error_weights is not None:
            lagged = lag_rows(problem.error_weights, y)
        flat_y = self.within(y)
        scale = np.sqrt(np.einsum("rm,rm->r", flat_y, flat_y) / flat_y.shape[1])
        flat = scale <= 1e-13 * np.maximum(np.abs(centre), np.abs(y).max(axis=(1, 2)))
        scale = np.where(flat, 1.0, scale)
        return _Responses(
            y=flat_y / scale[:, None],
            lagged=None if lagged is None else self.within(lagged) / scale[:, None],
            centre=centre,
            lagged_centre=lagged_centre,
            scale=scale,
            flat=flat,
        )

    def centre(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values without their mean over each replication, and that mean, shape (r,)."""
        if not self.centred:
            return x, np.zeros(len(x))
        mean = x.mean(axis=(1, 2))
        return x - mean[:, None, None], mean

    def lag(
        self, w: SpatialWeights, x: NDArray[np.float64], centre: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Spatial lags of centred values, centred where the model does not absorb the lag of a constant."""
        lagged = lag_rows(w, x)
        if w.is_row_stochastic or self.problem.eliminated in {"individual", "two-way"}:
            return lagged, centre
        lagged = lagged + centre[:, None, None] * np.asarray(w.sparse.sum(axis=1))
        mean = np.where(centre != 0.0, lagged.mean(axis=(1, 2)), 0.0)
        return lagged - mean[:, None, None], mean

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Effects taken out, shape (r, T N)."""
        return within(x, self.problem.eliminated, axes=(1, 2)).reshape(len(x), -1)


class _Shared(_Transform):
    """Compression of responses whose regressors are those of the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.columns = 4
        blocks = [problem.Z] if problem.MZ is None else [problem.Z, problem.MZ]
        table = np.concatenate([block.reshape(problem.y.size, -1) for block in blocks], axis=1)
        self._Q, R = np.linalg.qr(table)
        padded = np.vstack([R, np.zeros((2, R.shape[1]))])[None]
        k = problem.k
        self._scale, self._centre = problem.z_scale[None], problem.z_centre[None]
        self._Z, self._MZ = padded[:, :, :k], padded[:, :, k:] if problem.MZ is not None else None

    def __call__(self, y: NDArray[np.float64], part: slice) -> _Compressed:
        """Responses `part` in the coordinates of the regressors, and two more for what these leave."""
        found, problem = self.responses(y[part]), self.problem
        r, c = len(found.y), self._Q.shape[1]
        on_y = found.y @ self._Q
        rest = found.y - on_y @ self._Q.T
        length = np.sqrt(np.einsum("rm,rm->r", rest, rest))
        target = np.column_stack([on_y, length, np.zeros(r)])
        lagged = None
        if found.lagged is not None:
            lagged = np.empty((r, c + 2))
            lagged[:, :c] = found.lagged @ self._Q
            other = found.lagged - lagged[:, :c] @ self._Q.T
            rest /= np.where(length > 0.0, length, 1.0)[:, None]
            lagged[:, c] = np.einsum("rm,rm->r", rest, other)
            other -= lagged[:, c, None] * rest
            lagged[:, -1] = np.sqrt(np.einsum("rm,rm->r", other, other))
        factors = Factors(
            self._Z,
            target,
            Wy=lagged if problem.spec.lag_y else None,
            MZ=self._MZ,
            My=lagged if problem.spec.lag_error else None,
        )
        return _Compressed(
            factors,
            found.scale,
            found.centre,
            found.lagged_centre,
            self._scale,
            self._centre,
            found.flat,
        )


class _Own(_Transform):
    """Compression of replications with regressors of their own."""

    def __init__(self, problem: Problem, X: NDArray[np.float64]) -> None:
        super().__init__(problem)
        self.columns = 4 + problem.k * (1 if problem.MZ is None else 2)
        self._X = X
        self._first = int(problem.k > 0 and problem.names[0] == INTERCEPT)

    def __call__(self, y: NDArray[np.float64], part: slice) -> _Compressed:
        """Triangular factors of all columns of replications `part`."""
        found, problem = self.responses(y[part]), self.problem
        Z, MZ, z_scale, z_centre = self._regressors(self._X[part])
        columns = [Z, found.y[:, :, None]]
        columns += [] if MZ is None else [MZ]
        columns += [] if found.lagged is None else [found.lagged[:, :, None]]
        term = "lag" if problem.spec.lag_y else "error" if problem.spec.lag_error else "none"
        factors = Factors.of(np.asarray(np.linalg.qr(np.concatenate(columns, axis=2), mode="r")), problem.k, term=term)
        return _Compressed(factors, found.scale, found.centre, found.lagged_centre, z_scale, z_centre, found.flat)

    def _regressors(
        self, X: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.float64], NDArray[np.float64]]:
        """Z and MZ, shape (r, T N, k), with scales and centres, shape (r, k)."""
        problem, r = self.problem, len(X)
        own = [self.centre(X[..., j]) for j in range(X.shape[3])]
        if problem.durbin_weights is not None:
            own += [self.lag(problem.durbin_weights, *own[j]) for j in problem.lagged]
        place = np.arange(self._first, self._first + len(own))
        flat = problem.Z.reshape(1, -1, problem.k)
        Z = np.repeat(flat, r, axis=0)
        scale, centre = (np.repeat(values[None], r, axis=0) for values in (problem.z_scale, problem.z_centre))
        MZ = None if problem.MZ is None else np.repeat(problem.MZ.reshape(flat.shape), r, axis=0)
        for j, (values, mean) in zip(place, own, strict=True):
            column = self.within(values)
            size = np.sqrt(np.einsum("rm,rm->r", column, column) / column.shape[1])
            constant = size <= 1e-12 * np.abs(values).max(axis=(1, 2))
            scale[:, j], centre[:, j] = np.where(constant, 1.0, size), mean
            Z[:, :, j] = np.where(constant[:, None], 0.0, column / scale[:, j, None])
            if MZ is not None and problem.error_weights is not None:
                MZ[:, :, j] = self.within(lag_rows(problem.error_weights, values)) / scale[:, j, None]
        return Z, MZ, scale, centre


def lag_rows(w: SpatialWeights, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``W x`` for arrays of any number of axes whose last is that of the units."""
    flat = x.reshape(-1, x.shape[-1])
    lagged = flat @ w.sparse.toarray().T if w.n <= _FEW else (w.sparse @ flat.T).T
    return np.asarray(lagged).reshape(x.shape)


def _to_original(problem: Problem, data: _Compressed, found: Maxima) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters (r, p) and their covariance (r, p, p) in the user's units, as in `reparametrise.to_original`."""
    k, shown = problem.k, problem.n_reported
    s = int(problem.spec.lag_y or problem.spec.lag_error)
    r = len(found.x)
    slopes = data.y_scale[:, None] / data.z_scale
    jacobian = np.zeros((r, shown + s + 1, k + s + 1))
    place = np.arange(shown)
    jacobian[:, place, place] = slopes[:, :shown]
    if s:
        jacobian[:, shown, k] = 1.0
    jacobian[:, -1, -1] = data.y_scale**2
    scaled = np.concatenate([found.delta, found.x[:, None][:, :s], found.sigma2[:, None]], axis=1)
    if shown and problem.names[0] == INTERCEPT:
        jacobian[:, 0, 1:k] -= data.z_centre[:, 1:] * slopes[:, 1:]
        if problem.spec.lag_y:
            jacobian[:, 0, k] -= data.Wy_centre
    params = (jacobian @ scaled[:, :, None])[:, :, 0]
    if shown and problem.names[0] == INTERCEPT:
        params[:, 0] += data.y_centre
    return params, jacobian @ found.bread @ np.swapaxes(jacobian, 1, 2)
