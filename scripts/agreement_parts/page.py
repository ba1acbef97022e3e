"""The agreement page as text: everything said follows from the numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agreement_parts.compare import Case, Figures
from agreement_parts.gaps import DELETED, SAMPLE, SEED, TREATMENTS, Gap
from agreement_parts.peers import Comparison, PeerFit
from agreement_parts.reasons import REASONS, Explained
from agreement_parts.samples import Sample, load

COLUMNS = {
    "estimates": "estimates",
    "observed SE": "SE, observed",
    "expected SE": "SE, expected",
    "logL": "log-likelihood",
    "effects": "effects",
    "observed SE of effects": "SE of effects",
}


MARKS = {"computed": "", "bounded": ", +", "around": ", *"}


@dataclass(frozen=True)
class Row:
    """A case: ours, the exact figures, their largest differences by kind."""

    case: Case
    ours: Figures
    exact: Figures | None
    differences: dict[str, float]

    @property
    def worst(self) -> float:
        """The largest difference of any kind."""
        return max(self.differences.values(), default=0.0)


@dataclass(frozen=True)
class Chapter:
    """All about one sample."""

    sample: Sample
    rows: list[Row]
    compared: list[Comparison]
    explained: list[Explained]
    failed: list[PeerFit]


def render(chapters: list[Chapter], *, tolerance: float, command: str, gaps: Sequence[Gap] = ()) -> str:
    """The page."""
    parts = [_head(chapters, tolerance=tolerance, command=command), _reasons(chapters)]
    parts += [_chapter(chapter) for chapter in chapters]
    parts += [_gaps(gaps)] if gaps else []
    return "\n\n".join(parts) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _head(chapters: list[Chapter], *, tolerance: float, command: str) -> str:
    rows = [row for chapter in chapters for row in chapter.rows]
    worst = max(rows, key=lambda row: row.worst)
    where = next(c.sample.title for c in chapters if worst in c.rows)
    kind = max(worst.differences, key=lambda k: worst.differences[k])
    compared = sum(len(c.compared) for c in chapters)
    misses = [one for c in chapters for one in c.explained]
    failed = sum(len(c.failed) for c in chapters)
    how = Counter(REASONS[one.reason - 1].check for one in misses if one.reason is not None)
    unexplained = sum(one.reason is None for one in misses)
    summary = table(
        ["data", "fits", "largest difference to the exact computation", "peers' numbers", "matched", "not matched"],
        [
            [
                f"[{c.sample.title}](#{_anchor(c.sample.title)})",
                str(len(c.rows)),
                f"{max(row.worst for row in c.rows):.0e}",
                str(len(c.compared)),
                str(len(c.compared) - len(c.explained)),
                str(len(c.explained)),
            ]
            for c in chapters
        ],
    )
    return f"""# Agreement

Written by `{command}`; do not edit. Every static model on every reference data set: what this package gives, what an
exact computation gives, and what other programs give.

* **Exact**: `scripts/agreement_parts/exact.py`, `exact_random.py` and `tests/models/dense_moments.py`, which share no
  code with the package: dense matrices, eigenvalues, explicit dummies or orthonormal transformations, other optimisers.
  {len(rows)} fits; the largest difference of any number is {worst.worst:.0e}
  ({kind} of {worst.case.title}; {where}); {tolerance:.0e} is allowed.
* **Peers**: {compared:,} numbers stored in `tests/golden/peers/` with program, version and command.
  {compared - len(misses):,} of them are ours within 1e-6, or within the digits printed or the noise of simulated means;
  {len(misses):,} are not. Each of those has the number of a reason; {unexplained} are without. For
  {how["computed"]:,} of them the peer's figure itself is computed from the reason; for {how["bounded"]:,} (marked +
  below) the check is that it lies near where the reason puts it (rho and lambda within 2e-3, or 7e-3 where the peer has
  a grid; coefficients given these within 0.03 standard errors, corrected ones within 0.3 of their size or standard
  error; standard errors within 10 %, effects 5 %, log-likelihoods 0.5); for the other {how["around"]:,} (marked *) only
  that all around the figure is as the reason says, which does not prove the figure. {failed} fits of peers ended in an
  error.
* Differences are relative to the larger of the number and its standard error; those of log-likelihoods to the
  log-likelihood. Standard errors of peers are held against our observed and our expected information.
* Rows "by GMM" have the default instruments. There are no effects where two-stage least squares puts rho outside its
  admissible interval: the package refuses them.
* Where a Durbin model of spatialreg lags the constant (binary weights), ours has the row sums of W as a regressor.

