"""From a formula and labelled data to arrays: the design of a model."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import DataError, FormulaError
from spatial_de.panel.checks import check_complete, numeric_values, refuse_repeated_columns, warn_of_codes
from spatial_de.panel.core import Panel
from spatial_de.weights.labels import as_index
from spatial_de.wording import did_you_mean, name_some

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTERCEPT = "Intercept"
_FUNCTIONS_MEANT = {
    "ln": " The natural logarithm is log(x).",
    "factor": " Categories are written C(x).",
    "i": " Categories are written C(x).",
}
_FULL_WIDTH = str.maketrans("～＋（）＊：，－　", "~+()*:,- ")
_CALL = re.compile(r"\w+\([^()]*\)")
_NAME = re.compile(r"[^\W\d]\w*")
_POWER = re.compile(r"[\w`]\s*(\*\*|\^)")  # (x + z)**2, all crossings of two, is meant


@dataclass(frozen=True)
class Design:
    """Response and regressors as arrays, with their labels.

    Attributes
    ----------
    y
        Response, shape (T, N); a cross-section has T = 1.
    X
        Regressors without the intercept, shape (T, N, k).
    y_name, x_names
        Labels of the response and of the k regressors.
    intercept
        Whether the formula has an intercept.
    dummies
        Which regressors come from a categorical variable, shape (k,): these have no effects and are never
        spatially lagged.
    units, times
        Labels of the axes; `times` is None for a cross-section.
    index
        Index of the rows: unit, or (unit, time), in the order of ``y.T.ravel()``.
    given_index
        Index of the data as given; a cross-section is sorted by unit, so that the order of its rows cannot
        change the last digit of a result.
    formula
        The formula as given.
    present
        Which units have a row at which times, shape (T, N); None where all have. Arrays are zero elsewhere.
    encoding
        How the regressors were made of the variables (categories, means taken out), for `evaluate_again`.
    """

    y: NDArray[np.float64]
    X: NDArray[np.float64]
    y_name: str
    x_names: tuple[str, ...]
    intercept: bool
    dummies: NDArray[np.bool_]
    units: pd.Index[Any]
    times: pd.Index[Any] | None
    index: pd.Index[Any]
    given_index: pd.Index[Any]
    formula: str
    present: NDArray[np.bool_] | None = None
    encoding: Any = None

    @property
    def is_panel(self) -> bool:
        """Whether the data have a time axis."""
        return self.times is not None

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return len(self.index)

    def rows(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of cells (T, N) in the order of `index`."""
        return values.T.ravel() if self.present is None else values.T[self.present.T]


def build_design(formula: str, data: Panel | pd.DataFrame, *, unbalanced: bool = False) -> Design:
    """Evaluate a formula on a panel or on a table indexed by unit.

    Parameters
    ----------
    formula
        ``"y ~ x1 + log(x2) + x1:x2 + C(region)"`` in the grammar of formulaic. Text columns enter only through
        ``C()``. Names are looked up in the data only.
    data
        A `Panel`, or a DataFrame whose index holds the unit labels (a cross-section).
    unbalanced
        Accept a panel in which units miss times.

    Raises
    ------
    FormulaError
        The formula cannot be read, or names a variable that is not there.
    DataError
        Missing, infinite or text values in a variable of the formula, or values that become so by a function
        in it (such as the logarithm of a negative number): unit, time and column are named.
    """
    if not isinstance(formula, str):
        raise FormulaError(f"The formula must be text such as 'y ~ x1 + x2', not {type(formula).__name__}.")
    parsed = _parse(formula)
    if isinstance(data, Panel):
        frame, units, times = data._frame, data.units, data.times  # noqa: SLF001  no copy
        if not unbalanced:
            check_complete(frame.index, units, times)
    elif isinstance(data, pd.DataFrame):
        frame = _sorted_by_unit(data)
        units, times = frame.index, None
    else:
        raise DataError(f"Data must be a Panel or a DataFrame indexed by unit, not {type(data).__name__}.")
    y, X, spec = _evaluate(parsed, _variables(parsed, frame), formula)
    keep = [name != INTERCEPT for name in spec.column_names]
    present = None if times is None else _cells(frame.index, units, times)
    shape = (1, len(units)) if times is None else (len(times), len(units))
    return Design(
        y=_on_cells(y, shape, present),
        X=_on_cells(X[:, keep], shape, present),
        y_name=next(iter(parsed.lhs)).factors[0].expr,
        x_names=tuple(name for name in spec.column_names if name != INTERCEPT),
        intercept=not all(keep),
        dummies=_dummy_columns(spec)[keep],
        units=units,
        times=times,
        index=frame.index,
        given_index=frame.index if isinstance(data, Panel) else data.index,
        formula=formula,
        present=present,
        encoding=spec,
    )


