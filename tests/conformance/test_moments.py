"""What must not change an estimate by the method of moments: order, labels, units of measurement, origins."""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, IdentificationError, OptionError
from spatial_de.models import MODELS
from spatial_de.weights import SpatialWeights

N = 80
MOMENTS = [name for name, spec in MODELS.items() if spec.lag_y or spec.lag_error]
FORMS = [
    (model, cov)
    for model in MOMENTS
    for cov in ("classical", "robust", "hac")
    if cov != "hac" or not MODELS[model].lag_error
]
each_form = pytest.mark.parametrize(("model", "cov"), FORMS, ids=["-".join(form) for form in FORMS])


class Plane:
    """Units on a plane with their five nearest neighbours; weights ``kind``; kernel weights over distances."""

    def __init__(self, kind="row", seed=0):
        rng = np.random.default_rng(seed)
        self.place = rng.uniform(size=(N, 2))
        gap = np.linalg.norm(self.place[:, None] - self.place[None, :], axis=2)
        raw = np.zeros((N, N))
        raw[np.arange(N)[:, None], np.argsort(gap, axis=1)[:, 1:6]] = rng.uniform(0.5, 1.0, (N, 5))
        if kind == "islands":
            raw[[3, 40]] = 0.0
        how = "none" if kind == "asymmetric" else "row"
        self.ids = [f"u{i:02d}" for i in range(N)]
        self.w = SpatialWeights(raw, self.ids, normalization=how)
        K = np.maximum(0.0, 1.0 - gap / 0.15) ** 2
        self.kernel = SpatialWeights(K - np.eye(N), self.ids)
        W = self.w.sparse.toarray()
        radius = np.abs(np.linalg.eigvals(W)).max()
        x = rng.normal(size=(N, 2))
        u = np.linalg.solve(np.eye(N) - 0.4 / radius * W, rng.normal(size=N) * (0.5 + np.abs(x[:, 0])))
        y = np.linalg.solve(np.eye(N) - 0.3 / radius * W, x @ [2.0, -1.5] + u)
        self.table = pd.DataFrame({"y": y, "a": x[:, 0], "b": x[:, 1]}, index=self.ids)

    def fit(self, table=None, w=None, *, formula="y ~ a + b", cov="classical", kernel=None, **options):
        extra = {"hac_weights": self.kernel if kernel is None else kernel} if cov == "hac" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            table, w = self.table if table is None else table, self.w if w is None else w
            return sde.fit(formula, table, w, method="gmm", cov=cov, **extra, **options)


def agree(one, other, *, factor=1.0, rtol=1e-9, leave=()):
    """Parameters and standard errors up to a factor, in units of standard errors."""
    keep = [name for name in one.params.index if name not in leave]
    factor = pd.Series(factor, index=keep)
    se = one.std_errors[keep].fillna(one.sigma2)
    np.testing.assert_allclose((other.params[keep] / factor - one.params[keep]) / se, 0.0, atol=rtol)
    np.testing.assert_allclose(other.std_errors[keep] / factor, one.std_errors[keep], rtol=rtol)


@each_form
@pytest.mark.parametrize("kind", ["row", "islands", "asymmetric"])
def test_order_of_rows_and_weights(model, cov, kind):
    s = Plane(kind, seed=1)
    rng = np.random.default_rng(2)
    one = s.fit(model=model, cov=cov)
    other = s.fit(
        s.table.iloc[rng.permutation(N)],
        s.w.reorder(rng.permutation(s.w.ids)),
        kernel=s.kernel.reorder(rng.permutation(s.w.ids)),
        model=model,
        cov=cov,
    )
    assert one.params.equals(other.params)
    assert one.cov.equals(other.cov)
    assert one.first_stage == other.first_stage
    assert one.overidentification == other.overidentification


@each_form
@pytest.mark.parametrize("power", [-12, 12])
def test_units_of_measurement(model, cov, power):
    s = Plane(seed=3)
    c, d = 10.0**power, 10.0 ** (-power / 2)
    one = s.fit(model=model, cov=cov)
    other = s.fit(s.table.assign(y=c * s.table["y"], a=d * s.table["a"]), model=model, cov=cov)
    factor = pd.Series(c, index=one.params.index)
    factor[[t for t in ("a", "W_a") if t in factor.index]] = c / d
    factor[[t for t in ("rho", "lambda") if t in factor.index]] = 1.0
    factor["sigma2"] = c**2
    agree(one, other, factor=factor)
    assert one.r_squared == pytest.approx(other.r_squared, rel=1e-9)


