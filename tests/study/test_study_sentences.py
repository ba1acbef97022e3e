"""Sentences about spatial dependence: synthetic tables with known messages."""

from types import SimpleNamespace

import pandas as pd
import pytest

from spatial_de.study import load_config
from spatial_de.study.job import Job
from spatial_de.study.steps.answer import answer
from spatial_de.study.steps.data import descriptives
from spatial_de.study.steps.dependence import lisa_sentence, moran_sentence, pointwise_sentence
from spatial_de.study.steps.limits import limits


def moran(I, p):
    years = pd.Index(range(2013, 2013 + len(I)), name="year")
    return SimpleNamespace(table=pd.DataFrame({"I": I, "expected": -0.03, "p_value": 0.5, "p_sim": p}, index=years))


@pytest.mark.parametrize(
    ("I", "p", "expected"),
    [
        (
            [0.4, 0.3],
            [0.01, 0.02],
            "differs from chance at 5 %, by permutation, in every year; neighbours are alike. It went from 0.40",
        ),
        ([-0.4, -0.3], [0.01, 0.02], "in every year; neighbours are unlike."),
        ([0.4, -0.3], [0.01, 0.02], "in every year; the sign changes."),
        ([0.4, -0.3, 0.2], [0.01, 0.9, 0.04], "in 2 of 3 years; neighbours are alike."),
        ([0.1, 0.1], [0.3, 0.05], "in no year can Moran's I be told from chance at 5 %, by permutation."),
    ],
)
def test_moran_over_the_years(I, p, expected):
    assert expected in moran_sentence("Gap", moran(I, p))


def lisa(clusters):
    table = pd.DataFrame({"cluster": pd.Categorical(list(clusters.values())), "I": 0.1}, index=list(clusters))
    table["significant"] = table["cluster"] != "Not significant"
    return SimpleNamespace(table=table, settings=SimpleNamespace(alpha=0.05))


FOUND = lisa({"A": "High-High", "B": "Not significant", "C": "High-High", "D": "Low-Low"})
NOTHING = lisa(dict.fromkeys("ABCD", "Not significant"))


def test_clusters_name_their_members():
    assert lisa_sentence("Gap", FOUND, 2022).endswith("at 5 %: High-High: A, C; Low-Low: D.")
    assert "no cluster that could be told from chance" in lisa_sentence("Gap", NOTHING, 2022)


def test_pointwise_clusters_come_with_what_chance_gives():
    assert pointwise_sentence(FOUND, 2022).endswith(
        "High-High: A, C; Low-Low: D. About 0.2 would be there by chance alone."
    )
    assert "still none" in pointwise_sentence(NOTHING, 2022)


def test_without_fixed_effects_nothing_is_said_of_what_they_leave(own_study):
    config = load_config(own_study(0.5, 0.3))
    pooled = Job(config.model_copy(update={"model": config.model.model_copy(update={"fixed": "none"})}))
    said = " ".join(repr(step(pooled)) for step in (answer, descriptives, limits))
    assert "fixed effects leave" not in said
    assert "over time, given" in said
    two_way = Job(config)
    assert "within cells over time" in repr(limits(two_way))
    assert "what the two-way fixed effects leave" in repr(descriptives(two_way))
