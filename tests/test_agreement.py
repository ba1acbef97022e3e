"""The agreement command in small: ours is exact, every difference has its reason, and a wrong number is seen."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import agreement

        yield agreement
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.fixture(scope="module")
def small(script):
    """Columbus with all its peers; the growth panel with four of its eighty fits."""
    from agreement_parts.compare import Case

    samples = script.load()
    cross = script.chapter(samples["columbus-row"], script.read())
    cases = [Case("usgrowth", model, "two-way", bias) for model in ("sdm", "gns") for bias in ("lee-yu", "correction")]
    return [cross, replace(cross, sample=samples["usgrowth"], rows=[script.row(samples["usgrowth"], c) for c in cases])]


def test_ours_is_exact_and_every_difference_has_its_reason(script, small):
    assert script.complaints(small) == []
    assert max(row.worst for chapter in small for row in chapter.rows) < 1e-8
    compared, explained = small[0].compared, small[0].explained
    assert len(compared) > 400
    assert {one.comparison.fit.peer for one in explained} == {"spatialreg", "spreg"}
    assert len(explained) < len(compared) / 10


def test_a_wrong_number_is_seen(script, small):
    row = small[1].rows[0]
    for name in row.ours.params:
        wrong = replace(row.ours, params=row.ours.params | {name: row.ours.params[name] * (1 + 1e-5) + 1e-5})
        other = replace(row, ours=wrong, differences=script.differences(wrong, row.exact))
        [complaint] = script.complaints([replace(small[1], rows=[other], explained=[])])
        assert "usgrowth, SDM, two-way, Lee-Yu: estimates differ by" in complaint


def test_a_peers_number_without_reason_is_seen(script, small):
    [chapter, _] = small
    matched = next(one for one in chapter.compared if one.matched and one.kind == "estimate")
    off = replace(matched, theirs=matched.theirs * 1.01, difference=0.01)
    assert script.explain(off).reason is None
    [complaint] = script.complaints([replace(chapter, explained=[script.explain(off)])])
    assert complaint.endswith("no reason")


def test_the_page_says_what_the_numbers_say(script, small):
    text = script.render(small[:1], tolerance=1e-6, command=script.COMMAND)
    assert f"{len(small[0].compared):,} numbers stored" in text
    assert "direct INC -1.04181 / -0.9768" in text
    assert "**none**" not in text
    row = next(row for row in small[0].rows if row.case.title == "GNS")
    assert f"| GNS | {row.exact.params['rho']:.6f} | {row.exact.params['lambda']:.6f} |" in text


def test_the_page_in_the_docs_is_complete(script):
    text = (ROOT / "docs" / "agreement.md").read_text(encoding="utf-8")
    assert script.COMMAND in text
    assert "**none**" not in text
    for sample in script.load().values():
        assert f"## {sample.title}\n" in text
    stored = 0
    for path in (ROOT / "tests" / "golden" / "peers").rglob("*.json"):
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
            stored += len(case.get("params", {})) + len(case.get("se", {})) + ("loglik" in case)
            stored += 3 * len(case.get("effects", {}))
    assert f"{stored:,} numbers stored" in text, "run the command again: the figures have changed"


def test_peers_figures_say_where_they_are_from():
    for path in (ROOT / "tests" / "golden" / "peers").rglob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["peer"], path
        assert content["version"], path
        assert content["script"], path
        assert ("explanation" in content) == (path.parent.name == "known_wrong"), path
        assert all(case["command"] for case in content["cases"]), path


def test_exact_agrees_with_the_brute_force_module(script):
    """Period by period with written gradients, against stacked matrices with complex steps."""
    from agreement_parts import exact

    rng = np.random.default_rng(5)
    T, N = 4, 9
    W = exact.dense.normalised(exact.dense.matrix("asymmetric-row", N, 3)[0], "row")
    X = rng.normal(size=(T, N, 2))
    y = np.linalg.solve(np.eye(N) - 0.4 * W, (X.sum(axis=2) + rng.normal(size=(T, N))).T).T
    flags = {"lag_y": True, "lag_x": True, "lag_error": True}
    for transformed in ((), ("individual", "time")):
        model = exact.dense.build(y, X, W, **flags, fixed="two-way", transformed=transformed)
        likelihood = exact.Likelihood(model)
        params = likelihood.maximum()
        np.testing.assert_allclose(params, model.fit(), rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(likelihood.gradient(params), model.score(params), atol=1e-8)
        np.testing.assert_allclose(likelihood.concentrated(params[-3:-1]), model.at(params), rtol=1e-12)
        np.testing.assert_allclose(likelihood.observed(params), model.information(params), rtol=1e-6, atol=1e-5)
    one_way = exact.dense.build(y, X, W, **flags, fixed="time", transformed=())
    likelihood = exact.Likelihood(one_way)
    expected = exact.dense.bias_correction(one_way, T * (N - 1), published=True)
    np.testing.assert_allclose(likelihood.corrected(likelihood.maximum(), n_free=T * (N - 1)), expected, rtol=1e-8)


@pytest.mark.parametrize(("sample", "model", "maxima"), [("row", "SAC", 1), ("row", "GNS", 1), ("binary", "SAC", 2)])
def test_ours_is_the_highest_of_all_maxima_and_so_is_spatialregs(script, sample, model, maxima):
    """Columbus: with binary weights the likelihood of the SAC has two maxima."""
    data = script.load()[f"columbus-{sample}"]
    row = script.row(data, script.Case(data.name, model.lower()))
    assert len(row.exact.optima) == maxima
    np.testing.assert_allclose([row.ours.params["rho"], row.ours.params["lambda"]], row.exact.optima[0], rtol=1e-9)
    fits = [f for f in script.read() if f.case == row.case and f.peer == "spatialreg" and f.method.startswith("eigen")]
    assert fits
    estimates = [c for fit in fits for c in script.compare(fit) if c.kind in {"estimate", "logL"}]
    assert all(c.matched for c in estimates)


def test_random_effects_are_exact_and_errors_of_splm_have_their_reason(script):
    data = script.load()["cigarettes"]
    row = script.row(data, script.Case(data.name, "sar", random="bsk"))
    assert row.ours.interior
    assert row.worst < 1e-9
    [fit] = [f for f in script.read() if f.case == row.case]
    misses = [script.explain(c) for c in script.compare(fit) if not c.matched]
    assert {one.comparison.label for one in misses} >= {"Intercept", "logp", "logy"}
    assert all(one.reason for one in misses)
    c = next(m.comparison for m in misses if m.comparison.kind == "standard error" and m.comparison.label == "logp")
    assert script.explain(replace(c, theirs=1.001 * c.theirs)).reason is None


def test_moments_are_exact_and_spreg_has_fewer_instruments_with_binary_weights(script):
    data = script.load()["columbus-binary"]
    row = script.row(data, script.Case(data.name, "sac", method="gmm-robust"))
    assert row.worst < 1e-9
    [fit] = [f for f in script.read() if f.case == row.case]
    misses = [script.explain(c) for c in script.compare(fit) if not c.matched]
    assert misses
    assert all(one.reason for one in misses)
    rho = next(one.comparison for one in misses if one.comparison.label == "rho")
    assert script.explain(replace(rho, theirs=1.01 * rho.theirs)).reason is None


def test_panels_with_gaps_are_exact(script):
    from agreement_parts.gaps import SAMPLE, compare, thinned

    one = thinned(script.load()[SAMPLE])
    gap = compare(one, "sdm", "two-way", bias="lee-yu", missing="zero")
    assert gap.worst < 1e-8
    assert script.complaints([], [replace(gap, errors=1e-5)])
    assert script.complaints([], [gap]) == []
