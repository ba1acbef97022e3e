"""Method of moments against the papers' formulas with dense matrices."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError, OptionError
from spatial_de.models.error_moments import Conditions, minimise
from spatial_de.weights import SpatialWeights

N = 60
KINDS = ("symmetric-row", "asymmetric-row", "binary", "islands", "asymmetric", "spectral")
ERRORS = pytest.mark.parametrize("cov", ["classical", "robust"])


class Cross:
    """A cross-section with three weights, and the same numbers as plain arrays."""

    def __init__(self, dense, kind="symmetric-row", seed=0, n=N, rho=0.4, error="w"):
        rng = np.random.default_rng(seed)
        ids = [f"u{i:03d}" for i in range(n)]
        far = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        near = np.minimum(far, n - far) <= 5  # few neighbours, so that lambda is well determined
        raw = [dense.matrix(one, n, seed + shift) for shift, one in enumerate([kind, "asymmetric-row", "binary"])]
        raw = [(near * one, how) for one, how in raw]
        self.w, self.m, self.v = (SpatialWeights(r, ids, normalization=how) for r, how in raw)
        self.W, self.M, self.V = (dense.normalised(*one) for one in raw)
        x = rng.normal(size=(n, 2)) * [2.0, 1.0] + [5.0, -3.0]
        group = rng.integers(0, 3, n)
        mean = 1.0 + x @ [1.0, -0.7] + 0.5 * (group == 1) + self.W @ x[:, 0] / max(1.0, self.W.sum(axis=1).max())
        radius = [np.abs(np.linalg.eigvals(A)).max() for A in (self.W, self.M)]
        E, size = (self.W, radius[0]) if error == "w" else (self.M, radius[1])
        u = np.linalg.solve(np.eye(n) - 0.5 / size * E, rng.normal(size=n) * (0.5 + 0.3 * np.abs(x[:, 0])))
        y = np.linalg.solve(np.eye(n) - rho / radius[0] * self.W, mean + u)
        self.x, self.y, self.dummies = x, y, np.column_stack([group == 1, group == 2]).astype(float)
        columns = {"y": y, "a": x[:, 0], "b": x[:, 1], "group": np.array(["p", "q", "r"])[group]}
        self.table = pd.DataFrame(columns, index=ids)

    def fit(self, formula="y ~ a + b", **options):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)  # weak instruments are not the point
            return sde.fit(formula, self.table, self.w, method="gmm", **options)


@pytest.fixture(scope="module")
def cross(dense):
    return lambda **options: Cross(dense, **options)


def lags(W, X, powers):
    return np.hstack([np.linalg.matrix_power(W, j) @ X for j in range(1, powers + 1)])


def agree(fit, params, cov, rtol=1e-8):
    np.testing.assert_allclose(fit.params.to_numpy()[:-1], params, rtol=rtol)
    size = np.sqrt(np.diag(cov))
    found = fit.cov.to_numpy()[:-1, :-1]
    np.testing.assert_allclose(found / np.outer(size, size), cov / np.outer(size, size), rtol=0.0, atol=rtol)


def regressors(c, model, *, intercept=True, dummies=False, durbin=(0, 1), V=None):
    """Exogenous regressors, and those of them that are lagged as instruments."""
    own = c.x
    lagged = (c.W if V is None else V) @ c.x[:, list(durbin)] if model in {"sdm", "sdem", "gns"} else np.empty((N, 0))
    parts = [np.ones((N, 1))] * intercept + [c.dummies] * dummies + [own, lagged]
    return np.hstack(parts), np.hstack([own, lagged])


class TestTwoStageLeastSquares:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("model", ["sar", "sdm"])
    def test_every_covariance(self, model, kind, cross, dense_moments):
        c = cross(kind=kind, seed=1)
        K = dense_kernel(N, seed=2)
        kernel = SpatialWeights(K, c.w.ids)
        X, sources = regressors(c, model)
        H = dense_moments.independent(np.hstack([X, lags(c.W, sources, 2 if model == "sdm" else 1)]))
        Z = np.column_stack([X, c.W @ c.y])
        d, T = dense_moments.two_stage(c.y, Z, H)
        u = c.y - Z @ d
        fit = c.fit(model=model)
        agree(fit, d, u @ u / N * T.T @ T)
        agree(fit.with_cov("robust"), d, T.T @ np.diag(u**2) @ T)
        agree(fit.with_cov("hac", hac_weights=kernel), d, dense_moments.hac(T, u, K))
        assert fit.sigma2 == pytest.approx(u @ u / N, rel=1e-10)
        variances = {
            "classical": H.T @ H * (u @ u) / N,
            "robust": H.T @ np.diag(u**2) @ H,
            "hac": dense_moments.hac(H, u, K),
        }
        for cov, S in variances.items():
            chosen = fit.with_cov(cov, hac_weights=kernel if cov == "hac" else None)
            test = chosen.overidentification
            assert test.df == H.shape[1] - Z.shape[1]
            assert test.statistic == pytest.approx(dense_moments.two_step_j(c.y, Z, H, S), rel=1e-7)

    def test_durbin_weights_subset_dummies_and_no_intercept(self, cross, dense_moments):
        c = cross(kind="binary", seed=3)
        options = {"model": "sdm", "durbin": ["a"], "durbin_weights": c.v}
        for formula, shape in (
            ("y ~ a + b", {}),
            ("y ~ 0 + a + b", {"intercept": False}),
            ("y ~ C(group) + a + b", {"dummies": True}),
        ):
            X, sources = regressors(c, "sdm", durbin=(0,), V=c.V, **shape)
            H = dense_moments.independent(np.hstack([X, lags(c.W, sources, 3)]))
            Z = np.column_stack([X, c.W @ c.y])
            d, T = dense_moments.two_stage(c.y, Z, H)
            u = c.y - Z @ d
            agree(c.fit(formula, **options, instrument_lags=3, cov="robust"), d, T.T @ np.diag(u**2) @ T)

    def test_exactly_identified_is_instrumental_variables(self, cross):
        c = cross(seed=4)
        table = c.table
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            fit = sde.fit("y ~ a", table, c.w, model="sar", method="gmm")
        H = np.column_stack([np.ones(N), c.x[:, 0], c.W @ c.x[:, 0]])
        Z = np.column_stack([np.ones(N), c.x[:, 0], c.W @ c.y])
        np.testing.assert_allclose(fit.params.iloc[:-1], np.linalg.solve(H.T @ Z, H.T @ c.y), rtol=1e-10)
        assert fit.overidentification is None
        assert fit.first_stage.df == 1

    def test_redundant_instruments_change_nothing(self, cross):
        """On a ring of period three W^3 is a combination of lower powers."""
        c = cross(seed=5)
        ring = np.kron(np.eye(N // 3), np.ones((3, 3)) - np.eye(3))
        c.w = SpatialWeights(ring, c.w.ids, normalization="row")
        two, three = (c.fit(model="sar", instrument_lags=q) for q in (1, 3))
        assert two.first_stage.df == three.first_stage.df == 2
        np.testing.assert_allclose(three.params, two.params, rtol=1e-10)
        assert three.overidentification.df == two.overidentification.df

    def test_first_stage_by_two_regressions(self, cross):
        c = cross(seed=6)
        fit = c.fit(model="sar", instrument_lags=2)
        X, sources = regressors(c, "sar")
        H = np.hstack([X, lags(c.W, sources, 2)])
        rest = [float(np.sum((c.W @ c.y - A @ np.linalg.lstsq(A, c.W @ c.y)[0]) ** 2)) for A in (X, H)]
        F = (rest[0] - rest[1]) / 4 / (rest[1] / (N - 7))
        assert (fit.first_stage.df, fit.first_stage.df_resid) == (4, N - 7)
        assert pytest.approx(F, rel=1e-8) == fit.first_stage.F

    def test_pseudo_r_squared(self, cross):
        c = cross(seed=6)
        fit = c.fit(model="sar")
        explained = fit.params["Intercept"] + c.x @ fit.params[["a", "b"]] + fit.rho * (c.W @ c.y)
        assert fit.r_squared == pytest.approx(np.corrcoef(c.y, explained)[0, 1] ** 2, rel=1e-10)


class TestSpatialErrors:
    @staticmethod
    def oracle(c, dense_moments, model, cov, *, M=None, powers=None, **shape):
        X, sources = regressors(c, model, **shape)
        M = c.W if M is None else M
        fixed = model in {"sem", "sdem"}
        H = [X, M @ X]
        if not fixed:
            H.append(lags(c.W, sources, powers or (2 if model == "gns" else 1)))
        real = np.linalg.eigvals(M)
        real = real.real[np.abs(real.imag) < 1e-9]
        return dense_moments.ErrorMoments(
            y=c.y,
            Z=X if fixed else np.column_stack([X, c.W @ c.y]),
            H=dense_moments.independent(np.hstack(H)),
            M=M,
            equal=cov == "classical",
            fixed=fixed,
            bounds=(1.0 / real.min(), 1.0 / real.max()),
        ).fit()

    @ERRORS
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("model", ["sem", "sdem", "sac", "gns"])
    def test_one_set_of_weights(self, model, kind, cov, cross, dense_moments):
        c = cross(kind=kind, seed=8, rho=0.4 if model in {"sac", "gns"} else 0.0)
        agree(c.fit(model=model, cov=cov), *self.oracle(c, dense_moments, model, cov), rtol=1e-7)

    @ERRORS
    def test_weights_of_their_own_dummies_and_no_intercept(self, cov, cross, dense_moments):
        c = cross(kind="binary", seed=9, error="m")
        own = {"error_weights": c.m, "durbin_weights": c.v, "durbin": ["b"], "cov": cov}
        shape = {"M": c.M, "V": c.V, "durbin": (1,)}
        found = self.oracle(c, dense_moments, "gns", cov, powers=1, dummies=True, **shape)
        agree(c.fit("y ~ C(group) + a + b", model="gns", instrument_lags=1, **own), *found, rtol=1e-7)
        found = self.oracle(c, dense_moments, "sdem", cov, intercept=False, **shape)
        agree(c.fit("y ~ 0 + a + b", model="sdem", **own), *found, rtol=1e-7)

    def test_effects_rest_on_the_covariance(self, cross):
        c = cross(seed=8)
        fit = c.fit(model="sac", cov="robust")
        table, W = fit.effects("delta").table, c.W
        S = np.linalg.inv(np.eye(N) - fit.rho * W)
        total, slope = S.sum() / N, (S @ W @ S).sum() / N
        gradient = np.array([total, fit.params["a"] * slope])
        cov = fit.cov.loc[["a", "rho"], ["a", "rho"]].to_numpy()
        assert table.loc[("a", "total"), "estimate"] == pytest.approx(fit.params["a"] * total, rel=1e-9)
        assert table.loc[("a", "total"), "std_error"] == pytest.approx(np.sqrt(gradient @ cov @ gradient), rel=1e-9)

    def test_other_moments_are_another_estimate(self, cross):
        fit = cross(seed=8).fit(model="sem")
        with pytest.raises(OptionError, match="therefore another estimate"):
            fit.with_cov("robust")
        with pytest.raises(OptionError, match="that cov='hac' leaves open"):
            fit.with_cov("hac", hac_weights=fit.weights.normalized("none"))
        same = fit.with_cov("classical")
        pd.testing.assert_frame_equal(same.cov, fit.cov)


class TestLinearModels:
    @pytest.mark.parametrize("model", ["ols", "slx"])
    def test_hac(self, model, cross, dense_moments):
        c = cross(seed=10)
        K = dense_kernel(N, seed=3)
        X = np.column_stack([np.ones(N), c.x, c.W @ c.x] if model == "slx" else [np.ones(N), c.x])
        T = X @ np.linalg.inv(X.T @ X)
        u = c.y - X @ (T.T @ c.y)
        fit = sde.fit("y ~ a + b", c.table, c.w, model=model, cov="hac", hac_weights=SpatialWeights(K, c.w.ids))
        expected = dense_moments.hac(T, u, K)
        size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
        np.testing.assert_allclose(fit.cov.to_numpy()[:-1, :-1] / size, expected / size, rtol=0.0, atol=1e-9)
        none = SpatialWeights(np.zeros((N, N)), c.w.ids)
        white = fit.with_cov("robust").cov.to_numpy() * (fit.df_resid / N)  # HC1 without its factor
        np.testing.assert_allclose(fit.with_cov("hac", hac_weights=none).cov, white, rtol=1e-9)


@pytest.mark.parametrize(("model", "method"), [("ols", "ml"), ("sar", "gmm")])
def test_a_kernel_that_is_not_positive_definite(model, method, cross):
    """Errors of opposite sign, weighted as much as a unit itself."""
    c = cross(seed=15)
    c.table[["a", "b"]] -= c.table[["a", "b"]].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        fit = sde.fit("y ~ a + b", c.table, c.w, model=model, method=method)
    sign = np.sign(fit.residuals.to_numpy())
    opposite = SpatialWeights(1.0 * (np.multiply.outer(sign, sign) < 0), c.w.ids)
    with pytest.raises(IdentificationError, match=r"cov='hac' gives .* a negative variance with these hac_weights"):
        fit.with_cov("hac", hac_weights=opposite)


def dense_kernel(n, seed):
    """Triangular kernel of points on a line: positive definite."""
    place = np.random.default_rng(seed).uniform(0.0, 10.0, n)
    K = np.maximum(0.0, 1.0 - np.abs(place[:, None] - place[None, :]) / 1.5)
    return K - np.diag(np.diag(K))


class TestWhatCanGoWrong:
    def test_weak_instruments_are_named(self, cross):
        c = cross(seed=11)
        noise = c.table.assign(a=np.random.default_rng(0).normal(size=N), b=np.random.default_rng(1).normal(size=N))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = sde.fit("y ~ a + b", noise, c.w, model="sar", method="gmm")
        assert fit.first_stage.F < 10
        said = [str(one.message) for one in caught if "are weak (first-stage F(2, 55)" in str(one.message)]
        assert len(said) == 1
        assert said[0] in fit.notes

    def test_rho_beyond_its_interval(self, cross):
        c = cross(seed=12)
        y = c.table.assign(y=np.linalg.solve(np.eye(N) - 1.4 * c.W, c.x @ [3.0, 2.0] + c.y * 0.01))
        c.table = y
        fit = c.fit(model="sar")
        assert any("lies outside its admissible interval" in note for note in fit.notes)
        assert fit.rho == pytest.approx(1.4, abs=0.1)
        for verb in (fit.effects, fit.effects_by_unit, lambda: fit.effect_matrix("a"), lambda: fit.effects("delta")):
            with pytest.raises(IdentificationError, match="there are no effects"):
                verb()

    def test_only_dummies_have_no_lags(self, cross):
        c = cross(seed=13)
        for formula in ("y ~ C(group)", "y ~ 1"):
            with pytest.raises(IdentificationError, match="none goes beyond the regressors themselves"):
                c.fit(formula, model="sar")

    @ERRORS
    def test_lambda_at_its_bound(self, cov):
        """A wave around a ring: every unit is the mean of its neighbours."""
        place = np.arange(N)
        ring = 1.0 * np.isin(np.subtract.outer(place, place) % N, [1, N - 1])
        w = SpatialWeights(ring, [f"u{i}" for i in place], normalization="row")
        table = pd.DataFrame({"y": np.sin(2 * np.pi * place / N), "x": place % 7}, index=w.ids)
        with pytest.warns(EstimationWarning, match="lambda is at the bound"):
            fit = sde.fit("y ~ x", table, w, model="sem", method="gmm", cov=cov)
        assert not fit.converged
        assert fit.std_errors.isna().all()
        with pytest.raises(ConvergenceError, match="has no covariance"):
            fit.effects()
        assert "nan" not in fit.summary()

    def test_the_summary_says_why_sigma2_has_no_standard_error(self, cross):
        words = " ".join(cross(seed=13).fit(model="sar").summary().split())
        assert "sigma2 has no standard error, since the moments give none" in words
        assert "nan" not in words.lower()


@pytest.mark.parametrize("seed", range(40))
def test_the_smallest_of_several_minima(seed):
    """Against a fine grid: there are up to two minima inside, and the smallest value may be at an end."""
    rng = np.random.default_rng(seed)
    g, G = rng.normal(size=2), rng.normal(size=(2, 2))
    root = rng.normal(size=(2, 2))
    bounds = (-1.5, 1.0)
    found = minimise(Conditions(g, G), bounds, variance=root @ root.T)
    grid = np.linspace(*bounds, 200_001)
    m = np.linalg.solve(root, g[:, None] - G @ np.vstack([grid, grid**2]))
    values = np.sum(m**2, axis=0)
    assert found.lam == pytest.approx(grid[np.argmin(values)], abs=2e-5)
    assert found.inside == (bounds[0] < grid[np.argmin(values)] < bounds[1])
