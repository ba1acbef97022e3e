"""Hostile input to every model, under every form of effects and every covariance: the right answer or a named error.

Where a benign twin exists (other units of measurement, scaled weights, mirrored signs), numbers must be its numbers;
elsewhere a dense computation is the judge.
"""

import importlib.util
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError, OptionError, WeightsError
from spatial_de.models import MODELS
from spatial_de.models.covariance import COVARIANCES as ALL_COVARIANCES
from spatial_de.panel.transforms import EFFECTS
from spatial_de.weights import SpatialWeights

COVARIANCES = [cov for cov in ALL_COVARIANCES if cov != "hac"]  # of panels

N, T = 14, 7
IDS = [f"u{i:02d}" for i in range(N)]
BIASES = ("lee-yu", "none", "correction")
FORMS = [(m, f, b) for m in MODELS for f in EFFECTS for b in BIASES if f != "none" or b == "none"]
each_form = pytest.mark.parametrize(("model", "fixed", "bias"), FORMS, ids=["-".join(form) for form in FORMS])
SPATIAL = [name for name, spec in MODELS.items() if spec.lag_y or spec.lag_error]
slow = partial(pytest.param, marks=pytest.mark.slow)  # the others together stay within seconds
GROUPS = {unit: unit < "u05" for unit in IDS}


def on_a_grid(s):
    """Multiples of 2^-16, so that offsets are added without rounding."""
    s.table[["y", "a", "b"]] = np.round(s.table[["y", "a", "b"]] * 2**16) / 2**16
    return s


@pytest.fixture(scope="module")
def base(sample):
    """Binary weights of mutual links."""
    return on_a_grid(sample(n=N, t=T, kind="binary", seed=3))


@pytest.fixture(scope="module")
def standardised(sample):
    """Weights whose rows add up to one."""
    return on_a_grid(sample(n=N, t=T, kind="row", seed=9))


