"""study.toml: what a study is made of, validated before anything is computed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spatial_de.errors import StudyError
from spatial_de.wording import did_you_mean, name_some, plural

Covariance = Literal["classical", "robust", "cluster", "cluster-time", "cluster-two-way", "driscoll-kraay"]  # of panels
Neighbours = Literal["queen", "rook", "knn", "inverse-distance", "economic"]
Period = Annotated[list[int], Field(min_length=2, max_length=2)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSection(_Section):
    """Where the figures and the boundaries come from, and which times are used.

    Attributes
    ----------
    panel, boundaries
        The user's own files; without them the bundled China panel and provinces. An own panel needs own boundaries.
    unit, time
        Columns of the panel file with the unit's id and the time.
    id
        Column of the boundary file with the unit's id.
    first, last
        First and last time used.
    """

    panel: str | None = None
    boundaries: str | None = None
    unit: str = "code"
    time: str = "year"
    id: str = "code"
    first: int
    last: int

    @model_validator(mode="after")
    def _check(self) -> DataSection:
        if self.panel is not None and self.boundaries is None:
            raise ValueError("an own panel needs own boundaries")
        if self.first >= self.last:
            raise ValueError(f"first ({self.first}) must be before last ({self.last})")
        return self


class IndexSection(_Section):
    """The composite index.

    Attributes
    ----------
    indicators
        Name of a preset, or indicator -> direction (1 or -1).
    method, scope
        As in `composite_index`.
    name
        Name of the index as a variable.
    step
        The change of the index that the report puts into words.
    """

    indicators: str | dict[str, Literal[1, -1]]
    method: Literal["entropy", "entropy-topsis", "pca", "equal"] = "entropy"
    scope: Literal["global", "per-year"] = "global"
    name: str = "digital"
    step: float = Field(default=0.1, gt=0)


class ModelSection(_Section):
    """The main specification.

    Attributes
    ----------
    outcome, controls
        Terms of a formula: "log(urban_rural_ratio)".
    model, fixed, bias, cov
        As in `fit`.
    """

    outcome: str
    controls: list[str]
    model: Literal["sdm", "sdem", "sar", "slx"] = "sdm"
    fixed: Literal["two-way", "individual", "time", "none"] = "two-way"
    bias: Literal["lee-yu", "none", "correction"] = "lee-yu"
    cov: Covariance = "classical"


class WeightsSection(_Section):
    """Who is whose neighbour.

    Attributes
    ----------
    rule
        Rule of the main specification.
    islands
        What to do with units that border nobody, under queen and rook.
    k
        Neighbours of "knn".
    power
        Power of the distance in "inverse-distance".
    economic
        Variable whose mean over time makes the distance of "economic".
    """

    rule: Neighbours = "queen"
    islands: Literal["error", "nearest", "keep"] = "nearest"
    k: int = Field(default=4, ge=1)
    power: float = Field(default=1.0, gt=0)
    economic: str | None = None


class RobustnessSection(_Section):
    """What is varied, one thing at a time.

    Attributes
    ----------
    weights
        Other rules.
    outcomes
        Other outcomes, terms of a formula.
    periods
        Other [first, last].
    without
        Title -> ids of the units left out.
    index_in_logs
        The index as a logarithm.
    index_methods
        Other ways to weight the indicators.
    covariances, biases
        Other covariances and treatments of fixed effects.
    """

    weights: list[Neighbours] = []
    outcomes: list[str] = []
    periods: list[Period] = []
    without: dict[str, list[str | int]] = {}
    index_in_logs: bool = False
    index_methods: list[Literal["entropy", "entropy-topsis", "pca", "equal"]] = []
    covariances: list[Covariance] = []
    biases: list[Literal["lee-yu", "none", "correction"]] = []


class InferenceSection(_Section):
    """Random draws.

    Attributes
    ----------
    draws
        Of the effects.
    permutations
        Of Moran's I.
    alpha
        False-discovery level of the local Moran statistics.
    seed
        Of both.
    """

    draws: int = Field(default=10_000, ge=100)
    permutations: int = Field(default=9999, ge=99)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)


class WordsSection(_Section):
    """What things are called in the report."""

    index: str
    measure: str
    gap: str
    up: str = "wider"
    down: str = "narrower"
    unit: str = "region"
    units: str = "regions"


class FiguresSection(_Section):
    """Figures.

    Attributes
    ----------
    formats
        Files written for each figure; the report has its own copies.
    outcome
        Variable mapped and tested for dependence, e.g. the outcome without its logarithm.
    language
        Of the words that figures add by themselves.
    unit_labels
        Column of the boundaries with names to print on maps, or "id"; none by default.
    approval
        Approval number of the base map, printed below maps.
    """

    formats: list[Literal["png", "svg", "pdf"]] = ["png", "svg", "pdf"]
    outcome: str
    language: Literal["en", "zh"] = "en"
    unit_labels: str | None = None
    approval: str | None = None


class StudyConfig(_Section):
    """A whole study."""

    title: str
    data: DataSection
    index: IndexSection
    model: ModelSection
    weights: WeightsSection = WeightsSection()
    robustness: RobustnessSection = RobustnessSection()
    inference: InferenceSection = InferenceSection()
    figures: FiguresSection
    words: WordsSection
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _check(self) -> StudyConfig:
        if "economic" in {self.weights.rule, *self.robustness.weights} and self.weights.economic is None:
            raise ValueError("the rule 'economic' needs weights.economic, the variable it measures distance in")
        if self.figures.approval is not None and self.data.boundaries is None:
            raise ValueError("figures.approval is the number of an own map: give data.boundaries")
        return self


def bundled_text() -> str:
    """The text of the bundled study, china.toml."""
    return resources.files("spatial_de.study").joinpath("china.toml").read_text(encoding="utf-8")


def load_config(path: str | Path | None = None) -> StudyConfig:
    """Read and check a study.

    A file without an own panel changes the bundled China study: what it does not name stays as there.
    A file with an own panel stands by itself.

    Parameters
    ----------
    path
        A toml file; None for the bundled study.

    Raises
    ------
    StudyError
        The file cannot be read, is not toml, or has keys or values that do not work; all of them are named.
    """
    if path is None:
        return _validated(tomllib.loads(bundled_text()), "the bundled study")
    given = _parsed(Path(path))
    own_data = isinstance(given.get("data"), dict) and "panel" in given["data"]
    content = given if own_data else _of_bundled(given)
    _anchor(content["data"], Path(path).parent)
    return _validated(content, str(path))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(f"{path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} is not UTF-8 text: save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise StudyError(f'{path} is not valid toml: {error}. Text needs quotes: title = "...".') from error


def _of_bundled(changes: dict[str, Any]) -> dict[str, Any]:
    """The bundled study with changes; the words and maps of its outcome do not outlive another outcome."""
    content = _merged(tomllib.loads(bundled_text()), changes)
    given = {key: section for key, section in changes.items() if isinstance(section, dict)}
    outcome = given.get("model", {}).get("outcome")
    if isinstance(outcome, str):
        variable = outcome.removeprefix("log(").removesuffix(")").strip()
        label = str(content["labels"].get(variable, variable))
        if "measure" not in given.get("words", {}):
            content["words"] = content["words"] | {"measure": label[:1].lower() + label[1:]}
        if "outcome" not in given.get("figures", {}) and variable.isidentifier():
            content["figures"] = content["figures"] | {"outcome": variable}
    return content


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`: sections are merged, values and free tables replaced."""
    out = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = {**out[key], **value} if both else value
    return out


