"""Cells of unbalanced panels: dummies, projections, designs, rows that are dropped on request."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import PanelError
from spatial_de.panel.design import build_design
from spatial_de.panel.layout import Balanced, Cells, dummy_columns
from spatial_de.panel.projection import Projection
from spatial_de.panel.transforms import within

EFFECTS = ("none", "individual", "time", "two-way")


def all_dummies(present, effects):
    time, unit = np.nonzero(present)
    parts = [np.zeros((len(time), 0))]
    if effects in {"individual", "two-way"}:
        parts.append(np.eye(present.shape[1])[unit])
    if effects in {"time", "two-way"}:
        parts.append(np.eye(present.shape[0])[time])
    return np.hstack(parts)


def random_cells(seed):
    """Between nearly empty and nearly full, sometimes in pieces that nothing connects, no unit or time without row."""
    rng = np.random.default_rng(seed)
    T, N = rng.integers(1, 6), rng.integers(1, 7)
    present = rng.uniform(size=(T, N)) < rng.uniform(0.1, 1.0)
    present[rng.integers(0, T, N), np.arange(N)] = True
    present[np.arange(T), rng.integers(0, N, T)] = True
    return present, rng


@pytest.mark.parametrize("effects", EFFECTS)
@pytest.mark.parametrize("seed", range(15))
def test_projection_is_that_of_all_dummies(seed, effects):
    present, rng = random_cells(seed)
    D = all_dummies(present, effects)
    kept = dummy_columns(present, effects).toarray()
    rank = np.linalg.matrix_rank(D) if D.shape[1] else 0
    assert kept.shape[1] == np.linalg.matrix_rank(kept) * bool(kept.shape[1]) == rank
    cells = Cells(present, effects)
    x = cells.spread(rng.normal(size=(cells.n, 2)))
    expected = x[present] - D @ np.linalg.lstsq(D, x[present], rcond=None)[0] if D.shape[1] else x[present]
    found = cells.within(x, effects)
    np.testing.assert_allclose(found[present], expected, atol=1e-12)
    assert not found[~present].any()
    assert cells.n_free == present.sum() - rank


@pytest.mark.parametrize("effects", EFFECTS)
def test_full_cells_are_a_balanced_panel(effects):
    x = np.random.default_rng(0).normal(size=(4, 6))
    cells, balanced = Cells(np.ones((4, 6), dtype=bool), effects), Balanced(4, 6, effects)
    np.testing.assert_allclose(cells.within(x, effects), within(x, effects), atol=1e-14)
    assert (cells.n, cells.n_free) == (balanced.n, balanced.n_free)


def test_log_determinant_and_large_offsets():
    present = random_cells(3)[0]
    columns = dummy_columns(present, "two-way")
    projection = Projection.off(columns)
    assert projection.logdet == pytest.approx(np.linalg.slogdet((columns.T @ columns).toarray())[1], abs=1e-12)
    x = columns @ np.full(columns.shape[1], 1e9)
    assert np.abs(projection(x)).max() < 1e-5


def panel():
    rng = np.random.default_rng(0)
    return pd.DataFrame([(u, t, *rng.normal(size=2)) for u in "abcd" for t in (1, 2, 3)], columns=["u", "t", "y", "x"])


def test_designs_hold_zeros_where_there_is_no_row():
    frame = panel().drop(index=[1, 11])
    loose = sde.Panel(frame.sample(frac=1.0, random_state=1), "u", "t", unbalanced=True)
    design = build_design("y ~ x", loose, unbalanced=True)
    assert design.present.tolist() == [[True] * 4, [False, True, True, True], [True, True, True, False]]
    assert design.y[1, 0] == design.X[2, 3, 0] == 0.0
    np.testing.assert_array_equal(design.rows(design.y), frame.sort_values(["u", "t"]).y)
    assert design.nobs == 10
    assert build_design("y ~ x", sde.Panel(panel(), "u", "t"), unbalanced=True).present is None


def test_rows_with_missing_values_are_dropped_on_request():
    frame = panel()
    frame.loc[[1, 4], "x"] = np.nan
    frame.loc[1, "y"] = np.nan
    given = sde.Panel(frame, "u", "t")
    found = given.drop_missing(["x", "y"])
    assert len(found) == 10
    assert not found.is_balanced
    assert found.dropped.to_dict("list") == {
        "u": ["a", "b", "a"],
        "t": [2, 2, 2],
        "reason": ["x is missing", "x is missing", "y is missing"],
    }
    assert "dropped    2 rows with missing values: ('a', 2), ('b', 2)" in repr(found)
    assert given.select(columns=["y"], units=["c"]).drop_missing("y").dropped.empty
    again = found.assign(z=np.nan)
    with pytest.raises(PanelError, match=r"^Every row has a missing value in 'z': nothing would be left\.$"):
        again.drop_missing("z")
