"""Words that errors, warnings and summaries share: lists that stay short, names that were misspelt."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from numbers import Real

from spatial_de.errors import OptionError


def name_some(items: Iterable[object], limit: int = 5) -> str:
    """The first few items, quoted where they are text, and the number of the others.

    Examples
    --------
    >>> name_some(["BJ", "TJ", "HE"], limit=2)
    "'BJ', 'TJ' and 1 more"
    """
    found = list(items)
    shown = ", ".join(_plain(item) for item in found[:limit])
    rest = len(found) - limit
    return f"{shown} and {rest} more" if rest > 0 else shown


def did_you_mean(name: object, options: Iterable[object]) -> str:
    """``" Did you mean 'digital'?"`` for a misspelt name, or an empty string.

    Examples
    --------
    >>> did_you_mean("digitl", ["digital", "gdp"])
    " Did you mean 'digital'?"
    """
    plain = {str(option).lower(): str(option) for option in options}
    near = difflib.get_close_matches(str(name).lower(), list(plain), n=1, cutoff=0.6)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def check_option(value: object, allowed: Iterable[object], name: str) -> None:
    """Raise `OptionError` unless `value` is one of `allowed`, naming the nearest one."""
    options = list(allowed)
    if not _is_among(value, options):
        raise OptionError(
            f"{name}={value!r} is not available: use one of {name_some(options, 20)}."
            f"{did_you_mean(value, [option for option in options if isinstance(option, str)])}"
        )


def check_whole(value: object, name: str, *, least: int) -> None:
    """Raise `OptionError` unless `value` is a whole number of at least `least`."""
    whole = hasattr(value, "__index__") and not isinstance(value, bool) and not getattr(value, "ndim", 0)
    if not (whole and operator.index(value) >= least):  # type: ignore[arg-type]
        raise OptionError(f"{name}={value!r} is not allowed: give a whole number of at least {least}.")


def check_level(level: object) -> None:
    """Raise `OptionError` unless a confidence level is a number between zero and one."""
    if not (is_number(level) and 0.0 < level < 1.0):  # type: ignore[operator]
        raise OptionError(f"level={level!r} must lie between 0 and 1.")


def is_number(value: object) -> bool:
    """Whether something is one real number, and not True or False."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_among(value: object, options: list[object]) -> bool:
    """Whether a value is an option; what cannot be compared, such as an array, is none."""
    try:
        return value in options
    except (TypeError, ValueError):
        return False


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """``"1 unit"``, ``"3 units"``."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def _plain(item: object) -> str:
    """A label as a person would write it: no ``np.str_('BJ')``."""
    if isinstance(item, tuple):
        return "(" + ", ".join(_plain(part) for part in item) + ")"
    value = item.item() if hasattr(item, "item") else item
    return repr(value)


def stars(p: float) -> str:
    """``"***"`` below 0.01, ``"**"`` below 0.05, ``"*"`` below 0.10; nothing for what is not a number."""
    return "*" * sum(p < level for level in (0.10, 0.05, 0.01))
