"""One look for every figure: fonts, sizes, colours, notes, files."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spatial_de.errors import FileError, FontError, OptionError
from spatial_de.maps.words import WORDS, Language
from spatial_de.wording import check_option, name_some

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BUNDLED_FONT = Path(__file__).parent / "fonts" / "SpatialDESansSC.otf"
FORMATS = (".png", ".svg", ".pdf")
INK, FAINT, LINE = "#222222", "#6b6b6b", "#8c8c8c"
NO_DATA = "#f4f4f4"
_SETTINGS: dict[Any, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 10.0,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.linewidth": 0.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "spatial_de",
    "pdf.fonttype": 3,
    "text.parse_math": False,
}


@contextlib.contextmanager
def theme(font: str | Path | None = None) -> Iterator[None]:
    """Draw with the bundled font, preceded by the user's own where one is given.

    Raises
    ------
    FileError
        The font file is not there or is not a font.
    """
    import matplotlib as mpl

    families = [_family(str(path)) for path in ([font] if font else []) + [BUNDLED_FONT]]
    with mpl.rc_context({**_SETTINGS, "font.family": families}):
        yield


@lru_cache(maxsize=16)
def _family(path: str) -> str:
    """Make a font file known to matplotlib and give its family name."""
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
        return str(font_manager.get_font(path).family_name)
    except (OSError, RuntimeError) as error:
        raise FileError(f"{path!r} cannot be read as a font: {error}.") from error


@lru_cache(maxsize=16)
def _glyphs(path: str) -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(path).get_charmap())


def finish(fig: Figure, *, font: str | Path | None = None) -> Figure:
    """Check every text of a figure against the fonts, and lay it out.

    Raises
    ------
    FontError
        A character is in none of the fonts: the characters and the text are named.
    """
    from matplotlib.text import Text

    known = frozenset().union(*(_glyphs(str(path)) for path in ([font] if font else []) + [BUNDLED_FONT]))
    for _ in range(2):  # drawing makes the labels of ticks, which are texts too
        for item in fig.findobj(Text):
            check_glyphs(item.get_text(), known)
        fig.draw_without_rendering()
    return fig


def check_glyphs(text: str, known: frozenset[int] | None = None) -> None:
    """Refuse characters that would print as boxes."""
    have = _glyphs(str(BUNDLED_FONT)) if known is None else known
    missing = sorted({letter for letter in text if not letter.isspace() and ord(letter) not in have})
    if missing:
        raise FontError(
            f"The bundled font has no glyph for {name_some(missing, 10)} in {text!r}: pass font='path/to/font.otf' "
            "with a font that has it, or write the text differently."
        )


def check_fonts() -> str:
    """The bundled font in words, after a check that it prints every word that figures add by themselves."""
    for vocabulary in WORDS.values():
        for word in vocabulary.values():
            check_glyphs(word)
    path = str(BUNDLED_FONT)
    return f"{_family(path)}, {len(_glyphs(path)):,} characters, bundled"


def words(language: Language) -> dict[str, str]:
    """Words of figures in a language."""
    check_option(language, WORDS, "language")
    return WORDS[language]


def add_notes(
    fig: Figure, *, title: str | None, source: str | None, approval: str | None = None, language: Language = "en"
) -> None:
    """Title above, source and approval number below, at the left."""
    vocabulary = words(language)
    if title:
        fig.suptitle(title, x=0.012, ha="left", fontsize=13)
    lines = [f"{vocabulary['source']}{source}"] if source else []
    lines += [f"{vocabulary['approval']}{approval}"] if approval else []
    if lines:
        fig.supxlabel("\n".join(lines), x=0.012, ha="left", fontsize=8, color=FAINT)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, laid out by constraints, independent of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig


def save(fig: Figure, path: str | Path, *, dpi: int = 200) -> Path:
    """Write a figure as png, svg or pdf; the same figure gives the same bytes.

    Parameters
    ----------
    fig
        A figure of this package.
    path
        File whose suffix chooses the format; replaced only when the new one is complete.
    dpi
        Resolution of png.

    Raises
    ------
    OptionError
        Another suffix.
    FileError
        The folder is not there or not writable.
    """
    import matplotlib as mpl

    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise OptionError(f"Figures are written as {', '.join(FORMATS)}; {target.name!r} is none of these.")
    metadata: dict[str, Any] = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    try:
        handle, temporary = tempfile.mkstemp(suffix=suffix, dir=target.parent)
    except OSError as error:
        where = "there is no such folder" if not target.parent.is_dir() else str(error.strerror)
        raise FileError(f"{str(target)!r} cannot be written ({where}).") from error
    os.close(handle)
    try:
        with mpl.rc_context(_SETTINGS):
            fig.savefig(temporary, dpi=dpi, metadata=metadata[suffix], facecolor="white")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target