def _cells(index: pd.Index[Any], units: pd.Index[Any], times: pd.Index[Any]) -> NDArray[np.bool_] | None:
    """Which units have a row at which times, shape (T, N); None where all have."""
    if len(index) == len(units) * len(times):
        return None
    present = np.zeros((len(times), len(units)), dtype=bool)
    present[times.get_indexer(index.get_level_values(1)), units.get_indexer(index.get_level_values(0))] = True
    return present


def _on_cells(
    rows: NDArray[np.float64], shape: tuple[int, int], present: NDArray[np.bool_] | None
) -> NDArray[np.float64]:
    """Rows sorted by unit, then time, as an array (T, N, ...)."""
    by_unit = np.zeros((shape[1], shape[0], *rows.shape[1:]))
    if present is None:
        by_unit.reshape(len(rows), *rows.shape[1:])[:] = rows
    else:
        by_unit[present.T] = rows
    return np.ascontiguousarray(np.swapaxes(by_unit, 0, 1))


def evaluate_again(design: Design, data: Panel | pd.DataFrame) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """The regressors of a design on other data, shape (T, N, k), and these data in the order used.

    Categories are those of the design, and what its functions took from its data (such as the mean of ``center(x)``)
    is kept. The response need not be there.

    Raises
    ------
    FormulaError, DataError
        As in `build_design`; also categories that the design does not have.
    """
    from formulaic.errors import DataMismatchWarning, FormulaicError

    if isinstance(data, Panel):
        frame, shape = data._frame, (data.n_units, data.n_times)  # noqa: SLF001  no copy
        check_complete(frame.index, data.units, data.times)
    else:
        frame = _sorted_by_unit(data)
        shape = (len(frame), 1)
    variables = _variables(_parse(design.formula).rhs, frame)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error", DataMismatchWarning)
        try:
            table = design.encoding.get_model_matrix(variables, na_action="ignore", output="numpy", context={})
        except DataMismatchWarning as mismatch:
            unseen = ", ".join(re.findall(r"\{(.*?)\}", str(mismatch)))
            raise DataError(
                f"The data have categories that those of the fit had not: {unseen}. They have no coefficient."
            ) from mismatch
        except FormulaicError as error:
            raise FormulaError(f"{design.formula!r} cannot be evaluated on these data: {error}") from error
    X = np.asarray(table, dtype=np.float64)
    names = list(design.encoding.column_names)
    _refuse_nonfinite(X, names, frame.index)
    keep = [name != INTERCEPT for name in names]
    return np.ascontiguousarray(X[:, keep].reshape(*shape, sum(keep)).transpose(1, 0, 2)), frame


def _sorted_by_unit(data: pd.DataFrame) -> pd.DataFrame:
    if isinstance(data.index, pd.MultiIndex):
        raise DataError(
            f"The data are indexed by pairs such as {name_some(data.index[:1])}: for a panel build "
            "sde.Panel(df.reset_index(), unit=..., time=...); a cross-section has one label per row."
        )
    refuse_repeated_columns(data)
    if data.empty:
        raise DataError("The data hold no rows.")
    index = as_index(data.index, what="the data")
    try:
        if index.is_monotonic_increasing and not isinstance(
            index, pd.CategoricalIndex
        ):  # these have an order of their own
            return data
        return data.iloc[np.argsort(index.to_numpy(), kind="stable")]
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in index.tolist()})
        raise DataError(
            f"The index of the data mixes {name_some(kinds)}: convert the unit labels to one type, "
            "e.g. df.index = df.index.astype(str)."
        ) from error


@lru_cache(maxsize=256)
def _parse(formula: str) -> Any:
    from formulaic import Formula
    from formulaic.errors import FormulaParsingError

    try:
        parsed = Formula(formula)
    except FormulaParsingError as error:
        narrow = formula.translate(_FULL_WIDTH)
        how = "'y ~ x1 + x2'" if narrow == formula else f"{narrow!r}, without full-width signs"
        raise FormulaError(f"The formula {formula!r} cannot be read: write it as {how}.") from error
    if "|" in formula:
        raise FormulaError(
            f"The formula {formula!r} has a part after '|': choose fixed effects by fixed='individual', 'time' or "
            "'two-way' instead."
        )
    if _POWER.search(_without_calls(formula)):
        raise FormulaError(
            f"The formula {formula!r} raises a variable to a power, which in formulas crosses terms, so that x**2 is "
            "x: write I(x**2) for the square."
        )
    if not hasattr(parsed, "lhs") or len(list(parsed.lhs)) != 1:
        raise FormulaError(f"The formula {formula!r} needs one response: write it as 'y ~ x1 + x2'.")
    both = {str(term) for term in parsed.lhs} & {str(term) for term in parsed.rhs}
    if both:
        raise FormulaError(f"The formula {formula!r} has {name_some(sorted(both))} on both sides of '~'.")
    if "lag" in {variable.split(".")[0] for variable in _called(parsed)}:
        raise FormulaError(
            "lag() in a formula would shift rows across units: use panel.time_lag(column) and assign() instead."
        )
    return parsed


