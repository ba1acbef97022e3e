"""Exact posteriors: coefficients and variance integrated out, the spatial parameter drawn from what is left.

Coefficients with a flat prior and sigma2 with ``1 / sigma2`` (or conjugate priors, `Prior`) drop out of the posterior
analytically. With x the spatial parameters, R the triangular factor of the regressors at x, S the sum of squares and
``nu`` the degrees of freedom,

    ln p(x | y) = ln|A| + ln|B| - ln|R(x)| - nu/2 ln S(x) + ln p(x) + constant,

a function of one variable in SAR, SDM (rho), SEM and SDEM (lambda): it is drawn from by inverting its distribution
function, so that draws are independent. Given x, sigma2 is inverse gamma and the coefficients are normal.

References
----------
LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 5.4 and 6.3.
Hepple, L. W. (1995). Bayesian techniques in spatial and network econometrics. *Environment and Planning A* 27, 447-469.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln

from spatial_de.models.likelihood import Compressed, Likelihood, Point
from spatial_de.models.prior import Prior, pseudo_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models.problem import Problem


@dataclass(frozen=True, slots=True)
class Conditional:
    """What the data say of coefficients and variance, given the spatial parameters.

    Residuals ``y(rho, lambda)`` are a combination of ``[y, Wy, My, MWy]``, regressors of ``[Z, MZ]``. Coefficients are
    written as ``delta = centre + inv(root) gamma``: at the centre the regressors of gamma are orthonormal and its
    estimate is zero, so that their Gram matrices lose no digits.

    Attributes
    ----------
    Z, MZ
        Regressors of gamma and their lags, shape (m, k).
    u, Wu, Mu, MWu
        What is left of y at the centre, and lags, shape (m,): ``u = y - Z centre``, ``Wu = Wy``,
        ``Mu = My - MZ centre``, ``MWu = MWy``.
    centre, root
        Shape (k,) and (k, k).
    nu
        Degrees of freedom of the variance.
    has_error
        Whether there is a lambda.
    """

    Z: NDArray[np.float64]
    MZ: NDArray[np.float64]
    u: NDArray[np.float64]
    Wu: NDArray[np.float64]
    Mu: NDArray[np.float64]
    MWu: NDArray[np.float64]
    centre: NDArray[np.float64]
    root: NDArray[np.float64]
    nu: float
    has_error: bool

    @classmethod
    def of(cls, data: Compressed, at: Point, *, nu: float, has_error: bool) -> Conditional:
        """Centre compressed data (with the rows of a prior) at a point of their likelihood."""
        inverse = np.linalg.inv(at.R)
        return cls(
            Z=data.Z @ inverse,
            MZ=data.MZ @ inverse,
            u=data.y - data.Z @ at.delta,
            Wu=data.Wy,
            Mu=data.My - data.MZ @ at.delta,
            MWu=data.MWy,
            centre=at.delta,
            root=at.R,
            nu=nu,
            has_error=has_error,
        )

    def at(self, rho: NDArray[np.float64], lam: NDArray[np.float64]) -> Given:
        """Moments of gamma and sums of squares at g values of the spatial parameters, each of shape (g,)."""
        e = self.u - rho[:, None] * self.Wu
        k = self.Z.shape[1]
        if not self.has_error:
            eye = np.asarray(np.broadcast_to(np.eye(k), (len(rho), k, k)))
            gamma = e @ self.Z
            return Given(gamma, eye, np.einsum("gm,gm->g", e, e) - np.einsum("gk,gk->g", gamma, gamma))
        e = e - lam[:, None] * (self.Mu - rho[:, None] * self.MWu)
        # factors of the columns themselves: near the bound of lambda that of a constant all but vanishes
        Q, R = np.linalg.qr(self.Z - lam[:, None, None] * self.MZ)
        on = np.einsum("gmk,gm->gk", Q, e)
        left = e - np.einsum("gmk,gk->gm", Q, on)
        mean = np.linalg.solve(R, on[:, :, None])[:, :, 0]
        return Given(np.asarray(mean), np.asarray(np.swapaxes(R, 1, 2)), np.einsum("gm,gm->g", left, left))

    def density(self, rho: NDArray[np.float64], lam: NDArray[np.float64]) -> NDArray[np.float64]:
        """``-ln|R| - nu/2 ln S`` at g points; ``ln|R|`` relative to that of the centre."""
        given = self.at(rho, lam)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.log(np.abs(np.einsum("gkk->gk", given.half))).sum(axis=1)
            return np.asarray(-size - 0.5 * self.nu * np.log(given.squares))

    def draw(
        self, rho: NDArray[np.float64], lam: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Coefficients, shape (r, k), and variances, shape (r,), one draw for each of r spatial parameters."""
        given = self.at(rho, lam)
        sigma2 = 0.5 * given.squares / rng.standard_gamma(0.5 * self.nu, size=len(rho))
        noise = rng.standard_normal(given.gamma.shape)
        spread = np.linalg.solve(np.swapaxes(given.half, 1, 2), noise[:, :, None])[:, :, 0] if self.has_error else noise
        gamma = given.gamma + np.sqrt(sigma2)[:, None] * spread
        return self.centre + np.linalg.solve(self.root, gamma.T).T, sigma2


