"""`fit_many`: thousands of fits, in one process or many."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from spatial_de.effects.inference import Inference, Sampling
from spatial_de.errors import EstimationWarning, OptionError
from spatial_de.fitting.core import fit
from spatial_de.parallel import run_tasks
from spatial_de.wording import check_option, did_you_mean, name_some, plural

if TYPE_CHECKING:
    from spatial_de.panel import Panel
    from spatial_de.results import Results
    from spatial_de.weights import SpatialWeights

_OPTIONS = tuple(inspect.signature(fit).parameters)
_LARGE = ("data", "w", "error_weights", "durbin_weights")  # sent to workers once, however many fits use them


@dataclass(frozen=True, eq=False)
class FitRecord:
    """The numbers of one of many fits.

    Attributes
    ----------
    label
        Which fit.
    options
        Model, formula, fixed, bias, method, information, cov.
    table
        Columns term, estimate, std_error, statistic, p_value, conf_low, conf_high.
    effects
        Columns term, effect and the same; None where effects were not asked for, or do not exist (rho at its bound).
    nobs, n_likelihood
        Rows of data, and observations the likelihood counts.
    loglik, aic, bic
        Log-likelihood and information criteria.
    converged
        Whether the estimate is an interior maximum.
    notes
        What the reader should know: every warning of the fit and of its effects.
    """

    label: Hashable
    options: dict[str, str]
    table: pd.DataFrame
    effects: pd.DataFrame | None
    nobs: int
    n_likelihood: int
    loglik: float
    aic: float
    bic: float
    converged: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FitFailure:
    """A fit that could not be done.

    Attributes
    ----------
    label
        Which fit.
    kind
        Name of the exception's class, such as ``"IdentificationError"``.
    message
        What it says.
    error
        The exception.
    """

    label: Hashable
    kind: str
    message: str
    error: Exception


@dataclass(frozen=True, eq=False)
class Fits:
    """Many fits, in the order of their specifications.

    Attributes
    ----------
    records
        Fits that were done.
    failures
        Fits that could not be done, with the reason.
    """

    records: tuple[FitRecord, ...]
    failures: tuple[FitFailure, ...]

    def __len__(self) -> int:
        return len(self.records) + len(self.failures)

    def __getitem__(self, label: Hashable) -> FitRecord:
        """The record of one fit; raises its error where it failed."""
        for record in self.records:
            if record.label == label:
                return record
        for failure in self.failures:
            if failure.label == label:
                raise failure.error
        labels = [*(one.label for one in self.records), *(one.label for one in self.failures)]
        raise OptionError(f"There is no fit {label!r}.{did_you_mean(label, labels)} There are {name_some(labels)}.")

    def to_frame(self) -> pd.DataFrame:
        """Coefficients: columns fit, term, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        return _stack({record.label: record.table for record in self.records})

    def effects_frame(self) -> pd.DataFrame:
        """Effects: columns fit, term, effect, estimate, std_error, statistic, p_value, conf_low, conf_high."""
        return _stack({record.label: record.effects for record in self.records if record.effects is not None})

    def overview(self) -> pd.DataFrame:
        """One row per fit, failed ones last: options, observations, criteria, convergence, notes, error."""
        numbers = ("nobs", "n_likelihood", "loglik", "aic", "bic", "converged")
        rows: list[dict[str, Any]] = [
            {"fit": one.label, **one.options, **{name: getattr(one, name) for name in numbers}, "notes": len(one.notes)}
            for one in self.records
        ]
        rows += [{"fit": one.label, "error": f"{one.kind}: {one.message}"} for one in self.failures]
        return pd.DataFrame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python types."""
        return {
            "fits": self.to_frame().to_dict(orient="list"),
            "effects": self.effects_frame().to_dict(orient="list"),
            "overview": self.overview().to_dict(orient="list"),
            "notes": {record.label: list(record.notes) for record in self.records},
        }

    def __repr__(self) -> str:
        head = f"{plural(len(self.records), 'fit')}, {len(self.failures)} failed"
        failed = [f"  {one.label!r}: {one.kind}: {one.message}" for one in self.failures[:3]]
        return "\n".join([head, *failed, self.overview().head(10).to_string(index=False)])

    def _repr_html_(self) -> str:
        return str(self.overview().to_html(index=False))


def fit_many(
    specifications: Mapping[Any, Mapping[str, Any]] | Iterable[Mapping[str, Any]],
    data: Panel | pd.DataFrame | None = None,
    w: SpatialWeights | None = None,
    *,
    effects: Inference | None = None,
    draws: int = 1000,
    seed: int = 0,
    errors: Literal["collect", "raise"] = "collect",
    n_jobs: int = 1,
    client: Any = None,
    progress: bool | None = None,
    **common: Any,
) -> Fits:
    """Fit many specifications; what depends on weights alone is computed once for all fits that share them.

    Parameters
    ----------
    specifications
        Options of `fit` for each fit: ``{"base": {"formula": "y ~ x", "model": "sdm"}, ...}`` or a list of such
        dictionaries, which are labelled 0, 1, .... Everything that `fit` takes can be in them, data and weights
        included.
    data, w
        Data and weights of the specifications that bring none of their own.
    effects
        ``"simulation"`` or ``"delta"``: average effects of each fit as well.
    draws, seed
        Of simulated effects. Every fit uses the same seed, as it would alone.
    errors
        ``"collect"``: fits that fail are in `Fits.failures`, and a warning counts them; the others go on.
        ``"raise"``: the first failure, in the order of the specifications, is raised.
    n_jobs
        Processes (joblib); -1 for all cores. Results are the same for any number. Work of less than a third of a
        second stays in this process.
    client
        A `dask.distributed.Client`: fits run on its cluster.
    progress
        A line of progress on stderr; by default where that is a terminal and the work takes longer than two seconds.
    **common
        Options of `fit` for all specifications; a specification's own come first.

    Returns
    -------
    Fits

    Raises
    ------
    OptionError
        A specification has an option that `fit` does not have, or lacks a formula or data.

    Examples
    --------
    ``sde.fit_many([{"model": m} for m in ("sar", "sem", "sdm")], panel, w, formula="y ~ x", effects="delta")``
    """
    check_option(errors, ("collect", "raise"), "errors")
    if effects is not None:
        check_option(effects, ("simulation", "delta"), "effects")
    how = None if effects is None else Sampling(effects, draws, seed)
    if how is not None:
        how.check()
    table = _labelled(specifications)
    shared: list[Any] = []
    tasks = []
    for label, given in table.items():
        options = {"data": data, "w": w, **common, **given}
        _check(label, options)
        tasks.append((label, {name: _outsource(name, value, shared) for name, value in options.items()}))
    found = run_tasks(
        _fit_one, tasks, shared=(tuple(shared), how), n_jobs=n_jobs, client=client, progress=progress, what="fits"
    )
    failures = tuple(one for one in found if isinstance(one, FitFailure))
    if failures and errors == "raise":
        raise failures[0].error
    if failures:
        warnings.warn(
            f"{plural(len(failures), 'fit')} of {len(found)} failed ({name_some([one.label for one in failures], 3)}): "
            "see .failures for the reasons.",
            EstimationWarning,
            stacklevel=2,
        )
    return Fits(tuple(one for one in found if isinstance(one, FitRecord)), failures)


def _labelled(specifications: Any) -> dict[Any, Mapping[str, Any]]:
    if isinstance(specifications, Mapping):
        table = dict(specifications)
    elif isinstance(specifications, Iterable) and not isinstance(specifications, str):
        table = dict(enumerate(specifications))
    else:
        table = {}
    wrong = [label for label, one in table.items() if not isinstance(one, Mapping)]
    if wrong or not table:
        what = f"specification {name_some(wrong, 1)} is not one" if wrong else "there are none"
        raise OptionError(f"Specifications are dictionaries of options of fit, such as {{'model': 'sdm'}}: {what}.")
    return table


def _check(label: Any, options: dict[str, Any]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise OptionError(f"Specification {label!r}: fit has no option {name!r}.{did_you_mean(name, _OPTIONS)}")
    for name in ("formula", "data"):
        if options.get(name) is None:
            raise OptionError(f"Specification {label!r} has no {name}: give it there, or to fit_many for all.")


@dataclass(frozen=True, slots=True)
class _Reference:
    """Where in what is shared a large option lies."""

    position: int


def _outsource(name: str, value: Any, shared: list[Any]) -> Any:
    if name not in _LARGE or value is None:
        return value
    known = next((i for i, one in enumerate(shared) if one is value), None)
    if known is None:
        shared.append(value)
        known = len(shared) - 1
    return _Reference(known)


def _fit_one(
    shared: tuple[tuple[Any, ...], Sampling | None], task: tuple[Any, dict[str, Any]]
) -> FitRecord | FitFailure:
    large, how = shared
    label, given = task
    options = {k: large[v.position] if isinstance(v, _Reference) else v for k, v in given.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are in the notes
            result = fit(**options)
            return _record(label, result, how)
    except Exception as error:  # noqa: BLE001  the other fits go on, and this one's record says what it was
        return FitFailure(label, type(error).__name__, str(error), error)


def _record(label: Any, result: Results, how: Sampling | None) -> FitRecord:
    notes, effects = result.notes, None
    if how is not None and result.converged:
        found = result.effects(how.inference, draws=how.draws, seed=how.seed)
        notes, effects = (*notes, *found.notes), found.to_frame()
    names = ("model", "formula", "fixed", "bias", "method", "information")
    return FitRecord(
        label=label,
        options={**{name: getattr(result, name) for name in names}, "cov": result.cov_type},
        table=result.to_frame(),
        effects=effects,
        nobs=result.nobs,
        n_likelihood=result.n_likelihood,
        loglik=result.loglik,
        aic=result.aic,
        bic=result.bic,
        converged=result.converged,
        notes=notes,
    )


def _stack(tables: dict[Any, pd.DataFrame]) -> pd.DataFrame:
    parts = [table.assign(fit=[label] * len(table)) for label, table in tables.items()]
    if not parts:
        return pd.DataFrame({"fit": []})
    whole = pd.concat(parts, ignore_index=True)
    return whole[["fit", *(name for name in whole.columns if name != "fit")]]
