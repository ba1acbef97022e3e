"""Conjugate priors, as rows added to the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from spatial_de.errors import OptionError
from spatial_de.models.likelihood import Compressed
from spatial_de.models.triangular import triangular_factor
from spatial_de.panel.design import INTERCEPT
from spatial_de.wording import did_you_mean, is_number, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem


@dataclass(frozen=True, slots=True)
class Prior:
    """Prior of a Bayesian fit; by default flat in everything.

    Attributes
    ----------
    coefficients
        Name -> (mean, scale): given sigma2 the coefficient is normal with this mean and standard deviation
        ``scale * sigma``. Names are those of `params`, such as ``"x"`` and ``"W_x"``; all others, and the intercept,
        have flat priors.
    sigma2
        (shape, rate) of an inverse gamma distribution; None for the density ``1 / sigma2``.
    spatial
        d of a beta(d, d) distribution of rho and lambda over their admissible intervals; one is uniform, 1.01 falls
        off only close to the ends (LeSage and Pace 2009, section 5.4).
    g
        Zellner's (1986) g, in place of priors of single coefficients: given sigma2, all slopes together are normal
        around zero with covariance ``g sigma2 (Z'Z)^-1``, Z their regressors after constants and effects were taken
        out. With g the number of observations, the prior says as much as one observation does.

    Examples
    --------
    >>> Prior(coefficients={"x": (0.0, 10.0)}, spatial=1.01).spatial
    1.01
    """

    coefficients: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sigma2: tuple[float, float] | None = None
    spatial: float = 1.0
    g: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.coefficients, Mapping):
            raise OptionError(f"coefficients={self.coefficients!r} must be a mapping: {{'x': (0.0, 10.0)}}.")
        for name, given in self.coefficients.items():
            pair = _pair(given)
            if pair is None or not (np.isfinite(pair).all() and pair[1] > 0.0):
                raise OptionError(f"The prior of {name!r} needs a finite mean and a positive scale, not {given!r}.")
        if self.g is not None and not _is_positive(self.g):
            raise OptionError(f"g={self.g!r} must be positive, such as the number of observations.")
        if self.g is not None and self.coefficients:
            raise OptionError("A prior has either g=, for all slopes together, or coefficients=, not both.")
        shape_rate = (1.0, 1.0) if self.sigma2 is None else _pair(self.sigma2)
        if shape_rate is None or not all(_is_positive(one) for one in shape_rate):
            raise OptionError(f"The prior of sigma2 needs a positive shape and rate, not {self.sigma2!r}.")
        if not _is_positive(self.spatial):
            raise OptionError(f"spatial={self.spatial!r} must be positive: it is d of a beta(d, d) prior.")


def _is_positive(value: object) -> bool:
    return is_number(value) and 0.0 < value < np.inf  # type: ignore[operator]


def _pair(value: object) -> tuple[float, float] | None:
    """Two numbers, or None for anything else."""
    parts = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else ()
    return (parts[0], parts[1]) if len(parts) == 2 and all(is_number(one) for one in parts) else None


FLAT = Prior()


@dataclass(frozen=True, slots=True)
class PseudoRows:
    """A prior as data: a row for each coefficient, one for the variance.

    Attributes
    ----------
    Z, y
        Shape (q, k) and (q,).
    coefficients
        Positions of the coefficients with a proper prior.
    log_scale, log_gamma
        Logarithms of the normal densities' constants (sigma and 2 pi apart) and of the inverse gamma's.
    """

    Z: NDArray[np.float64]
    y: NDArray[np.float64]
    coefficients: NDArray[np.intp]
    log_scale: float
    log_gamma: float

    @property
    def n_coefficients(self) -> int:
        """How many coefficients have a proper prior."""
        return len(self.coefficients)

    def appended(self, data: Compressed) -> Compressed:
        """Compressed data with these rows; the spatial filter of the error does not touch them."""
        if not len(self.y):
            return data
        zero = np.zeros(len(self.y))
        return Compressed(
            Z=np.vstack([data.Z, self.Z]),
            y=np.concatenate([data.y, self.y]),
            MZ=np.vstack([data.MZ, np.zeros_like(self.Z)]),
            **{name: np.concatenate([getattr(data, name), zero]) for name in ("Wy", "My", "MWy")},
        )


def pseudo_rows(problem: Problem, prior: Prior) -> PseudoRows:
    """The rows of a prior in the scaled units of a problem.

    ``(delta_j - m_j) / s_j`` is an error like those of the data, and ``2 rate`` a sum of squares seen before.

    References
    ----------
    Zellner, A. (1986). On assessing prior distributions and Bayesian regression analysis with g-prior distributions. In
    *Bayesian Inference and Decision Techniques*, 233-243.

    Raises
    ------
    OptionError
        The prior names what is no coefficient of the model.
    """
    if prior.g is not None:
        places, Z, y, log_scale = _zellner(problem, prior.g)
    else:
        places, Z, y, log_scale = _separate(problem, prior)
    log_gamma = 0.0
    if prior.sigma2 is not None:
        a, b = prior.sigma2[0], prior.sigma2[1] / problem.y_scale**2
        Z, y = np.vstack([Z, np.zeros(problem.k)]), np.append(y, np.sqrt(2.0 * b))
        log_gamma = float(a * np.log(b) - gammaln(a))
    return PseudoRows(Z, y, places, log_scale, log_gamma)


_Rows = tuple["NDArray[np.intp]", "NDArray[np.float64]", "NDArray[np.float64]", float]


def _zellner(problem: Problem, g: float) -> _Rows:
    """Rows ``R / sqrt(g)`` with ``R'R = Z'Z`` of the slopes, the intercept and dummies of times taken out."""
    slopes = np.array([j for j in range(problem.n_reported) if problem.names[j] != INTERCEPT], dtype=np.intp)
    others = np.setdiff1d(np.arange(problem.k), slopes)
    flat = problem.Z.reshape(-1, problem.k)
    factor = triangular_factor([flat[:, others], flat[:, slopes]])[len(others) :, len(others) :] / np.sqrt(g)
    Z = np.zeros((len(slopes), problem.k))
    Z[:, slopes] = factor
    return slopes, Z, np.zeros(len(slopes)), float(np.log(np.abs(np.diag(factor))).sum())


def _separate(problem: Problem, prior: Prior) -> _Rows:
    """A row for each coefficient that has a prior."""
    names = problem.names[: problem.n_reported]
    known = [name for name in names if name != INTERCEPT]
    for name in prior.coefficients:
        if name not in known:
            what = "the intercept, whose prior is flat" if name == INTERCEPT else "no coefficient of the model"
            raise OptionError(
                f"The prior names {name!r}, which is {what}.{did_you_mean(name, known)} There are "
                f"{name_some(known, 10)}."
            )
    places = np.array([names.index(name) for name in prior.coefficients], dtype=np.intp)
    means, scales = np.array(list(prior.coefficients.values()), dtype=np.float64).reshape(-1, 2).T
    own = scales * problem.z_scale[places]  # sigma, too, is in units of the response
    Z = np.zeros((len(places), problem.k))
    Z[np.arange(len(places)), places] = 1.0 / own
    return places, Z, means / (scales * problem.y_scale), -float(np.log(own).sum())
