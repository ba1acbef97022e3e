"""What an estimate by the method of moments leaves for its covariances: a registry of functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import IdentificationError, OptionError
from spatial_de.models.two_stage import ChiSquare, FirstStage, TwoStage, overidentification, sandwich
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.models.error_moments import Variances
    from spatial_de.models.estimate import Estimate

_OF_ERRORS = {"equal": "classical", "different": "robust"}


@dataclass(frozen=True, slots=True)
class MomentEstimate:
    """The last stage of an estimate by the method of moments, in scaled units.

    Attributes
    ----------
    stage
        Two-stage least squares of the (spatially filtered) data.
    first
        Strength of the instruments; None without a lagged response.
    powers
        Highest power of W among the instruments; 0 without a lagged response.
    variances
        Whether the moment conditions of a spatial error allow different variances; None without a spatial error.
    errors_covariance
        Covariance of coefficients, rho and lambda of models with a spatial error, shape (K + 1, K + 1).
    """

    stage: TwoStage
    first: FirstStage | None
    powers: int
    variances: Variances | None = None
    errors_covariance: NDArray[np.float64] | None = None


def covariance_of_moments(estimate: Estimate, kind: str, *, kernel: csr_array | None = None) -> NDArray[np.float64]:
    """Covariance of the reported parameters, shape (p, p); that of sigma2 is not a number.

    Parameters
    ----------
    estimate
        An estimate by the method of moments.
    kind
        ``"classical"``: errors of one variance. ``"robust"``: of different variances (no small-sample factor).
        ``"hac"``: correlated as well, with the weights of `kernel`.
    kernel
        Kernel weights of pairs of units, zero on the diagonal, shape (n, n).

    Raises
    ------
    OptionError
        There is no such covariance of this estimate.
    IdentificationError
        A kernel gives a negative variance.

    References
    ----------
    White, H. (1982). *Econometrica* 50, 483-499. Kelejian, H. H. and Prucha, I. R. (2007). *Journal of Econometrics*
    140, 131-154, equation (6).
    """
    moments = estimate.moments
    if moments is None:
        raise ValueError("an estimate by maximum likelihood has no moments")
    if moments.variances is not None:
        _refuse_other_moments(estimate, moments.variances, kind)
        inner = moments.errors_covariance
    else:
        inner = sandwich(moments.stage, _meat(moments.stage, kind, kernel))
    size = len(estimate.scaled_bread)
    scaled = np.zeros((size, size))
    scaled[:-1, :-1] = inner
    out: NDArray[np.float64] = estimate.jacobian @ scaled @ estimate.jacobian.T
    refuse_negative(out, estimate.names, kind)
    out[-1] = out[:, -1] = np.nan
    return out


def refuse_negative(covariance: NDArray[np.float64], names: tuple[str, ...], kind: str) -> None:
    """A kernel that is not positive definite can leave a negative variance."""
    negative = [name for name, variance in zip(names, np.diag(covariance), strict=True) if variance < 0.0]
    if negative:
        raise IdentificationError(
            f"cov={kind!r} gives {name_some(negative)} a negative variance with these hac_weights: use a smaller "
            "bandwidth or another kernel."
        )


def instrument_test(estimate: Estimate, kind: str, *, kernel: csr_array | None = None) -> ChiSquare | None:
    """Hansen's J under the dependence of the errors that `kind` allows; None where it does not exist."""
    moments = estimate.moments
    if moments is None or moments.first is None:
        return None
    return overidentification(moments.stage, _meat(moments.stage, kind, kernel))


def kernel_sum(cells: NDArray[np.float64], kernel: csr_array) -> NDArray[np.float64]:
    """``sum_ij K_ij c_i c_j'`` with ones on the diagonal of K; cells c, shape (n, q)."""
    return np.asarray(cells.T @ (cells + kernel @ cells))


def _meat(stage: TwoStage, kind: str, kernel: csr_array | None) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Variance of ``h'u`` for columns h."""
    u = stage.u
    if kind == "classical":
        return lambda h: h.T @ h * float(np.mean(u**2))
    if kind == "robust":
        return lambda h: (h * u[:, None]).T @ (h * u[:, None])
    if kind == "hac" and kernel is not None:
        return lambda h: kernel_sum(h * u[:, None], kernel)
    raise OptionError(f"cov={kind!r} is not available for method='gmm': use 'classical', 'robust' or 'hac'.")


def _refuse_other_moments(estimate: Estimate, variances: Variances, kind: str) -> None:
    model, given = estimate.problem.spec.name, _OF_ERRORS[variances]
    if kind == given:
        return
    if kind in _OF_ERRORS.values():
        raise OptionError(
            f"cov={kind!r} has other moment conditions for the spatial error of model={model!r}, and therefore another "
            f"estimate, than cov={given!r}, with which this was fitted: use fit(..., method='gmm', cov={kind!r})."
        )
    raise OptionError(
        f"cov={kind!r} is not available for model={model!r} with method='gmm': use 'classical' or 'robust'. "
        "Its spatial error is a model of the correlation that cov='hac' leaves open; for 'hac' use a model without it."
    )
