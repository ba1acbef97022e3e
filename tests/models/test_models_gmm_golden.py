"""Method of moments: figures of spreg and sphet on public data, and spreg itself on random data."""

import io
import json
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.weights import SpatialWeights

GOLDEN = Path(__file__).parents[1] / "golden" / "models" / "columbus_moments.json"
CONTENT = json.loads(GOLDEN.read_text())
CASES = CONTENT["cases"]
OTHER = CONTENT["other_estimator"]["cases"]


def names_of(cases):
    return ["-".join([case["peer"], *map(str, case["options"].values())]) for case in cases]


def fit(columbus, options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # the instruments of the Durbin model are weak here
        return sde.fit("CRIME ~ INC + HOVAL", *columbus, method="gmm", **options)


def correlations(found, expected):
    size = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(np.asarray(found) / size, np.asarray(expected) / size, rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=names_of(CASES))
def test_columbus(case, columbus):
    found = fit(columbus, case["options"])
    names, se = case["names"], np.array(case["std_error"])
    assert set(found.params.index) == {*names, "sigma2"}
    np.testing.assert_allclose((found.params[names] - case["estimate"]) / se, 0.0, atol=2e-6)
    divisor = 49 / case.get("variance_divisor", 49)
    np.testing.assert_allclose(found.std_errors[names] * np.sqrt(divisor), se, rtol=1e-6)
    if case["cov"] is not None:
        correlations(found.cov.loc[names, names] * divisor, case["cov"])
    if "sigma2" in case:
        assert found.sigma2 == pytest.approx(case["sigma2"], rel=1e-6)
    if "r_squared" in case:
        assert found.r_squared == pytest.approx(case["r_squared"], rel=1e-6)


@pytest.mark.parametrize("case", OTHER, ids=names_of(OTHER))
def test_the_dense_computation_gives_the_other_estimator_too(case, columbus, dense_moments):
    """What sphet calls by the same name: same formulas, other instruments."""
    table, w = columbus
    X = np.column_stack([np.ones(49), table["INC"], table["HOVAL"]])
    found, cov = dense_moments.ErrorMoments(
        y=table["CRIME"].to_numpy(),
        Z=X,
        H=X,
        M=w.to_dense().to_numpy(),
        equal=case["options"]["cov"] == "classical",
        fixed=False,
        bounds=(-1.5, 1.0),
    ).fit()
    np.testing.assert_allclose((found - case["estimate"]) / case["std_error"], 0.0, atol=2e-6)
    correlations(cov, case["cov"])
    ours = fit(columbus, case["options"]).params[case["names"]]
    assert np.abs((ours - case["estimate"]) / case["std_error"]).max() > 0.3


@pytest.mark.parametrize("model", ["sar", "sdm"])
def test_effects_by_the_dense_inverse(model, columbus):
    found = fit(columbus, {"model": model})
    effects, W = found.effects("delta").table["estimate"], columbus[1].to_dense().to_numpy()
    S = np.linalg.inv(np.eye(49) - found.rho * W)
    for term in ("INC", "HOVAL"):
        M = S @ (found.params[term] * np.eye(49) + found.params.get(f"W_{term}", 0.0) * W)
        direct, total = np.trace(M) / 49, M.sum() / 49
        np.testing.assert_allclose(effects[term], [direct, total - direct, total], rtol=1e-9)


@pytest.fixture(scope="module")
def sample():
    """150 units, nearest neighbours on a plane (not symmetric), and the places of the units."""
    rng = np.random.default_rng(21)
    n = 150
    place = rng.uniform(size=(n, 2))
    gap = np.linalg.norm(place[:, None] - place[None, :], axis=2)
    raw = np.zeros((n, n))
    raw[np.arange(n)[:, None], np.argsort(gap, axis=1)[:, 1:6]] = 1.0
    W = raw / 5.0
    x = rng.normal(size=(n, 2))
    u = np.linalg.solve(np.eye(n) - 0.3 * W, rng.normal(size=n) * (0.5 + np.abs(x[:, 0])))
    y = np.linalg.solve(np.eye(n) - 0.4 * W, 1.0 + x @ [1.0, 2.0] + u)
    ids = [f"u{i:03d}" for i in range(n)]
    table = pd.DataFrame({"y": y, "a": x[:, 0], "b": x[:, 1]}, index=ids)
    return table, SpatialWeights(raw, ids, normalization="row"), place


def quietly(function, *args, **options):
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **options)


def agree(found, theirs, cov, *, reach):
    terms = ["Intercept", "a", "b", *(name for name in ("W_a", "W_b", "rho", "lambda") if name in found.params.index)]
    se = np.sqrt(np.diag(cov))
    np.testing.assert_allclose((found.params[terms] - theirs.betas[:, 0]) / se, 0.0, atol=reach)
    np.testing.assert_allclose(found.cov.loc[terms, terms] / np.outer(se, se), cov / np.outer(se, se), atol=reach)


@pytest.mark.parametrize(("model", "lags"), [("sar", 1), ("sar", 2), ("sdm", 1)])
def test_two_stage_least_squares_of_spreg(model, lags, sample):
    from libpysal.weights import Kernel
    from spreg import GM_Lag

    table, w, place = sample
    theirs_kernel = Kernel(place, bandwidth=0.2, fixed=True, function="triangular", diagonal=True)
    kernel = SpatialWeights(theirs_kernel.full()[0] - np.eye(len(place)), w.ids)
    y, X = table[["y"]].to_numpy(), table[["a", "b"]].to_numpy()
    options = {"w": w.to_w(), "w_lags": lags, "slx_lags": int(model == "sdm")}
    ours = quietly(sde.fit, "y ~ a + b", table, w, model=model, method="gmm", instrument_lags=lags)
    kinds = {"classical": {}, "robust": {"robust": "white"}, "hac": {"robust": "hac", "gwk": theirs_kernel}}
    for cov, given in kinds.items():
        theirs = quietly(GM_Lag, y, X, **options, **given)
        agree(ours.with_cov(cov, hac_weights=kernel if cov == "hac" else None), theirs, theirs.vm, reach=1e-9)


@pytest.mark.parametrize("model", ["sem", "sac"])
@pytest.mark.parametrize("cov", ["classical", "robust"])
def test_moments_of_the_error_of_spreg(model, cov, sample):
    """To 1e-3 of a standard error: spreg's minimum of the moments is that of a numerical optimiser."""
    import spreg

    table, w, _ = sample
    name = f"GM_{'Error' if model == 'sem' else 'Combo'}_{'Hom' if cov == 'classical' else 'Het'}"
    theirs = quietly(getattr(spreg, name), table[["y"]].to_numpy(), table[["a", "b"]].to_numpy(), w=w.to_w())
    found = quietly(sde.fit, "y ~ a + b", table, w, model=model, method="gmm", cov=cov)
    expected = np.array(theirs.vm)
    if model == "sem":  # spreg's third-moment term takes regressors that are not filtered
        expected[:3, 3] = expected[3, :3] = found.cov.loc[["Intercept", "a", "b"], "lambda"]
    agree(found, theirs, expected, reach=1e-3)
