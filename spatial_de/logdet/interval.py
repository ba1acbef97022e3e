"""The admissible interval of rho of weights too many for all their eigenvalues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spatial_de.errors import ConvergenceError, IdentificationError
from spatial_de.logdet.stochastic import Quadrature, lanczos, random_signs

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

    from spatial_de.weights import SpatialWeights

_STEPS = 100
_MARGIN = 5e-4  # (pi / 200)^2 / 2 and some: what the ends of a spectrum can hide from 100 steps, relative to its width
_TOLERANCE = 1e-4  # relative, of the spectral radius


def probe_spectrum(form: csr_array) -> Quadrature:
    """A Lanczos run from one random probe, which serves the interval and a sketch of the log-determinant.

    Whatever n, one probe moves the maximum of a likelihood by less than about two standard errors of rho.
    """
    return lanczos(form, random_signs(form.shape[0], 1), steps=_STEPS)


def admissible_interval(
    w: SpatialWeights, form: csr_array | None, quadrature: Quadrature | None = None
) -> tuple[float, float]:
    """Open interval around zero in which ``I - rho W`` is not singular, a tenth of a per cent short of it at most.

    With a symmetric form: the inverses of the smallest and the largest eigenvalue, by the Lanczos method. Without:
    plus and minus the inverse of the spectral radius, which every eigenvalue allows; where links form no circle, of
    the smaller of the largest row sum and the largest column sum. Rows that add up to one have the largest
    eigenvalue one.

    Parameters
    ----------
    w
        Weights.
    form
        Their symmetric form, or None.
    quadrature
        Of `probe_spectrum`, where it is there already.

    Raises
    ------
    IdentificationError
        The weights hold no links.
    """
    size = abs(w.sparse)
    reach = float(min(size.sum(axis=1).max(), size.sum(axis=0).max()))
    if reach == 0.0:
        raise IdentificationError("The weights hold no links: a spatial lag is not identified.")
    stochastic = w.is_row_stochastic and not (w.raw.data < 0).any()
    if form is not None:
        smallest, largest = _extremes((quadrature or probe_spectrum(form))[0])
        return 1.0 / max(smallest, -reach), 1.0 if stochastic else 1.0 / min(largest, reach)
    radius = 1.0 if stochastic else _radius(w, reach)
    return -1.0 / radius, 1.0 / radius


def _extremes(nodes: NDArray[np.float64]) -> tuple[float, float]:
    """Smallest and largest eigenvalue of a symmetric matrix, each moved outwards by more than the method's error."""
    low, high = float(nodes.min()), float(nodes.max())
    margin = _MARGIN * (high - low)
    return low - margin, high + margin


def _radius(w: SpatialWeights, reach: float) -> float:
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import ArpackError, eigs

    if connected_components(w.sparse, connection="strong")[0] == w.n:  # no circles: all eigenvalues are zero
        return reach
    start = np.random.default_rng(0).random(w.n)
    try:
        found = eigs(w.sparse, k=1, which="LM", v0=start, tol=_TOLERANCE, return_eigenvectors=False)
    except ArpackError as error:
        raise ConvergenceError(f"The largest eigenvalue of the weights was not found: {error}.", {}) from error
    return min((1.0 + 10.0 * _TOLERANCE) * float(abs(found[0])), reach)
