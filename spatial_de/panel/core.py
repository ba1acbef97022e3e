"""`Panel`: labelled unit-by-time data, checked once, in any row order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError, DataError, PanelError
from spatial_de.panel.checks import (
    check_columns,
    check_complete,
    check_keys,
    check_no_infinity,
    check_unique_keys,
    numeric_values,
    warn_of_time_gaps,
)
from spatial_de.weights.labels import match_labels
from spatial_de.wording import check_option, did_you_mean, name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spatial_de.weights import SpatialWeights


class Panel:
    """Units observed over time, in long format, in any row order.

    Parameters
    ----------
    df
        One row per unit and time.
    unit, time
        Names of the columns with the unit's label and the time (an integer year, or text such as "2013Q1").
    unbalanced
        Accept that some units miss some times. `fit` estimates such panels by their exact likelihood; what else needs
        a balanced panel says so, and `balance()` makes one.

    Raises
    ------
    PanelError
        Duplicated unit-times, missing unit-times, labels of mixed type, years that are not integers.
    DataError
        Infinite values. Missing values and text are refused where the column is used: a panel may carry
        columns that are not complete.

    Examples
    --------
    >>> df = pd.DataFrame({"code": ["b", "a", "a", "b"], "year": [1, 2, 1, 2], "x": [3.0, 2.0, 1.0, 4.0]})
    >>> panel = Panel(df, unit="code", time="year")
    >>> panel.wide("x")
    code    a    b
    year
    1     1.0  3.0
    2     2.0  4.0
    """

    def __init__(self, df: pd.DataFrame, unit: str, time: str, *, unbalanced: bool = False) -> None:
        check_option(unbalanced, (True, False), "unbalanced")
        check_columns(df, unit, time)
        check_keys(df, unit, time)
        check_unique_keys(df, unit, time)
        frame = df.set_index([unit, time]).sort_index()
        check_no_infinity(frame)
        self._set(frame, dropped=None)
        warn_of_time_gaps(self.times)
        if not unbalanced:
            check_complete(frame.index, self.units, self.times)

    def _set(self, frame: pd.DataFrame, *, dropped: pd.DataFrame | None) -> None:
        self._frame = frame
        self._dropped = dropped
        self._units: pd.Index[Any] = frame.index.unique(0)
        self._times: pd.Index[Any] = frame.index.unique(1).sort_values()

    @classmethod
    def _from_frame(cls, frame: pd.DataFrame, *, dropped: pd.DataFrame | None = None) -> Panel:
        """A panel from a frame that has been checked already."""
        panel = cls.__new__(cls)
        panel._set(frame, dropped=dropped)  # noqa: SLF001  a second constructor
        return panel

    @property
    def frame(self) -> pd.DataFrame:
        """A copy of the data, indexed by (unit, time), sorted."""
        return self._frame.copy()

    @property
    def units(self) -> pd.Index[Any]:
        """Labels of the N units, sorted."""
        return self._units

    @property
    def times(self) -> pd.Index[Any]:
        """The T times, sorted."""
        return self._times

    @property
    def n_units(self) -> int:
        """N."""
        return len(self._units)

    @property
    def n_times(self) -> int:
        """T."""
        return len(self._times)

    @property
    def columns(self) -> pd.Index[Any]:
        """Names of the variables."""
        return self._frame.columns

    @property
    def unit_name(self) -> str:
        """Name of the unit column."""
        return str(self._frame.index.names[0])

    @property
    def time_name(self) -> str:
        """Name of the time column."""
        return str(self._frame.index.names[1])

    @property
    def is_balanced(self) -> bool:
        """Whether every unit has a row for every time."""
        return len(self._frame) == self.n_units * self.n_times

    @property
    def dropped(self) -> pd.DataFrame:
        """What `balance()` or `drop_missing()` left out: columns unit, time, reason; empty for a panel as given."""
        if self._dropped is None:
            return pd.DataFrame({self.unit_name: [], self.time_name: [], "reason": []})
        return self._dropped.copy()

    def __getitem__(self, column: str) -> pd.Series:
        """One variable, indexed by (unit, time)."""
        self._require([column])
        return self._frame[column].copy()

    def __contains__(self, column: object) -> bool:
        return column in self._frame.columns

    def __len__(self) -> int:
        return len(self._frame)

    def wide(self, column: str) -> pd.DataFrame:
        """One variable as a table times x units; NaN where there is no value."""
        self._require([column])
        return self._frame[column].unstack(level=0).reindex(index=self._times, columns=self._units)  # noqa: PD010

    def values(self, columns: Sequence[str]) -> NDArray[np.float64]:
        """Numbers of some variables, shape (T, N, k), units in the order of `units`.

        Raises
        ------
        PanelError
            The panel is not balanced.
        DataError
            A value is missing, infinite or text: unit, time and column are named.
        """
        check_complete(self._frame.index, self._units, self._times)
        self._require(columns)
        flat = numeric_values(self._frame[list(columns)])
        return np.ascontiguousarray(flat.reshape(self.n_units, self.n_times, len(columns)).transpose(1, 0, 2))

    def assign(self, **variables: pd.Series | float | Callable[[Panel], pd.Series]) -> Panel:
        """A panel with new or replaced variables.

        Parameters
        ----------
        **variables
            Series indexed by (unit, time) with exactly the panel's rows in any order, a number, or a function
            of the panel that returns one of these.
        """
        frame = self._frame.copy()
        for name, given in variables.items():
            value = given(Panel._from_frame(frame)) if callable(given) else given
            if isinstance(value, pd.Series):
                frame[name] = value.iloc[self._positions(value, name)].to_numpy()
                continue
            if np.ndim(value) > 0:
                raise DataError(
                    f"Variable {name!r}: a {type(value).__name__} has no labels; give a Series indexed by "
                    f"({self.unit_name}, {self.time_name}), so that its order cannot matter."
                )
            frame[name] = value
        check_no_infinity(frame[list(variables)])
        return Panel._from_frame(frame, dropped=self._dropped)

    def select(
        self,
        *,
        units: Iterable[Any] | None = None,
        times: Iterable[Any] | None = None,
        columns: Sequence[str] | None = None,
    ) -> Panel:
        """A panel with some of the units, times and variables; None keeps all."""
        frame = self._frame
        if columns is not None:
            self._require(columns)
            frame = frame[list(columns)]
        for level, wanted, have in ((0, units, self._units), (1, times, self._times)):
            if wanted is not None:
                chosen = pd.Index(list(wanted))
                absent = chosen[~chosen.isin(have)]
                if len(absent):
                    raise PanelError(
                        f"The panel has no {have.name} {name_some(absent)}; it has {name_some(have, 3)} "
                        f"({len(have)} in all)."
                    )
                frame = frame[frame.index.get_level_values(level).isin(chosen)]
        if frame.empty:
            raise PanelError("The selection holds no rows: choose at least one unit and one time.")
        return Panel._from_frame(frame, dropped=self._dropped)

    def balance(self, columns: Sequence[str] | None = None) -> Panel:
        """The largest balanced panel over the same times: units with anything missing are left out.

        What is dropped is in `.dropped` and in the repr. To keep the units and shorten the period instead,
        call ``select(times=...)`` first.

        Parameters
        ----------
        columns
            Variables whose missing values count as well. By default only missing rows count.
        """
        checked = list(columns or [])
        self._require(checked)
        grid = pd.MultiIndex.from_product([self._units, self._times], names=self._frame.index.names)
        absent = grid[~grid.isin(self._frame.index)]
        reasons = [pd.Series("no row", index=absent)]
        for column in checked:
            holes = self._frame.index[self._frame[column].isna()]
            reasons.append(pd.Series(f"{column} is missing", index=holes))
        causes = pd.concat(reasons)
        out = causes.index.unique(0)
        kept = self._units.difference(out)
        if not len(kept):
            raise PanelError(
                f"No unit is complete over {self.n_times} times: shorten the period with select(times=...) first "
                f"(most often: {name_some(causes.value_counts().index, 3)})."
            )
        report = causes.rename("reason").rename_axis(self._frame.index.names).reset_index()
        return Panel._from_frame(self._frame[self._frame.index.get_level_values(0).isin(kept)], dropped=report)

    def drop_missing(self, columns: Sequence[str]) -> Panel:
        """The panel without the rows in which one of some variables is missing; in general it is unbalanced.

        What is dropped is in `.dropped` and in the repr.

        Parameters
        ----------
        columns
            Variables whose missing values count.
        """
        checked = [columns] if isinstance(columns, str) else list(columns)
        self._require(checked)
        holes = self._frame[checked].isna()
        out = holes.any(axis=1)
        if not out.any():
            return self
        if out.all():
            raise PanelError(f"Every row has a missing value in {name_some(checked)}: nothing would be left.")
        reasons = [pd.Series(f"{column} is missing", index=self._frame.index[holes[column]]) for column in checked]
        report = pd.concat(reasons).rename("reason").rename_axis(self._frame.index.names).reset_index()
        earlier = [] if self._dropped is None else [self._dropped]
        return Panel._from_frame(self._frame[~out], dropped=pd.concat([*earlier, report], ignore_index=True))

    def lag(self, column: str, w: SpatialWeights) -> pd.Series:
        """Spatial lag of a variable at each time, by label, indexed by (unit, time), named ``W_column``."""
        x = self.values([column])[:, :, 0]
        order = match_labels(w.ids, self._units, left="weights", right="panel")
        matrix = w.sparse[order][:, order]
        lagged = (matrix @ x.T).reshape(-1)
        return pd.Series(lagged, index=self._frame.index, name=f"W_{column}")

    def time_lag(self, column: str, k: int = 1) -> pd.Series:
        """A variable k times earlier, indexed by (unit, time), named ``L1_column``; NaN in the first k times.

        Raises
        ------
        PanelError
            The times are not evenly spaced, so that "k times earlier" means different spans.
        """
        self._require([column])
        steps = np.diff(self._times) if pd.api.types.is_integer_dtype(self._times.dtype) else np.array([1])
        if len(set(steps.tolist())) > 1:
            raise PanelError(
                f"The times are not evenly spaced ({name_some(self._times, 8)}): a time lag would mix spans. "
                "Select an evenly spaced period first."
            )
        earlier = self.wide(column).shift(k)
        times, units = self._frame.index.get_level_values(1), self._frame.index.get_level_values(0)
        values = earlier.to_numpy()[self._times.get_indexer(times), self._units.get_indexer(units)]
        return pd.Series(values, index=self._frame.index, name=f"L{k}_{column}")

    def to_frame(self) -> pd.DataFrame:
        """The data in long format with the unit and time as columns."""
        return self._frame.reset_index()

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to rebuild the panel, in plain Python types."""
        return {
            "unit": self.unit_name,
            "time": self.time_name,
            "unbalanced": not self.is_balanced,
            "data": self.to_frame().to_dict(orient="list"),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Panel:
        """Rebuild a panel from `to_dict`."""
        return cls(pd.DataFrame(content["data"]), content["unit"], content["time"], unbalanced=content["unbalanced"])

    def __repr__(self) -> str:
        state = "balanced" if self.is_balanced else f"unbalanced, {len(self)} rows"
        lines = [
            f"Panel: {plural(self.n_units, self.unit_name + ' unit')} x {plural(self.n_times, 'time')} ({state})",
            f"  {self.unit_name:<10} {name_some(self._units, 4)}",
            f"  {self.time_name:<10} {self._times[0]} to {self._times[-1]}",
            f"  variables  {name_some(self._frame.columns, 8)}",
        ]
        if self._dropped is not None and len(self._dropped):
            lines.append(f"  dropped    {self._describe_dropped(self._dropped)}")
        return "\n".join(lines)

    def _describe_dropped(self, dropped: pd.DataFrame) -> str:
        units = pd.Index(dropped[self.unit_name].unique())
        gone = units[~units.isin(self._units)]
        if len(gone) == len(units):
            return f"{plural(len(gone), 'unit')} that are not complete: {name_some(gone)}"
        pairs = dropped[[self.unit_name, self.time_name]].drop_duplicates()
        return f"{plural(len(pairs), 'row')} with missing values: {name_some(pairs.itertuples(index=False, name=None))}"

    def _repr_html_(self) -> str:
        return f"<pre>{self!r}</pre>"

    def _require(self, columns: Iterable[str]) -> None:
        for column in columns:
            if column not in self._frame.columns:
                raise DataError(
                    f"The panel has no variable {column!r}.{did_you_mean(column, self._frame.columns)} "
                    f"It has {name_some(self._frame.columns, 8)}."
                )

    def _positions(self, series: pd.Series, name: str) -> NDArray[np.intp]:
        if not series.index.is_unique or len(series) != len(self._frame):
            raise AlignmentError(
                f"Variable {name!r} has {len(series)} rows, the panel {len(self._frame)}: give one value per "
                f"({self.unit_name}, {self.time_name})."
            )
        positions = series.index.get_indexer(self._frame.index)
        if (positions < 0).any():
            raise AlignmentError(
                f"Variable {name!r} lacks {name_some(self._frame.index[positions < 0])}: index it by "
                f"({self.unit_name}, {self.time_name}) like the panel."
            )
        return positions
