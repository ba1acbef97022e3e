"""Maxima of the likelihood with random effects in (rho, lambda, omega), of which there can be several.

omega = 0 (no variance of unit effects) is a point of the parameter space and may be the maximum; rho and lambda lie in
open intervals. Maddala (1971, *Econometrica* 39, 341-358) shows that already without spatial terms the likelihood can
have two maxima.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import maximum_filter

from spatial_de.errors import ConvergenceError, IdentificationError
from spatial_de.models.optimise import LAST_STEP, MARGIN, SKETCH_ERROR, WINDOW, Optimization
from spatial_de.models.surface import newton_length, uphill_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.random_likelihood import RandomLikelihood, RandomPoint

AT_ZERO = "converged, sigma2_mu = 0"
SHARE = "share of sigma2_mu"
_OMEGAS = np.array([0.0, 0.1, 0.3, 0.7, 1.3, 2.1, 3.0, 4.2, 5.8, 8.0, 11.0])  # ln(1 + T sigma2_mu / sigma2)
_SMALLEST, _LARGEST = 1e-9, 40.0  # omega: below, zero is the same to rounding; above, exp(omega) drowns the data
_GRID = 24  # starting points along rho and lambda, denser towards the ends
_COARSE = 8
_BUDGET = 1e10  # operations that the dense factorisations of a grid may take
_MAX_STEPS = 200
_CLOSE = 1e-3  # standard errors from the maximum at which Newton's steps need no watching
_SAME = 1e-6  # of the interval: maxima closer than this are one
_ROUNDING = 1e-26  # error variance relative to the response below which nothing but rounding is left

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Summit:
    point: RandomPoint
    path: tuple[tuple[float, ...], ...]
    converged: bool


class _Climber:
    """The likelihood as a function of its free parameters: those of (rho, lambda) in the model, and omega."""

    def __init__(self, likelihood: RandomLikelihood, bounds: Sequence[Pair]) -> None:
        self.likelihood = likelihood
        self.free = [*([0] if likelihood.lag else []), *([1] if likelihood.error else []), 2]
        self.bounds = [*bounds, (0.0, 1.0)]  # of omega only the lower end is one; the other sets the scale

    def at(self, x: NDArray[np.float64]) -> RandomPoint:
        full = np.zeros(3)
        full[self.free] = x
        p = self.likelihood.at(float(full[0]), float(full[1]), float(full[2]))
        if not p.plain.sigma2 > _ROUNDING:
            raise IdentificationError("The regressors fit the response exactly: there is no error left to model.")
        return p

    def x(self, p: RandomPoint) -> NDArray[np.float64]:
        return np.array(p.position)[self.free]

    def inside(self, x: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a step leads: at most 99.9 % of the way to the ends of rho and lambda, and to omega = 0."""
        end = x + step
        for i, (low, high) in enumerate(self.bounds[:-1]):
            if end[i] >= high:
                end[i] = x[i] + 0.999 * (high - x[i])
            elif end[i] <= low:
                end[i] = x[i] - 0.999 * (x[i] - low)
        end[-1] = min(end[-1], _LARGEST) if end[-1] > _SMALLEST else 0.0
        return end

    def at_bound(self, p: RandomPoint) -> bool:
        """Whether rho or lambda is at an end of its interval."""
        pairs = zip(self.x(p)[:-1], self.bounds[:-1], strict=True)
        return any(min(x - low, high - x) < MARGIN * (high - low) for x, (low, high) in pairs)

    def moving(self, p: RandomPoint) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
        """Gradient and Hessian in the parameters that can move: not omega where it is zero and would go below."""
        gradient, hessian = self.likelihood.derivatives(p)
        count = len(gradient) - (p.omega == 0.0 and gradient[-1] <= 0.0)
        kept = np.arange(count)
        return gradient[kept], hessian[np.ix_(kept, kept)], kept

    def climb(self, p: RandomPoint) -> _Summit:
        """Newton steps that never go down: turned uphill where the surface bends the other way, halved where long."""
        path: list[tuple[float, ...]] = []
        for _ in range(_MAX_STEPS):
            gradient, hessian, kept = self.moving(p)
            if not len(kept):
                return _Summit(p, tuple(path), converged=True)
            step = np.zeros(len(self.free))
            step[kept] = uphill_step(gradient, hessian, [self.bounds[i] for i in kept])
            length = newton_length(gradient, hessian)
            if length < _CLOSE:  # the gain drowns in rounding long before the step does
                p = self.at(self.inside(self.x(p), step))
                path.append(self.report(p))
                if length < LAST_STEP:
                    return _Summit(p, tuple(path), converged=True)
                continue
            higher = self._search(p, step, gradient=gradient)
            if higher is None:
                return _Summit(p, tuple(path), converged=False)
            p = higher
            path.append(self.report(p))
            if self.at_bound(p):
                return _Summit(p, tuple(path), converged=False)
        return _Summit(p, tuple(path), converged=False)

    def _search(
        self, p: RandomPoint, step: NDArray[np.float64], *, gradient: NDArray[np.float64]
    ) -> RandomPoint | None:
        """The first of step, step / 2, ... that gains as much as the slope promises (Armijo's rule)."""
        here = self.x(p)
        for k in range(40):
            end = self.inside(here, 0.5**k * step)
            candidate = self.at(end)
            if candidate.loglik >= p.loglik + 1e-4 * float(gradient @ (end - here)[: len(gradient)]):
                return candidate
        return None

    def report(self, p: RandomPoint) -> tuple[float, ...]:
        """(rho, lambda, share of sigma2_mu in sigma2_mu + sigma2), those that are free."""
        phi = np.expm1(p.omega) / self.likelihood.T
        shown = (p.plain.rho, p.plain.lam, float(phi / (1.0 + phi)))
        return tuple(shown[i] for i in self.free)


