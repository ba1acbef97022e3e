"""Synthetic numbers with known messages: the words must follow, whatever the sign."""

import math

import pytest

from spatial_de.study.verdict import Variant, agreement, headline, range_sentence, verdict
from spatial_de.study.words import (
    Estimate,
    Scale,
    Subject,
    amount,
    change,
    direction,
    effect_sentence,
    precision_sentence,
)

GAP = Subject(
    index="digital-economy index",
    measure="urban-rural income ratio",
    gap="urban-rural income gap",
    up="wider",
    down="narrower",
    unit="province",
    units="provinces",
)
TENTH = Scale(step=0.1, log_outcome=True)

POSITIVE = Estimate(0.5, 0.3, 0.7, 0.0001)
NEGATIVE = Estimate(-0.5, -0.7, -0.3, 0.0001)
NULL = Estimate(0.02, -0.2, 0.24, 0.85)
NEGATIVE_NULL = Estimate(-0.02, -0.24, 0.2, 0.85)


def variants(*effects):
    return [Variant(f"v{i}", effect) for i, effect in enumerate(effects)]


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (POSITIVE, "up"),
        (NEGATIVE, "down"),
        (NULL, "unclear"),
        (Estimate(0.5, 0.0, 1.0, 0.05), "unclear"),
        (Estimate(0.5, math.nan, math.nan, math.nan), "unclear"),
    ],
)
def test_direction(effect, expected):
    assert direction(effect) == expected


def test_change_in_percent_is_exact_not_the_log_approximation():
    assert change(0.5, TENTH) == pytest.approx(100 * (math.exp(0.05) - 1))
    assert change(0.5, Scale(0.1, log_outcome=True, log_index=True)) == pytest.approx(100 * (1.1**0.5 - 1))
    assert change(0.5, Scale(0.1, log_outcome=False)) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (0.5, TENTH, "+5.1 %"),
        (-0.5, TENTH, "-4.9 %"),
        (0.05, TENTH, "+0.50 %"),
        (0.0, TENTH, "0.00 %"),
        (-0.5, Scale(0.1, log_outcome=False), "-0.05"),
        (0.0, Scale(0.1, log_outcome=False), "0"),
    ],
)
def test_amount(value, scale, expected):
    assert amount(value, scale) == expected


def test_positive_effect_is_a_wider_gap():
    text = effect_sentence(POSITIVE, "direct", scale=TENTH, subject=GAP)
    assert "differs by +5.1 % (95 % interval +3.0 % to +7.3 %, p < 0.001): a wider urban-rural income gap." in text
    assert text.startswith("With its own digital-economy index 0.1 higher, a province's")
    assert "narrower" not in text


def test_negative_effect_is_a_narrower_gap():
    text = effect_sentence(NEGATIVE, "indirect", scale=TENTH, subject=GAP)
    assert "-4.9 %" in text
    assert "a narrower urban-rural income gap." in text
    assert "all other provinces" in text
    assert "wider" not in text


def test_null_effect_says_what_it_rules_out_and_no_direction():
    text = effect_sentence(NULL, "total", scale=TENTH, subject=GAP)
    assert "not to be told from no change at all" in text
    assert "Changes below -2.0 % and above +2.4 % are ruled out" in text
    assert "wider" not in text
    assert "narrower" not in text


def test_index_in_logs_is_spoken_of_in_percent():
    text = effect_sentence(POSITIVE, "total", scale=Scale(0.1, log_outcome=True, log_index=True), subject=GAP)
    assert "10 % higher everywhere" in text


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        (Estimate(0.5, 0.4, 0.6, 0.0), "known within a factor of 1.5"),
        (Estimate(-0.5, -0.9, -0.1, 0.01), "In this specification the direction is clear, the size is not"),
    ],
)
def test_precision(effect, expected):
    assert expected in precision_sentence(effect)


def test_everything_agrees_is_firm_in_either_direction():
    for effect, word in ((POSITIVE, "wider"), (NEGATIVE, "narrower")):
        result = verdict(effect, variants(*[effect] * 5))
        assert result.level == "firm"
        assert headline(result, "total", subject=GAP) == (
            f"Firm: a higher digital-economy index everywhere goes with a {word} urban-rural income gap."
        )
        assert "Of 5 variants, 5 have the sign of the main estimate, 5 of them significant" in " ".join(result.reasons)


def test_contradiction_is_fragile_and_named():
    result = verdict(POSITIVE, variants(*[POSITIVE] * 9, NEGATIVE))
    assert result.level == "fragile"
    assert result.agreement.contradicted == ("v9",)
    assert "Significant with the opposite sign: v9." in result.reasons
    assert headline(result, "direct", subject=GAP) == (
        "Fragile: a higher digital-economy index at home goes with a wider urban-rural income gap."
    )


