"""Labels decide: how two labelled things meet. Positions are never compared."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from spatial_de.errors import AlignmentError
from spatial_de.wording import name_some, plural

if TYPE_CHECKING:
    from numpy.typing import NDArray


def as_index(ids: Iterable[Any], *, what: str) -> pd.Index[Any]:
    """Labels as an index: unique, none missing.

    Raises
    ------
    AlignmentError
        Labels are missing or duplicated; they are named.
    """
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise AlignmentError(f"{_capital(what)}: give a list of labels, one for each unit, not {ids!r}.")
    index = ids if isinstance(ids, pd.Index) else pd.Index(list(ids))
    if isinstance(index, pd.MultiIndex):
        raise AlignmentError(
            f"{_capital(what)}: one label per unit is needed, found pairs such as {name_some(index[:1])}."
        )
    missing = np.asarray(index.isna())
    if missing.any():
        raise AlignmentError(
            f"{_capital(what)}: {plural(int(missing.sum()), 'label')} missing (position "
            f"{name_some(np.flatnonzero(missing).tolist())}). Give every unit a label."
        )
    if not index.is_unique:
        twice = index[index.duplicated()].unique()
        raise AlignmentError(
            f"{_capital(what)}: {plural(len(twice), 'label occurs', 'labels occur')} more than once: "
            f"{name_some(twice)}. Every unit may occur only once."
        )
    _refuse_twins(index, what)
    return index


def match_labels(have: pd.Index[Any], want: pd.Index[Any], *, left: str, right: str) -> NDArray[np.intp]:
    """Positions in `have` of the labels `want`; both must hold exactly the same labels.

    Parameters
    ----------
    have, want
        Unique labels.
    left, right
        What the two are called in the message, e.g. ``"weights"`` and ``"data"``.

    Returns
    -------
    array of int, shape (n,)
        ``have[result]`` equals `want`.

    Raises
    ------
    AlignmentError
        Labels of one side are missing on the other, or the two sides write them differently
        (text against numbers): the first ones are named, the others counted, and the fix is given.
    """
    positions: NDArray[np.intp] = have.get_indexer(want)
    only_right = want[positions < 0]
    matched = np.zeros(len(have), dtype=bool)
    matched[positions[positions >= 0]] = True
    only_left = have[~matched]
    if not len(only_right) and not len(only_left):
        _refuse_decimals_for_integers(have, want, left=left, right=right)
        return positions
    advice = explain_mismatch(have, want, left=left, right=right)
    if advice:
        raise AlignmentError(advice)
    parts = []
    if len(only_right):
        parts.append(f"{plural(len(only_right), 'unit')} of {right} not in {left}: {name_some(only_right)}")
    if len(only_left):
        parts.append(f"{plural(len(only_left), 'unit')} of {left} not in {right}: {name_some(only_left)}")
    raise AlignmentError(
        f"The units of {left} and {right} are not the same; " + "; ".join(parts) + f". {_longer(only_left, only_right)}"
        "Drop or add units explicitly (w.subset(ids), panel.select(units=...)) so that both hold the same ones."
    )


def _longer(only_left: pd.Index[Any], only_right: pd.Index[Any]) -> str:
    """A hint where most labels of one side begin like exactly one of the other, such as 北京 and 北京市."""
    pairs = []
    for label in only_right:
        near = [other for other in only_left if _begins(str(other), str(label))]
        pairs += [(near[0], label)] if len(near) == 1 else []
    if not pairs or 2 * len(pairs) < max(len(only_left), len(only_right)):
        return ""
    return f"Are {pairs[0][0]!r} and {pairs[0][1]!r} the same unit? Then write the labels alike on both sides. "


def _begins(one: str, other: str) -> bool:
    return not (one[-1:] + other[-1:]).isdigit() and (one.startswith(other) or other.startswith(one))


def explain_mismatch(have: pd.Index[Any], want: pd.Index[Any], *, left: str, right: str) -> str:
    """The message for ids written in two ways ("110000", 110000, 110000.0), or an empty string."""
    left_kind, right_kind = _kind(have), _kind(want)
    plain_left, plain_right = _canonical(have), _canonical(want)
    shared = len(plain_left & plain_right)
    if shared < 0.5 * max(min(len(plain_left), len(plain_right)), 1) or shared <= int(have.isin(want).sum()):
        return ""
    if left_kind == right_kind:
        here, there = _first_pair(have, want)
        return (
            f"The units of {left} and {right} are written differently, such as {here!r} and {there!r}: {shared} of "
            "them would match without blanks at the ends and with characters in one form. Labels are compared as "
            "given; clean both sides, e.g. ids.str.normalize('NFKC').str.strip()."
        )
    return _two_kinds(have, want, left=left, right=right, shared=shared)


def _refuse_decimals_for_integers(have: pd.Index[Any], want: pd.Index[Any], *, left: str, right: str) -> None:
    """1.0 equals 1, but an id that became a decimal number may have lost digits on the way."""
    if {_kind(have), _kind(want)} == {"integers", "decimal numbers"}:
        raise AlignmentError(_two_kinds(have, want, left=left, right=right, shared=len(have)))


def _two_kinds(have: pd.Index[Any], want: pd.Index[Any], *, left: str, right: str, shared: int) -> str:
    """The message for ids of two types."""
    left_kind, right_kind = _kind(have), _kind(want)
    cast = "str" if left_kind == "text" else "int"
    side = left if (left_kind, right_kind) == ("decimal numbers", "integers") else right
    return (
        f"The units of {left} are {left_kind} (such as {_show(have[0])}), those of {right} are {right_kind} "
        f"(such as {_show(want[0])}): {shared} of them would match if both were written the same way. Labels are "
        f"compared as given; convert one side, e.g. ids.astype({cast}) for {side}."
    )


def _capital(what: str) -> str:
    return what[0].upper() + what[1:]


def _kind(index: pd.Index[Any]) -> str:
    kind = index.inferred_type
    return {"string": "text", "integer": "integers", "floating": "decimal numbers"}.get(kind, kind)


def _canonical(index: pd.Index[Any]) -> set[str]:
    return {_plain(label) for label in index.tolist()}


def _plain(label: Any) -> str:
    """A label without the accidents of its type, of blanks and of full-width or composed characters."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return unicodedata.normalize("NFKC", str(label)).strip()


def _first_pair(have: pd.Index[Any], want: pd.Index[Any]) -> tuple[Any, Any]:
    """The first label of `want` that is in `have` only after cleaning, as both sides write it."""
    plain = {_plain(label): label for label in have.tolist()}
    there = next(label for label in want[~want.isin(have)].tolist() if _plain(label) in plain)
    return plain[_plain(there)], there


def _refuse_twins(index: pd.Index[Any], what: str) -> None:
    """Labels such as 1 and "1" in one index are one unit written in two ways."""
    if not index.inferred_type.startswith("mixed"):
        return
    first: dict[str, Any] = {}
    for label in index.tolist():
        twin = first.setdefault(str(label), label)
        if twin is not label:
            raise AlignmentError(
                f"{_capital(what)}: labels {twin!r} and {label!r} differ in type only. Convert all to one type."
            )


def _show(label: Any) -> str:
    return repr(label.item() if hasattr(label, "item") else label)
