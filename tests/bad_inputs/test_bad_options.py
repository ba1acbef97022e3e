"""More bad input to `fit`, `Panel` and effects, each with the exact message; numbers as in test_bad_inputs.py."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de import errors as e
from spatial_de.weights import SpatialWeights

N, T = 8, 5
IDS = [f"u{i}" for i in range(N)]
RNG = np.random.default_rng(0)
LONG = pd.DataFrame([(unit, year) for unit in IDS for year in range(2010, 2010 + T)], columns=["id", "year"])
LONG[["x", "y", "z"]] = RNG.standard_normal((N * T, 3))
CROSS = pd.DataFrame(RNG.standard_normal((N, 3)), index=IDS, columns=["x", "y", "z"])
I = np.arange(N)
RING = np.zeros((N, N))
RING[I, (I + 1) % N] = RING[(I + 1) % N, I] = 1.0
W = SpatialWeights(RING, IDS, normalization="row")
FOUR = SpatialWeights(np.diag([1.0] * 3, 1) + np.diag([1.0] * 3, -1), list("abcd"))
COMMON = LONG.assign(y=LONG["year"].map(dict(enumerate(RNG.standard_normal(T), start=2010))))


def panel(frame=LONG, **columns):
    return sde.Panel(frame.assign(**columns), "id", "year")


def fit(formula="y ~ x", data=None, w=W, **options):
    return sde.fit(formula, panel() if data is None else data, w, **options)


def quietly(function):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", e.EstimationWarning)
        return function()


TO_PLAIN_NUMBERS = "where plain numbers are needed: convert it first."
CANNOT_LAG = (
    "lags regressors, and the formula has none that can be lagged (dummies and constants cannot): use model='sar', 'sem' "
    "or 'ols'."
)

REFUSED = {
    "6 blanks after the ids": (
        lambda: fit(data=panel(id=LONG["id"] + " ")),
        e.AlignmentError,
        "The units of weights and data are written differently, such as 'u0' and 'u0 ': 8 of them would match without "
        "blanks at the ends and with characters in one form. Labels are compared as given; clean both sides, e.g. "
        "ids.str.normalize('NFKC').str.strip().",
    ),
    "6a full-width letters": (
        lambda: fit(data=panel(id=LONG["id"].str.replace("u", "\uff55"))),
        e.AlignmentError,
        "The units of weights and data are written differently, such as 'u0' and '\uff550': 8 of them would match without "
        "blanks at the ends and with characters in one form. Labels are compared as given; clean both sides, e.g. "
        "ids.str.normalize('NFKC').str.strip().",
    ),
    "7a a unit twice in a cross-section": (
        lambda: fit(data=pd.concat([CROSS, CROSS.iloc[:1]]), model="sar"),
        e.AlignmentError,
        "The data: 1 label occurs more than once: 'u0'. Every unit may occur only once.",
    ),
    "11c NaN in a cross-section": (
        lambda: fit(data=CROSS.assign(x=CROSS["x"].where(CROSS.index != "u3")), model="sar"),
        e.DataError,
        "1 value missing: x at u3. Complete them, drop the units or times explicitly, or leave the variable out.",
    ),
    "11d a missing value in a nullable column": (
        lambda: fit(data=panel(x=pd.array([None, *range(39)], dtype="Int64"))),
        e.DataError,
        "1 value missing: x at u0, 2010. Complete them, drop the units or times explicitly, or leave the variable out.",
    ),
    "11e a unit without label": (
        lambda: panel(id=LONG["id"].where(LONG.index > 1)),
        e.PanelError,
        "Column 'id' is missing in 2 rows of the table (row 1, 2, where the first is 1).",
    ),
    "13b categories": (
        lambda: fit(data=panel(x=pd.Categorical(["a", "b"] * 20))),
        e.DataError,
        "Variable 'x' holds text where numbers are needed: 'a' at u0, 2010, 'b' at u0, 2011, 'a' at u0, 2012 and 37 "
        "more. Categories are written C(x) in a formula.",
    ),
    "13c dates as a regressor": (
        lambda: fit(data=panel(x=pd.Timestamp("2020-01-01").as_unit("ns"))),
        e.DataError,
        f"Variable 'x' has the type datetime64[ns] {TO_PLAIN_NUMBERS}",
    ),
    "13d complex numbers": (
        lambda: fit(data=panel(x=LONG["x"] + 1j)),
        e.DataError,
        f"Variable 'x' has the type complex128 {TO_PLAIN_NUMBERS}",
    ),
    "13e numbers in an object column": (
        lambda: fit(data=panel(x=LONG["x"].astype(object))),
        e.DataError,
        "Variable 'x' holds numbers in a column of mixed objects: convert it, df['x'] = pd.to_numeric(df['x']).",
    ),
    "15 sizes beyond double precision": (
        lambda: fit(data=panel(y=LONG["y"] * 1e200)),
        e.DataError,
        "Variable 'y' has values of size 7e+199: express it in other units.",
    ),
    "17a a response that is nothing but effects": (
        lambda: fit(data=panel(y=LONG["id"].str[1:].astype(int) + LONG["year"])),
        e.DataError,
        "The response 'y' does not vary beyond its two-way effects: there is nothing to explain.",
    ),
    "19a the response among the regressors": (
        lambda: fit("y ~ y + x", model="sar"),
        e.FormulaError,
        "The formula 'y ~ y + x' has 'y' on both sides of '~'.",
    ),
    "23a two units": (
        lambda: fit(data=CROSS.iloc[:2], w=SpatialWeights([[0, 1], [1, 0]], IDS[:2]), model="sar"),
        e.IdentificationError,
        "2 free observations cannot determine 2 coefficients: use fewer regressors, fewer effects or more data.",
    ),
    "23b too few units for the instruments": (
        lambda: fit("y ~ x + z", CROSS, method="gmm"),
        e.IdentificationError,
        "8 instruments for 8 units fit the lagged response exactly: use fewer regressors, a smaller instrument_lags=, "
        "more units, or method='ml'.",
    ),
    "26a columns twice in a cross-section": (
        lambda: fit(data=pd.concat([CROSS, CROSS[["x"]]], axis=1), model="sar"),
        e.PanelError,
        "Columns occur more than once: 'x'. Rename or drop them.",
    ),
    "27 thousands separators": (
        lambda: fit(data=panel(x=["1,234"] * 40)),
        e.DataError,
        "Variable 'x' holds text where numbers are needed: '1,234' at u0, 2010, '1,234' at u0, 2011, '1,234' at u0, 2012 "
        "and 37 more.",
    ),
    "27a percent signs": (
        lambda: fit(data=panel(x=["12%"] + ["3"] * 39)),
        e.DataError,
        "Variable 'x' holds text where numbers are needed: '12%' at u0, 2010.",
    ),
    "47a effects of an estimate at the bound": (
        lambda: quietly(lambda: fit(data=panel(COMMON), model="sar", fixed="individual")).effects(),
        e.ConvergenceError,
        "The estimate has no covariance (rho or lambda is at its bound), so that effects have none either.",
    ),
    "50a fixed effects of a cross-section": (
        lambda: fit(data=CROSS, model="sar", fixed="two-way"),
        e.OptionError,
        "fixed='two-way' needs a panel: build sde.Panel(df, unit=..., time=...).",
    ),
    "50b bias correction of a cross-section": (
        lambda: fit(data=CROSS, model="sar", bias="lee-yu"),
        e.OptionError,
        "bias='lee-yu' belongs to fixed effects: this is a cross-section.",
    ),
    "50c clusters in a cross-section": (
        lambda: fit(data=CROSS, model="sar", cov="cluster"),
        e.OptionError,
        "cov='cluster' needs a panel with at least two times; use cov='classical'.",
    ),
    "52a significance above one": (
        lambda: sde.local_moran(CROSS["x"], W, alpha=1.5),
        e.OptionError,
        "alpha=1.5 is not allowed: give a number between 0 and 1.",
    ),
    "52b one draw": (
        lambda: fit().effects(draws=1),
        e.OptionError,
        "draws=1 is not allowed: give a whole number of at least 2.",
    ),
    "52c half a draw": (
        lambda: fit().effects(draws=10.5),
        e.OptionError,
        "draws=10.5 is not allowed: give a whole number of at least 2.",
    ),
    "52d no seed": (
        lambda: fit().effects(seed=None),
        e.OptionError,
        "seed=None is not allowed: give a whole number of at least 0.",
    ),
    "52e a level in per cent": (
        lambda: fit().effects(level=95),
        e.OptionError,
        "level=95 must lie between 0 and 1.",
    ),
    "52f a bandwidth longer than the panel": (
        lambda: fit(cov="driscoll-kraay", bandwidth=99),
        e.OptionError,
        "bandwidth=99 must lie between 0 and T - 1 = 4.",
    ),
    "52g a bandwidth as text": (
        lambda: fit(cov="driscoll-kraay", bandwidth="2"),
        e.OptionError,
        "bandwidth='2' is not allowed: give a whole number of at least 0.",
    ),
    "52h a bandwidth for nothing": (
        lambda: fit(bandwidth=3),
        e.OptionError,
        "bandwidth=3 belongs to cov='driscoll-kraay', not to cov='classical'.",
    ),
    "Aa a model in capitals": (
        lambda: fit(model="SDM"),
        e.OptionError,
        "model='SDM' is not available: use one of 'ols', 'slx', 'sar', 'sem', 'sac', 'sdm', 'sdem', 'gns'. Did you mean 'sdm'?",
    ),
    "Ca no formula": (
        lambda: fit(["y", "x"]),
        e.FormulaError,
        "The formula must be text such as 'y ~ x1 + x2', not list.",
    ),
    "Cb effects in the formula": (
        lambda: fit("y ~ x | id + year"),
        e.FormulaError,
        "The formula 'y ~ x | id + year' has a part after '|': choose fixed effects by fixed='individual', 'time' or "
        "'two-way' instead.",
    ),
    "Cc a square in the formula": (
        lambda: fit("y ~ x + x**2"),
        e.FormulaError,
        "The formula 'y ~ x + x**2' raises a variable to a power, which in formulas crosses terms, so that x**2 is x: "
        "write I(x**2) for the square.",
    ),
    "Cd nothing to lag": (lambda: fit("y ~ 1"), e.OptionError, f"model='sdm' {CANNOT_LAG}"),
    "Ce only dummies to lag": (
        lambda: fit("y ~ C(g)", CROSS.assign(g=list("aabbccaa"))),
        e.OptionError,
        f"model='sdm' {CANNOT_LAG}",
    ),
    "Cf a parameter's name": (
        lambda: fit("y ~ rho", CROSS.rename(columns={"x": "rho"}), model="sar"),
        e.FormulaError,
        "Two parameters would be called 'rho': rename the regressor, or leave out of the formula what the model lags by "
        "itself.",
    ),
    "Da a name instead of a list": (
        lambda: fit("y ~ x + z", durbin="x"),
        e.OptionError,
        "durbin='x' must be a list of names: durbin=['x'].",
    ),
    "Db a lag of what is not there": (
        lambda: fit("y ~ x + z", durbin=["zz"]),
        e.OptionError,
        "durbin= names 'zz', which is not a regressor. Did you mean 'z'? There are 'x', 'z'.",
    ),
    "Fa a dictionary instead of a table": (
        lambda: sde.Panel({"id": [1]}, "id", "year"),
        e.PanelError,
        "A panel is built from a pandas DataFrame, not from dict.",
    ),
    "Fb unit and time in the index": (
        lambda: sde.Panel(LONG.set_index(["id", "year"]), "id", "year"),
        e.PanelError,
        "'id' is in the index of the data, not among the columns: use df.reset_index().",
    ),
    "Fc one column for both": (
        lambda: sde.Panel(LONG, "id", "id"),
        e.PanelError,
        "Unit and time cannot be the same column, 'id'.",
    ),
    "Fd no rows": (lambda: fit(data=CROSS.iloc[:0], model="sar"), e.DataError, "The data hold no rows."),
    "Fe units of two types": (
        lambda: fit(data=CROSS.rename(index={"u0": 0}), model="sar"),
        e.DataError,
        "The index of the data mixes 'int', 'str': convert the unit labels to one type, e.g. df.index = "
        "df.index.astype(str).",
    ),
    "Ga weights as an array": (
        lambda: fit(w=RING),
        e.WeightsError,
        "Weights must be SpatialWeights, not ndarray: use sde.weights.from_graph(...) for libpysal objects, "
        "sde.weights.from_matrix(a, ids) for matrices.",
    ),
    "Gb two-stage least squares of a panel": (
        lambda: fit(method="gmm"),
        e.OptionError,
        "method='gmm' is for cross-sections; panels are estimated by method='ml'.",
    ),
    "Gc two-stage least squares without anything endogenous": (
        lambda: fit(data=CROSS, model="slx", method="gmm"),
        e.OptionError,
        "method='gmm' has no use in model='slx', whose regressors are their own instruments: use method='ml', which is "
        "least squares, with cov='robust' or 'hac'.",
    ),
    "Gd instruments where there are none": (
        lambda: fit(data=CROSS, model="sem", method="gmm", instrument_lags=2),
        e.OptionError,
        "instrument_lags= has no use in model='sem' with method='gmm': it belongs to models with a lagged response, 'sar', "
        "'sac', 'sdm' and 'gns', with method='gmm'.",
    ),
    "Ge half a lag": (
        lambda: fit(data=CROSS, model="sar", method="gmm", instrument_lags=0.5),
        e.OptionError,
        "instrument_lags=0.5 is not allowed: give a whole number of at least 1.",
    ),
    "Gf information of moments": (
        lambda: fit(data=CROSS, model="sar", method="gmm", information="expected"),
        e.OptionError,
        "information='expected' belongs to method='ml': moments have no information matrix.",
    ),
    "Gg clusters of a cross-section": (
        lambda: fit(data=CROSS, model="sem", method="gmm", cov="cluster"),
        e.OptionError,
        "cov='cluster' is not available for model='sem' with method='gmm': use 'classical' or 'robust'. Its spatial error "
        "is a model of the correlation that cov='hac' leaves open; for 'hac' use a model without it.",
    ),
    "Ha a kernel that is not given": (
        lambda: fit(data=CROSS, model="ols", cov="hac"),
        e.OptionError,
        "cov='hac' needs hac_weights=, kernel weights of pairs: sde.weights.kernel(gdf, bandwidth=...).",
    ),
    "Hb a kernel without use": (
        lambda: fit(data=CROSS, model="ols", cov="robust", hac_weights=W),
        e.OptionError,
        "hac_weights= belongs to cov='hac', not to cov='robust'.",
    ),
    "Hc a kernel as an array": (
        lambda: fit(data=CROSS, model="ols", cov="hac", hac_weights=RING),
        e.WeightsError,
        "hac_weights must be SpatialWeights, not ndarray: use sde.weights.kernel(gdf, bandwidth=...), or "
        "sde.weights.from_matrix(K, ids) for kernel weights of your own.",
    ),
    "Hd a kernel of one direction": (
        lambda: fit(data=CROSS, model="ols", cov="hac", hac_weights=SpatialWeights(np.triu(0.5 * RING), IDS)),
        e.WeightsError,
        "hac_weights must be the same in both directions, K_ij = K_ji, which they are not for ('u0', 'u1'). Use "
        "sde.weights.kernel(gdf, bandwidth=...), or weights with normalize='none'.",
    ),
    "He a kernel above one": (
        lambda: fit(data=CROSS, model="ols", cov="hac", hac_weights=SpatialWeights(2.0 * RING, IDS)),
        e.WeightsError,
        "hac_weights are weights of pairs against one of a unit with itself: 2 of ('u0', 'u1') is above one. Use "
        "sde.weights.kernel(gdf, bandwidth=...), or weights with normalize='none'.",
    ),
    "Hf a kernel of other units": (
        lambda: fit(data=CROSS, model="ols", cov="hac", hac_weights=SpatialWeights(0.5 * RING, [*IDS[:-1], "zz"])),
        e.AlignmentError,
        "The units of weights and data are not the same; 1 unit of data not in weights: 'u7'; 1 unit of weights not in "
        "data: 'zz'. Drop or add units explicitly (w.subset(ids), panel.select(units=...)) so that both hold the same "
        "ones.",
    ),
    "Hg a kernel of a panel": (
        lambda: fit(model="ols", cov="hac", hac_weights=SpatialWeights(0.5 * RING, IDS)),
        e.OptionError,
        "cov='hac' is for cross-sections: use 'driscoll-kraay' or 'cluster' for panels.",
    ),
    "Hh a likelihood of correlated errors": (
        lambda: fit(data=CROSS, model="sar", cov="hac", hac_weights=SpatialWeights(0.5 * RING, IDS)),
        e.OptionError,
        "cov='hac' is not available for model='sar' with method='ml', whose likelihood takes the errors to be independent: "
        "use method='gmm'.",
    ),
}

WARNED = {
    "12a -999 for missing": (
        lambda: fit(data=panel(x=LONG["x"].where(LONG.index % 19 != 0, -999))),
        e.DataWarning,
        "Variable 'x' is -999 at ('u0', 2010), ('u3', 2014), ('u7', 2013), and at most 2.32503 in size elsewhere: a code "
        "for missing values? Set them missing and complete the data, or leave these units out.",
    ),
    "24 a response of two values": (
        lambda: fit(data=panel(y=(LONG["y"] > 0).astype(int))),
        e.EstimationWarning,
        "The response 'y' takes only two values (0 and 1): a linear model treats them as quantities, and its predictions "
        "may lie outside them.",
    ),
    "47 rho at the bound": (
        lambda: fit(data=panel(COMMON), model="sar", fixed="individual"),
        e.EstimationWarning,
        "rho is at the bound of its admissible interval (-1.0000, 1.0000): this is not an interior maximum, and only at "
        "one does the curvature tell how precise estimates are. There are no standard errors (NaN), and effects are not "
        "defined. Often a sign of few observations for the model (choose one with fewer spatial terms), of a missing "
        "trend or missing time effects (add them), or of weights with very many links (use sparser ones).",
    ),
    "54 fewer arrangements than permutations": (
        lambda: sde.moran(pd.Series([1.0, 2.0, 3.0, 5.0], index=list("abcd")), FOUR),
        e.DataWarning,
        "4 values can be arranged in only 24 ways, fewer than the 999 permutations: p_sim repeats the same arrangements "
        "and cannot become finer.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_the_exact_message(case):
    call, error, message = REFUSED[case]
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert str(caught.value) == message


@pytest.mark.parametrize("case", WARNED)
def test_warned_with_the_exact_message(case):
    call, category, message = WARNED[case]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    assert [(item.category, str(item.message)) for item in caught] == [(category, message)]
    assert caught[0].filename == __file__
    if isinstance(result, sde.Results):
        assert result.notes == (message,)


def test_an_estimate_at_the_bound_shows_no_standard_errors():
    fitted = quietly(lambda: fit(data=panel(COMMON), model="sar", fixed="individual"))
    assert not fitted.converged
    assert fitted.std_errors.isna().all()
    assert fitted.optimization.status == "at bound"
    assert not re.search(r"\bnan\b", fitted.summary())


def test_ordinary_large_numbers_are_no_codes():
    """9999 among numbers of its size means nothing."""
    values = np.linspace(9000, 9999, N * T)
    assert fit(data=panel(x=values + RNG.standard_normal(N * T).round(3) * (values < 9999))).notes == ()