def _without_calls(formula: str) -> str:
    """The formula with every call, such as ``I(x**2)``, replaced by a letter."""
    while (shorter := _CALL.sub("f", formula)) != formula:
        formula = shorter
    return formula


def _called(parsed: Any) -> set[str]:
    """Names of the functions in the formula."""
    return {str(v) for v in parsed.rhs.required_variables | parsed.lhs.required_variables} | {
        factor.expr.split("(")[0] for factor in _factors(parsed) if "(" in factor.expr
    }


def _variables(parsed: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """The variables of the formula, checked; numbers as float64, so that no small integer type overflows in it."""
    # formulaic does not list what is inside its own functions, such as center(x)
    inside = {name for factor in _factors(parsed) for name in _NAME.findall(factor.expr)} & set(frame.columns)
    names = sorted({str(name) for name in parsed.required_variables} | inside)
    if INTERCEPT in names:
        raise FormulaError(
            f"A variable cannot be called {INTERCEPT!r}, which in formulas is the constant: rename the column."
        )
    for name in names:
        if name not in frame.columns:
            meant = _FUNCTIONS_MEANT.get(name) or _axis_meant(name, frame) or did_you_mean(name, frame.columns)
            raise FormulaError(
                f"The formula names {name!r}, which is not in the data.{meant} There are {name_some(frame.columns, 8)}."
            )
    wrapped = [name for name in names if name in _categorical_names(parsed)]
    numbers = frame[[name for name in names if name not in wrapped]]
    values = numeric_values(numbers)
    warn_of_codes(values, numbers)
    for name in wrapped:
        holes = frame.index[frame[name].isna()]
        if len(holes):
            raise DataError(f"Variable {name!r} is missing at {name_some(holes)}.")
    checked = pd.DataFrame(values, index=frame.index, columns=numbers.columns)
    return checked.join(frame[wrapped]) if wrapped else checked


def _axis_meant(name: str, frame: pd.DataFrame) -> str:
    """Advice where a name is that of the units or the times."""
    if name not in frame.index.names:
        return ""
    return f" {name!r} labels the rows: effects of units and times are chosen by fixed='individual', 'time', 'two-way'."


def _categorical_names(parsed: Any) -> set[str]:
    """Variables that appear inside C() and nowhere else."""
    inside: set[str] = set()
    outside: set[str] = set()
    for factor in _factors(parsed):
        (inside if factor.expr.startswith("C(") else outside).update(_NAME.findall(factor.expr))
    return inside - outside


def _factors(parsed: Any) -> list[Any]:
    """Every factor of every term, the response's included where there is one."""
    terms = (*parsed.lhs, *parsed.rhs) if hasattr(parsed, "lhs") else tuple(parsed)
    return [factor for term in terms for factor in term.factors]


def _evaluate(parsed: Any, frame: pd.DataFrame, formula: str) -> tuple[NDArray[np.float64], NDArray[np.float64], Any]:
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(all="ignore"):
            matrices = parsed.get_model_matrix(frame, na_action="ignore", output="numpy", context={})
    except FormulaicError as error:
        raise FormulaError(f"The formula {formula!r} cannot be evaluated: {error}") from error
    except ValueError as error:
        raise FormulaError(f"Some term of {formula!r} does not have one value for each row: {error}.") from error
    y, X = (np.asarray(side, dtype=np.float64) for side in (matrices.lhs, matrices.rhs))
    if y.shape[1] != 1:
        raise FormulaError(f"The response of {formula!r} has {y.shape[1]} columns: it must be one variable.")
    _refuse_nonfinite(
        np.column_stack([y, X]),
        [*matrices.lhs.model_spec.column_names, *matrices.rhs.model_spec.column_names],
        frame.index,
    )
    return y[:, 0], X, matrices.rhs.model_spec


def _refuse_nonfinite(values: NDArray[np.float64], names: list[str], index: pd.Index[Any]) -> None:
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        column = columns[0]
        where = index[rows[columns == column]]
        raise DataError(
            f"The term {names[column]!r} is not a finite number at {name_some(where)}: "
            "look at the values there (the logarithm of zero or of a negative number?)."
        )


def _dummy_columns(spec: Any) -> NDArray[np.bool_]:
    from formulaic.parser.types import Factor

    kinds = {name: state[0] for name, state in spec.encoder_state.items()}
    marks = np.zeros(len(spec.column_names), dtype=bool)
    for term, columns in spec.term_indices.items():
        marks[columns] = any(kinds.get(factor.expr) is Factor.Kind.CATEGORICAL for factor in term.factors)
    return marks
