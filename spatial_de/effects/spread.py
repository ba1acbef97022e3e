"""Where effects go: between groups of units, by unit, by order of neighbours, of one change, and in full.

All of them are parts of ``E = S (beta I + theta V)``, ``S = (I - rho W)^-1``: row i holds what a change of x in every
unit does to unit i. V are the weights of the lagged regressors, W unless others were given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects.curves import curves
from spatial_de.effects.inference import Parts
from spatial_de.effects.other_weights import trace_of_product
from spatial_de.errors import AlignmentError, CapacityError, DataError, OptionError
from spatial_de.logdet import DENSE_LIMIT, log_determinant
from spatial_de.logdet.factors import sparse_lu
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

_FULL = 0.05  # of possible links from which dense products are faster
_LINKS = 100_000_000  # of a power of the weights, about 1.2 GB


@dataclass(frozen=True, eq=False)
class Network:
    """Weights of a model with spatial terms.

    Attributes
    ----------
    W, V
        Of the lagged response (zero without one), and of the lagged regressors, sparse, shape (n, n).
    poles
        Admissible interval of rho.
    """

    W: Any
    V: Any
    poles: tuple[float, float]

    @classmethod
    def of(cls, n: int, w: SpatialWeights | None, v: SpatialWeights | None) -> Network:
        """Weights of a fit, for n units."""
        from scipy.sparse import csc_array

        nothing = csc_array((n, n))
        W = nothing if w is None else w.sparse.tocsc()
        return cls(
            W=W,
            V=nothing if v is None else W if v is w else v.sparse.tocsc(),
            poles=(-1.0, 1.0) if w is None else log_determinant(w).bounds,
        )

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.W.shape[0])

    @property
    def is_small(self) -> bool:
        """Whether dense matrices are affordable."""
        return self.n <= DENSE_LIMIT

    @cached_property
    def dense(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """W and V in full, shape (n, n)."""
        W = self.W.toarray()
        return W, W if self.V is self.W else self.V.toarray()

    def require_dense(self, instead: str) -> None:
        """Raise `CapacityError`, which says what to do `instead`, where full matrices would not fit."""
        if not self.is_small:
            raise CapacityError(
                f"These effects of {self.n:,} units need dense matrices of {8 * self.n**2 / 1e9:.1f} GB; the limit is "
                f"{DENSE_LIMIT:,} units. {instead}"
            )

    def inverse(self, rho: float) -> NDArray[np.float64]:
        """S, shape (n, n)."""
        eye = np.eye(self.n)
        return np.asarray(np.linalg.solve(eye - rho * self.dense[0], eye)) if rho else eye

    def factor(self, rho: float) -> Any:
        """Sparse triangular factors of I - rho W."""
        from scipy.sparse import eye_array

        return sparse_lu(eye_array(self.n, format="csc") - rho * self.W)


@dataclass(frozen=True, eq=False)
class Groups:
    """Units by group.

    Attributes
    ----------
    names
        The g groups in the order in which they are shown.
    members
        One column per group with ones at its units, shape (n, g).
    """

    names: tuple[Any, ...]
    members: NDArray[np.float64]

    @classmethod
    def of(cls, groups: pd.Series | dict[Any, Any], units: pd.Index[Any]) -> Groups:
        """Groups of the units of a fit, matched by label.

        Raises
        ------
        AlignmentError
            Units without a group.
        DataError
            Groups that are missing values, or only one group.
        OptionError
            Neither a Series nor a dictionary, for instance the name of a column.
        """
        if not hasattr(groups, "items"):
            raise OptionError(
                f"groups= is a {type(groups).__name__}: give the group of every unit, as a Series indexed by unit, "
                "such as provinces['region'], or a dictionary."
            )
        given = pd.Series(groups)
        absent = units.difference(given.index)
        if len(absent):
            raise AlignmentError(f"groups= has no group for {name_some(absent)}: give one for every unit of the fit.")
        if not given.index.is_unique:
            raise AlignmentError(f"groups= names units twice: {name_some(given.index[given.index.duplicated()])}.")
        own = given.loc[units]
        if own.isna().any():
            raise DataError(f"groups= is missing for {name_some(own.index[own.isna()])}: give every unit a group.")
        names = tuple(pd.unique(own))
        if len(names) < 2:
            raise DataError(f"groups= holds one group only, {names[0]!r}: effects() gives its averages.")
        return cls(names, np.column_stack([(own == name).to_numpy(dtype=float) for name in names]))


def group_parts(network: Network, groups: Groups, rho: NDArray[np.float64]) -> Parts:
    """Multipliers of the effect on an average unit of each group, of one unit more of x in all units of another.

    Order of the ``g (g + 1)`` outputs: for each receiving group the effects of all emitting groups, then the direct
    part of its own effect. Weighted by the sizes of the receiving groups, the former add up to the total effect, the
    latter to the direct one. Products and sparse factors only where the network is large.
    """
    sizes = groups.members.sum(axis=0)
    mean = (groups.members / sizes).T

    def dense(x: float) -> NDArray[np.float64]:
        S = network.inverse(x)
        SV = S @ network.dense[1]
        return np.concatenate(
            [np.column_stack([mean @ E @ groups.members, mean @ np.diag(E)]).ravel() for E in (S, SV)]
        )

    def sparse(x: float) -> NDArray[np.float64]:
        factor = network.factor(x)
        own = _group_traces(network, network.W, groups, rho=x) / sizes
        other = own if network.V is network.W else _group_traces(network, network.V, groups, rho=x) / sizes
        across = [mean @ factor.solve(np.ascontiguousarray(B)) for B in (groups.members, network.V @ groups.members)]
        return np.concatenate(
            [
                np.column_stack([block, direct]).ravel()
                for block, direct in zip(across, (1.0 + x * own, other), strict=True)
            ]
        )

    return _parts(network, dense if network.is_small else sparse, rho)


def _group_traces(network: Network, V: Any, groups: Groups, *, rho: float) -> NDArray[np.float64]:
    """Sums of the diagonal of S V over each group, shape (g,)."""
    if not V.nnz:
        return np.zeros(groups.members.shape[1])
    columns = (V.multiply(member[None, :]).tocsc() for member in groups.members.T)
    return np.array([trace_of_product(network.W, column, rho) for column in columns])


def unit_parts(network: Network, rho: NDArray[np.float64]) -> Parts:
    """Multipliers of what every unit does to itself, gives to all others and gets from them, order (3, n)."""
    network.require_dense("own='within' gives what units give and get with their own effect in it, at any size.")

    def exact(x: float) -> NDArray[np.float64]:
        S = network.inverse(x)
        return np.concatenate([_by_unit(S), _by_unit(S @ network.dense[1])])

    if len(rho) > 1:
        return _parts(network, exact, rho)
    W, V = network.dense
    S = network.inverse(float(rho[0]))
    moved = S @ W @ S  # dS / d rho
    return Parts(*(_by_unit(E)[None, :] for E in (S, S @ V, moved, moved @ V)))


def sum_parts(network: Network, rho: NDArray[np.float64]) -> Parts:
    """Multipliers of the sums of columns and of rows of E, order (2, n), by solutions of linear systems."""
    ones = np.ones(network.n)
    V1 = network.V @ ones

    def at(x: float) -> list[NDArray[np.float64]]:
        """Sums of S, S V, S W S, S W S V."""
        factor = network.factor(x)
        left = factor.solve(ones, trans="T")
        left_moved = factor.solve(network.W.T @ left, trans="T")
        right, right_lagged = factor.solve(ones), factor.solve(V1)
        return [
            np.concatenate([left, right]),
            np.concatenate([network.V.T @ left, right_lagged]),
            np.concatenate([left_moved, factor.solve(network.W @ right)]),
            np.concatenate([network.V.T @ left_moved, factor.solve(network.W @ right_lagged)]),
        ]

    return _exact_or_curves(network, at, rho)


def change_parts(network: Network, change: NDArray[np.float64], rho: NDArray[np.float64]) -> Parts:
    """Multipliers ``S dx`` and ``S V dx`` of one change dx of a regressor, shape (n,), on every unit."""

    def at(x: float) -> list[NDArray[np.float64]]:
        factor = network.factor(x)
        own, lagged = factor.solve(change), factor.solve(network.V @ change)
        return [own, lagged, factor.solve(network.W @ own), factor.solve(network.W @ lagged)]

    return _exact_or_curves(network, at, rho)


def order_parts(network: Network, orders: int, rho: NDArray[np.float64]) -> Parts:
    """Multipliers by power of the weights: direct and total of orders 0 to `orders`, order (orders + 1, 2).

    Order zero is ``beta I``; order q is ``rho^q W^q beta + rho^(q-1) W^(q-1) V theta``.
    """
    powers = _powers_of_weights(network, orders)
    n, ones, own, lagged = network.n, np.ones(network.n), [], []
    row, row_lagged = ones, network.V @ ones
    for q in range(orders + 1):
        a = q // 2  # tr(W^q) = sum of W^a * (W^(q-a))'
        trace = (powers[a] * powers[q - a].T).sum()
        trace_lagged = (powers[a] * (powers[q - a] @ network.V).T).sum() if q < orders else 0.0
        own.append([trace / n, row.sum() / n])
        lagged.append([trace_lagged / n, row_lagged.sum() / n])
        row, row_lagged = network.W @ row, network.W @ row_lagged
    exponents = np.arange(orders + 1)
    beta, d_beta = _powers(rho, exponents)
    theta, d_theta = _powers(rho, exponents - 1)
    mine, others = np.array(own), np.array([[0.0, 0.0], *lagged[:-1]])
    return Parts(
        *(
            (scale[:, :, None] * values).reshape(len(rho), -1)
            for scale, values in ((beta, mine), (theta, others), (d_beta, mine), (d_theta, others))
        )
    )


def _powers_of_weights(network: Network, orders: int) -> list[Any]:
    """W^0 to W^h, h half of the orders, from which the traces of all powers follow."""
    from scipy.sparse import eye_array

    full = network.is_small and network.W.nnz > _FULL * network.n**2
    powers: list[Any] = [np.eye(network.n) if full else eye_array(network.n, format="csc")]
    for q in range(1, orders - orders // 2 + 1):
        powers.append(powers[-1] @ network.W)
        if not full and powers[-1].nnz > _LINKS:
            raise CapacityError(
                f"The weights to the power of {q} link {powers[-1].nnz:,} pairs of units: ask for fewer orders than "
                f"{2 * q - 1}."
            )
    return powers


def _powers(rho: NDArray[np.float64], q: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``rho^q`` and its derivative, shape (r, orders); zero for negative q."""
    base, exponent = rho[:, None], np.maximum(q, 0)[None, :]
    value = np.where(q >= 0, base**exponent, 0.0)
    slope = np.where(q >= 1, exponent * base ** np.maximum(exponent - 1, 0), 0.0)
    return value, slope


def _by_unit(E: NDArray[np.float64]) -> NDArray[np.float64]:
    own = np.diag(E)
    return np.concatenate([own, E.sum(axis=0) - own, E.sum(axis=1) - own])


def _exact_or_curves(
    network: Network, at: Callable[[float], list[NDArray[np.float64]]], rho: NDArray[np.float64]
) -> Parts:
    """Multipliers of beta and theta with slopes at one rho; interpolated at many."""
    if len(rho) == 1:
        return Parts(*(values[None, :] for values in at(float(rho[0]))))
    return _parts(network, lambda x: np.concatenate(at(x)[:2]), rho)


def _parts(network: Network, exact: Callable[[float], NDArray[np.float64]], rho: NDArray[np.float64]) -> Parts:
    """Halves of a vector of functions of rho: multipliers of beta, then of theta."""
    if not network.W.nnz:
        values = np.repeat(exact(0.0)[None, :], len(rho), axis=0)
        slopes = np.zeros_like(values)
    else:
        values, slopes = curves(exact, rho, poles=network.poles)
    half = values.shape[1] // 2
    return Parts(values[:, :half], values[:, half:], slopes[:, :half], slopes[:, half:])
