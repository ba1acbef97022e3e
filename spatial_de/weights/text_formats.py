"""GAL and GWT, the text formats of GeoDa and libpysal, and Stata's matrices. Labels and line numbers are kept."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spatial_de.errors import FileError
from spatial_de.weights.identifiers import IdType, read_ids
from spatial_de.weights.tables import Square
from spatial_de.wording import name_some, plural


class Listed(NamedTuple):
    """Links in the file's order (columns focal, neighbor, weight), all labels, and notes on what was decided."""

    frame: pd.DataFrame
    ids: list[Any]
    notes: tuple[str, ...]


class _Line(NamedTuple):
    number: int
    words: list[str]


def parse_gal(text: str, *, file: str, id_type: IdType) -> Listed:
    """A neighbour list: a head with the number of units, then for each unit ``label count`` and its neighbours.

    The neighbours may run over several lines; the line of a unit without neighbours may be empty or absent.

    Raises
    ------
    FileError
        The number of units or of neighbours is not what was announced, a unit occurs twice, or a neighbour is not a
        unit of the file. The line is named.
    """
    lines = _lines(text, file)
    n = _announced(lines[0], file)
    units: list[str] = []
    at: list[int] = []
    links: list[tuple[int, str, int]] = []
    position = 1
    while position < len(lines):
        number, words = lines[position]
        count = _count(words, number, file)
        units.append(words[0])
        at.append(number)
        position += 1
        missing = count
        while missing > 0 and position < len(lines):
            here = lines[position]
            links += [(len(units) - 1, word, here.number) for word in here.words]
            missing -= len(here.words)
            position += 1
        if missing:
            raise FileError(
                f"{file}, line {number}: unit {words[0]!r} announces {plural(count, 'neighbour')}, "
                f"{count - missing} follow."
            )
    if len(units) != n:
        raise FileError(f"{file}, line {lines[0].number}: {plural(n, 'unit')} announced, {len(units)} found.")
    return _listed_gal(units, at, links, file=file, id_type=id_type)


def parse_gwt(text: str, *, file: str, id_type: IdType) -> Listed:
    """A list of links: a head with the number of units, then ``focal neighbor weight`` on each line.

    Raises
    ------
    FileError
        A line does not hold two labels and a number, or more units occur than announced. The line is named.
    """
    lines = _lines(text, file)
    n = _announced(lines[0], file)
    for number, words in lines[1:]:
        if len(words) != 3 or not _is_float(words[2]):
            raise FileError(f"{file}, line {number}: expected 'focal neighbor weight', found {' '.join(words)!r}.")
    body = lines[1:]
    if not body:
        raise FileError(f"{file} lists no links.")
    found = [words[0] for _, words in body] + [words[1] for _, words in body]
    labels, notes = read_ids(found, id_type, place=lambda k: f"line {body[k % len(body)].number}", file=file)
    frame = pd.DataFrame(
        {
            "focal": labels[: len(body)],
            "neighbor": labels[len(body) :],
            "weight": np.array([words[2] for _, words in body], dtype=object).astype(np.float64),
        }
    )
    ids = list(dict.fromkeys(labels))
    if len(ids) > n:
        raise FileError(f"{file}, line {lines[0].number}: {plural(n, 'unit')} announced, {len(ids)} found.")
    if len(ids) < n:
        notes = (*notes, f"{n} units announced, {len(ids)} have links: name all of them with ids=")
    return Listed(frame, ids, notes)


def parse_spmat(text: str, *, file: str, id_type: IdType) -> Square:
    """A matrix as Stata exports it: a head with the number of units, then a label and n weights on each line.

    Raises
    ------
    FileError
        A line does not hold a label and n numbers, or there are more or fewer lines. The line is named.
    """
    lines = _lines(text, file)
    n = _announced(lines[0], file)
    body = lines[1:]
    for number, words in body:
        if len(words) != n + 1 or not all(map(_is_float, words[1:])):
            raise FileError(f"{file}, line {number}: expected a label and {n} weights, found {len(words)} words.")
    if len(body) != n:
        raise FileError(f"{file}, line {lines[0].number}: {plural(n, 'unit')} announced, {len(body)} found.")
    labels = [words[0] for _, words in body]
    ids, notes = read_ids(labels, id_type, place=lambda k: f"line {body[k].number}", file=file)
    matrix = np.array([[float(word) for word in words[1:]] for _, words in body])
    return Square(matrix, ids, "Stata matrix", notes)


def _listed_gal(
    units: list[str], at: list[int], links: list[tuple[int, str, int]], *, file: str, id_type: IdType
) -> Listed:
    position = {unit: k for k, unit in enumerate(units)}
    if len(position) < len(units):
        k = next(k for k, unit in enumerate(units) if position[unit] != k)
        raise FileError(f"{file}, line {at[position[units[k]]]}: unit {units[k]!r} occurs a second time.")
    for focal, word, number in links:
        if word not in position:
            raise FileError(
                f"{file}, line {number}: {word!r} is a neighbour of {units[focal]!r} but not a unit of the file."
            )
    ids, notes = read_ids(units, id_type, place=lambda k: f"line {at[k]}", file=file)
    frame = pd.DataFrame(
        {
            "focal": [ids[focal] for focal, _, _ in links],
            "neighbor": [ids[position[word]] for _, word, _ in links],
            "weight": 1.0,
        }
    )
    return Listed(frame, ids, notes)


def _lines(text: str, file: str) -> list[_Line]:
    lines = [_Line(k + 1, line.split()) for k, line in enumerate(text.splitlines())]
    used = [line for line in lines if line.words]
    if not used:
        raise FileError(f"{file} is empty.")
    return used


def _announced(head: _Line, file: str) -> int:
    """Number of units in the head: ``n`` alone, or ``0 n shapefile key`` as GeoDa writes it."""
    word = head.words[0] if len(head.words) == 1 else head.words[1]
    if not word.isdigit():
        raise FileError(
            f"{file}, line {head.number}: the head should give the number of units, found {name_some(head.words)}."
        )
    return int(word)


def _count(words: list[str], number: int, file: str) -> int:
    if len(words) != 2 or not words[1].isdigit():
        raise FileError(
            f"{file}, line {number}: expected a unit and its number of neighbours, found {' '.join(words)!r}."
        )
    return int(words[1])


def _is_float(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
