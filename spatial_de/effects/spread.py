"""Where effects go: between groups of units, by unit, by order of neighbours, and in full.

All of them are parts of ``E = S (beta I + theta V)``, ``S = (I - rho W)^-1``: row i holds what a change of x in every
unit does to unit i. V are the weights of the lagged regressors, W unless others were given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects.curves import curves
from spatial_de.effects.inference import Parts
from spatial_de.errors import AlignmentError, CapacityError, DataError
from spatial_de.logdet import DENSE_LIMIT, log_determinant
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights


@dataclass(frozen=True, eq=False)
class Network:
    """Dense weights of a model with spatial terms.

    Attributes
    ----------
    W, V
        Of the lagged response (zero without one), and of the lagged regressors, shape (n, n).
    poles
        Admissible interval of rho.
    """

    W: NDArray[Any]
    V: NDArray[Any]
    poles: tuple[float, float]

    @classmethod
    def of(cls, n: int, w: SpatialWeights | None, v: SpatialWeights | None) -> Network:
        """Weights of a fit, for n units.

        Raises
        ------
        CapacityError
            A dense matrix of this many units would need too much memory.
        """
        if n > DENSE_LIMIT:
            raise CapacityError(
                f"Effects between {n:,} units need dense matrices of {8 * n**2 / 1e9:.1f} GB; the limit is "
                f"{DENSE_LIMIT:,} units. effects() gives the averages at any size."
            )
        nothing = np.zeros((n, n))
        return cls(
            W=nothing if w is None else w.sparse.toarray(),
            V=nothing if v is None else v.sparse.toarray(),
            poles=(-1.0, 1.0) if w is None else log_determinant(w).bounds,
        )

    def inverse(self, rho: float) -> NDArray[np.float64]:
        """S, shape (n, n)."""
        eye = np.eye(len(self.W))
        return np.asarray(np.linalg.solve(eye - rho * self.W, eye)) if rho else eye


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
        """
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
    latter to the direct one.
    """
    sizes = groups.members.sum(axis=0)
    mean = (groups.members / sizes).T

    def exact(x: float) -> NDArray[np.float64]:
        S = network.inverse(x)
        SV = S @ network.V
        return np.concatenate(
            [np.column_stack([mean @ E @ groups.members, mean @ np.diag(E)]).ravel() for E in (S, SV)]
        )

    return _parts(network, exact, rho)


def unit_parts(network: Network, rho: float) -> Parts:
    """Multipliers of what every unit does to itself, gives to all others and gets from them, order (3, n)."""
    S = network.inverse(rho)
    moved = S @ network.W @ S  # dS / d rho
    at = [_by_unit(E) for E in (S, S @ network.V, moved, moved @ network.V)]
    return Parts(*(values[None, :] for values in at))


def order_parts(network: Network, orders: int, rho: NDArray[np.float64]) -> Parts:
    """Multipliers by power of the weights: direct and total of orders 0 to `orders`, order (orders + 1, 2).

    Order zero is ``beta I``; order q is ``rho^q W^q beta + rho^(q-1) W^(q-1) V theta``.
    """
    n = len(network.W)
    power, own, lagged = np.eye(n), [], []
    for _ in range(orders + 1):
        own.append([np.trace(power) / n, power.sum() / n])
        lagged.append([np.sum(power * network.V.T) / n, (power @ network.V).sum() / n])
        power = power @ network.W
    q = np.arange(orders + 1)
    beta, d_beta = _powers(rho, q)
    theta, d_theta = _powers(rho, q - 1)
    mine, others = np.array(own), np.vstack([[0.0, 0.0], lagged[:-1]])
    return Parts(
        *(
            (scale[:, :, None] * values).reshape(len(rho), -1)
            for scale, values in ((beta, mine), (theta, others), (d_beta, mine), (d_theta, others))
        )
    )


def _powers(rho: NDArray[np.float64], q: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``rho^q`` and its derivative, shape (r, orders); zero for negative q."""
    base, exponent = rho[:, None], np.maximum(q, 0)[None, :]
    value = np.where(q >= 0, base**exponent, 0.0)
    slope = np.where(q >= 1, exponent * base ** np.maximum(exponent - 1, 0), 0.0)
    return value, slope


def _by_unit(E: NDArray[np.float64]) -> NDArray[np.float64]:
    own = np.diag(E)
    return np.concatenate([own, E.sum(axis=0) - own, E.sum(axis=1) - own])


def _parts(network: Network, exact: Any, rho: NDArray[np.float64]) -> Parts:
    """Halves of a vector of functions of rho: multipliers of beta, then of theta."""
    if not network.W.any():
        values = np.repeat(exact(0.0)[None, :], len(rho), axis=0)
        slopes = np.zeros_like(values)
    else:
        values, slopes = curves(exact, rho, poles=network.poles)
    half = values.shape[1] // 2
    return Parts(values[:, :half], values[:, half:], slopes[:, :half], slopes[:, half:])
