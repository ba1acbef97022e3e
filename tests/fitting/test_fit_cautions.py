"""Which parameter a warning of a bound names, and what it tells the reader to do."""

from types import SimpleNamespace

import pytest

from spatial_de.errors import EstimationWarning
from spatial_de.fitting.cautions import warn_of_bound

WIDE, NARROW = (-4.0, 1.0), (-1.0, 1.0)


def warning_of(*, rho, lam, bounds, parameter="rho and lambda"):
    record = SimpleNamespace(converged=False, bounds=bounds, parameter=parameter)
    with pytest.warns(EstimationWarning) as caught:
        warn_of_bound(SimpleNamespace(optimization=record, rho=rho, lam=lam))
    [one] = caught
    return str(one.message)


@pytest.mark.parametrize(
    ("rho", "lam", "named"),
    [
        (0.3, 0.999999, "lambda is at the bound of its admissible interval (-1.0000, 1.0000)"),
        (0.999999, 0.3, "rho is at the bound of its admissible interval (-4.0000, 1.0000)"),
        (-3.999999, 0.3, "rho is at the bound of its admissible interval (-4.0000, 1.0000)"),
        (0.3, -0.999999, "lambda is at the bound of its admissible interval (-1.0000, 1.0000)"),
    ],
)
def test_the_parameter_at_its_bound_is_named(rho, lam, named):
    assert warning_of(rho=rho, lam=lam, bounds=(WIDE, NARROW)).startswith(named)


def test_distance_is_measured_in_widths_of_the_interval():
    """In absolute terms rho is nearer (0.05 against 0.09), as a part of its interval lambda is."""
    words = warning_of(rho=0.05, lam=9.91, bounds=((0.0, 1.0), (0.0, 10.0)))
    assert words.startswith("lambda is at the bound")
    assert "(0.0000, 10.0000)" in words


def test_both_are_named_where_both_are_at_their_bounds():
    words = warning_of(rho=1.0 - 1e-12, lam=-1.0 + 1e-12, bounds=(WIDE, NARROW))
    assert words.startswith("rho and lambda are at the bounds of their admissible intervals ")
    assert "(-4.0000, 1.0000) and (-1.0000, 1.0000)" in words


def test_one_parameter_and_the_share_of_random_effects():
    assert warning_of(rho=0.0, lam=0.9, bounds=NARROW, parameter="lambda").startswith("lambda is at the bound")
    three = "rho and lambda and share of sigma2_mu"
    words = warning_of(rho=0.2, lam=0.99999, bounds=(WIDE, NARROW, (0.0, 1.0)), parameter=three)
    assert words.startswith("lambda is at the bound")


def test_the_reader_learns_why_there_are_no_standard_errors_and_what_to_do():
    words = warning_of(rho=0.3, lam=0.999999, bounds=(WIDE, NARROW))
    for part in ("no standard errors (NaN)", "few observations", "fewer spatial terms", "time effects"):
        assert part in words
