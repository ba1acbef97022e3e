"""manifest.json: what went into a run, what came out, and how long it took."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_de import __version__
from spatial_de.datasets.codebook import DATA
from spatial_de.datasets.provinces import province_file
from spatial_de.study.folder import MANIFEST, PRODUCER

if TYPE_CHECKING:
    from spatial_de.study.job import Job

PACKAGES = ("numpy", "scipy", "pandas", "geopandas", "shapely", "pyproj", "libpysal", "mapclassify", "matplotlib")


def write_manifest(folder: Path, job: Job, *, seconds: dict[str, float], warnings: list[str]) -> None:
    """Write manifest.json; it lists every other file of the folder with its hash."""
    content: dict[str, Any] = {
        "producer": PRODUCER,
        "title": job.config.title,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "seed": job.config.inference.seed,
        "options": job.config.model_dump(mode="json"),
        "inputs": {name: sha256(path) for name, path in inputs(job).items()},
        "weights": {"fingerprint": job.weights().fingerprint, **asdict(job.weights().provenance)},
        "warnings": warnings,
        "seconds": {name: round(value, 3) for name, value in (seconds | {"all": sum(seconds.values())}).items()},
        "files": {
            path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
        },
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def inputs(job: Job) -> dict[str, Path]:
    """Files a study was made from, by what they are."""
    data = job.config.data
    shapes = province_file() if data.boundaries is None else Path(data.boundaries)
    parts = [".shp", ".dbf"] if shapes.suffix.lower() == ".shp" else [shapes.suffix]
    lines = {f"boundaries{ending}": shapes.with_suffix(ending) for ending in parts}
    if data.panel is not None:
        return {"panel": Path(data.panel), **lines}
    return {"panel": DATA / "china_provinces.csv", "codebook": DATA / "codebook.csv", **lines}


def sha256(path: Path) -> str:
    """Hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
