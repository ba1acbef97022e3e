"""Hostile input beyond balanced fixed effects: random effects, unbalanced panels, moments, posteriors.

As in test_hostile.py: where a benign twin exists the numbers must be its numbers; elsewhere a named error.
"""

import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import (
    ConvergenceError,
    IdentificationError,
    OptionError,
    SpatialDEWarning,
    WeightsError,
)
from spatial_de.weights import SpatialWeights

N, T = 40, 5
IDS = [f"u{i:02d}" for i in range(N)]
SPATIAL = ["sar", "sem", "sdm", "sac"]
FORMS = {
    "bsk": {"random": "bsk"},
    "kkp": {"random": "kkp"},
    "correlated": {"random": "kkp", "correlated": True},
    "random, times": {"random": "bsk", "fixed": "time"},
    "unbalanced": {"fixed": "two-way"},
    "unbalanced, pooled": {"fixed": "none"},
    "unbalanced, direct": {"fixed": "individual", "bias": "none"},
    "gmm": {"method": "gmm"},
    "gmm robust": {"method": "gmm", "cov": "robust"},
}
SLOW = {"correlated", "random, times", "unbalanced, direct"}  # the others together stay within seconds
each_form = pytest.mark.parametrize(
    ("form", "model"),
    [
        pytest.param(form, model, marks=[pytest.mark.slow] if form in SLOW else [])
        for form in FORMS
        for model in SPATIAL
    ],
)


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpatialDEWarning)
        return function(*arguments, **options)


class Case:
    """A table on multiples of 2^-16, to which offsets are added without rounding, with holes or of one time."""

    def __init__(self, sample, form, kind):
        s = sample(n=N, t=T, kind=kind, seed=7)
        table = s.table.copy()
        table[["y", "a", "b"]] = np.round(table[["y", "a", "b"]] * 2**16) / 2**16
        if form.startswith("unbalanced"):
            table = table.drop(index=table.index[np.random.default_rng(8).uniform(size=len(table)) < 0.15])
        if form.startswith("gmm"):
            table = table[table["year"] == 2001]
        self.form, self.table, self.w = form, table, s.w

    def fit(self, table=None, w=None, **options):
        table, w = self.table if table is None else table, self.w if w is None else w
        if self.form.startswith("gmm"):
            data = table.set_index("unit")[["y", "a", "b"]]
        else:
            data = sde.Panel(table, unit="unit", time="year", unbalanced=self.form.startswith("unbalanced"))
        return quietly(sde.fit, "y ~ a + b", data, w, **(FORMS[self.form] | options))


@pytest.fixture(scope="module")
def case(sample):
    made = {}

    def make(form, kind="row"):
        if (form, kind) not in made:
            made[form, kind] = Case(sample, form, kind)
        return made[form, kind]

    return make


def same(one, two, *, factor=None, leave_out=(), rtol=1e-7):
    """Estimates and standard errors of `two` divided by `factor` (name -> number, 1) are those of `one`."""
    names = [name for name in one.params.index if name not in leave_out]
    assert list(two.params.index) == list(one.params.index)
    assert two.converged == one.converged
    scale = np.array([1.0 if factor is None else factor(name) for name in names])
    se = one.std_errors[names].to_numpy()
    assert np.isfinite(se[: len(se) - 1]).all()
    size = np.abs(one.params[names].to_numpy()) + np.nan_to_num(se)
    assert (np.abs(two.params[names].to_numpy() / scale - one.params[names].to_numpy()) <= rtol * size).all()
    np.testing.assert_allclose(two.std_errors[names] / np.abs(scale), se, rtol=100 * rtol)


@each_form
def test_units_scaled_by_1e12(form, model, case):
    c = case(form)
    table = c.table.assign(y=c.table["y"] * 1e12, a=c.table["a"] * 1e-12)

    def factor(name):
        if name in {"rho", "lambda"}:
            return 1.0
        return 1e24 if name.startswith("sigma2") or name.endswith("_a") or name == "a" else 1e12

    same(c.fit(model=model), c.fit(table, model=model), factor=factor)


@each_form
def test_an_offset_of_1e9(form, model, case):
    """In y and a. Rows of W add up to one; where a unit loses all its neighbours at a time they do not."""
    c = case(form)
    table = c.table.assign(y=c.table["y"] + 1e9, a=c.table["a"] + 1e9)
    one, two = c.fit(model=model), c.fit(table, model=model)
    assert not any("Without neighbours" in note for note in one.notes)
    same(one, two, leave_out=["Intercept"], rtol=1e-6)


