"""Cut the bundled font from Noto Sans CJK (SIL Open Font License 1.1).

    python scripts/build_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

The input comes with Debian's fonts-noto-cjk. Kept are ASCII, Latin-1, Greek, punctuation, arrows and mathematical
signs, the 3,755 common characters of GB 2312 level 1, and every character of scripts/provinces.csv and of the words
that maps print. The family is renamed, so that the subset is not taken for the original.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

from spatial_de.maps.words import WORDS

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "spatial_de" / "maps" / "fonts" / "SpatialDESansSC.otf"
FAMILY = "Spatial DE Sans SC"
FIXED_TIME = 3_800_000_000  # seconds since 1904: the same input gives the same bytes
RANGES = [(0x20, 0x7F), (0xA0, 0x100), (0x370, 0x400), (0x2010, 0x2027), (0x2030, 0x203B), (0x2190, 0x2194)]
SIGNS = "…−×÷≤≥≈≠±√∞·′″℃℉№①②③④⑤⑥⑦⑧⑨⑩、。〈〉《》「」『』【】〔〕〖〗！＂（），．：；？～—％／０１２３４５６７８９"


def characters() -> set[str]:
    """Everything the font must print."""
    found = {chr(code) for low, high in RANGES for code in range(low, high)} | set(SIGNS)
    for row in range(16, 56):  # GB 2312 level 1
        for cell in range(1, 95):
            try:
                found.add(bytes([row + 0xA0, cell + 0xA0]).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    with (ROOT / "scripts" / "provinces.csv").open(encoding="utf-8") as table:
        found |= {letter for row in csv.reader(table) for cell in row for letter in cell}
    return found | {letter for words in WORDS.values() for word in words.values() for letter in word}


def simplified_chinese(collection: TTCollection) -> TTFont:
    """The face of the collection with the glyph forms of mainland China."""
    for font in collection.fonts:
        if font["name"].getDebugName(1) == "Noto Sans CJK SC":
            return font
    raise SystemExit("The collection holds no face 'Noto Sans CJK SC'.")


def main() -> None:
    """Cut, rename, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="NotoSansCJK-Regular.ttc")
    font = simplified_chinese(TTCollection(str(parser.parse_args().source)))
    options = subset.Options(layout_features=[], hinting=False, desubroutinize=True, notdef_outline=True)
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=[ord(letter) for letter in characters()])
    cutter.subset(font)
    for record in list(font["name"].names):
        renamed = {1: FAMILY, 3: f"{FAMILY} subset", 4: FAMILY, 6: FAMILY.replace(" ", ""), 16: FAMILY}
        if record.nameID in renamed:
            record.string = renamed[record.nameID]
    font["CFF "].cff.fontNames = [FAMILY.replace(" ", "")]
    font.recalcTimestamp = False
    font["head"].modified = font["head"].created = FIXED_TIME
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    font.save(str(OUTPUT))
    print(f"{len(font.getBestCmap()):,} characters, {OUTPUT.stat().st_size / 1e6:.2f} MB: {OUTPUT.name}")


if __name__ == "__main__":
    main()
