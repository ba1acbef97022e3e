"""What must hold for every model with random effects: order, units, origins, limits, nesting."""

import json

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, IdentificationError, OptionError
from spatial_de.models import MODELS
from spatial_de.models.random_covariance import AVAILABLE, unit_scores
from spatial_de.models.random_effects import random_likelihood
from spatial_de.models.random_kernel import Rotated, Shared, _inverse, beside_errors
from spatial_de.weights import SpatialWeights

ERROR = tuple(name for name, spec in MODELS.items() if spec.lag_error)
FORMS = [(model, form) for model in MODELS for form in (("bsk", "kkp") if model in ERROR else ("bsk",))]
each_form = pytest.mark.parametrize(("model", "form"), FORMS, ids=["-".join(f) for f in FORMS])
NESTED = [
    *(("ols", "slx"), ("ols", "sar"), ("ols", "sem"), ("slx", "sdm"), ("slx", "sdem"), ("sar", "sdm"), ("sar", "sac")),
    *(("sem", "sac"), ("sem", "sdem"), ("sdm", "gns"), ("sdem", "gns"), ("sac", "gns")),
]


def agree(one, other, quiet, *, rtol=1e-11):
    """Parameters, covariance in units of standard errors, log-likelihood, effects of the same seed."""
    assert list(one.params.index) == list(other.params.index)
    assert one.optimization.status == other.optimization.status
    se = one.std_errors.fillna(1.0).to_numpy()
    gap = np.abs(one.params - other.params) / np.maximum(np.abs(one.params), se)
    assert gap.max() <= rtol, gap
    difference = ((one.cov - other.cov) / np.outer(se, se)).to_numpy()
    assert np.nanmax(np.abs(difference)) <= 1000 * rtol
    np.testing.assert_array_equal(np.isnan(one.cov), np.isnan(other.cov))
    assert one.loglik == pytest.approx(other.loglik, rel=rtol)
    first, second = (quiet(fit.effects, draws=50, seed=4).table for fit in (one, other))
    np.testing.assert_allclose(first["estimate"], second["estimate"], rtol=1000 * rtol, atol=1e-10)


@each_form
@pytest.mark.parametrize(
    ("fixed", "bias", "kind"),
    [
        ("none", None, "binary"),
        pytest.param("time", "lee-yu", "row", marks=pytest.mark.slow),
        ("time", "none", "row"),
        pytest.param("time", "none", "binary", marks=pytest.mark.slow),
    ],
)
def test_order_of_rows_of_weights_and_of_years(model, form, fixed, bias, kind, sample, quiet):
    s = sample(kind=kind, seed=4)
    options = {"model": model, "random": form, "fixed": fixed, "bias": bias, "correlated": True}
    base = s.fit(**options)
    shuffled = s.table.sample(frac=1.0, random_state=1)
    turned = s.w.reorder(np.random.default_rng(2).permutation(s.w.ids))
    agree(base, s.fit(shuffled, turned, **options), quiet, rtol=1e-14)
    backwards = s.table.assign(year=4000 - s.table["year"])
    agree(base, s.fit(backwards, **options), quiet)


@each_form
def test_other_names_of_units_change_nothing_but_rounding(model, form, sample, quiet):
    s = sample(seed=5)
    names = dict(zip(s.w.ids, np.random.default_rng(0).permutation([f"区{i}" for i in range(14)]), strict=True))
    renamed = s.table.assign(unit=s.table["unit"].map(names))
    w = SpatialWeights(s.w.raw, [names[i] for i in s.w.ids], normalization="row")
    one, other = s.fit(model=model, random=form), s.fit(renamed, w, model=model, random=form)
    agree(one, other, quiet, rtol=1e-10)
    np.testing.assert_allclose(other.unit_effects[list(names.values())], one.unit_effects[list(names)], rtol=1e-8)