@each_form
def test_a_nearly_collinear_pair(form, model, case):
    """b becomes a + 1e-3 b: its coefficient times 1e-3 and what it is not part of keep their numbers."""
    c = case(form)
    one = c.fit(model=model)
    two = c.fit(c.table.assign(b=c.table["a"] + 1e-3 * c.table["b"]), model=model)
    sums = [name for name in one.params.index if name == "a" or name.endswith("_a")]

    def factor(name):
        return 1e3 if name == "b" or name.endswith("_b") else 1.0

    same(one, two, factor=factor, leave_out=sums, rtol=1e-6)
    for name in sums:
        both = two.params[name] + two.params[f"{name[:-1]}b"]
        assert both == pytest.approx(one.params[name], rel=1e-6, abs=1e-6 * one.std_errors[name])


@each_form
def test_negative_weights_mirror_positive_ones(form, model, case):
    c = case(form, "binary")
    mirrored = SpatialWeights(-c.w.raw, IDS, allow_negative=True)

    def factor(name):
        return -1.0 if name in {"rho", "lambda"} or "W_" in name else 1.0

    same(c.fit(model=model), c.fit(w=mirrored, model=model), factor=factor)


@each_form
def test_weights_of_both_signs(form, model, case):
    """D W D with signs D is W for units whose data change sign; without effects that do not change with them."""
    c = case(form, "binary")
    options = {"model": model}
    if form.startswith("unbalanced"):
        options["fixed"] = "individual"
    signs = pd.Series(np.where(np.arange(N) % 3 == 0, -1.0, 1.0), index=IDS)
    table = c.table.copy()
    table[["y", "a", "b"]] = table[["y", "a", "b"]].mul(table["unit"].map(signs), axis=0)
    d = signs.to_numpy()
    mixed = SpatialWeights(c.w.to_dense().to_numpy() * np.outer(d, d), IDS, allow_negative=True)
    if not form.startswith("unbalanced"):  # the constant would change sign: regression through the origin
        data = [
            t.set_index("unit") if form.startswith("gmm") else sde.Panel(t, "unit", "year") for t in (c.table, table)
        ]
        if "times" in form or (form, model) == ("gmm", "sac"):
            return  # nor do effects of times, nor the third moments that errors of one distribution share
        options |= FORMS[form]
        same(*(quietly(sde.fit, "y ~ 0 + a + b", t, w, **options) for t, w in zip(data, (c.w, mixed), strict=True)))
        return
    same(c.fit(**options), c.fit(table, mixed, **options))


def one_way():
    """Complex eigenvalues."""
    i = np.arange(N)
    raw = np.zeros((N, N))
    raw[i, (i + 1) % N], raw[i, (i + 3) % N] = 1.0, np.random.default_rng(1).uniform(0.2, 1.0, N)
    return raw


@pytest.mark.parametrize("kind", ["complex", "islands", "negative"])
@pytest.mark.parametrize("model", ["sar", "sdm"])
def test_two_stage_least_squares_under_hostile_weights(kind, model, case):
    """Written out with dense matrices: d = (Z'P Z)^-1 Z'P y, instruments W Z and, for the sdm, W W Z."""
    c = case("gmm", "binary")
    raw = one_way() if kind == "complex" else c.w.to_dense().to_numpy().copy()
    if kind == "islands":
        raw[[2, 5]] = 0.0
    if kind == "negative":
        raw[0] *= -1.0
    W = raw
    fit = c.fit(w=SpatialWeights(W, IDS, allow_negative=True), model=model)
    table = c.table.set_index("unit").loc[IDS]
    y, x = table["y"].to_numpy(), table[["a", "b"]].to_numpy()
    lagged = [x, W @ x] if model == "sdm" else [x]
    last = W @ lagged[-1]
    instruments = [*lagged, last, W @ last] if model == "sdm" else [*lagged, last]
    Z = np.column_stack([np.ones(N), *lagged, W @ y])
    H = np.column_stack([np.ones(N), *instruments])
    Zhat = H @ np.linalg.lstsq(H, Z, rcond=None)[0]
    expected = np.linalg.solve(Zhat.T @ Z, Zhat.T @ y)
    np.testing.assert_allclose(fit.params.drop("sigma2"), expected, rtol=1e-8)


@pytest.mark.parametrize("form", ["bsk", "kkp", "unbalanced", "gmm", "gmm robust"])
@pytest.mark.parametrize("model", SPATIAL)
def test_islands_are_named(form, model, case):
    """What a unit without neighbours means for lags of variables is said; errors have mean zero."""
    c = case(form)
    raw = c.w.to_dense().to_numpy().copy()
    raw[[2, 5]] = 0.0
    fit = c.fit(w=SpatialWeights(raw, IDS, normalization="row"), model=model)
    named = [note for note in fit.notes if note.startswith("Without neighbours") and "u02" in note]
    assert len(named) == (model != "sem")


