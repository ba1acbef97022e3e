"""Random data, weights and options for the properties that every model must have."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st

import spatial_de as sde
from spatial_de.errors import EstimationWarning
from spatial_de.models import MODELS
from spatial_de.weights import SpatialWeights

ROW_STOCHASTIC = ("row", "asymmetric row", "components")
KINDS = (*ROW_STOCHASTIC, "binary", "spectral", "minmax", "asymmetric", "islands", "one-way")
EFFECTS = ("none", "individual", "time", "two-way")
BIASES = ("lee-yu", "none", "correction")
SPATIAL = tuple(name for name, spec in MODELS.items() if spec.lag_y or spec.lag_error)
LAGGED = tuple(name for name, spec in MODELS.items() if spec.lag_y)
FORMULA = "y ~ x1 + x2"
SLOPES = ["x1", "x2"]

_REPEATABLE = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much],
}


def random_checks(count=12):
    """The same instances on every machine and in every run."""
    return settings(max_examples=count, **_REPEATABLE)


@dataclass(frozen=True)
class Instance:
    """One random problem: long table, raw weights, and the options of a fit."""

    table: pd.DataFrame
    raw: np.ndarray
    normalization: str
    ids: list
    fixed: str
    bias: str

    @property
    def n_units(self):
        return len(self.ids)

    @property
    def n_times(self):
        return self.table["year"].nunique()

    def weights(self, *, scale=1.0):
        return SpatialWeights(self.raw * scale, self.ids, normalization=self.normalization)

    def panel(self, **columns):
        return sde.Panel(self.table.assign(**columns), unit="unit", time="year")

    def fit(self, model, *, data=None, w=None, formula=FORMULA, **options):
        """Fit without the warnings that belong to small direct fits; skip what is not an interior maximum."""
        fit = quiet_fit(
            formula,
            self.panel() if data is None else data,
            self.weights() if w is None else w,
            model=model,
            **({"fixed": self.fixed, "bias": self.bias} | options),
        )
        assume(fit.converged)
        return fit

    def with_effects(self, fixed, bias="none"):
        return replace(self, fixed=fixed, bias=bias)


def quiet_fit(formula, data, w, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return sde.fit(formula, data, w, **options)


def quiet(function, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return function(*args, **options)


def raw_weights(kind, n, rng):
    """Connected random links (a ring and a few more), as a raw matrix and the name of its normalisation."""
    i = np.arange(n)
    links = rng.uniform(size=(n, n)) < min(3.0 / n, 0.2)
    links[i, (i + 1) % n] = True
    np.fill_diagonal(links, val=False)
    if kind == "components":  # two groups without links between them
        links = links | links.T
        links &= (i[:, None] < n // 2) == (i[None, :] < n // 2)
        links[0, 1] = links[1, 0] = links[-1, -2] = links[-2, -1] = True
    if kind in {"row", "binary", "spectral"}:
        links = links | links.T
    values = links * (1.0 if kind in {"row", "components", "binary", "spectral"} else rng.uniform(0.5, 2.0, (n, n)))
    if kind == "islands":
        values[n // 2] = 0.0
    if kind == "one-way":  # links from every unit to later ones in some order: no circles
        order = rng.permutation(n)
        values = values * (order[:, None] < order[None, :])
        values[order == 0, order == 1] = 1.0
    if kind in {*ROW_STOCHASTIC, "islands", "one-way"}:
        return values, "row"
    return values, kind if kind in {"spectral", "minmax"} else "none"


def make(seed, *, n, t, kind, fixed, bias):
    """An instance with spatial dependence, from a spatial Durbin process with unit and time effects.

    All data are multiples of 2^-20, so that offsets of up to 2^30 can be added without rounding.
    """
    rng = np.random.default_rng(seed)
    raw, how = raw_weights(kind, n, rng)
    ids = [f"u{i:02d}" for i in range(n)]
    W = SpatialWeights(raw, ids, normalization=how).sparse.toarray()
    x = rng.normal(size=(t, n, 2)) + rng.normal(size=(1, n, 2))
    noise = rng.normal(size=(t, n)) + rng.normal(size=(1, n)) + rng.normal(size=(t, 1))
    mean = x @ [1.0, -0.5] + (x @ [0.5, 0.3]) @ W.T + noise
    reach = np.abs(np.linalg.eigvals(W)).max() or W.sum(axis=1).max()
    y = np.linalg.solve(np.eye(n) - rng.uniform(-0.3, 0.6) / reach * W, mean.T).T
    x, y = np.round(x * 2.0**20) / 2.0**20, np.round(y * 2.0**20) / 2.0**20
    index = pd.MultiIndex.from_product([range(2000, 2000 + t), ids], names=["year", "unit"])
    columns = {"y": y.ravel(), "x1": x[:, :, 0].ravel(), "x2": x[:, :, 1].ravel()}
    table = pd.DataFrame(columns, index=index).reset_index()
    return Instance(table, raw, how, ids, fixed, bias)


@st.composite
def instances(draw, *, kinds=KINDS, effects=EFFECTS, biases=BIASES, n=(8, 30), t=(1, 8)):
    """Instances of the stated kinds of weights, effects, treatments of bias and sizes."""
    fixed = draw(st.sampled_from(effects))
    return make(
        draw(st.integers(0, 10**6)),
        n=draw(st.integers(*n)),
        t=draw(st.integers(max(t[0], 1 if fixed == "none" else 3), t[1])),
        kind=draw(st.sampled_from(kinds)),
        fixed=fixed,
        bias="none" if fixed == "none" else draw(st.sampled_from(biases)),
    )


def assert_same_numbers(found, expected, *, rtol=1e-12, statistics=True):
    """Equal estimates, covariances and log-likelihoods, in units of standard errors where estimates are near zero."""
    se = expected.std_errors.to_numpy()
    a, b = found.params[expected.params.index].to_numpy(), expected.params.to_numpy()
    np.testing.assert_array_less(np.abs(a - b), rtol * (np.abs(b) + se) + 1e-300)
    if statistics:
        left = found.cov.loc[expected.cov.index, expected.cov.columns].to_numpy()
        np.testing.assert_allclose(left / np.outer(se, se), expected.cov / np.outer(se, se), rtol=0, atol=100 * rtol)
        np.testing.assert_allclose(found.loglik, expected.loglik, rtol=rtol, atol=100 * rtol)
