"""Average direct, indirect and total effects of a fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects.inference import Coefficients, Inference, Inferred, Parts, Sampling, infer
from spatial_de.effects.multipliers import multipliers
from spatial_de.logdet import LogDeterminant, log_determinant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights

KINDS = ("direct", "indirect", "total")
COLUMNS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")


@dataclass(frozen=True)
class Effects:
    """Average effects of one unit more of each regressor.

    Attributes
    ----------
    table
        Index (term, effect), or more levels for groups and orders;
        columns estimate, std_error, statistic, p_value, conf_low, conf_high.
    inference
        ``"simulation"``, ``"delta"``, ``"bootstrap"`` or ``"posterior"``.
    level
        Confidence level of the intervals.
    draws, rejected, seed
        Draws used, draws without effects that were left out (rho outside the admissible interval, replications of a
        bootstrap without an estimate), seed; None for the delta method.
    covariance
        Name of the covariance the inference rests on; ``"bootstrap"`` for none.
    notes
        What the reader should know about the simulation.
    title
        What kind of effects these are.
    """

    table: pd.DataFrame
    inference: Inference
    level: float
    draws: int | None
    rejected: int | None
    seed: int | None
    covariance: str
    notes: tuple[str, ...] = ()
    title: str = "Average effects"

    @property
    def shown(self) -> pd.DataFrame:
        """The table as people should read it: of a posterior without statistic and p-value, since it tests nothing."""
        return self.table.drop(columns=["statistic", "p_value"]) if self.inference == "posterior" else self.table

    def to_frame(self) -> pd.DataFrame:
        """The table with its labels as columns."""
        return self.table.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "inference": self.inference,
            "level": self.level,
            "draws": self.draws,
            "rejected": self.rejected,
            "seed": self.seed,
            "covariance": self.covariance,
            "notes": list(self.notes),
            "title": self.title,
            "table": self.to_frame().to_dict(orient="list"),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Effects:
        """Rebuild from `to_dict`."""
        table = pd.DataFrame(content["table"])
        table = table.set_index([name for name in table.columns if name not in COLUMNS])
        rest = {key: value for key, value in content.items() if key not in {"table", "notes"}}
        return cls(table=table, notes=tuple(content["notes"]), **rest)

    def __repr__(self) -> str:
        how: str = self.inference
        if self.covariance != self.inference:
            how += f", {self.covariance} covariance"
        if self.draws is not None:
            how += f", {self.draws:,} draws, seed {self.seed}"
            if self.rejected:
                how += f", {self.rejected} without effects left out"
        table = self.shown.to_string(formatters=self._formatters(), na_rep="–")
        return "\n".join([f"{self.title} ({how})", table, *(f"Note: {note}" for note in self.notes)])

    def _repr_html_(self) -> str:
        return str(self.shown.to_html(formatters=self._formatters(), na_rep="–"))

    def _formatters(self) -> dict[str, Any]:
        numbers = ("estimate", "std_error", "conf_low", "conf_high")
        return dict.fromkeys(numbers, _plain_number) | {"statistic": "{:.2f}".format, "p_value": self._p_words}

    def _p_words(self, p: Any) -> str:
        """Three decimals; of simulated p-values none below what the number of draws can show."""
        least = 0.001 if self.draws is None else max(0.001, 1.5 / (self.draws + 1))
        return f"<{least:.3f}" if p < least else f"{p:.3f}"


def _plain_number(value: float) -> str:
    value, size = value + 0.0, abs(value)  # no minus before a zero
    return f"{value:.4g}" if (0.0 < size < 1e-3 or size >= 1e5) else f"{value:.4f}"


def compute_effects(
    coefficients: Coefficients,
    w: SpatialWeights | None,
    *,
    how: Sampling,
    covariance: str = "classical",
    logdet: LogDeterminant | None = None,
    durbin: SpatialWeights | None = None,
) -> Effects:
    """Average direct, indirect and total effects.

    ``direct = beta tr(S)/n + theta tr(S W)/n``, ``total = 1'S(beta I + theta W)1/n``, ``indirect = total - direct``
    with ``S = (I - rho W)^-1``: for any W, islands included.

    Parameters
    ----------
    coefficients, w
        Estimates with their covariance, and the weights.
    how
        Simulation or delta method.
    covariance
        Name of the covariance, for the record.
    logdet
        The log-determinant of the fit, whose derivatives give the traces.
    durbin
        Weights of the lagged regressors where these are not `w`.

    References
    ----------
    LeSage, J. and Pace, R. K. (2009). *Introduction to Spatial Econometrics*, section 2.7 and 5.6.2.
    """

    def parts(rho: NDArray[np.float64]) -> Parts:
        m = multipliers(w, rho, logdet=logdet, durbin=durbin)
        return Parts(
            beta=_kinds(m.direct_beta, m.total_beta),
            theta=_kinds(m.direct_theta, m.total_theta),
            d_beta=_kinds(m.d_direct_beta, m.d_total_beta),
            d_theta=_kinds(m.d_direct_theta, m.d_total_theta),
        )

    found = infer(coefficients, parts, bounds=admissible(coefficients, w, logdet), how=how)
    return wrap(found, _labels(coefficients.terms), how=how, covariance=covariance)


@lru_cache(maxsize=256)
def _labels(terms: tuple[str, ...]) -> pd.MultiIndex:
    """The index (term, effect), which costs more than the effects themselves."""
    return pd.MultiIndex.from_product([terms, KINDS], names=["term", "effect"])


def admissible(
    c: Coefficients, w: SpatialWeights | None, logdet: LogDeterminant | None = None
) -> tuple[float, float] | None:
    """Interval in which draws of rho have effects; None where rho is not drawn."""
    if w is None or not c.draws_rho:
        return None
    return (logdet or log_determinant(w)).bounds


def wrap(found: Inferred, index: pd.MultiIndex, *, how: Sampling, covariance: str) -> Effects:
    """Numbers of shape (m, q) under their labels, one row per regressor and effect."""
    return Effects(
        table=pd.DataFrame(
            np.column_stack([getattr(found, name).reshape(-1) for name in COLUMNS]), index=index, columns=list(COLUMNS)
        ),
        inference=how.inference,
        level=how.level,
        draws=found.draws,
        rejected=found.rejected,
        seed=None if how.inference == "delta" else how.seed,
        covariance=covariance,
        notes=found.notes,
    )


def _kinds(direct: NDArray[np.float64], total: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direct, indirect and total, shape (r, 3)."""
    return np.stack([direct, total - direct, total], axis=1)