def maximise_random(likelihood: RandomLikelihood) -> tuple[RandomPoint, Optimization]:
    """Highest of all maxima that a grid leads to.

    Raises
    ------
    ConvergenceError
        No climb ended in a maximum or at a bound.
    IdentificationError
        The regressors fit the response exactly.
    """
    logdets = [jacobian.logdet for jacobian in (likelihood.lag, likelihood.error) if jacobian]
    bounds = [logdet.bounds for logdet in logdets]
    sketch = likelihood.sketched()
    exact = sketch is likelihood
    rough = _Climber(sketch, bounds)
    starts, evaluations = _starts(rough)
    summits = _distinct([rough.climb(p) for p in starts], rough)
    climber = rough
    if not exact:
        climber = _Climber(likelihood, bounds)
        rivals = [one for one in summits if one.point.loglik > summits[0].point.loglik - SKETCH_ERROR]
        summits = _distinct([climber.climb(climber.at(_prepared(rough, one.point))) for one in rivals], climber)
        if climber.at_bound(summits[0].point):  # it may be the sketch that is wrong
            centre = np.append(np.zeros(len(bounds)), 1.0)
            summits = _distinct([*summits, climber.climb(climber.at(centre))], climber)
    best = summits[0]
    record = Optimization(
        parameter=" and ".join([*["rho"] * bool(likelihood.lag), *["lambda"] * bool(likelihood.error), SHARE]),
        start=climber.report(starts[0]),
        path=best.path,
        evaluations=evaluations + sum(len(one.path) for one in summits),
        status=_status(best, climber),
        gradient=_length(climber, best.point),
        bounds=(*bounds, (0.0, 1.0)),
        local_maxima=tuple((*climber.report(one.point), one.point.loglik) for one in summits),
        logdet=" and ".join(dict.fromkeys(logdet.method for logdet in logdets)) or "none",
        logdet_error=max((logdet.error_bound for logdet in logdets), default=0.0),
    )
    if record.converged and not (best.converged and record.gradient < 1e-6):
        raise ConvergenceError(
            f"The log-likelihood has no maximum in ({record.parameter.replace(' and ', ', ')}) near "
            f"({', '.join(f'{x:.4f}' for x in climber.report(best.point))}): the data hardly tell the parameters "
            "apart. Try a model with fewer of them; the numbers reached are in .diagnostics.",
            record.to_dict(),
        )
    return best.point, record