@pytest.mark.parametrize("form", list(FORMS))
def test_weights_beyond_double_precision(form, case):
    c = case(form)
    for model in SPATIAL:
        with pytest.raises(WeightsError, match=r"^The weights of \w+ have values of size 1e\+160: multiply"):
            c.fit(w=SpatialWeights(c.w.raw * 1e160, IDS), model=model)


@pytest.mark.parametrize("form", ["bsk", "kkp", "unbalanced, pooled", "unbalanced, direct"])
@pytest.mark.parametrize("model", SPATIAL)
def test_a_parameter_at_its_bound(form, model, case):
    """A response that is a common movement and nothing else: no standard errors, no effects, and it is said."""
    c = case(form)
    moves = dict(zip(range(2001, 2001 + T), np.random.default_rng(0).standard_normal(T), strict=True))
    table = c.table.assign(y=c.table["year"].map(moves) + 1e-9 * c.table["y"])
    try:
        fit = c.fit(table, model=model)
    except (ConvergenceError, IdentificationError) as error:
        assert str(error)[0].isupper()  # noqa: PT017
        return
    if fit.converged:
        assert max(fit.params.get("rho", 0.0), fit.params.get("lambda", 0.0)) > 0.99
        return
    assert any("is at the bound of its admissible interval" in note for note in fit.notes)
    assert fit.std_errors[[name for name in ("rho", "lambda") if name in fit.params]].isna().all()
    with pytest.raises(ConvergenceError, match="The estimate has no covariance"):
        fit.effects()


@pytest.mark.parametrize("model", ["sar", "sdm"])
def test_moments_whose_rho_leaves_its_interval(model, case):
    """Two-stage least squares knows no bound: it is said, and there are no effects."""
    c = case("gmm")
    W = c.w.to_dense().to_numpy()
    x = c.table.set_index("unit").loc[IDS, ["a", "b"]].to_numpy()
    y = np.linalg.solve(np.eye(N) - 1.2 * W, x @ [1.0, -0.5]) + 1e-3 * np.random.default_rng(1).normal(size=N)
    table = c.table.assign(y=pd.Series(y, IDS).reindex(c.table["unit"]).to_numpy())
    fit = c.fit(table, model=model)
    assert fit.rho > 1.0
    assert any("lies outside its admissible interval" in note for note in fit.notes)
    with pytest.raises(IdentificationError, match="lies outside its admissible interval"):
        fit.effects()


BAYES = {
    "random effects": ("bsk", {"random": "bsk"}, "is estimated by method='ml' only, not by 'bayes'"),
    "holes": ("unbalanced", {}, "method='bayes' is not available for a panel that is not balanced"),
}


@pytest.mark.parametrize("what", list(BAYES))
@pytest.mark.parametrize("model", SPATIAL)
def test_posteriors_of_other_designs_are_refused(what, model, case):
    form, options, message = BAYES[what]
    with pytest.raises(OptionError, match=message):
        case(form).fit(model=model, method="bayes", **options)


@pytest.mark.parametrize("model", SPATIAL)
def test_posteriors_under_weights_that_change_are_refused(model, case):
    c = case("bsk")
    other = SpatialWeights(one_way(), IDS, normalization="row")
    by_time = {year: other if year == 2003 else c.w for year in range(2001, 2001 + T)}
    panel = sde.Panel(c.table, unit="unit", time="year")
    with pytest.raises(OptionError, match="method='bayes' is not available for weights that change over time"):
        sde.fit("y ~ a + b", panel, by_time, model=model, method="bayes")
    same_everywhere = dict.fromkeys(by_time, c.w)
    fit = sde.fit("y ~ a + b", panel, same_everywhere, model="sar", method="bayes", draws=200)
    assert fit.rho == sde.fit("y ~ a + b", panel, c.w, model="sar", method="bayes", draws=200).rho


@pytest.mark.parametrize("model", ["sar", "sem", "sdm"])
def test_posteriors_in_other_units(model, case):
    """Flat priors: the draws of a response and a regressor in other units are the draws in other units."""
    c = case("gmm")
    data = c.table.set_index("unit")[["y", "a", "b"]]
    scaled = data.assign(y=data["y"] * 1e12, a=data["a"] * 1e-12)
    options = {"model": model, "method": "bayes", "draws": 300}
    one, two = (quietly(sde.fit, "y ~ a + b", d, c.w, **options).posterior.draws for d in (data, scaled))
    factor = pd.Series(1e12, one.columns)
    factor[[name for name in ("a", "W_a", "sigma2") if name in factor.index]] = 1e24
    factor[[name for name in ("rho", "lambda") if name in factor.index]] = 1.0
    np.testing.assert_allclose(two / factor, one, rtol=1e-6, atol=1e-6)
