"""The results folder: made beside its place, swapped in whole, never at the cost of what was there."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatial_de.errors import FileError
from spatial_de.wording import name_some, plural

MANIFEST = "manifest.json"
PRODUCER = "spatial-de study"
_SYSTEM_FILES = {"Thumbs.db", "desktop.ini"}


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new folder to write into, which takes the place of `target` when the block ends well.

    When the block fails or is interrupted, the new folder is removed and `target` stays as it was.

    Parameters
    ----------
    target
        Where the results shall be. A folder that is there must be empty or hold nothing but an earlier run.

    Raises
    ------
    FileError
        Something else is there, or the place cannot be written to.
    """
    place = target.resolve()
    check_replaceable(place)
    fresh = _make_beside(place)
    try:
        yield fresh
        _swap(fresh, place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def check_replaceable(place: Path) -> None:
    """Refuse to replace what an earlier run did not make.

    Raises
    ------
    FileError
        A file, a folder without a manifest of ours, or one that holds files the manifest does not list.
    """
    if not place.exists():
        return
    if not place.is_dir():
        raise FileError(f"{place} is a file: name a folder with -o.")
    present = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file() and not _hidden(path)}
    if not present:
        return
    listed = _listed_files(place / MANIFEST)
    if listed is None:
        raise FileError(
            f"{place} holds {plural(len(present), 'file')} and no {MANIFEST} of an earlier run, so it is not replaced: "
            "name another folder with -o, or move its content away."
        )
    strange = sorted(present - listed - {MANIFEST})
    if strange:
        raise FileError(
            f"{place} holds {plural(len(strange), 'file')} that the earlier run did not write "
            f"({name_some(strange, 3)}), and replacing the folder would delete them: "
            "move them away, or name another folder with -o."
        )


def _hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name in _SYSTEM_FILES


def _listed_files(manifest: Path) -> set[str] | None:
    """Files of the earlier run; None where this is not the manifest of one."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(content, dict) or content.get("producer") != PRODUCER:
        return None
    return set(content.get("files", {}))


def _make_beside(place: Path) -> Path:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=".new", dir=place.parent))
        mask = os.umask(0)
        os.umask(mask)
        fresh.chmod(0o777 & ~mask)  # mkdtemp is private; results are as open as any other new folder
    except OSError as error:
        raise FileError(
            f"A folder cannot be made in {place.parent} ({error.strerror}): name another one with -o."
        ) from error
    return fresh


def _swap(fresh: Path, place: Path) -> None:
    """Put `fresh` at `place`; the old folder is gone only once the new one is there."""
    if not place.exists():
        fresh.rename(place)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=".old", dir=place.parent)) / place.name
    try:
        place.rename(old)
        try:
            fresh.rename(place)
        except BaseException:
            old.rename(place)
            raise
    except OSError as error:
        raise FileError(
            f"{place} cannot be replaced ({error.strerror}): close what has its files open, or name another folder."
        ) from error
    finally:
        shutil.rmtree(old.parent, ignore_errors=True)
