"""Islands: units without neighbours, treated in one way by every builder."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse

from spatial_de.errors import IslandError
from spatial_de.weights.core import IslandTreatment
from spatial_de.wording import check_option, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

Nearest = Callable[["NDArray[np.intp]"], "NDArray[np.intp]"]
LinkWeight = Callable[["NDArray[np.intp]", "NDArray[np.intp]"], "NDArray[np.float64]"]


class Treated(NamedTuple):
    """Weights after islands were treated.

    Attributes
    ----------
    matrix
        Weights with the added links, shape (n, n).
    islands
        What was done, in words, for `Provenance.islands`.
    notes
        One line per added link, e.g. ``"HI -> GD (nearest)"``, for `Provenance.notes`.
    """

    matrix: sparse.csr_array
    islands: str
    notes: tuple[str, ...] = ()


def treat_islands(
    matrix: sparse.csr_array,
    ids: pd.Index[Any],
    *,
    treatment: IslandTreatment,
    nearest: Nearest | None = None,
    link_weight: LinkWeight | None = None,
    hint: str = "",
) -> Treated:
    """Find units whose row is empty and do with them what the user asked for.

    Parameters
    ----------
    matrix
        Raw weights, shape (n, n), without explicit zeros.
    ids
        Labels of the n units.
    treatment
        ``"error"`` refuses and names the islands; ``"nearest"`` links each island with its nearest unit, in both
        directions; ``"keep"`` leaves their rows empty.
    nearest
        Positions of the nearest other unit of each of the given positions (array of m to array of m). None where
        there are no distances: then ``"nearest"`` is not on offer.
    link_weight
        Weights of the added links, from positions of islands and of their nearest units (two arrays of m to an
        array of m). None gives every added link the weight 1.
    hint
        One more remedy for the message of ``"error"``.

    Returns
    -------
    Treated
        The matrix, what was done in words, and a note for each added link.

    Raises
    ------
    IslandError
        There are islands and `treatment` is ``"error"``.
    OptionError
        `treatment` is not one of the options.
    """
    options = ("error", "nearest", "keep") if nearest else ("error", "keep")
    check_option(treatment, options, "islands")
    alone = np.flatnonzero(np.diff(matrix.indptr) == 0)
    if not len(alone):
        return Treated(matrix, "none found")
    if treatment == "keep":
        return Treated(matrix, f"kept, {plural(len(alone), 'unit')} without neighbours")
    if treatment == "error" or nearest is None:
        raise IslandError(_refusal(ids[alone], can_link=nearest is not None, hint=hint))
    found = nearest(alone)
    values = link_weight(alone, found) if link_weight else np.ones(len(alone))
    notes = tuple(f"{a} -> {b} (nearest)" for a, b in zip(ids[alone], ids[found], strict=True))
    return Treated(
        _with_links(matrix, alone, found, values=values),
        f"{plural(len(alone), 'island')} linked with the nearest unit, in both directions",
        notes,
    )


def _refusal(alone: pd.Index[Any], *, can_link: bool, hint: str) -> str:
    link = "islands='nearest' to link each with its nearest unit, " if can_link else ""
    more = f" ({hint})" if hint else ""
    return (
        f"{plural(len(alone), 'unit')} without neighbours: {name_some(alone)}{more}. "
        f"Pass {link}islands='keep' to leave their rows empty, or leave these units out."
    )


def _with_links(
    matrix: sparse.csr_array,
    alone: NDArray[np.intp],
    found: NDArray[np.intp],
    *,
    values: NDArray[np.float64],
) -> sparse.csr_array:
    """`matrix` with links alone -> found and found -> alone; two islands nearest to each other get one link."""
    pairs = pd.DataFrame(
        {
            "row": np.concatenate([alone, found]),
            "column": np.concatenate([found, alone]),
            "weight": np.concatenate([values, values]),
        }
    ).drop_duplicates(["row", "column"])
    added = sparse.coo_array((pairs["weight"], (pairs["row"], pairs["column"])), shape=matrix.shape)
    return sparse.csr_array(matrix + added)
