"""Islands are never silent: refused, linked by name, or kept on request."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from spatial_de.errors import IslandError, OptionError
from spatial_de.weights.islands import treat_islands

IDS = pd.Index(["GD", "GX", "HI", "TW"])


def pair():
    """GD and GX touch; HI and TW touch nobody."""
    return sparse.csr_array(([1.0, 1.0], ([0, 1], [1, 0])), shape=(4, 4))


def to_gd(alone):
    return np.zeros(len(alone), dtype=np.intp)


def test_islands_are_refused_by_name_and_the_remedies_are_given():
    with pytest.raises(IslandError) as caught:
        treat_islands(pair(), IDS, treatment="error", nearest=to_gd)
    assert str(caught.value) == (
        "2 units without neighbours: 'HI', 'TW'. Pass islands='nearest' to link each with its nearest unit, "
        "islands='keep' to leave their rows empty, or leave these units out."
    )


def test_without_distances_nearest_is_not_offered():
    with pytest.raises(IslandError) as caught:
        treat_islands(pair(), IDS, treatment="error")
    assert str(caught.value) == (
        "2 units without neighbours: 'HI', 'TW'. Pass islands='keep' to leave their rows empty, "
        "or leave these units out."
    )
    with pytest.raises(OptionError, match="islands='nearest' is not available: use one of 'error', 'keep'"):
        treat_islands(pair(), IDS, treatment="nearest")


def test_kept_islands_leave_the_matrix_alone_and_are_counted():
    treated = treat_islands(pair(), IDS, treatment="keep", nearest=to_gd)
    assert (treated.matrix != pair()).nnz == 0
    assert treated.islands == "kept, 2 units without neighbours"
    assert treated.notes == ()


def test_nearest_links_both_ways_with_weight_one_and_names_the_links():
    treated = treat_islands(pair(), IDS, treatment="nearest", nearest=to_gd)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = expected[0, 2] = expected[2, 0] = expected[0, 3] = expected[3, 0] = 1
    np.testing.assert_array_equal(treated.matrix.toarray(), expected)
    assert treated.notes == ("HI -> GD (nearest)", "TW -> GD (nearest)")
    assert treated.islands == "2 islands linked with the nearest unit, in both directions"


def test_two_islands_nearest_to_each_other_get_one_link_each_way():
    treated = treat_islands(pair(), IDS, treatment="nearest", nearest=lambda alone: alone[::-1])
    assert treated.matrix.toarray()[2, 3] == treated.matrix.toarray()[3, 2] == 1
    assert treated.matrix.nnz == 4


def test_added_links_take_the_builders_own_weight():
    treated = treat_islands(
        pair(), IDS, treatment="nearest", nearest=to_gd, link_weight=lambda a, b: 0.1 * (a - b).astype(float)
    )
    dense = treated.matrix.toarray()
    assert dense[2, 0] == dense[0, 2] == 0.2
    assert dense[3, 0] == dense[0, 3] == pytest.approx(0.3)


def test_no_islands_changes_nothing():
    full = sparse.csr_array(np.ones((4, 4)) - np.eye(4))
    treated = treat_islands(full, IDS, treatment="error", nearest=to_gd)
    assert treated.matrix is full
    assert treated.islands == "none found"


def test_a_misspelt_treatment_is_named():
    with pytest.raises(OptionError, match=r"islands='neerest' is not available.*Did you mean 'nearest'"):
        treat_islands(pair(), IDS, treatment="neerest", nearest=to_gd)
