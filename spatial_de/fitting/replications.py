"""`fit_replications`: one model for thousands of responses, tens of thousands of fits a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.effects.core import KINDS
from spatial_de.effects.replications import Positions, effects_of_replications
from spatial_de.errors import AlignmentError, DataError, OptionError
from spatial_de.models.replications import estimate_replications
from spatial_de.parallel import run_tasks
from spatial_de.results import Results
from spatial_de.wording import name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.models import Problem

_BLOCK = 2000  # responses sent out together
_SAME = 1e-6  # standard errors: what the estimate of a fit and that of a batch of one may differ by


@dataclass(frozen=True, eq=False)
class Replications:
    """Estimates of R replications, in the order of their columns.

    Attributes
    ----------
    params, std_errors
        One row per replication, one column per parameter; NaN where a replication has no estimate.
    effects, effects_std_errors
        Columns (term, effect); standard errors by the delta method.
    loglik
        Log-likelihoods.
    status
        ``"converged"``, ``"at bound"``, ``"no maximum"``, ``"exact fit"``: only the first has standard errors.
    """

    params: pd.DataFrame
    std_errors: pd.DataFrame
    effects: pd.DataFrame
    effects_std_errors: pd.DataFrame
    loglik: pd.Series
    status: pd.Series

    def __len__(self) -> int:
        return len(self.params)

    @property
    def converged(self) -> pd.Series:
        """Which replications have an interior maximum."""
        return (self.status == "converged").rename("converged")

    def to_frame(self) -> pd.DataFrame:
        """Columns replication, term, effect (empty for coefficients), estimate, std_error."""
        names = pd.MultiIndex.from_tuples([(name, "") for name in self.params], names=["term", "effect"])
        values = pd.concat([self.params.set_axis(names, axis=1), self.effects], axis=1)
        errors = pd.concat([self.std_errors.set_axis(names, axis=1), self.effects_std_errors], axis=1)
        labels = pd.MultiIndex.from_tuples(
            [(one, *pair) for one in self.params.index for pair in values.columns],
            names=["replication", "term", "effect"],
        )
        columns = {"estimate": values.to_numpy().ravel(), "std_error": errors.to_numpy().ravel()}
        return pd.DataFrame(columns, index=labels).reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {"status": self.status.to_dict(), "table": self.to_frame().to_dict(orient="list")}

    def __repr__(self) -> str:
        counts = ", ".join(f"{count:,} {name}" for name, count in self.status.value_counts().items())
        table = pd.DataFrame(
            {"mean": self.params.mean(), "sd": self.params.std(), "mean std_error": self.std_errors.mean()}
        )
        return f"{len(self):,} replications: {counts}\n{table.to_string(float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>"


def fit_replications(
    fit: Results,
    responses: pd.DataFrame,
    *,
    n_jobs: int = 1,
    client: Any = None,
    progress: bool | None = None,
) -> Replications:
    """Fit a model again to many responses: Monte Carlo, bootstraps of residuals.

    Parameters
    ----------
    fit
        A fit of the model: its regressors, weights, effects and treatment of bias are kept. Models with one spatial
        parameter or none, with classical standard errors from the observed information.
    responses
        One column per replication, rows labelled like the data of the fit, (unit, time) or unit, in any order.
    n_jobs, client, progress
        As in `fit_many`. Results are the same for any number of processes.

    Returns
    -------
    Replications
        For each response the numbers that `fit` would give.

    Raises
    ------
    OptionError
        A model that is not fitted in batches: sac, gns, bias corrections, robust covariances, moment estimators.
    AlignmentError
        Rows that are missing or not those of the data.
    DataError
        Responses that are not finite numbers.
    """
    _check(fit)
    problem = fit.estimate.problem
    values = _aligned(fit, responses)
    blocks = [values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK)]
    found = run_tasks(
        _fit_block, blocks, shared=problem, n_jobs=n_jobs, client=client, progress=progress, what="blocks of fits"
    )
    params, errors, effects, effects_errors, loglik, status = (
        np.concatenate(parts) for parts in zip(*found, strict=True)
    )
    index, names = responses.columns, list(fit.estimate.names)
    pairs = pd.MultiIndex.from_product([Positions.of(problem, names).terms, KINDS], names=["term", "effect"])
    return Replications(
        params=pd.DataFrame(params, index=index, columns=names),
        std_errors=pd.DataFrame(errors, index=index, columns=names),
        effects=pd.DataFrame(effects, index=index, columns=pairs),
        effects_std_errors=pd.DataFrame(effects_errors, index=index, columns=pairs),
        loglik=pd.Series(loglik, index=index, name="loglik"),
        status=pd.Series(status, index=index, name="status"),
    )


def _fit_block(problem: Problem, y: NDArray[np.float64]) -> tuple[NDArray[Any], ...]:
    """Parameters, their errors, effects, their errors, log-likelihoods and status of some responses."""
    batch = estimate_replications(problem, y)
    found = effects_of_replications(batch)
    flat = (len(y), -1)
    effects, errors = found.estimate.reshape(flat), found.std_error.reshape(flat)
    return batch.params, batch.std_errors, effects, errors, batch.loglik, batch.status


def _check(fit: Results) -> None:
    """Refuse what a batch does not do; whatever it is, a batch of the fit's own response must give the fit."""
    if not isinstance(fit, Results):
        raise OptionError(f"fit_replications needs results of sde.fit(), not {type(fit).__name__}.")
    if fit.method != "ml" or fit.information != "observed" or fit.cov_type != "classical":
        raise OptionError(
            "fit_replications repeats maximum likelihood fits with classical standard errors from the observed "
            f"information; this fit has method={fit.method!r}, information={fit.information!r}, cov={fit.cov_type!r}."
        )
    if not fit.converged:
        raise OptionError("The fit is at a bound: give one with an interior maximum.")
    again = estimate_replications(fit.estimate.problem, fit.estimate.problem.design.y[None])
    gap = np.abs(again.params[0] - fit.estimate.params) / np.sqrt(np.diag(fit.estimate.bread))
    if not (gap < _SAME).all():
        raise OptionError(f"model={fit.model!r} with fixed={fit.fixed!r} is not fitted in batches: use fit_many.")


def _aligned(fit: Results, responses: pd.DataFrame) -> NDArray[np.float64]:
    """Responses as an array of shape (R, T, N), rows by label."""
    if not isinstance(responses, pd.DataFrame) or responses.empty:
        raise DataError(f"responses must be a DataFrame with a column per replication, not {type(responses).__name__}.")
    design = fit.estimate.problem.design
    if not responses.index.is_unique or len(responses) != len(design.index):
        raise AlignmentError(f"The responses have {len(responses)} rows, the data of the fit {len(design.index)}.")
    places = responses.index.get_indexer(design.index)
    if (places < 0).any():
        raise AlignmentError(
            f"The responses have no row for {name_some(design.index[places < 0])}: label them like the data of the fit."
        )
    try:
        values = responses.to_numpy(dtype=np.float64)[places]
    except (TypeError, ValueError) as error:
        raise DataError(f"Responses must be numbers: {error}.") from error
    T, N = design.y.shape
    return np.ascontiguousarray(values.reshape(N, T, -1).transpose(2, 1, 0))
