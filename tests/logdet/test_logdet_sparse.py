"""Sparse log-determinants against dense ones: every backend, the bound of the error, the interval, the sketch."""

import numpy as np
import pytest
from scipy import sparse

from spatial_de.errors import CapacityError, IdentificationError
from spatial_de.logdet import METHODS, log_determinant
from spatial_de.logdet.factors import BACKENDS
from spatial_de.logdet.interpolation import Chart, errors_per_unit, interpolate
from spatial_de.logdet.interval import admissible_interval
from spatial_de.weights import SpatialWeights
from spatial_de.weights.similarity import symmetric_form

AVAILABLE = [one for one in BACKENDS if one.available]


def lattice(side, *, normalization="row", queen=False):
    """Rook or queen contiguity of a square grid."""
    path = sparse.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1])
    eye = sparse.eye_array(side)
    links = sparse.kron(path + eye, path + eye) - sparse.eye_array(side**2) if queen else None
    links = links if queen else sparse.kron(path, eye) + sparse.kron(eye, path)
    return SpatialWeights(links, range(side**2), normalization=normalization)


def nearest(n, k=5, seed=0):
    """Asymmetric weights: k nearest neighbours, rows adding up to one."""
    points = np.random.default_rng(seed).random((n, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    neighbors = np.argsort(distance, axis=1)[:, 1 : k + 1]
    links = np.zeros((n, n))
    np.put_along_axis(links, neighbors, 1.0, axis=1)
    return SpatialWeights(links, range(n), normalization="row")


CASES = {
    "rook": lattice(12),
    "queen": lattice(12, queen=True),
    "binary": lattice(12, normalization="none"),
    "spectral": lattice(11, normalization="spectral", queen=True),
    "nearest": nearest(150),
}


def dense(w, rho):
    """ln|I - rho W| and its first two derivatives from the dense matrix."""
    W = w.sparse.toarray()
    G = W @ np.linalg.inv(np.eye(w.n) - rho * W)
    return np.linalg.slogdet(np.eye(w.n) - rho * W)[1], -np.trace(G), -np.trace(G @ G)


def inside(bounds, count=9, margin=0.05):
    edge = margin * (bounds[1] - bounds[0])
    return np.linspace(bounds[0] + edge, bounds[1] - edge, count)


@pytest.mark.parametrize(
    ("one", "name"), [(one, name) for one in AVAILABLE for name in CASES if not (one.symmetric and name == "nearest")]
)
def test_every_backend_gives_the_dense_determinant(one, name):
    w = CASES[name]
    form = w.symmetric_form
    rho = inside(log_determinant(w, "sparse").bounds)
    found = one.values(w.sparse if form is None else form, rho)
    np.testing.assert_allclose(found, [dense(w, x)[0] for x in rho], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("one", [one for one in AVAILABLE if one.symmetric], ids=lambda one: one.name)
def test_outside_the_interval_is_refused(one):
    with pytest.raises(IdentificationError, match=r"not positive definite at rho = 1\.2"):
        one.values(CASES["rook"].symmetric_form, np.array([0.5, 1.2]))


def test_an_exactly_singular_matrix_is_refused():
    circle = sparse.csr_array(np.roll(np.eye(4), 1, axis=1))
    with pytest.raises(IdentificationError, match="singular"):
        BACKENDS[-1].values(circle, np.array([1.0]))


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivatives_equal_the_dense_ones(name):
    w = CASES[name]
    logdet = log_determinant(w, "sparse")
    for rho in inside(logdet.bounds):
        value, first, second = dense(w, rho)
        np.testing.assert_allclose(logdet.value(rho), value, atol=1e-9)
        np.testing.assert_allclose(logdet.first(rho), first, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(logdet.second(rho), second, rtol=1e-7)
    assert 0.0 < logdet.error_bound <= 1e-9


@pytest.mark.parametrize("strip", [np.pi / 2, np.pi / 4])
@pytest.mark.parametrize("ends", [(-0.9, 0.9), (0.2, 0.7), (0.97, 0.995), (-0.05, 0.05)])
def test_the_error_stays_below_its_bound_whatever_the_eigenvalue(strip, ends):
    chart = Chart(-1.0, 1.0, strip)
    part = chart.to_s(np.array(ends))
    rho = chart.to_rho(np.linspace(*part, 801))
    # complex eigenvalues come in pairs; each half of a pair carries half of the real logarithm
    angles = [0.0, np.pi] if strip > 1.5 else np.linspace(0.0, np.pi, 13)
    for modulus in (0.3, 0.9, 1.0):
        for angle in angles:
            omega = modulus * np.exp(1j * angle)
            for tolerance in (1e-3, 1e-6, 1e-10):
                window = interpolate(
                    lambda x, omega=omega: np.log(np.abs(1.0 - x * omega)), chart, tuple(part), n=1, tolerance=tolerance
                )
                error = np.abs(window.derivative(rho, 0) - np.log(np.abs(1.0 - rho * omega))).max()
                assert error <= window.error_bound + 1e-12


@pytest.mark.parametrize("ends", [(-0.9, 0.9), (0.2, 0.7), (0.97, 0.995)])
@pytest.mark.parametrize("m", [4, 8, 16])
def test_the_error_of_an_integrated_slope_stays_below_its_bound_and_comes_near_it(ends, m):
    chart = Chart(-1.0, 1.0, np.pi / 2)
    low, high = chart.to_s(np.array(ends))
    half = 0.5 * (high - low)
    s = 0.5 * (low + high) + half * np.cos((np.arange(m) + 0.5) * np.pi / m)
    dense = np.linspace(low, high, 801)
    worst = 0.0
    for omega in np.tanh(np.linspace(low - 1.0, high + 1.0, 41)):

        def log(x, omega=omega):
            return np.log(np.cosh(x) - omega * np.sinh(x)) - np.log(np.cosh(x))

        slope = (np.sinh(s) - omega * np.cosh(s)) / (np.cosh(s) - omega * np.sinh(s)) - np.tanh(s)
        fitted = np.polynomial.Chebyshev.fit(s, slope, m - 1, domain=[low, high]).integ(lbnd=low)
        worst = max(worst, np.abs(fitted(dense) - (log(dense) - log(low))).max())
    bound = errors_per_unit(chart, half, nodes=np.array([m]), of_slope=True)[0]
    assert worst <= bound + 1e-12
    assert bound < max(300.0 * worst, 1e-10)


def test_the_bound_falls_geometrically_and_is_not_idle():
    chart = Chart(-1.0, 1.0, np.pi / 2)
    bounds = errors_per_unit(chart, 0.3, nodes=np.array([4, 8, 16, 32]))
    assert (bounds[1:] < 1e-2 * bounds[:-1]).all()
    s = np.linspace(0.2, 0.8, 801)
    for m, bound in zip((4, 6, 8), errors_per_unit(chart, 0.3, nodes=np.array([4, 6, 8])), strict=True):
        nodes = 0.5 + 0.3 * np.cos((np.arange(m) + 0.5) * np.pi / m)
        errors = []
        for omega in np.linspace(-1.0, 1.0, 41):
            fitted = np.polynomial.Chebyshev.fit(nodes, np.log(1.0 - omega * np.tanh(nodes)), m - 1, domain=[0.2, 0.8])
            errors.append(np.abs(fitted(s) - np.log(1.0 - omega * np.tanh(s))).max())
        assert max(errors) <= bound <= 30.0 * max(errors)


@pytest.mark.parametrize("name", CASES)
def test_the_interval_is_inside_the_exact_one_and_close_to_it(name):
    w = CASES[name]
    low, high = admissible_interval(w, w.symmetric_form)
    exact = log_determinant(w, "eigenvalues").bounds
    assert exact[0] - 1e-9 <= low
    assert high <= exact[1] + 1e-9
    if name != "nearest":  # asymmetric weights get the interval that the spectral radius guarantees
        np.testing.assert_allclose([low, high], exact, rtol=3e-3)
    else:
        assert (low, high) == (-1.0, 1.0)


def test_the_interval_of_weights_without_circles_and_without_links():
    chain = SpatialWeights(np.diag(np.full(9, 0.5), 1), range(10))
    assert admissible_interval(chain, None) == (-2.0, 2.0)
    with pytest.raises(IdentificationError, match="hold no links"):
        admissible_interval(SpatialWeights(np.zeros((3, 3)), range(3)), None)


def test_the_interval_of_asymmetric_weights_that_are_not_row_standardised():
    w = nearest(120).normalized("none")
    low, high = admissible_interval(w, w.symmetric_form)
    radius = np.abs(np.linalg.eigvals(w.sparse.toarray())).max()
    np.testing.assert_allclose(high, 1.0 / radius, rtol=3e-3)
    assert high <= (1.0 + 1e-12) / radius
    assert low == -high


def test_small_weights_use_eigenvalues_large_ones_factors_and_dense_ones_eigenvalues():
    assert log_determinant(lattice(10)).method == "eigenvalues"
    assert "sparse" in log_determinant(lattice(25)).method
    full = np.ones((500, 500)) - np.eye(500)
    assert log_determinant(SpatialWeights(full, range(500), normalization="row")).method == "eigenvalues"


def test_far_points_get_windows_of_their_own_and_wide_ranges_are_covered():
    w = lattice(21)
    logdet, exact = log_determinant(w, "sparse"), log_determinant(w, "eigenvalues")
    wide = np.linspace(-0.99, 0.995, 301)
    np.testing.assert_allclose(logdet.value(wide), exact.value(wide), atol=1e-8)
    for rho in (0.999999, -0.999, 0.1):
        np.testing.assert_allclose(logdet.value(rho), exact.value(rho), atol=1e-8)


@pytest.mark.parametrize("name", ["rook", "binary", "nearest"])
def test_stochastic_values_lie_within_their_error_bars(name):
    w = CASES[name]
    logdet = log_determinant(w, "stochastic")
    for rho in inside(logdet.bounds, margin=0.15):
        assert abs(logdet.value(rho) - dense(w, rho)[0]) < 5.0 * logdet.std_error(rho) + 1e-6
    assert logdet.error_bound > 0.0


@pytest.mark.parametrize("name", ["rook", "nearest"])
def test_stochastic_derivatives_belong_to_the_value(name):
    logdet, h = log_determinant(CASES[name], "stochastic"), 1e-5
    for rho in (-0.4, 0.3, 0.7):
        slope = (logdet.value(rho + h) - logdet.value(rho - h)) / (2 * h)
        bend = (logdet.first(rho + h) - logdet.first(rho - h)) / (2 * h)
        np.testing.assert_allclose([logdet.first(rho), logdet.second(rho)], [slope, bend], rtol=1e-5, atol=1e-5)


def test_exact_moments_take_the_noise_out_of_small_rho():
    logdet = log_determinant(lattice(30), "stochastic")
    exact = log_determinant(lattice(30), "eigenvalues")
    np.testing.assert_allclose(logdet.value(0.05), exact.value(0.05), rtol=1e-5)  # the fifth power is the first wrong


def test_dense_eigenvalues_of_many_units_are_refused():
    ring = SpatialWeights(
        sparse.coo_array((np.ones(7000), (np.arange(7000), (np.arange(7000) + 1) % 7000)), shape=(7000, 7000)),
        range(7000),
    )
    with pytest.raises(CapacityError, match=r"would need about 1\.2 GB.*logdet='sparse'"):
        METHODS["eigenvalues"](ring)


@pytest.mark.parametrize("seed", range(8))
def test_the_symmetric_form_is_found_behind_any_scaling_of_rows(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 20))
    links = np.triu((rng.random((n, n)) < 0.35) * rng.uniform(0.5, 2.0, (n, n)), 1)
    links = (links + links.T) * np.where(seed % 2, 1.0, -1.0)
    scale = rng.uniform(0.1, 10.0, n)
    form = symmetric_form(sparse.csr_array(scale[:, None] * links))
    expected = np.sqrt(scale)[:, None] * links * np.sqrt(scale)[None, :]
    np.testing.assert_allclose(form.toarray(), expected, rtol=1e-10, atol=1e-12)


def test_weights_that_no_scaling_makes_symmetric():
    assert nearest(30).symmetric_form is None
    circle = np.array([[0, 2.0, 1.0], [1.0, 0, 2.0], [2.0, 1.0, 0]])  # both ways, but not the same all around
    assert symmetric_form(sparse.csr_array(circle)) is None
    mixed = np.array([[0, 1.0], [-1.0, 0]])
    assert symmetric_form(sparse.csr_array(mixed)) is None


@pytest.mark.parametrize("method", ["eigenvalues", "sparse"])
@pytest.mark.parametrize("name", ["rook", "queen", "nearest"])
def test_without_its_unit_root_the_determinant_is_that_of_the_transformed_weights(name, method):
    """Lee and Yu 2010: F'WF has the eigenvalues of W but one; exact also where 1 - rho has lost its digits."""
    w = CASES[name]
    W = w.sparse.toarray()
    F = np.linalg.svd(np.eye(w.n) - 1.0 / w.n)[0][:, : w.n - 1]
    small = F.T @ W @ F
    logdet = log_determinant(w, method).without_unit_root()
    for rho in (-0.6, 0.3, 0.95, 1.0 - 1e-7, 1.0 - 1e-10):
        A = np.eye(w.n - 1) - rho * small
        G = np.linalg.solve(A.T, small.T).T
        np.testing.assert_allclose(logdet.value(rho), np.linalg.slogdet(A)[1], atol=1e-7)
        if rho < 0.99 or method == "eigenvalues":
            np.testing.assert_allclose(logdet.first(rho), -np.trace(G), rtol=1e-7)
            np.testing.assert_allclose(logdet.second(rho), -np.trace(G @ G), rtol=1e-6)
    full = log_determinant(w, method)
    np.testing.assert_allclose(full.value(0.4) - logdet.value(0.4), np.log(0.6), atol=1e-9)


def one_way(n=60):
    """Row-standardised weights without a symmetric form: the sketch uses powers of W."""
    i = np.arange(n)
    raw = np.zeros((n, n))
    raw[i, (i + 1) % n], raw[i, (i + 3) % n] = 1.0, np.random.default_rng(4).uniform(0.2, 1.0, n)
    return SpatialWeights(raw, range(n), normalization="row")


@pytest.mark.parametrize(
    "w", [lattice(5), lattice(7), CASES["rook"], one_way()], ids=["5 x 5", "7 x 7", "rook", "one way"]
)
def test_the_sketch_leaves_the_unit_root_out_too(w):
    """Also next to rho = 1: a random weight of the unit root there would make the sketch infinite, of either sign."""
    W = w.sparse.toarray()
    F = np.linalg.svd(np.eye(w.n) - 1.0 / w.n)[0][:, : w.n - 1]
    small = F.T @ W @ F
    logdet = log_determinant(w, "sparse").without_unit_root().sketch()
    for rho in (-0.4, 0.5, 0.9, 0.99, 1.0 - 1e-6, 1.0 - 1e-9):
        exact = np.linalg.slogdet(np.eye(w.n - 1) - rho * small)[1]
        assert abs(logdet.value(rho) - exact) < 3.0 + 0.25 * abs(exact), rho
    assert logdet.value(0.0) == pytest.approx(0.0, abs=1e-12)
    assert logdet.first(0.0) == pytest.approx(-np.trace(small), abs=1e-9)  # low moments are exact
    assert logdet.second(0.0) == pytest.approx(-np.trace(small @ small), rel=1e-9)


def test_probes_without_the_unit_root_are_unbiased():
    w = CASES["rook"]
    W = w.sparse.toarray()
    for rho in (0.5, 0.9):
        exact = np.linalg.slogdet(np.eye(w.n) - rho * W)[1] - np.log(1.0 - rho)
        found = log_determinant(w, "stochastic").without_unit_root()
        assert abs(found.value(rho) - exact) < 4.0 * found.std_error(rho)
