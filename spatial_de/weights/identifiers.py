"""Labels as files write them: text or integers, said once and recorded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from spatial_de.errors import FileError

IdType = Literal["auto", "text", "integer"]
ID_TYPES = ("auto", "text", "integer")

_INTEGER = re.compile(r"-?(0|[1-9]\d*)")


def read_ids(
    found: Sequence[Any], id_type: IdType, *, place: Callable[[int], str], file: str, textual: bool = True
) -> tuple[list[Any], tuple[str, ...]]:
    """Labels of one type, and a note on what was decided.

    Parameters
    ----------
    found
        Labels as the file holds them: text, whole numbers, decimal numbers without fraction, None for an empty cell.
    id_type
        ``"auto"``: numbers are integers and text is text; in files that hold nothing but text, integers where every
        label is a whole number written without leading zeros. ``"text"``. ``"integer"``.
    place
        Position in `found` to words, for messages.
    file
        Name of the file, for messages.
    textual
        The file holds nothing but text.

    Raises
    ------
    FileError
        A label is missing, is a number with a fraction, or is not an integer where integers are asked for; numbers
        and text are mixed.
    """
    for k, label in enumerate(found):
        if label is None:
            raise FileError(f"{file}: {place(k)} holds no label.")
        if isinstance(label, float | np.floating) and not float(label).is_integer():
            raise FileError(f"{file}: {place(k)} holds the label {label!s}: labels are text or whole numbers.")
    written = [str(int(label)) if isinstance(label, float) else str(label).strip() for label in found]
    stripped = sum(isinstance(label, str) and label != text for label, text in zip(found, written, strict=True))
    notes = [f"blanks around {stripped} labels removed"] if stripped else []
    whole = [bool(_INTEGER.fullmatch(text)) for text in written]
    if id_type == "integer" and not all(whole):
        k = whole.index(False)
        raise FileError(
            f"{file}: {place(k)} holds the label {written[k]!r}, which is not an integer. Use id_type='text'."
        )
    is_text = [isinstance(label, str) for label in found]
    if id_type == "auto" and len(set(is_text)) > 1:
        k = is_text.index(not is_text[0])
        raise FileError(
            f"{file}: {place(k)} holds the label {found[k]!r}, {place(0)} {found[0]!r}: text and numbers are mixed. "
            "Pass id_type='text' or id_type='integer'."
        )
    as_written = id_type == "auto" and is_text[0] and not textual
    if id_type == "text" or as_written or not all(whole):
        return written, tuple(notes)
    if id_type == "auto" and textual:
        notes.append("labels read as integers (id_type='text' keeps them as text)")
    return [int(text) for text in written], tuple(notes)
