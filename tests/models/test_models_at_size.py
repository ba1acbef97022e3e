"""Fits of many units: standard errors against the profile of an independent likelihood, memory, blocks of rows."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.sparse.linalg import splu
from scipy.spatial import Delaunay, KDTree

import spatial_de as sde
from spatial_de.errors import CapacityError, IdentificationError
from spatial_de.logdet import log_determinant
from spatial_de.models import triangular
from spatial_de.models.triangular import triangular_factor
from spatial_de.weights import SpatialWeights


def rook(side):
    path, eye = sparse.diags_array([np.ones(side - 1)] * 2, offsets=[-1, 1]), sparse.eye_array(side)
    return sparse.csr_array(sparse.kron(path, eye) + sparse.kron(eye, path))


def irregular(n):
    start, neighbors = Delaunay(np.random.default_rng(3).random((n, 2))).vertex_neighbor_vertices
    return sparse.csr_array((np.ones(len(neighbors)), neighbors, start), shape=(n, n))


def nearest(n):
    neighbors = KDTree(points := np.random.default_rng(0).random((n, 2))).query(points, k=6)[1][:, 1:]
    return sparse.csr_array((np.ones(5 * n), (np.repeat(np.arange(n), 5), neighbors.ravel())), shape=(n, n))


def simulated(w, *, rho=0.0, lam=0.0, seed=5):
    """y, x, z of a spatial Durbin model with a spatial error, by powers of the weights."""

    def inverse(x, parameter):
        out = x.copy()
        for _ in range(60):
            out = x + parameter * (w.sparse @ out)
        return out

    rng = np.random.default_rng(seed)
    X = rng.standard_normal((w.n, 2))
    mean = X @ [1.0, -0.5] + (w.sparse @ X) @ [0.3, 0.2]
    y = inverse(mean + inverse(rng.standard_normal(w.n), lam), rho)
    return pd.DataFrame({"y": y, "x": X[:, 0], "z": X[:, 1]}, index=w.ids)


def profile_of(frame, w, logdet):
    """Concentrated log-likelihood of rho in a spatial Durbin model, from normal equations and a given determinant."""
    x = frame[["x", "z"]].to_numpy()
    Z = np.column_stack([np.ones(w.n), x, w.sparse @ x])
    y = frame["y"].to_numpy()
    both = np.column_stack([y, w.sparse @ y])
    residuals = both - Z @ np.linalg.solve(Z.T @ Z, Z.T @ both)
    products = residuals.T @ residuals

    def value(rho):
        a = np.array([1.0, -rho])
        return -0.5 * w.n * (np.log(2.0 * np.pi * (a @ products @ a) / w.n) + 1.0) + logdet(rho)

    return value


def bend(function, x, h):
    """Second derivative by differences of fourth order."""
    f = [function(x + k * h) for k in (-2, -1, 0, 1, 2)]
    return (-f[0] + 16.0 * f[1] - 30.0 * f[2] + 16.0 * f[3] - f[4]) / (12.0 * h**2)


def agrees_with_profile(fit, profile, width):
    """Estimate and standard error of rho are those of the profile, whose curvature is taken at three widths."""
    best = minimize_scalar(lambda r: -profile(r), bracket=(fit.rho - width, fit.rho + width), tol=1e-9)
    error = fit.std_errors["rho"]
    assert abs(best.x - fit.rho) < 1e-3 * error
    np.testing.assert_allclose(-best.fun, fit.loglik, rtol=1e-12)
    for share in (1.0, 2.0, 4.0):
        np.testing.assert_allclose(error, (-bend(profile, fit.rho, share * width)) ** -0.5, rtol=2e-5)


def test_standard_error_of_a_hundred_thousand_cells_by_the_closed_form_of_the_determinant():
    side = 316
    w = SpatialWeights(rook(side), range(side**2))
    path = 2.0 * np.cos(np.arange(1, side + 1) * np.pi / (side + 1))
    spectrum = np.add.outer(path, path).ravel()
    frame = simulated(w, rho=0.12)
    fit = sde.fit("y ~ x + z", frame, w, model="sdm")
    agrees_with_profile(fit, profile_of(frame, w, lambda r: np.log1p(-r * spectrum).sum()), 2e-3)
    assert abs(fit.rho - 0.12) < 5.0 * fit.std_errors["rho"]
    assert fit.optimization.logdet_error <= 1e-12 * w.n


@pytest.mark.slow
@pytest.mark.parametrize("links", [irregular, nearest], ids=["irregular", "nearest"])
def test_standard_error_of_a_hundred_thousand_units_by_lu_of_the_weights_themselves(links):
    w = SpatialWeights(links(100_000), range(100_000), normalization="row")
    frame = simulated(w, rho=0.5)
    eye, matrix = sparse.eye_array(w.n, format="csc"), w.sparse.tocsc()
    known = {}

    def logdet(rho):
        if rho not in known:
            factor = splu((eye - rho * matrix).tocsc(), permc_spec="COLAMD", diag_pivot_thresh=1.0)
            known[rho] = float(np.log(np.abs(factor.U.diagonal())).sum())
        return known[rho]

    fit = sde.fit("y ~ x + z", frame, w, model="sdm")
    profile, error = profile_of(frame, w, logdet), fit.std_errors["rho"]
    for h in (2e-3, 4e-3):
        np.testing.assert_allclose(error, (-bend(profile, fit.rho, h)) ** -0.5, rtol=1e-4)
    np.testing.assert_allclose(profile(fit.rho), fit.loglik, rtol=1e-12)


@pytest.mark.parametrize("model", ["sem", "sdem", "sac", "gns"])
def test_models_with_a_spatial_error_of_ten_thousand_units(model):
    """Log-likelihood from its definition at the estimate, where no small step in rho or lambda leads higher."""
    w = SpatialWeights(irregular(10_000), range(10_000), normalization="row")
    lag = model in {"sac", "gns"}
    frame = simulated(w, rho=0.5 if lag else 0.0, lam=-0.3 if lag else 0.4)
    fit = sde.fit("y ~ x + z", frame, w, model=model)
    y, x = frame["y"].to_numpy(), frame[["x", "z"]].to_numpy()
    Z = np.column_stack([np.ones(w.n), x, *([w.sparse @ x] if model in {"sdem", "gns"} else [])])
    eye = sparse.eye_array(w.n, format="csc")

    def determinant(parameter):
        system = (eye - parameter * w.sparse.tocsc()).tocsc()
        factor = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return np.log(np.abs(factor.U.diagonal())).sum()

    def concentrated(rho, lam):
        BZ = Z - lam * (w.sparse @ Z)
        Ay = y - rho * (w.sparse @ y)
        target = Ay - lam * (w.sparse @ Ay)
        e = target - BZ @ np.linalg.lstsq(BZ, target)[0]
        likelihood = -0.5 * w.n * (np.log(2.0 * np.pi * (e @ e) / w.n) + 1.0)
        return likelihood + determinant(lam) + (determinant(rho) if rho else 0.0)

    rho = fit.rho if lag else 0.0
    best = concentrated(rho, fit.lam)
    np.testing.assert_allclose(fit.loglik, best, rtol=1e-12)
    step = 0.1 * fit.std_errors["lambda"]
    assert all(concentrated(rho, fit.lam + s) < best for s in (-step, step))
    if lag:
        step = 0.1 * fit.std_errors["rho"]
        assert all(concentrated(rho + s, fit.lam) < best for s in (-step, step))
        assert np.isfinite(fit.effects(draws=100).table.to_numpy()).all()


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.5, 0.95])
def test_one_window_of_factorisations_serves_fit_and_draws(rho):
    w = SpatialWeights(irregular(2_500), range(2_500), normalization="row")
    log_determinant.cache_clear()
    fit = sde.fit("y ~ x + z", simulated(w, rho=rho), w, model="sdm")
    fit.effects(draws=1000)
    assert fit.optimization.logdet_error <= 1e-12 * w.n
    assert len(fit.estimate.logdet._windows) == 1


@pytest.mark.parametrize("model", ["sdm", "sem"])
def test_panels_need_no_dense_matrix(model):
    """2,800 units and 5 times: a dense W would take 63 MB, its Kronecker product with the times 25 times as much."""
    w = SpatialWeights(irregular(2_800), range(2_800), normalization="row")
    parts = [simulated(w, rho=0.4, seed=t).assign(unit=w.ids, year=2000 + t) for t in range(5)]
    panel = sde.Panel(pd.concat(parts, ignore_index=True), unit="unit", time="year")
    sde.fit("y ~ x + z", panel, w, model=model)
    log_determinant.cache_clear()
    tracemalloc.start()
    fit = sde.fit("y ~ x + z", panel, SpatialWeights(w.raw, w.ids, normalization="row"), model=model)
    fit.effects(draws=1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_what_needs_dense_matrices_says_so_for_many_units():
    w = SpatialWeights(rook(80), range(6_400), normalization="row")
    frame = simulated(w, rho=0.3)
    with pytest.raises(CapacityError, match="Observed information and classical standard errors do without"):
        sde.fit("y ~ x + z", frame, w, model="sar", information="expected")
    with pytest.raises(CapacityError, match="dense matrices of 6,400 x 6,400"):
        sde.fit("y ~ x + z", frame, w, model="sar").with_cov("robust")


def test_blocks_of_rows_have_the_triangular_factor_of_the_whole():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((3 * triangular.ROWS + 17, 5))
    a[:, 4] = a[:, 0] + 1e-11 * a[:, 4]  # nearly collinear: squares would lose it
    R = triangular_factor([a[:, :2], a[:, 2], a[:, 3:]])
    assert R.shape == (5, 5)
    np.testing.assert_allclose(np.abs(R), np.abs(np.linalg.qr(a, mode="r")), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(np.abs(np.diag(R)), np.abs(np.diag(np.linalg.qr(a, mode="r"))), rtol=1e-4)


def test_collinear_columns_are_named_across_blocks():
    w = SpatialWeights(rook(200), range(40_000), normalization="row")
    frame = simulated(w).assign(v=lambda t: 2.0 * t["x"] - t["z"])
    with pytest.raises(IdentificationError, match=r"'\w' is a combination of '\w', '\w'"):
        sde.fit("y ~ x + z + v", frame, model="ols")


@pytest.mark.parametrize("model", ["ols", "sdm", "gns"])
def test_blocks_change_no_digit_that_counts(model, columbus, monkeypatch):
    frame, w = columbus
    whole = sde.fit("CRIME ~ INC + HOVAL", frame, w, model=model)
    monkeypatch.setattr(triangular, "ROWS", 12)
    pieces = sde.fit("CRIME ~ INC + HOVAL", frame, w, model=model)
    np.testing.assert_allclose(pieces.params, whole.params, rtol=1e-9)
    np.testing.assert_allclose(pieces.std_errors.dropna(), whole.std_errors.dropna(), rtol=1e-8)
