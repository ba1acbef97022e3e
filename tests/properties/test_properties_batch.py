"""A batch of replications gives what one fit after another gives."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_instances import FORMULA, instances, random_checks

from spatial_de.errors import EstimationWarning, OptionError, SpatialDEError
from spatial_de.models import MODELS, SpatialLinks, build_problem, estimate_ml
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
        np.testing.assert_allclose(batch.loglik[r], one.loglik, rtol=1e-11)
        if not one.optimization.converged:
            np.testing.assert_allclose(batch.params[r], one.params, rtol=1e-7)
            assert np.isnan(batch.bread[r]).all()
            continue
        se = np.sqrt(np.diag(one.bread))
        np.testing.assert_allclose((batch.params[r] - one.params) / se, 0.0, atol=1e-9)
        np.testing.assert_allclose((batch.bread[r] - one.bread) / np.outer(se, se), 0.0, atol=1e-9)


@random_checks(60)
@given(
    case=instances(biases=("lee-yu", "none")),
    model=st.sampled_from(ONE_PARAMETER),
    own=st.booleans(),
    offset=st.sampled_from([0.0, 1e6]),
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
        except SpatialDEError:  # what a single fit refuses has tests of its own
            return
    batch = estimate_replications(problems[0], y, X=X if own else None, logdet=logdet)
    assert_same_as_single_fits(batch, singles)
