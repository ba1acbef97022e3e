"""Effects in units that compare: standard deviations of what fixed effects leave of outcome and regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from spatial_de.panel.design import build_design
from spatial_de.panel.transforms import within

if TYPE_CHECKING:
    from spatial_de.effects import Effects
    from spatial_de.panel import Panel
    from spatial_de.panel.transforms import Effects as Fixed


def standard_ratios(panel: Panel, outcome: str, terms: Sequence[str], *, fixed: Fixed) -> dict[str, float]:
    """Standard deviation of each regressor over that of the outcome, after the fixed effects are taken out.

    Fixed effects leave only part of the variation; a standard deviation of what is left is a change that the data
    know, which a standard deviation of the variable itself may not be.

    Parameters
    ----------
    panel
        The data.
    outcome, terms
        Terms of a formula.
    fixed
        Fixed effects of the model.

    References
    ----------
    Mummolo, J. and Peterson, E. (2018). *Political Science Research and Methods* 6, 829-835.
    """
    design = build_design(f"{outcome} ~ {' + '.join(terms)}", panel)
    left = within(np.concatenate([design.y[:, :, None], design.X], axis=2), fixed)
    spread = left.std(axis=(0, 1))
    return dict(zip(design.x_names, (spread[1:] / spread[0]).tolist(), strict=True))


def spread_left(panel: Panel, columns: Sequence[str], *, fixed: Fixed) -> list[float]:
    """Standard deviation of what the fixed effects leave of each column."""
    left: list[float] = within(panel.values(list(columns)), fixed).std(axis=(0, 1)).tolist()
    return left


def standardised(effects: Effects, ratios: Mapping[str, float]) -> Effects:
    """Effects with estimate, error and interval multiplied by the ratio of each term; statistics stay."""
    table = effects.table.copy()
    factors = table.index.get_level_values("term").map(dict(ratios)).to_numpy(dtype=float)
    for column in ("estimate", "std_error", "conf_low", "conf_high"):
        table[column] *= factors
    return replace(effects, table=table)
