"""The Monte Carlo command in small: Lee-Yu is nearly unbiased, the direct form is not, and the page is its output."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("monte_carlo", ROOT / "scripts" / "monte_carlo.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["monte_carlo"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_lee_yu_is_nearly_unbiased_and_the_direct_form_is_not(script):
    table = script.run(script.Cell(31, 12, 0.4), replications=300, seed=5)
    rows = table.set_index(["method", "parameter"])
    lee_yu, direct = rows.loc["Lee-Yu (default)"], rows.loc["direct"]
    # the standard error of a bias over 300 replications is about 0.005 for rho, 0.01 for theta
    assert abs(lee_yu.loc["rho", "bias"]) < 0.025
    assert abs(lee_yu.loc["theta", "bias"]) < 0.05
    assert abs(lee_yu.loc["indirect effect", "bias"]) < 0.06
    assert -0.13 < direct.loc["rho", "bias"] < -0.08
    assert direct.loc["sigma2", "bias"] == pytest.approx(30 * 11 / (31 * 12) - 1, abs=0.03)
    assert (lee_yu["coverage %"] > 90).all()
    assert direct.loc["rho", "coverage %"] < 82
    assert (abs(lee_yu["mean SE"] / lee_yu["SD"] - 1) < 0.12).all()


def test_the_page_says_what_the_table_says(script):
    table = script.run(script.Cell(16, 4, 0.2), replications=20, seed=1)
    text = script.page(table, replications=20, seed=1, seconds=1.0)
    rows = table[(table["parameter"] == "rho") & (table["method"] == "direct")]
    assert f"direct: bias of rho between {rows['bias'].min():+.3f}" in text
    assert "--replications 20 --seed 1" in text