def _anchor(section: Any, folder: Path) -> None:
    """Paths in a study file are meant from where the file is."""
    if not isinstance(section, dict):
        return
    for key in ("panel", "boundaries"):
        if isinstance(section.get(key), str):
            section[key] = str(folder / section[key])


def _validated(content: dict[str, Any], name: str) -> StudyConfig:
    try:
        return StudyConfig.model_validate(content)
    except ValidationError as error:
        lines = [f"  {_complaint(item)}" for item in _without_other_branches(error.errors())]
        raise StudyError("\n".join([f"{name} has {plural(len(lines), 'fault')}:", *lines])) from error


def _without_other_branches(items: list[Any]) -> list[Any]:
    """Faults without those of a union's branch that was not meant: a fault further inside another branch tells."""
    meant = {item["loc"][:i] for item in items if not _of_branch(item) for i in range(len(item["loc"]))}
    return [item for item in items if not (_of_branch(item) and item["loc"][:-1] in meant)]


def _of_branch(item: Any) -> bool:
    return bool(item["loc"]) and _is_branch(item["loc"][-1])


def _complaint(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"] if not _is_branch(part))
    if item["type"] == "extra_forbidden":
        allowed = _keys_beside(item["loc"])
        return f"{where}: no such key.{did_you_mean(item['loc'][-1], allowed)} Allowed: {name_some(allowed, 12)}."
    if item["type"] == "missing":
        return f"{where}: is missing."
    if item["type"] == "literal_error":
        return f"{where} = {item['input']!r}: use {item['ctx']['expected']}."
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{where or 'study'}: {message}" + (f", not {item['input']!r}" if _is_plain(item["input"]) else "") + "."


def _is_branch(part: object) -> bool:
    """Whether a part of a place names a branch of a union, as pydantic writes it, and no key of the file."""
    return isinstance(part, str) and (part in {"str", "int"} or part.startswith(("dict[", "list[")))


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _keys_beside(location: Iterable[Any]) -> list[str]:
    model: type[BaseModel] = StudyConfig
    for part in list(location)[:-1]:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return list(model.model_fields)