{summary}"""


def _reasons(chapters: list[Chapter]) -> str:
    counts = Counter(one.reason for c in chapters for one in c.explained)
    lines = [
        f"{i}. {reason.text} ({counts[i]:,} numbers{MARKS[reason.check]})." for i, reason in enumerate(REASONS, start=1)
    ]
    return "## Reasons\n\n" + "\n".join(lines)


def _anchor(title: str) -> str:
    kept = "".join(ch for ch in title.lower() if ch.isalnum() or ch in " -")
    return kept.replace(" ", "-")


def _chapter(chapter: Chapter) -> str:
    sample = chapter.sample
    parts = [f"## {sample.title}", f"`{sample.formula}`; {sample.source}. Differences to the exact computation:"]
    parts.append(_exact_table([row for row in chapter.rows if row.exact is not None]))
    at_bound = [row.case.title for row in chapter.rows if row.exact is None]
    if at_bound:
        parts.append(f"Best at a bound of the parameters, for both: {'; '.join(at_bound)}.")
    several = [row for row in chapter.rows if row.exact is not None and len(row.exact.optima) > 1]
    if several:
        parts += [
            "Likelihoods with several maxima (rho, lambda), the highest first; ours is the first:",
            _optima(several),
        ]
    if chapter.compared:
        parts += ["Peers' numbers:", _peer_counts(chapter)]
    if chapter.explained:
        parts += ["Not matched, ours against theirs:", _misses(chapter)]
    if chapter.failed:
        parts += ["Fits of peers that ended in an error:", _failures(chapter.failed)]
    return "\n\n".join(parts)


def _gaps(gaps: Sequence[Gap]) -> str:
    rows = [
        [
            f"{gap.model.upper()}, {gap.fixed}, {TREATMENTS[gap.bias]}",
            gap.missing,
            "" if gap.rho is None else f"{gap.rho:.6f}",
            f"{gap.estimates:.0e}",
            f"{gap.errors:.0e}",
        ]
        for gap in gaps
    ]
    return f"""## Panels that are not balanced

{load()[SAMPLE].title}, with {DELETED:.0%} of the rows deleted (seed {SEED}): ours against the stacked dense model with
explicit dummies (`tests/models/unbalanced.py`), the nearest root of its scores, plain for the direct likelihood, minus
their expectation for the default. No other program has these models, so there are no peers.

{table(["model", "missing neighbours", "rho", "estimates", "SE"], rows)}"""


def _exact_table(rows: list[Row]) -> str:
    def cells(row: Row) -> list[str]:
        params = row.ours.params
        spatial = [f"{params[name]:.6f}" if name in params else "" for name in ("rho", "lambda")]
        loglik = "" if row.ours.loglik is None else f"{row.ours.loglik:.4f}"
        gaps = [f"{row.differences[key]:.0e}" if key in row.differences else "" for key in COLUMNS]
        return [row.case.title, *spatial, loglik, *gaps]

    return table(["model", "rho", "lambda", "logL", *COLUMNS.values()], [cells(row) for row in rows])


def _optima(rows: list[Row]) -> str:
    def points(row: Row) -> str:
        return "; ".join("(" + ", ".join(f"{x:.4f}" for x in point) + ")" for point in row.exact.optima)

    return table(["model", "maxima"], [[row.case.title, points(row)] for row in rows])


def _peer_counts(chapter: Chapter) -> str:
    missed = {id(one.comparison) for one in chapter.explained}
    groups: dict[tuple[str, str], list[Comparison]] = defaultdict(list)
    for one in chapter.compared:
        groups[_peer_name(one.fit), one.fit.method].append(one)
    rows = []
    for (peer, method), numbers in groups.items():
        good = sum(id(one) not in missed for one in numbers)
        models = ", ".join(dict.fromkeys(one.fit.case.model.upper() for one in numbers))
        rows.append([peer, method, models, str(len(numbers)), str(good), str(len(numbers) - good)])
    return table(["peer", "way", "models", "numbers", "matched", "not matched"], rows)


def _peer_name(fit: PeerFit) -> str:
    return fit.version if fit.version.startswith(fit.peer) else f"{fit.peer} {fit.version}"


def _misses(chapter: Chapter) -> str:
    groups: dict[tuple[str, str, str, str, int | None], list[Comparison]] = defaultdict(list)
    for one in chapter.explained:
        c = one.comparison
        groups[c.fit.peer, c.fit.method, c.fit.case.title, c.kind, one.reason].append(c)
    rows = []
    for (peer, method, title, kind, reason), numbers in groups.items():
        listed = "; ".join(f"{c.label} {c.ours:.6g} / {c.theirs:.6g}" for c in numbers)
        rows.append([f"{peer}, {method}", title, kind, listed, "**none**" if reason is None else str(reason)])
    return table(["peer", "model", "what", "ours / theirs", "why"], rows)


def _failures(fits: list[PeerFit]) -> str:
    return table(
        ["peer", "model", "message"],
        [[f"{fit.peer}, {fit.method}", fit.case.title, f"`{fit.printed['failed']}`"] for fit in fits],
    )
