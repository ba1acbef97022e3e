"""Every static model on every reference data set: ours, the exact computation, the peers. Writes docs/agreement.md.

    python scripts/agreement.py                               # the page: some minutes
    python scripts/agreement.py --samples columbus-row        # a part of it, to look at
    python scripts/agreement.py --export DIR                  # the data for scripts/peers_spatialreg.R

Ends with an error where ours is not the exact number, or where a peer's number is not ours and no reason holds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agreement_parts.compare import Case, cases_of, differences, exactly
from agreement_parts.exact import NoInteriorOptimumError
from agreement_parts.gaps import Gap, gaps
from agreement_parts.page import Chapter, Row, render
from agreement_parts.peers import PeerFit, compare, our_figures, read
from agreement_parts.reasons import explain
from agreement_parts.samples import Sample, export, load

PAGE = Path(__file__).parents[1] / "docs" / "agreement.md"
COMMAND = "python scripts/agreement.py"
TOLERANCE = 1e-6


def row(sample: Sample, case: Case) -> Row:
    """Ours and the exact figures of a case; no figures where the exact computation finds no interior optimum."""
    mine = our_figures(case)
    try:
        truth = exactly(sample, case)
    except NoInteriorOptimumError:
        return Row(case, mine, None, {})
    return Row(case, mine, truth, differences(mine, truth))


def chapter(sample: Sample, fits: list[PeerFit]) -> Chapter:
    """All cases and all peers of a sample."""
    here = [fit for fit in fits if fit.case.sample == sample.name]
    compared = [one for fit in here for one in compare(fit)]
    return Chapter(
        sample=sample,
        rows=[row(sample, case) for case in cases_of(sample)],
        compared=compared,
        explained=[explain(one) for one in compared if not one.matched],
        failed=[fit for fit in here if "failed" in fit.printed],
    )


def complaints(chapters: list[Chapter], found: Sequence[Gap] = ()) -> list[str]:
    """What must not be: differences to the exact computation, and to peers without a reason."""
    out = [f"not balanced: {gap} differs by {gap.worst:.1e}" for gap in found if not gap.worst <= TOLERANCE]
    for one in chapters:
        where = one.sample.name
        for line in one.rows:
            if line.ours.interior != (line.exact is not None):
                out.append(f"{where}, {line.case.title}: only one of both has an interior optimum")
            wrong = {kind: gap for kind, gap in line.differences.items() if not gap <= TOLERANCE}
            out += [f"{where}, {line.case.title}: {kind} differ by {gap:.1e}" for kind, gap in wrong.items()]
        for miss in one.explained:
            if miss.reason is None:
                c = miss.comparison
                numbers = f"{c.label}: ours {c.ours:.8g}, theirs {c.theirs:.8g}"
                out.append(
                    f"{where}, {c.fit.peer} {c.fit.method}, {c.fit.case.title}, {c.kind} of {numbers}: no reason"
                )
    return out


def main(arguments: list[str] | None = None) -> int:
    """Write the page; 1 where something disagrees without a reason."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", nargs="+", choices=sorted(load()), help="only these, printed and not written")
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the data and stop")
    options = parser.parse_args(arguments)
    if options.export:
        export(options.export)
        return 0
    names = options.samples or list(load())
    fits = read()
    chapters = [chapter(load()[name], fits) for name in names]
    not_balanced = [] if options.samples else gaps()
    text = render(chapters, tolerance=TOLERANCE, command=COMMAND, gaps=not_balanced)
    if options.samples:
        print(text)
    else:
        PAGE.write_text(text, encoding="utf-8")
    wrong = complaints(chapters, not_balanced)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