@each_form
def test_large_offsets(model, cov):
    s = Plane(seed=4)
    table = np.round(s.table * 2**16) / 2**16  # so that adding the offset is exact
    one = s.fit(table, model=model, cov=cov)
    other = s.fit(table.assign(y=table["y"] + 1e9, a=table["a"] + 1e9), model=model, cov=cov)
    agree(one, other, rtol=1e-7, leave=("Intercept",))


@each_form
def test_order_of_regressors(model, cov):
    s = Plane("asymmetric", seed=5)
    agree(s.fit(model=model, cov=cov), s.fit(formula="y ~ b + a", model=model, cov=cov), rtol=1e-8)


@pytest.mark.parametrize("model", ["sar", "sdm"])
@pytest.mark.parametrize("cov", ["classical", "robust", "hac"])
def test_scale_of_weights(model, cov):
    """rho and theta answer to the weights (lambda does not quite: its first step weighs two moments equally)."""
    s = Plane("asymmetric", seed=6)
    one, other = s.fit(model=model, cov=cov), s.fit(w=SpatialWeights(3.0 * s.w.raw, s.ids), model=model, cov=cov)
    factor = pd.Series(1.0, index=one.params.index)
    factor[[t for t in factor.index if t.startswith("W_") or t == "rho"]] = 1.0 / 3.0
    agree(one, other, factor=factor)


@each_form
def test_nearly_collinear_regressors(model, cov):
    """A pair that agrees to five digits: what they add up to, and the spatial parameters, keep theirs."""
    s = Plane(seed=7)
    rng = np.random.default_rng(0)
    close = s.table.assign(c=s.table["a"] + 1e-5 * rng.normal(size=N))
    turned = close.assign(c=(close["c"] - close["a"]) * 1e5)  # the same space, well conditioned
    one = s.fit(turned, formula="y ~ a + b + c", model=model, cov=cov)
    other = s.fit(close, formula="y ~ a + b + c", model=model, cov=cov)
    for name in [t for t in ("b", "rho", "lambda") if t in one.params.index]:
        assert other.params[name] == pytest.approx(one.params[name], rel=1e-6)
        assert other.std_errors[name] == pytest.approx(one.std_errors[name], rel=1e-6)
    assert other.params[["a", "c"]].sum() == pytest.approx(one.params["a"], rel=1e-6)


@pytest.mark.parametrize("model", MOMENTS)
def test_what_is_not_identified_has_a_name(model):
    s = Plane(seed=8)
    with pytest.raises(IdentificationError, match="'c' is a combination of"):
        s.fit(s.table.assign(c=s.table["a"] - 2 * s.table["b"]), formula="y ~ a + b + c", model=model)
    with pytest.raises(OptionError, match="has no use in model='ols'"):
        s.fit(w=SpatialWeights(np.zeros((N, N)), s.ids), model=model)
    exact = s.table.assign(y=1.0 + s.table["a"])
    with pytest.raises(IdentificationError, match=r"fit the response exactly|do not determine"):
        s.fit(exact, model=model)


@pytest.mark.parametrize(
    ("model", "cov"), [form for form in FORMS if form[0] not in {"sdm", "gns"}]
)  # rho is imprecise there
def test_simulated_effects_approach_those_of_the_delta_method(model, cov):
    s = Plane(seed=9)
    fit = s.fit(model=model, cov=cov)
    delta, drawn = fit.effects("delta").table, fit.effects(draws=4000, seed=1)
    assert drawn.covariance == cov
    np.testing.assert_allclose(drawn.table["estimate"], delta["estimate"], rtol=1e-12)
    direct = [("a", "direct"), ("b", "direct")]
    np.testing.assert_allclose(drawn.table.loc[direct, "std_error"], delta.loc[direct, "std_error"], rtol=0.1)
