"""What `spatial-de doctor` looks at: a registry of functions, each giving findings."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spatial_de import __version__

DISTRIBUTION = "spatial-digital-economy"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    state
        "ok"; "note", good to know; "problem", has to be mended.
    text, remedy
        What was found, and what to do.
    """

    state: Literal["ok", "note", "problem"]
    text: str
    remedy: str = ""


def python() -> Iterator[Finding]:
    """The interpreter and the package."""
    version = ".".join(map(str, sys.version_info[:3]))
    place = f"{platform.python_implementation()}, {platform.system()} {platform.machine()}"
    yield Finding("ok", f"{version} ({place}); spatial-de {__version__}")


def dependencies() -> Iterator[Finding]:
    """Installed versions against the lower bounds the package declares."""
    from packaging.requirements import Requirement

    found = []
    for text in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("problem", f"{requirement.name} is missing", f"pip install '{requirement}'")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wanted = f"{requirement.name} {version} does not fulfil {requirement.specifier}"
            yield Finding("problem", wanted, f"pip install --upgrade '{requirement}'")
            continue
        found.append(f"{requirement.name} {version}")
    for i in range(0, len(found), 4):
        yield Finding("ok", ", ".join(found[i : i + 4]))


def blas() -> Iterator[Finding]:
    """The libraries that do linear algebra, and how many threads they use."""
    import numpy as np
    import scipy.linalg  # noqa: F401  loads its own BLAS
    from threadpoolctl import threadpool_info

    _ = np.ones((2, 2)) @ np.ones((2, 2))
    found = False
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            found = True
            where = "numpy" if "numpy" in pool["filepath"] else "scipy" if "scipy" in pool["filepath"] else "system"
            text = f"{pool['internal_api']} {pool['version']} ({where}), {pool['num_threads']} threads"
            yield Finding("ok", text)
    if not found:
        yield Finding("note", "not recognised by threadpoolctl; nothing to worry about")


def factorisation() -> Iterator[Finding]:
    """How ln|I - rho W| is computed."""
    yield Finding("ok", "up to a few hundred units: all eigenvalues")
    try:
        version = importlib.metadata.version("cvxopt")
        yield Finding("ok", f"more units: sparse Cholesky by CHOLMOD (cvxopt {version})")
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "note",
            "more units: sparse LU by SuperLU; CHOLMOD (optional, GPL) is five times faster from 10,000 units on",
            f"pip install '{DISTRIBUTION}[fast]'",
        )


def fonts() -> Iterator[Finding]:
    """Whether Chinese labels print."""
    from spatial_de.errors import SpatialDEError
    from spatial_de.maps import check_fonts

    try:
        yield Finding("ok", check_fonts())
    except SpatialDEError as error:
        yield Finding("problem", str(error), f"pip install --force-reinstall {DISTRIBUTION}")


def data() -> Iterator[Finding]:
    """Whether the bundled data can be read."""
    from spatial_de import datasets
    from spatial_de.errors import SpatialDEError

    try:
        panel, provinces = datasets.load_china_panel(), datasets.load_provinces()
    except SpatialDEError as error:
        yield Finding("problem", str(error), f"pip install --force-reinstall {DISTRIBUTION}")
        return
    years = f"{panel.times[0]}-{panel.times[-1]}"
    yield Finding("ok", f"China panel {panel.n_units} provinces, {years}; {len(provinces)} boundaries")


def machine() -> Iterator[Finding]:
    """Cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = _memory()
    yield Finding("ok", f"{cores} cores, " + ("memory unknown" if memory is None else f"{memory:.1f} GB of memory"))


def disk() -> Iterator[Finding]:
    """Whether results can be written here."""
    try:
        with tempfile.TemporaryFile(dir="."):
            pass
    except OSError as error:
        yield Finding("note", f"{Path.cwd()} cannot be written to ({error.strerror})", "use 'study -o FOLDER'")
        return
    yield Finding("ok", f"{Path.cwd()} can be written to")


def _memory() -> float | None:
    """Physical memory in GB; None where the system does not tell."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_PAGE_SIZE" not in names:
        return None
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": python,
    "Dependencies": dependencies,
    "BLAS": blas,
    "Factorisation": factorisation,
    "Fonts": fonts,
    "Data": data,
    "Machine": machine,
    "Folder": disk,
}
