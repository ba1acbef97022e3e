"""Write docs/codebook.md from the codebook of the package.

python scripts/build_codebook_page.py
"""

from __future__ import annotations

from pathlib import Path

from spatial_de import datasets

OUTPUT = Path(__file__).parents[1] / "docs" / "codebook.md"


def page() -> str:
    """The page as Markdown."""
    book = datasets.codebook().table
    published = book[book["publisher"] != "computed"][["unit", "definition", "publisher", "checks_and_warnings"]]
    computed = book[book["publisher"] == "computed"][["unit", "definition", "formula", "inputs"]]
    return f"""# Codebook of the China panel

31 provinces, 2013-2023; `datasets.load_china_panel()` loads it, `datasets.codebook()` shows these entries. This page is
written by `python scripts/build_codebook_page.py`.

## Published figures

{published.rename(columns={"checks_and_warnings": "checks and warnings"}).to_markdown()}

## Computed variables

{computed.to_markdown()}
"""


def main() -> None:
    """Write the page."""
    OUTPUT.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
