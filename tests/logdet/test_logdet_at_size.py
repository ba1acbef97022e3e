"""Log-determinants of many units: spectra known in closed form, dense eigenvalues, backends against each other."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import Delaunay, KDTree

from spatial_de.logdet import log_determinant
from spatial_de.logdet.factors import BACKENDS
from spatial_de.logdet.sparse import SparseLogDeterminant
from spatial_de.weights import SpatialWeights
from spatial_de.weights.similarity import symmetric_form


def grid(side, *, queen=False):
    """Zeros and ones of rook or queen contiguity of a square grid."""
    path, eye = sparse.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1]), sparse.eye_array(side)
    if queen:
        return sparse.kron(path + eye, path + eye) - sparse.eye_array(side**2)
    return sparse.kron(path, eye) + sparse.kron(eye, path)


def irregular(n, seed=0):
    start, neighbors = Delaunay(np.random.default_rng(seed).random((n, 2))).vertex_neighbor_vertices
    return sparse.csr_array((np.ones(len(neighbors)), neighbors, start), shape=(n, n))


def nearest(n, k=5, seed=0):
    neighbors = KDTree(points := np.random.default_rng(seed).random((n, 2))).query(points, k=k + 1)[1][:, 1:]
    return sparse.csr_array((np.ones(n * k), (np.repeat(np.arange(n), k), neighbors.ravel())), shape=(n, n))


def weights(links, normalization="row"):
    return SpatialWeights(links, range(links.shape[0]), normalization=normalization)


def rook_spectrum(side):
    """Eigenvalues of zeros and ones of a rook grid: sums of those of two paths."""
    path = 2.0 * np.cos(np.arange(1, side + 1) * np.pi / (side + 1))
    return np.add.outer(path, path).ravel()


SMALL = {
    "rook": weights(grid(22)),
    "queen": weights(grid(21, queen=True)),
    "irregular": weights(irregular(450)),
    "nearest": weights(nearest(400)),
    "binary": weights(irregular(420, seed=1), "none"),
    "minmax": weights(nearest(410, seed=1), "minmax"),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_error_bound_holds_against_dense_eigenvalues(name):
    w = SMALL[name]
    exact = log_determinant(w, "eigenvalues")
    for low, high in ((-0.8, 0.9), (0.45, 0.55), (0.93, 0.97), (0.9, 0.999)):
        fresh = SparseLogDeterminant.of(w)
        ends = np.where(np.array([low, high]) < 0, -fresh.bounds[0], fresh.bounds[1]) * [low, high]
        fresh.prepare(*ends)
        rho = np.linspace(*ends, 400)
        assert fresh.error_bound <= 1e-9
        gap = np.abs(fresh.value(rho) - exact.value(rho)).max()
        assert gap <= fresh.error_bound + 2e-14 * w.n  # rounding


@pytest.mark.parametrize("side", [316, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_rook_grid_of_any_size_equals_its_closed_form(side):
    w, spectrum = weights(grid(side), "none"), rook_spectrum(side)
    logdet = log_determinant(w, "sparse")
    for rho in (0.12, 0.1201, 0.1199):  # of at most a quarter
        ratio = spectrum / (1.0 - rho * spectrum)
        np.testing.assert_allclose(logdet.value(rho), np.log1p(-rho * spectrum).sum(), rtol=1e-11)
        np.testing.assert_allclose(logdet.first(rho), -ratio.sum(), rtol=1e-9)
        np.testing.assert_allclose(logdet.second(rho), -(ratio @ ratio), rtol=1e-7)
    assert len(logdet._windows) == 1
    np.testing.assert_allclose(logdet.bounds, (-0.25, 0.25), rtol=3e-3)


def test_units_in_any_order_are_renumbered_without_changing_the_determinant():
    side = 150
    order = np.random.default_rng(0).permutation(side**2)
    w, spectrum, rho = weights(sparse.csr_array(grid(side))[order][:, order], "none"), rook_spectrum(side), 0.2
    logdet = log_determinant(w, "sparse")
    row, column = logdet.matrix.tocoo().coords
    assert np.abs(row - column).mean() < 2 * side  # not thousands, as in the order given
    ratio = spectrum / (1.0 - rho * spectrum)
    np.testing.assert_allclose(logdet.value(rho), np.log1p(-rho * spectrum).sum(), rtol=1e-11)
    np.testing.assert_allclose(logdet.first(rho), -ratio.sum(), rtol=1e-9)


@pytest.mark.parametrize(
    "links", [grid(100), grid(100, queen=True), irregular(10_000)], ids=["rook", "queen", "irregular"]
)
def test_every_factorisation_and_the_stochastic_estimate_agree_for_ten_thousand_units(links):
    w, rho = weights(links), np.array([-0.6, 0.5, 0.95])
    reference = BACKENDS[-1].values(w.sparse, rho)  # LU of W itself, which knows nothing of a symmetric form
    for one in BACKENDS[:-1]:
        if one.available:
            np.testing.assert_allclose(one.values(w.symmetric_form, rho), reference, rtol=1e-11)
    rough = log_determinant(w, "stochastic")
    assert (np.abs(rough.value(rho) - reference) < 5.0 * rough.std_error(rho)).all()


def test_lu_of_asymmetric_weights_of_many_units_stays_small():
    """Links of nearest neighbours: about as many numbers in the factors as an ordering for symmetric patterns gives."""
    from spatial_de.logdet.factors import factorised

    w = weights(nearest(20_000))
    factor = factorised(w.sparse, 0.5)
    assert factor.L.nnz + factor.U.nnz < 6 * w.n_links
    x = np.random.default_rng(0).standard_normal(w.n)
    np.testing.assert_allclose(factor.solve(x - 0.5 * (w.sparse @ x)), x, atol=1e-12)


@pytest.mark.parametrize("name", ["rook", "irregular"])
def test_row_sums_lead_to_the_same_symmetric_form_as_the_search_for_a_scaling(name):
    w = SMALL[name]
    found, searched = w.symmetric_form, symmetric_form(w.sparse)
    np.testing.assert_allclose(found.toarray(), searched.toarray(), rtol=1e-14)


def test_row_sums_that_balance_nothing_are_not_believed():
    links = sparse.csr_array(irregular(60) * np.random.default_rng(0).uniform(0.5, 2.0, 60)[:, None])
    w = weights(links)  # rows scaled at will: symmetric but for that
    form = w.symmetric_form.toarray()
    np.testing.assert_allclose(form, form.T, rtol=1e-14)
    np.testing.assert_allclose(
        np.sort(np.linalg.eigvalsh(form)), np.sort(np.linalg.eigvals(w.sparse.toarray()).real), atol=1e-12
    )
    circle = weights(np.array([[0, 2.0, 1.0], [1.0, 0, 2.0], [2.0, 1.0, 0]]))  # both ways, not the same all around
    assert circle.symmetric_form is None
    assert weights(nearest(60)).symmetric_form is None
