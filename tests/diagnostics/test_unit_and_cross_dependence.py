"""Baltagi, Song and Koh's tests, Pesaran's CD and the randomised-W test."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import spatial_de as sde
from spatial_de.diagnostics import baltagi_song_koh_tests, pesaran_cd, randomised_w_test
from spatial_de.errors import IdentificationError, OptionError
from spatial_de.panel.design import build_design

CIGARETTES = "logc ~ logp + logy"
FORMULA = "y ~ x1 + x2"
OF_SPLM = {
    "BSK LM1": "LM1",
    "BSK LM2": "LM2",
    "BSK joint": "LMH",
    "BSK LM lambda | mu": "CLMlambda",
    "BSK LM mu | lambda": "CLMmu",
}


def test_as_splm(cigarettes):
    panel, w, golden = cigarettes
    found = baltagi_song_koh_tests(CIGARETTES, panel, w)
    for name, key in OF_SPLM.items():
        expected = golden["splm"]["bsktest"][key]
        assert found.loc[name, "statistic"] == pytest.approx(expected["statistic"], rel=1e-7), name
    for name in ("BSK LM2", "BSK LM lambda | mu"):
        expected = golden["splm"]["bsktest"][OF_SPLM[name]]["p"]
        assert found.loc[name, "p_value"] == pytest.approx(expected, rel=1e-5, abs=1e-300)


def dense_score(u, W, *, sigma2, sigma2_mu, lam, tested):
    """Score and information of N(0, Omega), Omega = sigma2_mu J x I + sigma2 I x (B'B)^-1, by complex steps."""
    T, N = u.shape
    start = np.array([sigma2, sigma2_mu, lam])

    def omega(p):
        root = np.linalg.inv(np.eye(N) - p[2] * W)
        return p[1] * np.kron(np.ones((T, T)), np.eye(N)) + p[0] * np.kron(np.eye(T), root @ root.T)

    inverse = np.linalg.inv(omega(start))
    moved = []
    for i in range(3):
        p = start.astype(complex)
        p[i] += 1e-30j
        moved.append(inverse @ (omega(p).imag / 1e-30))
    v = u.ravel()
    score = np.array([(v @ M @ inverse @ v - np.trace(M)) / 2 for M in moved])
    information = np.array([[np.sum(M * O.T) / 2 for O in moved] for M in moved])
    other = [i for i in range(3) if i != tested]
    slope = np.linalg.solve(information[np.ix_(other, other)], information[other, tested])
    return (score[tested] - slope @ score[other]) / np.sqrt(
        information[tested, tested] - slope @ information[other, tested]
    )


@pytest.mark.parametrize("kind", ["row", "binary", "weighted"])
def test_conditional_tests_are_scores_of_the_likelihood(example, kind):
    panel, w = example(10, 5, kind)
    W = w.to_dense().to_numpy()
    design = build_design(FORMULA, panel)
    found = baltagi_song_koh_tests(FORMULA, panel, w)["statistic"]

    def disturbances(fit):
        return design.y - fit.params["Intercept"] - design.X @ fit.params[["x1", "x2"]].to_numpy()

    random = sde.fit(FORMULA, panel, w, model="ols", fixed="none", random=True)
    parts = {"sigma2": random.sigma2, "sigma2_mu": random.params["sigma2_mu"], "lam": 0.0}
    expected = dense_score(disturbances(random), W, tested=2, **parts)
    assert found["BSK LM lambda | mu"] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    sem = sde.fit(FORMULA, panel, w, model="sem", fixed="none")
    parts = {"sigma2": sem.sigma2, "sigma2_mu": 0.0, "lam": sem.lam}
    expected = dense_score(disturbances(sem), W, tested=1, **parts)
    assert found["BSK LM mu | lambda"] == pytest.approx(expected, rel=1e-6)


def test_negative_growth_does_not_count_in_the_joint_test(example, quietly):
    panel, w = example(30, 4, "row", seed=5)
    frame = panel.to_frame().reset_index()
    rng = np.random.default_rng(3)
    frame["y"] = rng.normal(size=len(frame))
    frame["y"] -= 0.8 * frame.groupby("unit")["y"].transform("mean")  # units more alike than by chance
    found = quietly(baltagi_song_koh_tests, "y ~ x1", sde.Panel(frame, unit="unit", time="year"), w)
    assert found.loc["BSK LM1", "statistic"] < 0
    assert found.loc["BSK LM1", "p_value"] > 0.5
    assert found.loc["BSK joint", "statistic"] == pytest.approx(found.loc["BSK LM2", "statistic"] ** 2)


def test_cd_as_plm(cigarettes, quietly):
    """plm 2.6-2: pcdtest(plm(logc ~ logp + logy, model = "pooling" or "within"), test = "cd")."""
    panel, w, _ = cigarettes
    for fixed, expected in (("none", 81.162417040590), ("individual", 42.821287716618)):
        fit = quietly(sde.fit, CIGARETTES, panel, w, model="ols", fixed=fixed)
        assert pesaran_cd(fit).statistic == pytest.approx(expected, rel=1e-9)


def test_cd_from_the_definition(example):
    panel, w = example(9, 6, "row")
    fit = sde.fit(FORMULA, panel, w, model="sar", fixed="individual")
    r = np.corrcoef(fit.estimate.e.T)
    expected = np.sqrt(2 * 6 / (9 * 8)) * np.sum(np.triu(r, 1))
    assert pesaran_cd(fit).statistic == pytest.approx(expected, rel=1e-10)


def test_cd_is_refused_with_time_effects(example):
    panel, w = example(9, 6, "row")
    with pytest.raises(IdentificationError, match="randomised_w_test"):
        pesaran_cd(sde.fit(FORMULA, panel, w, model="ols"))


def spatial_panel(w, lam, *, times=8, seed=0):
    rng = np.random.default_rng(seed)
    W = w.to_dense().to_numpy()
    e = np.linalg.solve(np.eye(w.n) - lam * W, rng.normal(size=(w.n, times)))
    frame = panel_frame(w, times)
    frame["x"] = rng.normal(size=len(frame))
    factor = rng.normal(size=times) * 3.0
    frame["y"] = (e + factor).T.ravel() + frame["x"]
    return sde.Panel(frame, unit="unit", time="year")


def panel_frame(w, times):
    index = pd.MultiIndex.from_product([range(2000, 2000 + times), w.ids], names=["year", "unit"])
    return index.to_frame(index=False)


@pytest.mark.parametrize("fixed", ["individual", "two-way"])
def test_randomised_w_tells_a_common_factor_from_dependence_along_w(example, fixed, quietly):
    _, w = example(40, 1, "row")
    p = {lam: [] for lam in (0.0, 0.8)}
    for lam, values in p.items():
        for seed in range(40 if lam == 0.0 else 5):
            fit = quietly(sde.fit, "y ~ x", spatial_panel(w, lam, seed=seed), w, model="ols", fixed=fixed)
            values.append(randomised_w_test(fit, draws=99, seed=seed).p_value)
    assert np.mean(np.array(p[0.0]) < 0.1) < 0.25  # 40 samples: 10 % with a standard error of 5 points
    assert np.median(p[0.8]) < 0.05


def test_randomised_w_statistic_and_labels(example):
    panel, w = example(12, 6, "row")
    fit = sde.fit(FORMULA, panel, w, model="ols")
    r = np.corrcoef(fit.estimate.e.T)
    W = w.to_dense().to_numpy()
    found = randomised_w_test(fit)
    assert found.statistic == pytest.approx(np.sum(W * r) / W.sum(), rel=1e-10)
    assert randomised_w_test(fit, w.reorder(list(w.ids)[::-1])) == found
    assert randomised_w_test(fit, seed=1).p_value == pytest.approx(found.p_value, abs=0.08)
    with pytest.raises(OptionError, match="draws"):
        randomised_w_test(fit, draws=5)


def test_p_values_of_variances_are_one_sided_and_of_both_a_mixture(example, quietly):
    """The p-values of splm are zero on its data: here they are compared with the distributions that they come from."""
    panel, w = example(30, 4, "row", seed=1)
    frame = panel.to_frame().reset_index()
    frame["y"] = np.random.default_rng(2).normal(size=len(frame))
    found = quietly(baltagi_song_koh_tests, "y ~ x1", sde.Panel(frame, unit="unit", time="year"), w)
    for name in ("BSK LM1", "BSK LM mu | lambda"):
        assert found.loc[name, "p_value"] == pytest.approx(stats.norm.sf(found.loc[name, "statistic"]), rel=1e-10)
    for name in ("BSK LM2", "BSK LM lambda | mu"):
        two_sided = 2 * stats.norm.sf(abs(found.loc[name, "statistic"]))
        assert found.loc[name, "p_value"] == pytest.approx(two_sided, rel=1e-10)
    joint = found.loc["BSK joint"]
    mixture = (stats.chi2.sf(joint["statistic"], 1) + stats.chi2.sf(joint["statistic"], 2)) / 2
    assert joint["p_value"] == pytest.approx(mixture, rel=1e-10)
    assert 0.01 < joint["p_value"] < 1.0


def test_the_mixture_is_the_law_of_the_joint_statistic():
    """Two standard normals of which one counts only where it is positive: 100,000 draws, error .07 points."""
    first, second = np.random.default_rng(0).normal(size=(2, 100_000))
    statistic = np.maximum(first, 0.0) ** 2 + second**2
    share = np.mean((stats.chi2.sf(statistic, 1) + stats.chi2.sf(statistic, 2)) / 2 < 0.05)
    assert share == pytest.approx(0.05, abs=0.003)


@pytest.mark.parametrize("seed", [0, 1])
def test_randomised_w_counts_draws_as_far_out_and_the_sample(example, seed):
    panel, w = example(12, 6, "row")
    fit = sde.fit(FORMULA, panel, w, model="ols")
    r, W, rng = np.corrcoef(fit.estimate.e.T), w.to_dense().to_numpy(), np.random.default_rng(seed)
    drawn = []
    for _ in range(99):
        order = rng.permutation(12)
        drawn.append(np.sum(W * r[np.ix_(order, order)]) / W.sum())
    real, centre = np.sum(W * r) / W.sum(), np.mean(drawn)
    beyond = np.sum(np.abs(np.array(drawn) - centre) >= abs(real - centre))
    assert randomised_w_test(fit, draws=99, seed=seed).p_value == pytest.approx((1 + beyond) / 100)