@dataclass(frozen=True, slots=True)
class Given:
    """Moments at g spatial parameters.

    Attributes
    ----------
    gamma
        Means, shape (g, k).
    half
        Transposed triangular factors of the regressors (signs of rows apart), shape (g, k, k).
    squares
        Sums of squares, shape (g,).
    """

    gamma: NDArray[np.float64]
    half: NDArray[np.float64]
    squares: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """The posterior of the spatial parameters of a problem.

    Attributes
    ----------
    likelihood
        Of the data with the rows of the prior.
    conditional
        Coefficients and variance given the spatial parameters.
    shape
        Of the beta prior of each spatial parameter over its interval; one is uniform.
    constant
        What `density` leaves out of the log marginal likelihood in the user's units.
    """

    likelihood: Likelihood
    conditional: Conditional
    shape: float
    constant: float

    @classmethod
    def of(cls, problem: Problem, likelihood: Likelihood, *, prior: Prior, rho: float, lam: float) -> Target:
        """The posterior, centred at spatial parameters near its mode."""
        rows = pseudo_rows(problem, prior)
        data = rows.appended(likelihood.data.at(lam))
        whole = Likelihood(data=data, n=problem.n, lag=likelihood.lag, error=likelihood.error)
        at = whole.at(rho, lam)
        k, own = problem.k, rows.n_coefficients
        a = prior.sigma2[0] if prior.sigma2 else 0.0
        nu = problem.n + own - k + 2.0 * a
        flat = np.setdiff1d(np.arange(k), rows.coefficients)
        constant = (
            -0.5 * (problem.n + own - k) * np.log(2.0 * np.pi)
            + rows.log_scale
            + rows.log_gamma
            + gammaln(0.5 * nu)
            + 0.5 * nu * np.log(2.0)
            - float(np.log(np.abs(np.diag(at.R))).sum())
            - problem.n * float(np.log(problem.y_scale))
            + float(np.log(problem.y_scale / problem.z_scale[flat]).sum())
        )
        conditional = Conditional.of(data, at, nu=nu, has_error=whole.error is not None)
        return cls(whole, conditional, prior.spatial, float(constant))

    def density(self, rho: NDArray[np.float64], lam: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-density of (rho, lambda) at g points, up to `constant`; normalised prior included."""
        out = self.conditional.density(rho, lam)
        for jacobian, x in ((self.likelihood.lag, rho), (self.likelihood.error, lam)):
            if jacobian is not None:
                out = out + jacobian.periods * jacobian.logdet.value(x) + self._log_prior(x, jacobian.logdet.bounds)
        return np.asarray(out)

    def _log_prior(self, x: NDArray[np.float64], bounds: tuple[float, float]) -> NDArray[np.float64]:
        low, high = bounds
        share = (x - low) / (high - low)
        d = self.shape
        scale = gammaln(2.0 * d) - 2.0 * gammaln(d) - np.log(high - low)
        return np.asarray(
            scale + (d - 1.0) * (np.log(share) + np.log1p(-share)) if d != 1.0 else np.full(x.shape, scale)
        )