def _status(best: _Summit, climber: _Climber) -> str:
    if climber.at_bound(best.point):
        return "at bound"
    return AT_ZERO if best.point.omega == 0.0 else "converged"


def _length(climber: _Climber, p: RandomPoint) -> float:
    gradient, hessian, kept = climber.moving(p)
    return newton_length(gradient, hessian) if len(kept) else 0.0


def _axis(bounds: Pair, count: int) -> NDArray[np.float64]:
    angles = (np.arange(count) + 0.5) * np.pi / count
    return np.asarray(0.5 * sum(bounds) - 0.5 * (bounds[1] - bounds[0]) * np.cos(angles))


def _starts(climber: _Climber) -> tuple[list[RandomPoint], int]:
    """Points of a grid that none of their neighbours tops, best first, and how many points were looked at."""
    lik, bounds = climber.likelihood, list(climber.bounds)
    zero = np.zeros(1)
    rhos = _axis(bounds[0], _GRID) if lik.lag else zero
    lams = _axis(bounds[-2], _GRID) if lik.error else zero
    omegas = _OMEGAS
    if not lik.spread.compressible:
        affordable = _BUDGET / lik.spread.cost
        if affordable < len(lams) * len(omegas):
            lams, omegas = _axis(bounds[-2], _COARSE), _OMEGAS[::2]
        if affordable < len(lams) * len(omegas):
            return _starts_of_shared(climber)
    jacobian = lik.lag.periods * lik.lag.logdet.value(rhos) if lik.lag else zero
    values = np.array([[lik.along_rho(rhos, jacobian, (float(lam), float(om))) for om in omegas] for lam in lams])
    highest = maximum_filter(values, size=3, mode="constant", cval=-np.inf)
    peaks = sorted(np.argwhere(values >= highest), key=lambda at: -values[tuple(at)])
    points = [lik.at(float(rhos[k]), float(lams[i]), float(omegas[j])) for i, j, k in peaks]
    return points, values.size


def _starts_of_shared(climber: _Climber) -> tuple[list[RandomPoint], int]:
    """Maxima of the form with shared errors, which costs no factorisations, as starts for the other."""
    cheap = _Climber(climber.likelihood.shared(), climber.bounds[:-1])
    starts, evaluations = _starts(cheap)
    summits = _distinct([cheap.climb(p) for p in starts], cheap)
    return [climber.at(cheap.x(one.point)) for one in summits], evaluations + sum(len(one.path) for one in summits)


def _distinct(summits: list[_Summit], climber: _Climber) -> list[_Summit]:
    """Summits from the highest down, each once."""
    size = np.array([high - low for low, high in climber.bounds])
    kept: list[_Summit] = []
    for one in sorted(summits, key=lambda s: -s.point.loglik):
        apart = [np.abs((climber.x(one.point) - climber.x(other.point)) / size).max() for other in kept]
        if min(apart, default=1.0) > _SAME:
            kept.append(one)
    return kept


def _prepared(climber: _Climber, p: RandomPoint) -> NDArray[np.float64]:
    """Where a climb of the exact likelihood starts from a maximum of the sketch.

    The log-determinants are told that they will be asked within ten standard errors around it. From the end of an
    interval, where a sketch is at its worst, the start is moved inwards, and nothing is prepared.
    """
    x, spatial = climber.x(p), len(climber.free) - 1
    if climber.at_bound(p):
        return np.append(0.9 * x[:spatial], x[-1])
    hessian = climber.moving(p)[1]
    try:
        errors = np.sqrt(np.maximum(np.diag(np.linalg.inv(-hessian)), 0.0))[:spatial]
    except np.linalg.LinAlgError:
        errors = np.zeros(spatial)
    lik = climber.likelihood
    jacobians = [jacobian for jacobian in (lik.lag, lik.error) if jacobian]
    for value, error, (low, high), jacobian in zip(x[:spatial], errors, climber.bounds[:-1], jacobians, strict=True):
        reach = WINDOW * float(error) or 0.05 * (high - low)
        jacobian.logdet.prepare(float(value) - reach, float(value) + reach)
    return x
