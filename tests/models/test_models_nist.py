"""Certified coefficients of NIST's reference datasets for linear regression."""

import numpy as np
import pandas as pd
import pytest

import spatial_de as sde
from spatial_de.errors import EstimationWarning, IdentificationError


def digits(found, certified):
    """Log relative error: the number of correct digits of the worst value (15 at most, as certified)."""
    gap = np.abs(np.asarray(found) - certified) / np.abs(certified)
    return float(-np.log10(np.maximum(gap, 1e-15)).min())


def test_longley(golden):
    certified = golden("nist_strd.json")["longley"]
    table = pd.DataFrame(certified["data"], columns=certified["columns"])
    table.index = pd.Index(table["x6"].astype(int), name="year")
    fit = sde.fit("y ~ x1 + x2 + x3 + x4 + x5 + x6", table, model="ols")
    assert digits(fit.params[:-1], np.array(certified["estimate"])) >= 13
    assert digits(fit.std_errors[:-1], np.array(certified["std_error"])) >= 12
    assert digits(np.sqrt(fit.sigma2 * 16 / 9), np.array(certified["residual_sd"])) >= 12
    assert digits(fit.r_squared, np.array(certified["r_squared"])) >= 13


@pytest.mark.parametrize(("base", "least"), [(1.0, 9), (0.1, 13)], ids=["wampler1", "wampler2"])
def test_wampler(base, least):
    x = np.arange(21.0)
    # in integers, so that the data are exact: y = sum_i (base x)^i
    scale = round(1 / base)
    y = [sum((int(v) ** i) * scale ** (5 - i) for i in range(6)) / scale**5 for v in x]
    table = pd.DataFrame({"y": y} | {f"x{i}": x**i for i in range(1, 6)}, index=pd.Index(range(1, 22), name="row"))
    with pytest.warns(EstimationWarning, match="fit the response exactly"):
        fit = sde.fit("y ~ x1 + x2 + x3 + x4 + x5", table, model="ols")
    assert digits(fit.params[:-1], base ** np.arange(6)) >= least


@pytest.mark.parametrize("model", ["sar", "sem", "sdm"])
@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_spatial_models_refuse_an_exact_fit(model, rho, columbus):
    table, w = columbus
    S = np.linalg.inv(np.eye(49) - (rho if model != "sem" else 0.0) * w.to_dense())
    exact = table.assign(CRIME=S @ (1.0 + 2.0 * table["INC"]).to_numpy())
    with pytest.raises(IdentificationError, match="fit the response exactly"):
        sde.fit("CRIME ~ INC", exact, w, model=model)
