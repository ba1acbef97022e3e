"""Bootstrap of a fit: its replications under labels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from spatial_de.errors import ConvergenceError, EstimationWarning, OptionError
from spatial_de.models.bootstrap import bootstrap
from spatial_de.results.balance import refuse_cells
from spatial_de.wording import check_level

if TYPE_CHECKING:
    from spatial_de.results.core import Results

_MANY = 0.05  # of the replications without an estimate


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Estimates of one model for responses that were simulated with resampled errors.

    Attributes
    ----------
    estimate
        The estimate that all replications start from.
    params
        One row for each replication that has an interior maximum, columns as in `Results.params`.
    lost
        Replications without one, by reason: ``"at bound"``, ``"no maximum"``, ...
    draws, seed
        Replications in all, and the seed.
    notes
        What the reader should know.
    """

    estimate: pd.Series
    params: pd.DataFrame
    lost: pd.Series
    draws: int
    seed: int
    notes: tuple[str, ...]

    @property
    def std_errors(self) -> pd.Series:
        """Standard deviations over replications."""
        return self.params.std(ddof=1).rename("std_error")

    @property
    def bias(self) -> pd.Series:
        """Mean over replications minus the estimate."""
        return (self.params.mean() - self.estimate).rename("bias")

    def conf_int(self, level: float = 0.95) -> pd.DataFrame:
        """Percentile intervals, columns conf_low and conf_high. They keep the bias of the estimator, see `bias`."""
        check_level(level)
        low, high = (self.params.quantile(q) for q in ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
        return pd.DataFrame({"conf_low": low, "conf_high": high})

    def to_frame(self) -> pd.DataFrame:
        """Columns term, estimate, std_error, bias, conf_low, conf_high."""
        table = pd.concat([self.estimate, self.std_errors, self.bias, self.conf_int()], axis=1)
        return table.rename_axis("term").reset_index()

    def to_dict(self) -> dict[str, Any]:
        """The table and what it rests on, in plain Python types."""
        return {
            "draws": self.draws,
            "seed": self.seed,
            "lost": self.lost.to_dict(),
            "notes": list(self.notes),
            "table": self.to_frame().to_dict(orient="list"),
        }

    def __repr__(self) -> str:
        lost = "".join(f", {count:,} {reason}" for reason, count in self.lost.items())
        head = f"Bootstrap of errors in blocks of units ({self.draws:,} replications, seed {self.seed}{lost})"
        table = self.to_frame().set_index("term").rename_axis(None)
        return "\n".join([head, table.to_string(float_format="{:.4f}".format), *(f"Note: {n}" for n in self.notes)])

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>"


def resample(fit: Results, draws: int, seed: int, *, n_jobs: int, progress: bool | None) -> Bootstrap:
    """Replications of a fit."""
    if fit.method != "ml":
        raise OptionError(f"The bootstrap is for method='ml'; this fit used {fit.method!r}: use its standard errors.")
    refuse_cells(fit, "bootstrap()")
    _refuse_random(fit)
    if not fit.converged:
        raise ConvergenceError("The estimate is at its bound: there is nothing that a bootstrap could start from.")
    found = bootstrap(fit.estimate, draws=draws, seed=seed, n_jobs=n_jobs, progress=progress)
    kept = found.status == "converged"
    lost = pd.Series(found.status[~kept], dtype=object).value_counts().rename("replications")
    notes = _notes(fit, lost, draws)
    if kept.sum() < 2:
        raise ConvergenceError(f"There is nothing to infer from: {notes[-1]}", {"lost": lost.to_dict()})
    if lost.sum() > _MANY * draws:
        warnings.warn(notes[-1], EstimationWarning, stacklevel=3)
    params = pd.DataFrame(found.params[kept], columns=list(fit.estimate.names)).rename_axis("replication")
    return Bootstrap(fit.params, params, lost, draws, seed, notes)


def _refuse_random(fit: Results) -> None:
    """Units are drawn with their effects: these must go through space as the innovations do."""
    spec = fit.estimate.problem.spec
    if fit.random == "bsk" and spec.lag_error:
        raise OptionError(
            "bootstrap() is not available for random='bsk' beside a spatial error: unit effects and errors spread "
            "differently over space, and cannot be drawn together. Use random='kkp', or the standard errors of the fit."
        )
    if fit.random is not None and fit.fixed != "none":
        raise OptionError(f"bootstrap() is not available with random effects beside fixed={fit.fixed!r}.")


def _notes(fit: Results, lost: pd.Series, draws: int) -> tuple[str, ...]:
    notes = []
    if fit.bias == "none" and fit.fixed != "none":
        notes.append(
            "Replications repeat the bias of bias='none': their percentiles are off by twice that bias. Use the "
            "default bias='lee-yu'."
        )
    if len(lost):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in lost.items())
        notes.append(
            f"{lost.sum():,} of {draws:,} replications have no interior maximum ({reasons}) and are left out; p-values "
            "of effects count them as beyond zero."
        )
    return tuple(notes)