def test_one_insignificant_variant_of_opposite_sign_is_enough_to_doubt():
    result = verdict(POSITIVE, variants(*[POSITIVE] * 9, NEGATIVE_NULL))
    assert result.level == "fragile"
    assert "Opposite sign, not significant: v9." in result.reasons


@pytest.mark.parametrize(("weak", "level"), [(2, "firm"), (3, "fragile")])
def test_firm_needs_four_of_five_variants_significant(weak, level):
    result = verdict(POSITIVE, variants(*[POSITIVE] * (10 - weak), *[NULL] * weak))
    assert result.level == level


def test_variants_that_could_not_be_estimated_count_against():
    result = verdict(POSITIVE, variants(*[POSITIVE] * 7, None, None, None))
    assert result.level == "fragile"
    assert "Not estimated: v7; v8; v9." in result.reasons


def test_null_everywhere_is_no_effect_to_be_seen():
    result = verdict(NULL, variants(NULL, NEGATIVE_NULL, NULL))
    assert result.level == "no answer"
    assert headline(result, "indirect", subject=GAP) == (
        "No effect to be seen: a higher digital-economy index in other provinces goes with neither a wider nor a "
        "narrower urban-rural income gap."
    )


def test_null_with_contradicting_variants_is_no_answer():
    result = verdict(NULL, variants(POSITIVE, NEGATIVE, NULL))
    assert result.level == "no answer"
    assert "other estimates disagree" in headline(result, "total", subject=GAP)
    assert "Yet some variants can: v0; v1." in result.reasons


def test_null_whose_variants_mostly_speak_is_fragile():
    result = verdict(NULL, variants(POSITIVE, POSITIVE, NULL))
    assert result.level == "fragile"
    assert "wider" not in headline(result, "total", subject=GAP)


def test_null_whose_variants_contradict_each_other_is_no_answer_however_many_speak():
    assert verdict(NULL, variants(*[POSITIVE] * 4, NEGATIVE)).level == "no answer"


def test_nothing_varied_is_never_firm():
    result = verdict(POSITIVE, [])
    assert result.level == "untested"
    assert "Nothing was varied" in result.reasons[-1]


def test_counts():
    counts = agreement(NEGATIVE, variants(NEGATIVE, NEGATIVE_NULL, NULL, POSITIVE, None))
    assert counts.estimated == 4
    assert counts.same_sign == ("v0", "v1")
    assert counts.confirmed == ("v0",)
    assert counts.unconfirmed == ("v1",)
    assert counts.opposite_sign == ("v2", "v3")
    assert counts.contradicted == ("v3",)
    assert counts.failed == ("v4",)
    assert counts.sentence() == (
        "Of 4 variants, 2 have the sign of the main estimate, 1 of them significant at 5 %; 2 have the opposite sign, "
        "1 of them significant. 1 variant could not be estimated."
    )


def test_mirrored_numbers_give_mirrored_words():
    """The tool presupposes no sign."""
    mixed = [POSITIVE, NULL, NEGATIVE, POSITIVE, POSITIVE]
    mirror = [Estimate(-e.estimate, -e.conf_high, -e.conf_low, e.p_value) for e in mixed]
    swapped = Subject(GAP.index, GAP.measure, GAP.gap, GAP.down, GAP.up, GAP.unit, GAP.units)
    result, mirrored = (verdict(effects[0], variants(*effects)) for effects in (mixed, mirror))
    assert result.level == mirrored.level
    assert result.reasons == mirrored.reasons
    assert headline(result, "total", subject=GAP) == headline(mirrored, "total", subject=swapped)


def test_interval_and_p_that_disagree_claim_nothing():
    skewed, touching = Estimate(2.0, 0.5, 14.0, 0.88), Estimate(0.5, -0.01, 1.1, 0.049)
    assert direction(skewed) == direction(touching) == "unclear"
    text = effect_sentence(skewed, "total", scale=TENTH, subject=GAP)
    assert "the draws are skewed, and nothing is claimed" in text
    assert "ruled out" not in text


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([NEGATIVE, NULL], "+5.1 % becomes -4.9 % (v0, -6.8 % to -3.0 %) at the lowest and is the highest itself."),
        (
            [Estimate(0.9, 0.1, 1.7, 0.02)],
            "+5.1 % is the lowest itself and becomes +9.4 % (v0, +1.0 % to +18.5 %) at the highest.",
        ),
        (
            [NULL, Estimate(0.9, 0.1, 1.7, 0.02)],
            "becomes +0.20 % (v0, -2.0 % to +2.4 %) at the lowest and +9.4 % (v1, +1.0 % to +18.5 %) at the highest.",
        ),
        ([POSITIVE], "+5.1 % stays what it is."),
    ],
)
def test_range(effects, expected):
    assert range_sentence(POSITIVE, variants(*effects), scale=TENTH).endswith(expected)


def test_range_of_nothing_says_nothing():
    assert not range_sentence(POSITIVE, variants(None), scale=TENTH)
