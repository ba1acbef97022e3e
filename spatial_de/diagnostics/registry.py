"""Every specification test, in the order of the table: a new one is a row here."""

from __future__ import annotations

from spatial_de.diagnostics import cross_dependence, hausman, joint, lagrange, residuals, restrictions
from spatial_de.diagnostics.base import RegisteredTest

_ROWS = (
    *lagrange.TESTS,
    *restrictions.TESTS,
    *lagrange.CONDITIONAL_TESTS,
    *residuals.TESTS,
    *cross_dependence.TESTS,
    *hausman.TESTS,
    *joint.TESTS,
)
TESTS: dict[str, RegisteredTest] = {test.name: test for test in _ROWS}
