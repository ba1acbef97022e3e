"""ln|I - rho W| against dense determinants, for every kind of weights; its derivatives, traces and interval."""

import numpy as np
import pytest

from spatial_de.errors import IdentificationError
from spatial_de.logdet import log_determinant
from spatial_de.weights import SpatialWeights


def rng_links(n, seed, *, symmetric=False, share=0.25):
    rng = np.random.default_rng(seed)
    links = rng.uniform(size=(n, n)) < share
    links[np.arange(n), (np.arange(n) + 1) % n] = True
    np.fill_diagonal(links, val=False)
    return links | links.T if symmetric else links


def weights(kind, n=15, seed=0):
    rng = np.random.default_rng(seed + 1)
    links = rng_links(n, seed, symmetric=kind not in {"asymmetric", "complex", "islands"})
    values = links * (rng.uniform(0.3, 2.0, (n, n)) if kind in {"asymmetric", "islands"} else 1.0)
    if kind == "complex":  # a one-way ring: eigenvalues on the unit circle
        values = np.roll(np.eye(n), 1, axis=1)
    if kind == "islands":
        values[3] = 0.0
    if kind == "acyclic":  # from rich to poor: no circles, all eigenvalues zero
        order = rng.permutation(n)
        values = np.triu(links * 1.0, 1)[np.ix_(order, order)]
    if kind == "negative":
        values = links * 1.0
        values[0, 1] = values[1, 0] = -0.3
    how = {"row": "row", "islands": "row", "spectral": "spectral", "minmax": "minmax"}.get(kind, "none")
    return SpatialWeights(values, [f"u{i}" for i in range(n)], normalization=how, allow_negative=True)


KINDS = ("row", "binary", "spectral", "minmax", "asymmetric", "complex", "islands", "acyclic", "negative")


def inside(logdet, count=41, margin=0.03):
    low, high = logdet.bounds
    edge = margin * (high - low)
    return np.linspace(low + edge, high - edge, count)


