"""Arguments of a wrong type, and values at the edge of what is allowed: a message with a name, never a bare error."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.diagnostics import j_test, likelihood_ratio, mundlak_test, random_effects_test, wald_test
from spatial_de.weights import SpatialWeights

N = 12
IDS = [f"u{i:02}" for i in range(N)]
DATA = pd.DataFrame(np.random.default_rng(4).standard_normal((N, 2)), index=IDS, columns=["x", "y"])
W = SpatialWeights(np.roll(np.eye(N), 1, axis=1) + np.roll(np.eye(N), -1, axis=1), IDS, normalization="row")
NO_LEVELS = [None, "0.9", [0.9], True, np.array([0.9, 0.95]), np.nan, 1.0]
NO_FITS = [None, "fit", 3, [1]]


@pytest.fixture(scope="module")
def fitted():
    return sde.fit("y ~ x", DATA, W, model="sdm")


@pytest.mark.parametrize(
    "options",
    [
        *({"g": g} for g in ("a", True, [1, 2], 1 + 2j, np.nan)),
        *({"spatial": d} for d in ("a", None, True, np.inf)),
        *({"sigma2": pair} for pair in (3, (1,), (1, 2, 3), ("a", "b"), (1, np.nan), (0.0, 1.0))),
        *({"coefficients": found} for found in (3, [("x", (0, 1))])),
        *({"coefficients": {"x": pair}} for pair in (3, (0,), ("a", 1), (0, 1, 2), (0, -1), (np.nan, 1), {0: 1, 1: 2})),
    ],
    ids=str,
)
def test_priors_of_the_wrong_kind(options):
    with pytest.raises(e.OptionError):
        sde.Prior(**options)


def test_priors_take_numbers_of_any_kind():
    sde.Prior(coefficients={"x": np.array([0.0, 2.0])}, sigma2=[np.int64(2), np.float32(1.0)], spatial=2)


@pytest.mark.parametrize("level", NO_LEVELS, ids=str)
def test_levels(fitted, level):
    for call in (fitted.conf_int, lambda level: fitted.effects("delta", level=level)):
        with pytest.raises(e.OptionError, match="must lie between 0 and 1"):
            call(level)


@pytest.mark.filterwarnings("ignore::spatial_de.errors.EstimationWarning")
@pytest.mark.parametrize("value", NO_FITS, ids=str)
def test_tests_need_fits(fitted, value):
    two_stage = sde.fit("y ~ x", DATA, W, model="sar", method="gmm")
    for call in (
        lambda: j_test(two_stage, value),
        lambda: j_test(value, two_stage),
        lambda: likelihood_ratio(fitted, value),
        lambda: wald_test(value, "sar"),
        lambda: mundlak_test(value),
        lambda: random_effects_test(fitted, value),
        lambda: sde.fit_replications(value, DATA[["y"]]),
    ):
        with pytest.raises(e.OptionError, match="needs results of"):
            call()


def test_random_effects_are_not_tested_against_a_posterior():
    both = pd.concat([DATA.assign(time=t, y=DATA["y"] + t * DATA["x"]) for t in (1, 2)]).rename_axis("id")
    panel = sde.Panel(both.reset_index(), unit="id", time="time")
    pooled = sde.fit("y ~ x", panel, W, model="sar", fixed="none", method="bayes", draws=200)
    with pytest.raises(e.OptionError, match="method='bayes': only method='ml' has a likelihood"):
        random_effects_test(sde.fit("y ~ x", panel, W, model="sar", random=True), pooled)


@pytest.mark.parametrize("value", [0, {}, "", np.array([1, 2])], ids=str)
def test_what_is_false_is_not_the_default(fitted, value):
    with pytest.raises(e.OptionError, match="inference="):
        fitted.effects(value)


def test_effects_of_order_zero_alone(fitted):
    found = fitted.effects_by_order(0, inference="delta").table["estimate"].loc[("x", 0)]
    assert found["direct"] == found["total"] == pytest.approx(fitted.params["x"], rel=1e-12)
    assert found["indirect"] == 0.0


@pytest.mark.parametrize(
    ("call", "kind", "match"),
    [
        (lambda f: f.effects_of_change(None, {"u00": 1.0}), e.OptionError, "term=None is not available"),
        (lambda f: f.effects("delta", draws=np.array([1, 2])), e.OptionError, "draws=array"),
        (lambda f: f.effect_matrix(np.array([1, 2])), e.OptionError, "term=array"),
        (lambda f: f.bootstrap([100]), e.OptionError, r"draws=\[100\]"),
        (lambda f: f.bootstrap(50, seed={}), e.OptionError, "seed={}"),
        (lambda f: f.predict(DATA.rename("n{}".format), w="w"), e.OptionError, "w= must be SpatialWeights"),
        (lambda _: sde.fit("y ~ x", DATA, W, durbin=3), e.OptionError, "durbin=3 must be a list"),
        (lambda _: sde.convex_weights("y ~ x", DATA, {"a": W, "b": W}, durbin=3), e.OptionError, "durbin=3"),
        (lambda _: sde.model_probabilities("y ~ x", DATA, {"a": W}, models=3), e.OptionError, "models=3"),
        (lambda _: sde.fit("y ~ x.mean()", DATA, W), e.FormulaError, "one value for each row"),
        (lambda _: sde.Panel(DATA.reset_index(), unit=["index"], time="x"), e.PanelError, "name of one column"),
        (lambda _: SpatialWeights(W.raw, None), e.AlignmentError, "list of labels"),
    ],
)
def test_wrong_types(fitted, call, kind, match):
    with pytest.raises(kind, match=match):
        call(fitted)


def table(entry):
    matrix = W.sparse.toarray().astype(object)
    matrix[0, 1] = entry
    return matrix


@pytest.mark.parametrize("entry", [None, np.nan, "a", 1 + 1j], ids=str)
def test_weights_that_are_no_numbers(entry):
    for given in (table(entry), pd.DataFrame(table(entry))):
        with pytest.raises(e.WeightsError, match=r"not finite|cannot be read"):
            SpatialWeights(given, IDS)


def test_complex_weights():
    for given in (W.sparse.toarray() * (1 + 1j), W.sparse * (1 + 1j)):
        with pytest.raises(e.WeightsError, match="complex"):
            SpatialWeights(given, IDS)


def test_shares_of_weights_need_more_units_than_coefficients():
    few = DATA.iloc[:4]
    links = (np.triu(np.ones((4, 4)), 1) + np.eye(4, k=-1), np.eye(4)[::-1])
    some = [SpatialWeights(matrix, few.index, normalization="row") for matrix in links]
    with pytest.raises(e.IdentificationError, match="4 free observations cannot determine 4 coefficients"):
        sde.convex_weights("y ~ x", few, {"a": some[0], "b": some[1]})
