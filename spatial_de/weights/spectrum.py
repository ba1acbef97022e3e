"""Smallest and largest real eigenvalue of weights: their inverses bound rho."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_DENSE = 1000  # units up to which all eigenvalues are computed
_TOLERANCE, _ROUNDS = 1e-5, 15  # of iterations: where ends of a spectrum are crowded they do not settle
_REAL = 1e-9  # imaginary part, relative to the spectral radius, that is rounding


def real_extremes(W: csr_array, form: csr_array | None) -> tuple[float, float]:
    """Smallest and largest real eigenvalue.

    Parameters
    ----------
    W
        Weights, shape (n, n).
    form
        Their symmetric form, or None.

    Returns
    -------
    tuple of float
        NaN where the eigenvalue was not found, or (above 1,000 units without a symmetric form) is not real.
    """
    n = W.shape[0]
    if not W.nnz:
        return 0.0, 0.0
    if n <= _DENSE:
        values = np.linalg.eigvals(W.toarray()) if form is None else np.linalg.eigvalsh(form.toarray())
        real = values.real[np.abs(values.imag) <= _REAL * max(float(np.abs(values).max()), 1e-300)]
        return float(real.min(initial=0.0)), float(real.max(initial=0.0))
    return _end(W, form, largest=False), _end(W, form, largest=True)


def _end(W: csr_array, form: csr_array | None, *, largest: bool) -> float:
    from scipy.sparse.linalg import ArpackError, eigs, eigsh

    start = np.random.default_rng(0).random(W.shape[0])
    how = {"k": 1, "v0": start, "return_eigenvectors": False, "tol": _TOLERANCE, "maxiter": _ROUNDS}
    try:
        if form is not None:
            which = "LA" if largest else "SA"
            return float(eigsh(form, which=which, **how)[0])
        value = complex(eigs(W, which="LR" if largest else "SR", **how)[0])
    except ArpackError:
        return float("nan")
    return value.real if abs(value.imag) <= _REAL * abs(value) else float("nan")