@pytest.mark.parametrize("kind", KINDS)
def test_value_and_derivatives_equal_the_dense_ones(kind):
    w = weights(kind)
    logdet, W, eye = log_determinant(w), w.sparse.toarray(), np.eye(w.n)
    for rho in inside(logdet):
        sign, expected = np.linalg.slogdet(eye - rho * W)
        G = W @ np.linalg.inv(eye - rho * W)
        assert sign > 0
        np.testing.assert_allclose(logdet.value(rho), expected, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(logdet.first(rho), -np.trace(G), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(logdet.second(rho), -np.trace(G @ G), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_is_regular_inside_the_interval_and_singular_at_its_real_ends(kind):
    w = weights(kind)
    logdet, W = log_determinant(w), w.sparse.toarray()
    values = np.linalg.eigvals(W)
    real = values.real[np.abs(values.imag) < 1e-8]
    for end, inverses in zip(logdet.bounds, (real[real < -1e-6], real[real > 1e-6]), strict=True):
        if len(inverses):
            np.testing.assert_allclose(1.0 / end, inverses[np.abs(inverses).argmax()], rtol=1e-9)
            assert np.linalg.svd(np.eye(w.n) - end * W)[1][-1] < 1e-9
    assert all(np.linalg.slogdet(np.eye(w.n) - rho * W)[0] > 0 for rho in inside(logdet, 200, 1e-4))


def test_at_zero():
    for kind in KINDS:
        w = weights(kind)
        logdet, W = log_determinant(w), w.sparse.toarray()
        assert float(logdet.value(0.0)) == 0.0
        np.testing.assert_allclose(logdet.first(0.0), 0.0, atol=1e-12)  # tr W
        np.testing.assert_allclose(logdet.second(0.0), -np.trace(W @ W), rtol=1e-11, atol=1e-12)


def test_arrays_of_rho_keep_their_shape():
    logdet = log_determinant(weights("row"))
    rho = np.linspace(-0.5, 0.5, 6).reshape(2, 3)
    for function in (logdet.value, logdet.first, logdet.second):
        assert function(rho).shape == (2, 3)
        np.testing.assert_array_equal(function(rho)[1, 2], function(rho[1, 2]))


def test_components_add_up():
    one, two = weights("row", 8, 1), weights("row", 11, 2)
    zero = np.zeros((8, 11))
    both = np.block([[one.sparse.toarray(), zero], [zero.T, two.sparse.toarray()]])
    joint = log_determinant(SpatialWeights(both, range(19)))
    for rho in (-0.6, 0.2, 0.95):
        total = log_determinant(one).value(rho) + log_determinant(two).value(rho)
        np.testing.assert_allclose(joint.value(rho), total, rtol=1e-12)


def test_chessboards_are_symmetric_in_rho():
    """A grid of squares is bipartite: its spectrum is symmetric around zero."""
    place = np.arange(24).reshape(4, 6)
    matrix = np.zeros((24, 24))
    for a, b in [*zip(place[:, :-1].ravel(), place[:, 1:].ravel()), *zip(place[:-1].ravel(), place[1:].ravel())]:  # noqa: B905
        matrix[a, b] = matrix[b, a] = 1.0
    logdet = log_determinant(SpatialWeights(matrix, range(24), normalization="row"))
    rho = np.linspace(0.05, 0.95, 10)
    np.testing.assert_allclose(logdet.value(rho), logdet.value(-rho), rtol=1e-12)
    np.testing.assert_allclose(logdet.bounds, (-1.0, 1.0), rtol=1e-12)


def test_row_stochastic_weights_end_at_exactly_one():
    for seed in range(5):
        assert log_determinant(weights("row", 30, seed)).bounds[1] == 1.0


def test_negative_weights_may_end_before_one():
    """Rows add up to one, yet an eigenvalue is larger than one."""
    matrix = np.array([[0, -0.2, -0.6, 1.8], [-0.5, 0, 0.3, 1.2], [-0.9, 1, 0, 0.9], [2, -0.5, -0.5, 0]])
    w = SpatialWeights(matrix, list("abcd"), allow_negative=True)
    largest = np.linalg.eigvals(matrix).real.max()
    assert w.is_row_stochastic
    assert largest > 1.01
    np.testing.assert_allclose(log_determinant(w).bounds[1], 1.0 / largest)


def test_links_without_circles_have_determinant_one_and_a_finite_interval():
    logdet = log_determinant(weights("acyclic"))
    assert np.abs(logdet.value(inside(logdet))).max() == 0.0
    assert np.isfinite(logdet.bounds).all()


def test_symmetric_similarity_gives_real_eigenvalues():
    assert np.isrealobj(log_determinant(weights("row", 25)).eigenvalues)
    assert np.iscomplexobj(log_determinant(weights("complex")).eigenvalues)


def test_the_same_weights_share_one_determinant():
    first, again = weights("row"), weights("row")
    assert first is not again
    assert log_determinant(first) is log_determinant(again)
    assert log_determinant(first) is not log_determinant(first.normalized("none"))


def test_refusals():
    with pytest.raises(IdentificationError, match="hold no links"):
        log_determinant(SpatialWeights(np.zeros((3, 3)), list("abc")))


def test_eigenvalues_that_two_blocks_share_stay_real():
    """Two periods in one cross-section: every eigenvalue is double, with one eigenvector."""
    n = 10
    path = np.diag(np.ones(n - 1), 1)
    path[0, 4] = path[2, 6] = 1.0
    block = path + path.T
    stacked = np.block([[block, np.zeros((n, n))], [np.eye(n), block]])
    expected = np.sort(np.concatenate([np.linalg.eigvalsh(block)] * 2))
    logdet = log_determinant(SpatialWeights(stacked, range(2 * n)))
    np.testing.assert_allclose(np.sort(logdet.eigenvalues.real), expected, atol=1e-12)
    np.testing.assert_allclose(logdet.bounds, (1.0 / expected[0], 1.0 / expected[-1]), rtol=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_no_determinant_changes_its_sign_inside_the_interval(seed):
    """Sparse directed graphs (two nearest neighbours), whose eigenvalues are often defective."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 24))
    points = rng.random((n, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2) + 9.0 * np.eye(n)
    links = np.zeros((n, n))
    np.put_along_axis(links, np.argsort(distance, axis=1)[:, :2], 1.0, axis=1)
    w = SpatialWeights(links, range(n), normalization="row")
    W, (low, high) = w.sparse.toarray(), log_determinant(w).bounds
    signs = [np.linalg.slogdet(np.eye(n) - rho * W)[0] for rho in np.linspace(low, high, 403)[1:-1]]
    assert min(signs) > 0
