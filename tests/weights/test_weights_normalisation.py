"""Normalisations against their dense definitions."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from spatial_de.errors import WeightsError
from spatial_de.weights import SpatialWeights
from spatial_de.weights.normalisation import normalise


def random_weights(seed, n=40, density=0.15):
    rng = np.random.default_rng(seed)
    dense = rng.gamma(1.0, size=(n, n)) * (rng.random((n, n)) < density)
    np.fill_diagonal(dense, 0.0)
    return dense


def grid(m):
    line = sparse.diags_array([np.ones(m - 1), np.ones(m - 1)], offsets=[1, -1])
    return sparse.csr_array(sparse.kron(sparse.eye_array(m), line) + sparse.kron(line, sparse.eye_array(m)))


@pytest.mark.parametrize("seed", range(5))
def test_dense_definitions(seed):
    dense = random_weights(seed)
    rows, columns = dense.sum(axis=1), dense.sum(axis=0)
    w = SpatialWeights(dense, range(len(dense)))
    expected = {
        "row": np.divide(dense, rows[:, None], out=np.zeros_like(dense), where=rows[:, None] > 0),
        "spectral": dense / np.abs(np.linalg.eigvals(dense)).max(),
        "minmax": dense / min(rows.max(), columns.max()),
        "none": dense,
    }
    for kind, matrix in expected.items():
        np.testing.assert_allclose(w.normalized(kind).sparse.toarray(), matrix, rtol=1e-12, atol=0)


def test_minmax_takes_the_smaller_of_row_and_column_sums():
    tall = np.array([[0, 1, 1], [0, 0, 5], [0, 0, 0]], dtype=float)
    assert normalise(sparse.csr_array(tall), "minmax").toarray()[1, 2] == 5 / 5
    assert normalise(sparse.csr_array(tall.T), "minmax").toarray()[2, 1] == 5 / 5
    wide = np.array([[0, 3, 3], [0, 0, 0], [0, 0, 0]], dtype=float)
    assert normalise(sparse.csr_array(wide), "minmax").toarray()[0, 1] == 3 / 3


@pytest.mark.parametrize("m", [20, 40, 80])
def test_spectral_radius_of_a_grid_is_known(m):
    radius = 4.0 * np.cos(np.pi / (m + 1))
    np.testing.assert_allclose(normalise(grid(m), "spectral").data, 1.0 / radius, rtol=1e-12)


def test_spectral_radius_of_many_equal_blocks_and_islands():
    blocks = sparse.block_diag([np.ones((3, 3)) - np.eye(3)] * 300 + [np.zeros((1, 1))] * 50)
    w = SpatialWeights(blocks, range(950), normalization="spectral")
    np.testing.assert_allclose(w.sparse.data, 0.5, rtol=1e-12)


def test_the_largest_radius_counts_wherever_its_block_is():
    pair, triangle = np.ones((2, 2)) - np.eye(2), np.ones((3, 3)) - np.eye(3)
    for order in ([pair, 3 * triangle, triangle], [3 * triangle, triangle, pair]):
        w = SpatialWeights(sparse.block_diag(order), range(8), normalization="spectral")
        np.testing.assert_allclose(np.abs(np.linalg.eigvals(w.sparse.toarray())).max(), 1.0, rtol=1e-12)


def test_links_without_a_way_back_have_no_spectral_radius():
    chain = sparse.csr_array(sparse.diags_array([np.ones(599)], offsets=[1]))
    with pytest.raises(WeightsError, match="links form no circle"):
        normalise(chain, "spectral")


@pytest.mark.parametrize("kind", ["spectral", "minmax"])
def test_no_links_cannot_be_scaled(kind):
    with pytest.raises(WeightsError, match="The weights cannot be normalised: there are no links"):
        normalise(sparse.csr_array((3, 3)), kind)


def test_row_sums_are_one_and_islands_stay_zero():
    dense = random_weights(1)
    dense[7] = 0.0
    w = SpatialWeights(dense, range(40), normalization="row")
    sums = w.sparse.sum(axis=1)
    np.testing.assert_allclose(np.delete(sums, 7), 1.0, rtol=0, atol=1e-15)
    assert sums[7] == 0.0
    assert not w.is_row_stochastic
    assert w.subset([i for i in range(40) if i != 7]).is_row_stochastic


def test_normalising_twice_changes_no_bit():
    w = SpatialWeights(random_weights(2), range(40), normalization="row")
    again = SpatialWeights(w.sparse, range(40), normalization="row")
    np.testing.assert_array_equal(again.sparse.data, w.sparse.data)


def test_another_normalisation_starts_from_the_raw_weights():
    w = SpatialWeights(random_weights(3), range(40), normalization="row")
    np.testing.assert_array_equal(w.normalized("spectral").normalized("none").sparse.toarray(), random_weights(3))
    assert w.normalized("spectral").normalization == "spectral"


def test_negative_rows_that_add_up_to_zero_are_named():
    with pytest.raises(WeightsError) as caught:
        SpatialWeights([[0, 1, 1], [1, 0, -1], [1, 0, 0]], list("abc"), normalization="row", allow_negative=True)
    assert str(caught.value) == (
        "Row normalisation is impossible: the weights of 'b' add up to zero. Use normalize='spectral', 'minmax' or "
        "'none'."
    )


def test_no_warning_leaks_from_islands():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = SpatialWeights([[0, 1, 0], [1, 0, 0], [0, 0, 0]], list("abc"), normalization="row").sparse