@pytest.fixture(scope="module")
def dense():
    path = Path(__file__).parents[1] / "models" / "dense.py"
    spec = importlib.util.spec_from_file_location("dense", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["dense"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


class Twins:
    """A benign fit and a hostile one that must have the same numbers, up to factors and a linear map of parameters."""

    def __init__(self, benign, hostile, *, factor=None, rtol=1e-9):
        self.one, self.two, self.rtol = benign, hostile, rtol
        names = list(benign.params.index)
        assert list(hostile.params.index) == names
        self.map = pd.DataFrame(np.diag([1.0 if factor is None else factor(t) for t in names]), names, names)

    def keep(self, *left_out):
        """Compare all but some parameters."""
        names = [t for t in self.one.params.index if t not in left_out]
        self.map = self.map.loc[names, names]
        return self

    def parameters(self, *, loglik_shift=0.0):
        names = list(self.map.index)
        assert self.one.converged
        assert self.two.converged
        back = self.map.to_numpy()
        se = self.one.std_errors[names].to_numpy()
        expected, found = self.one.params[names].to_numpy(), back @ self.two.params[names].to_numpy()
        assert (np.abs(found - expected) <= self.rtol * (np.abs(expected) + se)).all(), (found, expected)
        assert self.two.loglik + loglik_shift == pytest.approx(self.one.loglik, rel=1e-9, abs=1e-7)

    def covariances(self, quiet):
        names, back = list(self.map.index), self.map.to_numpy()
        for cov in COVARIANCES:
            try:
                one = quiet(self.one.with_cov, cov).cov.loc[names, names].to_numpy()
            except IdentificationError as refusal:
                with pytest.raises(IdentificationError, match=str(refusal)[:12]):
                    quiet(self.two.with_cov, cov)
                continue
            two = back @ quiet(self.two.with_cov, cov).cov.loc[names, names].to_numpy() @ back.T
            size = np.sqrt(np.outer(np.diag(one), np.diag(one)))
            assert (np.abs(two - one) <= 1e3 * self.rtol * size).all(), cov

    def effects(self, quiet, *, terms=("a", "b"), factor=1.0, rtol=1e-7):
        """Average effects by both inferences, by group, by unit and by order of neighbours."""
        tables = []
        for fit in (self.one, self.two):
            found = [
                quiet(fit.effects, draws=20, seed=7),
                quiet(fit.effects, "delta"),
                quiet(fit.effects_by_group, GROUPS, draws=20, seed=7),
                quiet(fit.effects_by_unit),
                quiet(fit.effects_by_order, 3, draws=20, seed=7),
            ]
            tables.append([effects.table for effects in found])
        for one, two in zip(*tables, strict=True):
            for term in terms:
                se = one.loc[[term], "std_error"].max()
                left, right = two.loc[[term], ["estimate", "std_error"]] * factor, one.loc[[term]]
                assert (np.abs(left["estimate"] - right["estimate"]) <= rtol * (np.abs(right["estimate"]) + se)).all()
                assert (np.abs(left["std_error"] - right["std_error"]) <= 100 * rtol * se).all()


def test_forms_are_all_there():
    assert len(FORMS) == 10 * len(MODELS)


@each_form
def test_units_scaled_by_1e12(model, fixed, bias, base, quiet):
    options = {"model": model, "fixed": fixed, "bias": bias}
    benign = base.fit(**options)
    table = base.table.assign(y=base.table["y"] * 1e12, a=base.table["a"] * 1e-12)
    factor = {"a": 1e-24, "W_a": 1e-24, "rho": 1.0, "lambda": 1.0, "sigma2": 1e-24}
    twins = Twins(benign, base.fit(table, **options), factor=lambda t: factor.get(t, 1e-12))
    twins.parameters(loglik_shift=benign.n_likelihood * np.log(1e12))
    twins.covariances(quiet)
    if bias == "lee-yu":
        twins.effects(quiet, terms=["a"], factor=1e-24)
        twins.effects(quiet, terms=["b"], factor=1e-12)


@each_form
def test_an_offset_of_1e9(model, fixed, bias, base, standardised, quiet):
    """In y and a; where no unit effects take W 1 up, for weights whose rows add up to one."""
    options = {"model": model, "fixed": fixed, "bias": bias}
    s = base if fixed in {"individual", "two-way"} else standardised
    table = s.table.assign(y=s.table["y"] + 1e9, a=s.table["a"] + 1e9)
    twins = Twins(s.fit(**options), s.fit(table, **options)).keep("Intercept")
    twins.parameters()
    twins.covariances(quiet)
    if bias == "lee-yu":
        twins.effects(quiet)


@pytest.mark.parametrize("distance", [1e-3, 1e-6])
@each_form
def test_a_nearly_collinear_pair(model, fixed, bias, distance, base, quiet):
    """b becomes a + 1e-3 b or a + 1e-6 b: the same model in other coordinates. Sandwiches refuse the closer pair."""
    options = {"model": model, "fixed": fixed, "bias": bias}
    table = base.table.assign(b=base.table["a"] + distance * base.table["b"])
    twins = Twins(base.fit(**options), base.fit(table, **options), rtol=1e-8)
    for prefix in ("", "W_"):
        if f"{prefix}a" in twins.map:
            twins.map.loc[f"{prefix}a", f"{prefix}b"] = 1.0
            twins.map.loc[f"{prefix}b", f"{prefix}b"] = distance
    twins.parameters()
    names = [t for t in twins.map.index if t not in {"a", "W_a", "Intercept"}]  # differences of huge numbers
    twins.map = twins.map.loc[names, names]
    if distance == 1e-3:
        twins.covariances(quiet)
        return
    classical = twins.two.std_errors[names] * np.diag(twins.map)
    np.testing.assert_allclose(classical, twins.one.std_errors[names], rtol=1e-7)
    for cov in COVARIANCES[1:]:
        with pytest.raises(IdentificationError, match=f"^The regressors are too nearly collinear for cov='{cov}'"):
            quiet(twins.two.with_cov, cov)


@pytest.mark.parametrize("c", [1e6, slow(1e-6), slow(1e12)])
@each_form
def test_weights_far_from_normalised(model, fixed, bias, c, base, quiet):
    """W c is W with rho, lambda and theta divided by c; effects do not notice."""
    if c == 1e12 and bias != "lee-yu":
        c = 1e-12
    options = {"model": model, "fixed": fixed, "bias": bias}
    scaled = SpatialWeights(base.w.raw * c, IDS)
    factor = {"rho": c, "lambda": c, "W_a": c, "W_b": c}
    twins = Twins(base.fit(**options), base.fit(w=scaled, **options), factor=lambda t: factor.get(t, 1.0))
    twins.parameters()
    if c == 1e6:
        twins.covariances(quiet)
        if bias == "lee-yu":
            twins.effects(quiet)


@each_form
def test_negative_weights_mirror_positive_ones(model, fixed, bias, base, quiet):
    options = {"model": model, "fixed": fixed, "bias": bias}
    mirrored = SpatialWeights(-base.w.raw, IDS, allow_negative=True)
    factor = {"rho": -1.0, "lambda": -1.0, "W_a": -1.0, "W_b": -1.0}
    twins = Twins(base.fit(**options), base.fit(w=mirrored, **options), factor=lambda t: factor.get(t, 1.0))
    twins.parameters()
    twins.covariances(quiet)
    assert twins.two.params.get("rho", 0.0) == pytest.approx(-twins.one.params.get("rho", 0.0), rel=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_weights_of_both_signs(model, base, quiet):
    """D W D with signs D is W for units whose data change sign; unit effects change with them."""
    signs = pd.Series(np.where(np.arange(N) % 3 == 0, -1.0, 1.0), index=IDS)
    table = base.table.copy()
    table[["y", "a", "b"]] = table[["y", "a", "b"]].mul(table["unit"].map(signs), axis=0)
    d = signs.to_numpy()
    mixed = SpatialWeights(base.w.to_dense().to_numpy() * np.outer(d, d), IDS, allow_negative=True)
    assert (mixed.raw.data < 0).any()
    assert (mixed.raw.data > 0).any()
    options = {"model": model, "fixed": "individual"}
    twins = Twins(base.fit(**options), base.fit(table, mixed, **options))
    twins.parameters()
    twins.covariances(quiet)


def directed(rng):
    """A one-way ring with side roads: complex eigenvalues."""
    i = np.arange(N)
    raw = np.zeros((N, N))
    raw[i, (i + 1) % N], raw[i, (i + 3) % N] = 1.0, rng.uniform(0.2, 1.0, N)
    return raw


def hostile_weights(kind, raw):
    rng = np.random.default_rng(1)
    n = np.arange(N)
    if kind.startswith("complex"):
        return SpatialWeights(directed(rng), IDS, normalization="row" if kind.endswith("row") else "none")
    if kind == "islands":
        return SpatialWeights(raw * ~np.isin(n, [2, 5])[:, None], IDS, normalization="row")
    if kind == "islands nobody hears":
        keep = ~np.isin(n, [2, 5])
        return SpatialWeights(raw * np.outer(keep, keep), IDS, normalization="row")
    if kind == "negative":
        signed = raw.copy()
        signed[0] *= -1.0
        signed[3, raw[3].argmax()] = -0.5
        return SpatialWeights(signed, IDS, allow_negative=True)
    if kind == "one huge row":
        return SpatialWeights(raw * np.where(n == 3, 1e6, 1.0)[:, None], IDS)
    apart = (n < 7)[:, None] == (n < 7)[None, :]
    linked = raw * apart
    linked[[0, 1, 8, 9], [1, 0, 9, 8]] = 1.0
    return SpatialWeights(linked, IDS, normalization="row")


KINDS = (
    "complex",
    "islands",
    "negative",
    slow("complex row"),
    slow("islands nobody hears"),
    slow("one huge row"),
    slow("components"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_hostile_weights_are_what_they_are_called(kind, base):
    w = hostile_weights(kind, base.W)
    values = np.linalg.eigvals(w.to_dense())
    assert (np.abs(values.imag).max() > 0.1) or not kind.startswith("complex")
    assert (len(w.islands) > 0) == kind.startswith("islands")
    assert (w.raw.data.min() < 0) == (kind == "negative")
    assert (w.n_components > 1) == (kind in {"components", "islands nobody hears"})


@pytest.mark.parametrize("kind", KINDS)
@each_form
def test_hostile_weights_against_a_dense_computation(model, fixed, bias, kind, base, quiet, dense):
    """The maximum is a root of the dense gradient, the log-likelihood the dense one, effects those of the inverse."""
    w = hostile_weights(kind, base.W)
    W = w.to_dense().to_numpy()
    spec = MODELS[model]
    try:
        fit = base.fit(w=w, model=model, fixed=fixed, bias=bias)
    except ConvergenceError as error:
        assert spec.lag_y
        assert spec.lag_error
        assert str(error).startswith("The log-likelihood has no interior maximum in (rho, lambda) near")  # noqa: PT017
        return
    if not fit.converged:
        assert fit.optimization.status == "at bound"
        assert fit.std_errors.isna().all()
        return
    shape = (T, N)
    sorted_table = base.table.sort_values(["year", "unit"])
    y = sorted_table["y"].to_numpy().reshape(shape)
    X = np.stack([sorted_table[x].to_numpy().reshape(shape) for x in "ab"], axis=2)
    flags = {"lag_y": spec.lag_y, "lag_x": spec.lag_x, "lag_error": spec.lag_error}
    brute = dense.build(y, X, W, **flags, fixed=fixed, transformed=transformed(fit, w))
    path = fit.optimization.path[-1] if brute.n_spatial else ()
    spatial = np.atleast_1d(np.asarray(path, dtype=float))  # the maximum, before any bias correction
    assert brute.concentrated(spatial) == pytest.approx(fit.loglik, rel=1e-10)
    if brute.n_spatial:
        scale = np.array([fit.std_errors[t] for t in ("rho", "lambda") if t in fit.params])
        assert np.abs(brute.slope(spatial) * scale).max() < 1e-6
    S = np.linalg.inv(np.eye(N) - fit.params.get("rho", 0.0) * W)
    effects = quiet(fit.effects, "delta").table["estimate"]
    for term in "ab":
        E = S @ (fit.params[term] * np.eye(N) + fit.params.get(f"W_{term}", 0.0) * W)
        direct, total = np.trace(E) / N, E.sum() / N
        np.testing.assert_allclose(effects[term], [direct, total - direct, total], rtol=1e-8, atol=1e-10)


def transformed(fit, w):
    """Which effects the package eliminates by transformation; the others are dummies."""
    spec = MODELS[fit.model]
    tied = (spec.lag_y or spec.lag_error) and not w.is_row_stochastic
    gone = {"none": (), "individual": ("individual",), "time": ("time",), "two-way": ("individual", "time")}[fit.fixed]
    if fit.bias == "none":
        return ()
    return tuple(name for name in gone if name == "individual" or (fit.bias == "lee-yu" and not tied))


@pytest.mark.parametrize("fixed", ["none", "individual"])
@pytest.mark.parametrize("model", SPATIAL)
def test_a_parameter_at_its_bound(model, fixed, base):
    """A response that is a common movement and nothing else: named, without standard errors, without effects."""
    moves = dict(zip(range(2001, 2001 + T), np.random.default_rng(0).standard_normal(T), strict=True))
    table = base.table.assign(y=base.table["year"].map(moves) + 1e-9 * base.table["y"])
    panel = sde.Panel(table, unit="unit", time="year")
    w = base.w.normalized("row")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit = sde.fit("y ~ a + b", panel, w, model=model, fixed=fixed)
        except ConvergenceError as error:
            assert str(error).startswith("The log-likelihood has no interior maximum")  # noqa: PT017
            return
    if fit.converged:
        assert max(fit.params.get("rho", 0.0), fit.params.get("lambda", 0.0)) > 0.99
        return
    name = "rho" if fit.optimization.parameter.startswith("rho") else "lambda"
    said = [str(item.message) for item in caught if item.category is EstimationWarning]
    assert any(text.startswith((f"{name} is at the bound of its admissible interval", "lambda is at")) for text in said)
    for cov in COVARIANCES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            assert fit.with_cov(cov).std_errors.isna().all()
    with pytest.raises(ConvergenceError, match="The estimate has no covariance"):
        fit.effects()


class TestNamedErrors:
    def test_weights_beyond_double_precision(self, base):
        for c in (1e160, 1e-160):
            w = SpatialWeights(base.w.raw * c, IDS)
            for model in MODELS:
                if model == "ols":
                    continue
                with pytest.raises(WeightsError, match=r"^The weights of \w+ have values of size 1e[+-]160: multiply"):
                    base.fit(w=w, model=model)

    def test_clusters_of_one_unit(self):
        table = pd.DataFrame({"unit": "u", "year": range(2000, 2012), "y": np.arange(12.0) ** 2, "a": np.arange(12.0)})
        fit = sde.fit("y ~ a", sde.Panel(table, "unit", "year"), model="ols", fixed="none")
        for cov in ("cluster", "cluster-two-way"):
            with pytest.raises(OptionError, match=rf"^cov='{cov}' needs at least two units; the panel has 1\."):
                fit.with_cov(cov)

    def test_effects_of_a_rho_that_the_data_do_not_determine(self, base, quiet):
        """Units in pairs: W W = I, so that rho and lambda of the GNS are one parameter."""
        i = np.arange(0, N, 2)
        raw = np.zeros((N, N))
        raw[i, i + 1] = raw[i + 1, i] = 1.0
        fit = base.fit(w=SpatialWeights(raw, IDS, normalization="row"), model="gns", fixed="time")
        calls = (fit.effects, fit.effects_by_order, lambda **how: fit.effects_by_group(GROUPS, **how))
        for call in calls:
            with pytest.raises(IdentificationError, match=r"^\d+ of 40 draws of rho fall outside its admissible"):
                quiet(call, draws=40)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["categories", "reversed categories", "numbers", "float32", "integers"])
def test_types_of_columns(model, kind, base):
    """Labels as categories in any order, labels as numbers, numbers of other types: the same numbers."""
    table, w = base.table.sample(frac=1.0, random_state=5), base.w
    if kind.endswith("categories"):
        order = IDS if kind == "categories" else IDS[::-1]
        table = table.assign(unit=pd.Categorical(table["unit"], categories=order))
    if kind == "numbers":
        table = table.assign(unit=table["unit"].str[1:].astype(int))
        w = SpatialWeights(base.w.raw, range(N))
    if kind == "float32":
        table = table.astype({"a": "float32", "b": "float32"})
    if kind == "integers":
        table = table.assign(a=(table["a"] * 2**16).astype("int64"), b=table["b"] * 2**16)
    found, expected = base.fit(table, w, model=model), base.fit(model=model)
    factor = pd.Series(1.0, expected.params.index)
    if kind == "integers":
        factor[[t for t in factor.index if t.endswith(("a", "b")) and t != "lambda"]] = 2.0**16
    np.testing.assert_allclose(found.params * factor, expected.params, rtol=1e-6 if kind == "float32" else 1e-10)