@each_form
@pytest.mark.parametrize(("y_power", "x_power"), [(12, -12), (-12, 12), (9, 9)])
def test_units_of_measurement(model, form, y_power, x_power, sample):
    s = sample(seed=7)
    c, d = 10.0**y_power, 10.0**x_power
    options = {"model": model, "random": form, "correlated": True}
    one = s.fit(**options)
    other = s.fit(s.table.assign(y=c * s.table["y"], a=d * s.table["a"]), **options)
    factor = pd.Series(c, index=one.params.index)
    factor[[t for t in ("a", "W_a", "mean_a", "mean_W_a") if t in factor.index]] = c / d
    factor[[t for t in ("rho", "lambda") if t in factor.index]] = 1.0
    factor[["sigma2_mu", "sigma2"]] = c**2
    np.testing.assert_allclose(other.params / factor, one.params, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(other.std_errors / factor, one.std_errors, rtol=1e-8)
    assert other.loglik == pytest.approx(one.loglik - one.n_likelihood * np.log(c), rel=1e-10)
    np.testing.assert_allclose(other.unit_effects / c, one.unit_effects, rtol=1e-7)


@each_form
@pytest.mark.parametrize(("fixed", "bias"), [("none", None), ("time", "none")])
def test_large_offsets(model, form, fixed, bias, sample):
    """A constant of 1e9 in y and x moves the intercept only (rows of W add up to one)."""
    s = sample(seed=9)
    table = s.table.copy()
    table[["y", "a", "b"]] = np.round(table[["y", "a", "b"]] * 2**16) / 2**16  # so that adding the offset is exact
    moved = table.assign(y=table["y"] + 1e9, a=table["a"] + 1e9)
    options = {"model": model, "random": form, "fixed": fixed, "bias": bias, "correlated": True}
    one, other = s.fit(table, **options), s.fit(moved, **options)
    keep = [t for t in one.params.index if t != "Intercept"]
    np.testing.assert_allclose(other.params[keep], one.params[keep], rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(other.std_errors[keep], one.std_errors[keep], rtol=1e-8)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-10)


@each_form
def test_order_of_regressors(model, form, sample):
    s = sample(kind="binary", seed=13)
    one, other = (s.fit(model=model, random=form, formula=f) for f in ("y ~ a + b", "y ~ b + a"))
    names = one.params.index
    np.testing.assert_allclose(other.params[names], one.params, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(other.cov.loc[names, names], one.cov, rtol=1e-7, atol=1e-11)


@each_form
@pytest.mark.parametrize("c", [0.01, 3.0])
def test_scale_of_weights(model, form, c, sample):
    s = sample(kind="binary", seed=15)
    one, other = (
        s.fit(model=model, random=form),
        s.fit(w=SpatialWeights(c * s.w.raw, s.w.ids), model=model, random=form),
    )
    factor = pd.Series(1.0, index=one.params.index)
    factor[[t for t in factor.index if t.startswith("W_") or t in {"rho", "lambda"}]] = c
    np.testing.assert_allclose(other.params * factor, one.params, rtol=1e-7, atol=1e-10)
    assert other.loglik == pytest.approx(one.loglik, rel=1e-11)


@pytest.mark.parametrize("model", [m for m in MODELS if m != "ols"])
def test_without_links_every_model_is_the_linear_one(model, sample):
    s = sample(seed=1)
    panel = sde.Panel(s.table, unit="unit", time="year")
    with pytest.warns(EstimationWarning, match="hold no links"):
        fit = sde.fit("y ~ a + b", panel, SpatialWeights(np.zeros((14, 14)), s.w.ids), model=model, random=True)
    pd.testing.assert_series_equal(fit.params, s.fit(model="ols", random=True).params, rtol=1e-12)


@pytest.mark.parametrize("form", ["bsk", "kkp"])
@pytest.mark.parametrize("seed", range(2))
def test_nested_likelihoods_are_ordered(form, seed, sample):
    s = sample(seed=seed)
    loglik = {m: s.fit(model=m, random=form).loglik for m in MODELS}
    slack = 1e-8 * abs(loglik["gns"])
    for small, large in NESTED:
        assert loglik[small] <= loglik[large] + slack, (small, large)
    for model in MODELS:
        assert s.fit(model=model, fixed="none").loglik <= loglik[model] + slack
        assert loglik[model] <= s.fit(model=model, random=form, correlated=True).loglik + slack


@each_form
def test_without_variance_of_units_the_pooled_fit(model, form, sample):
    """Unit means taken out of the errors leave less variance between units than errors alone would."""
    s = sample(seed=2)
    flat = s.table.copy()
    flat[["y", "a", "b"]] -= flat.groupby("unit")[["y", "a", "b"]].transform("mean")
    panel = sde.Panel(flat, unit="unit", time="year")
    with pytest.warns(EstimationWarning, match=r"estimated as zero \(sigma2_mu = 0\)"):
        fit = sde.fit("y ~ a + b", panel, s.w, model=model, random=form)
    pooled = s.fit(flat, model=model, fixed="none")
    assert fit.sigma2_mu == 0.0
    assert fit.converged
    assert fit.optimization.status == "converged, sigma2_mu = 0"
    others = list(pooled.params.index)
    np.testing.assert_allclose(fit.params[others], pooled.params, rtol=1e-8, atol=1e-11)
    np.testing.assert_allclose(fit.loglik, pooled.loglik, rtol=1e-12)
    assert np.isnan(fit.std_errors["sigma2_mu"])
    divisor = pooled.n_likelihood / pooled.df_resid if pooled.df_resid else 1.0
    scaled = pooled.cov.loc[others[:-1], others[:-1]] / divisor
    np.testing.assert_allclose(fit.cov.loc[others[:-1], others[:-1]], scaled, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.residuals, pooled.residuals, rtol=1e-7, atol=1e-10)
    assert (fit.unit_effects == 0.0).all()
    assert fit.effects("delta").table["std_error"].notna().all()
    json.dumps(fit.to_dict())


@pytest.mark.parametrize("model", ["ols", "slx", "sem", "sdem"])
def test_large_unit_effects_leave_the_slopes_within_units(model, sample):
    """Beside the errors they leave nothing to learn from unit means; N (T - 1) of the observations count."""
    s = sample(seed=6)
    units = s.table["unit"].map(dict(zip(s.w.ids, 1e6 * np.random.default_rng(3).normal(size=14), strict=True)))
    table = s.table.assign(y=s.table["y"] + units)
    random, fixed = s.fit(table, model=model, random=True), s.fit(table, model=model, fixed="individual")
    np.testing.assert_allclose(random.params[fixed.params.index], fixed.params, rtol=1e-5)


@each_form
def test_many_times_leave_the_slopes_within_units(model, form, sample):
    """The means are one of T parts of what a unit says."""
    s = sample(n=10, t=400, seed=6)
    random, fixed = s.fit(model=model, random=form), s.fit(model=model, fixed="individual")
    gap = (random.params[fixed.params.index] - fixed.params).abs() / fixed.std_errors
    assert gap.max() < 0.3


@pytest.mark.parametrize("model", ["ols", "slx"])
def test_unit_means_make_linear_slopes_those_within_units(model, sample):
    """Mundlak (1978): exactly, and with the same errors up to the divisor of the variance."""
    s = sample(seed=8)
    random, fixed = s.fit(model=model, random=True, correlated=True), s.fit(model=model, fixed="individual")
    slopes = [name for name in fixed.params.index if name != "sigma2"]
    np.testing.assert_allclose(random.params[slopes], fixed.params[slopes], rtol=1e-11)
    expected = s.fit(model=model, random=True, correlated=True, information="expected")
    divisor = np.sqrt(random.sigma2 / (fixed.sigma2 * fixed.n_likelihood / fixed.df_resid))
    np.testing.assert_allclose(expected.std_errors[slopes] / divisor, fixed.std_errors[slopes], rtol=1e-10)


@pytest.mark.parametrize("model", ERROR)
@pytest.mark.parametrize("kind", ["row", "binary"])
def test_both_forms_are_one_without_spatial_dependence_of_errors(model, kind, sample):
    """At lambda = 0 the two likelihoods are equal, in value and in all derivatives that do not touch lambda."""
    s = sample(kind=kind, seed=10)
    one, other = (random_likelihood(s.fit(model=model, random=form).estimate.problem) for form in ("bsk", "kkp"))
    for rho, omega in ((0.0, 0.0), (0.01, 0.8), (-0.02, 3.0)):
        p, q = one.at(rho if one.lag else 0.0, 0.0, omega), other.at(rho if one.lag else 0.0, 0.0, omega)
        assert p.loglik == pytest.approx(q.loglik, rel=1e-13)
        lam = p.plain.BZ.shape[1] + bool(one.lag)
        left, right = (np.delete(np.delete(lik.information(z), lam, 0), lam, 1) for lik, z in ((one, p), (other, q)))
        np.testing.assert_allclose(left, right, rtol=1e-10, atol=1e-8)


@pytest.mark.parametrize("without_ones", [False, True])
def test_eigenvectors_and_factors_give_one_kernel(without_ones):
    """A symmetric M by its eigenvectors, and the same M made asymmetric by less than matters."""
    ring = np.roll(np.eye(9), 1, axis=1) + np.roll(np.eye(9), -1, axis=1)
    nudged = ring + 1e-10 * np.roll(np.eye(9), 1, axis=1)
    first, second = (
        beside_errors(SpatialWeights(raw, range(9), normalization="row"), without_ones=without_ones)
        for raw in (ring, nudged)
    )
    assert isinstance(first, Rotated)
    assert not isinstance(second, Rotated | Shared)
    x = np.random.default_rng(0).normal(size=9)
    for lam, omega in ((0.3, 0.0), (-0.4, 0.7), (0.8, 4.0)):
        one, other = first.at(lam, omega), second.at(lam, omega)
        assert one.logdet == pytest.approx(other.logdet, abs=1e-8)
        left, right = one.half(first.rotate(x)), other.half(second.rotate(x))
        assert left @ left == pytest.approx(right @ right, rel=1e-8)
        a, b = one.slopes(left), other.slopes(right)
        for part in ("trace", "trace2", "form", "form2"):
            np.testing.assert_allclose(getattr(a, part), getattr(b, part), rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(a.pull.T @ a.pull, b.pull.T @ b.pull, rtol=1e-7, atol=1e-8)
        back = [k.rotate_back(h.lift(v)) for k, h, v in ((first, one, left), (second, other, right))]
        np.testing.assert_allclose(*back, rtol=1e-7, atol=1e-9)
        for one_part, other_part in zip(first.dense(lam, omega), second.dense(lam, omega), strict=True):
            np.testing.assert_allclose(one_part, other_part, atol=1e-7)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("fixed", "bias"), [("none", None), ("time", "lee-yu"), ("time", "none")])
def test_scores_of_units_add_up_to_zero(model, fixed, bias, sample):
    estimate = sample(n=20, seed=4).fit(model=model, random="kkp", fixed=fixed, bias=bias).estimate
    assert estimate.random.omega > 0
    scores = unit_scores(estimate)
    total = scores.own.sum(axis=0)
    k, s = estimate.problem.k, len(scores.pairs)
    total[k : k + s] += scores.pairs.sum(axis=(1, 2))
    assert np.abs(total * np.sqrt(np.diag(estimate.scaled_bread))).max() < 1e-7


@each_form
def test_one_time_is_refused(model, form, sample):
    s = sample(n=30, t=1, seed=4)
    with pytest.raises(OptionError, match="needs at least two times; the panel has 1"):
        s.fit(model=model, random=form)


@each_form
@pytest.mark.parametrize("cov", AVAILABLE)
def test_everything_that_starts_from_a_fit(model, form, cov, sample, quiet):
    s = sample(seed=3)
    fit = s.fit(model=model, random=form, correlated=True)
    if cov == "cluster" and form == "bsk" and MODELS[model].lag_error:
        with pytest.raises(OptionError, match="random='kkp'"):
            fit.with_cov(cov)
        return
    fit = fit.with_cov(cov)
    table = quiet(fit.effects, draws=200).table["estimate"]
    rho = fit.params.get("rho", 0.0)
    for term in ("a", "b"):
        total = (fit.params[term] + fit.params.get(f"W_{term}", 0.0)) / (1.0 - rho)
        assert table[term, "total"] == pytest.approx(total, rel=1e-11)
    assert list(table.index.unique("term")) == ["a", "b"]  # unit means are controls
    groups = dict(zip(s.w.ids, ["east", "west"] * 7, strict=True))
    assert len(quiet(fit.effects_by_group, groups, draws=50).table)
    assert len(fit.effects_by_unit().table)
    assert len(quiet(fit.effects_by_order, 3, draws=50).table)
    assert fit.effect_matrix("a").shape == (14, 14)
    text = fit.summary()
    assert "Random effects units" in text
    assert "share of sigma2_mu" in text
    record = fit.to_dict()
    assert (record["random"], record["correlated"], record["cov"]) == (form, True, cov)
    json.dumps(record)
    assert fit.aic == pytest.approx(2 * len(fit.params) - 2 * fit.loglik)
    if cov == "classical":
        with pytest.raises(OptionError, match="not available with random effects"):
            fit.with_cov("driscoll-kraay")


def test_more_coefficients_between_units_than_units(sample):
    s = sample(n=5, t=9, seed=3)
    with pytest.raises(IdentificationError, match="5 units cannot determine 5 coefficients"):
        s.fit(model="slx", random=True)


@pytest.mark.parametrize("n", [9, 230])
def test_inverse_of_a_factor_by_either_route(n):
    """Small ones by a general solver, larger ones by LAPACK's triangular routines."""
    A = np.random.default_rng(0).normal(size=(n, n + 5))
    K = A @ A.T / n + np.eye(n)
    np.testing.assert_allclose(_inverse(np.linalg.cholesky(K)) @ K, np.eye(n), atol=1e-11)
