"""A batch of replications gives what one fit after another gives."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import FORMULA, instances, make, quiet_fit, random_checks

import spatial_de as sde
from spatial_de.effects.replications import effects_of_replications
from spatial_de.errors import ConvergenceError, EstimationWarning, IdentificationError, OptionError
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
from spatial_de.models.estimate import make_likelihood
from spatial_de.models.replications import estimate_replications
from spatial_de.panel.design import build_design

ONE_PARAMETER = tuple(name for name, spec in MODELS.items() if not (spec.lag_y and spec.lag_error))
REPLICATIONS = 5


def problem_of(case, design, model, **options):
    links = SpatialLinks.same(case.weights())
    settings = {"effects": case.fixed, "bias": case.bias} | options
    return build_problem(design, links, spec=MODELS[model], **settings)


def assert_same_as_single_fits(batch, singles):
    for r, one in enumerate(singles):
        assert batch.names == one.names
        status = one.optimization.status
        assert batch.status[r] == ("converged" if status == "closed form" else status)
        assert batch.n_maxima[r] == max(1, len(one.optimization.local_maxima))
        np.testing.assert_allclose(batch.loglik[r], one.loglik, rtol=1e-9, atol=1e-9)
        if not one.optimization.converged:
            np.testing.assert_allclose(batch.params[r], one.params, rtol=1e-7)
            assert np.isnan(batch.bread[r]).all()
            continue
        se = np.sqrt(np.diag(one.bread))
        np.testing.assert_allclose((batch.params[r] - one.params) / se, 0.0, atol=1e-9)
        np.testing.assert_allclose((batch.bread[r] - one.bread) / np.outer(se, se), 0.0, atol=1e-9)


@pytest.mark.parametrize("model", ONE_PARAMETER)
@random_checks(8)
@given(
    case=instances(biases=("lee-yu", "none")),
    own=st.booleans(),
    offset=st.sampled_from([0.0, 100.0]),
    noise=st.sampled_from([0.5, 10.0]),
    logdet=st.sampled_from(["auto", "sparse"]),
)
def test_a_batch_is_its_single_fits(case, model, own, offset, noise, logdet):
    design = build_design(FORMULA, case.panel())
    rng = np.random.default_rng(0)
    y = design.y + offset + noise * rng.normal(size=(REPLICATIONS, *design.y.shape))
    X = design.X + offset + rng.normal(size=(REPLICATIONS, *design.X.shape))
    X = X if own else np.broadcast_to(design.X, X.shape)
    problems = [problem_of(case, replace(design, y=y[r], X=X[r]), model) for r in range(REPLICATIONS)]
    if problems[0].n_time_dummies and case.bias != "none":
        with pytest.raises(OptionError, match="bias correction"):
            estimate_replications(problems[0], y)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        try:
            singles = [estimate_ml(problem, logdet=logdet) for problem in problems]
        except (ConvergenceError, IdentificationError):  # what a single fit refuses has tests of its own
            return
    batch = estimate_replications(problems[0], y, X=X if own else None, logdet=logdet)
    assert_same_as_single_fits(batch, singles)


@pytest.mark.parametrize("model", ONE_PARAMETER)
@random_checks(4)
@given(
    case=instances(biases=("none",)),
    noise=st.sampled_from([0.5, 10.0]),
    durbin=st.sampled_from([None, ("x2",)]),
)
def test_effects_of_a_batch_are_those_of_its_single_fits(case, model, noise, durbin):
    design = build_design(FORMULA, case.panel())
    y = design.y + noise * np.random.default_rng(0).normal(size=(4, *design.y.shape))
    durbin = durbin if MODELS[model].lag_x else None
    batch = estimate_replications(problem_of(case, design, model, durbin=durbin), y)
    found = effects_of_replications(batch)
    assert found.terms == ("x1", "x2")
    for r in range(4):
        frame = case.table.assign(y=y[r].ravel())  # rows of the table run over units within years
        if not batch.converged[r]:
            assert np.isnan(found.estimate[r]).all()
            continue
        fit = quiet_fit(
            FORMULA,
            sde.Panel(frame, "unit", "year"),
            case.weights(),
            model=model,
            fixed=case.fixed,
            bias="none",
            durbin=durbin,
        )
        table = fit.effects("delta").table
        np.testing.assert_allclose(batch.std_errors[r], fit.std_errors, rtol=1e-8)
        scale = np.abs(table["estimate"].to_numpy()).max()
        np.testing.assert_allclose(found.estimate[r].ravel(), table["estimate"], rtol=1e-9, atol=1e-9 * scale)
        scale = table["std_error"].to_numpy().max()
        np.testing.assert_allclose(found.std_error[r].ravel(), table["std_error"], rtol=1e-8, atol=1e-9 * scale)


@pytest.mark.parametrize("own", [False, True])
def test_replications_at_a_bound_are_marked_and_have_no_standard_errors(own):
    case = make(1, n=9, t=3, kind="one-way", fixed="individual", bias="none")
    design = build_design(FORMULA, case.panel())
    rng = np.random.default_rng(0)
    y = design.y + 20.0 * rng.normal(size=(40, *design.y.shape))
    X = design.X + rng.normal(size=(40, *design.X.shape))
    X = X if own else np.broadcast_to(design.X, X.shape)
    batch = estimate_replications(problem_of(case, design, "sdem"), y, X=X if own else None)
    stuck = np.flatnonzero(batch.status == "at bound")
    assert 0 < len(stuck) < 40
    singles = [estimate_ml(problem_of(case, replace(design, y=y[r], X=X[r]), "sdem")) for r in range(40)]
    assert_same_as_single_fits(batch, singles)
    assert np.isnan(batch.std_errors[stuck]).all()
    assert np.isnan(effects_of_replications(batch).estimate[stuck]).all()


def test_the_highest_of_several_maxima_is_taken():
    """Against the concentrated log-likelihood on a fine grid."""
    case = make(0, n=9, t=3, kind="islands", fixed="two-way", bias="none")
    design = build_design(FORMULA, case.panel())
    y = design.y + 20.0 * np.random.default_rng(0).normal(size=(60, *design.y.shape))
    for model in ("sar", "sdem"):
        batch = estimate_replications(problem_of(case, design, model), y)
        several = np.flatnonzero(batch.n_maxima > 1)
        assert len(several) > 5
        for r in several:
            problem = problem_of(case, replace(design, y=y[r]), model)
            likelihood = make_likelihood(problem)
            grid = np.linspace(*batch.logdet.bounds, 600)[1:-1]
            at = [likelihood.at(x, 0.0) if model == "sar" else likelihood.at(0.0, x) for x in grid]
            best = max(point.loglik for point in at) - problem.n * np.log(problem.y_scale)
            assert best <= batch.loglik[r] + 1e-9
            assert best > batch.loglik[r] - 0.05
