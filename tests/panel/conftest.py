import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def table():
    """Four units, three years, rows in no order."""
    index = pd.MultiIndex.from_product([["d", "b", "a", "c"], [2002, 2000, 2001]], names=["code", "year"])
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 2)), index=index, columns=["x", "y"]).reset_index()
    return frame.assign(name=frame["code"].str.upper())
