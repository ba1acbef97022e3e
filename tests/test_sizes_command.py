"""The command that measures size and power, in small: every test has a role, and the page says what its table says."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

from spatial_de.diagnostics import TESTS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("test_sizes", ROOT / "scripts" / "test_sizes.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["test_sizes"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(script):
    return sys.modules["test_sizes_page"]


def test_every_test_of_the_table_has_a_role(page):
    apart = {"general", "no time effects"}
    assert {name for name, test in TESTS.items() if not apart.intersection(test.needs)} <= set(page.TWO_WAY)


def test_roles_name_truths_that_are_simulated(script, page):
    for name, (_, roles) in page.TITLES.items():
        known = set(script.SETTINGS[name].truths)
        made = {test: role for test, role in roles.items() if role.null in known or role.alternative in known}
        assert made
        assert all({role.null, role.alternative} <= known for role in made.values())


@pytest.mark.parametrize("setting", ["cross-section", "panel, two-way effects", "panel, unit effects"])
def test_a_block_has_a_p_value_of_every_test_and_its_own_seed(script, page, setting):
    truth = next(iter(script.SETTINGS[setting].truths))
    settings = {"seed": 1, "replications": 2}
    one, two, other = (script.block(settings, (setting, truth, number)) for number in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    numbers = one.drop(columns=["setting", "truth"])
    assert len(numbers) == 2
    assert not numbers.equals(other.drop(columns=["setting", "truth"]))
    assert ((numbers >= 0.0) & (numbers <= 1.0)).all(axis=None)
    wanted = set(page.TITLES[setting][1])
    assert set(numbers) <= wanted


def test_rates_and_the_page_count_what_was_made(script, page):
    found = pd.DataFrame(
        {"Koenker": [0.01, 0.2, None, 0.04], "setting": "cross-section", "truth": ["no dependence"] * 4}
    )
    table = script.rates(found)
    assert table["rate"].tolist() == [pytest.approx(2 / 3)]
    assert table["made"].tolist() == [0.75]
    text = page.page(table, made="command", seconds=1.0, seed=1)
    assert "| Koenker | no dependence | 66.7 * | growing variance | not made |" in text
    assert "could be made in 75 % of samples under its null" in text
