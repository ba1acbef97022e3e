"""Every specification test, in the order of the table: a new one is a row here."""

from __future__ import annotations

from spatial_de.diagnostics import joint, lagrange, restrictions
from spatial_de.diagnostics.base import RegisteredTest

TESTS: dict[str, RegisteredTest] = {test.name: test for test in (*lagrange.TESTS, *restrictions.TESTS, *joint.TESTS)}
