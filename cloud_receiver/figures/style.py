"""What all figures share: size, fonts, colours, words in Chinese and English, and how a figure becomes PNG or SVG.

An SVG keeps text as text, with a list of fonts that have Chinese characters, and is laid out by the measures of a font
that matplotlib brings along: the same figure is the same bytes on any machine with the same libraries. A PNG is drawn
with the first of those fonts that is installed; where none is, it is in English only, which is logged once.
"""

import io
import logging
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_log = logging.getLogger(__name__)

CHINESE_FONTS: Final = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "PingFang SC"),
    *("Hiragino Sans GB", "Microsoft YaHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "SimHei"),
    *("Droid Sans Fallback", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Serif CJK SC", "AR PL UMing CN"),
)
"""Fonts with Chinese characters, the preferred first."""
_LATIN_FONT: Final = "DejaVu Sans"
_EXTRA: Final = frozenset({"matplotlib", "networkx", "numpy", "scipy"})

DPI: Final = 150
"""Of a PNG."""
SMALL, PLAIN, LARGE = 7.0, 8.5, 12.0
"""Sizes of text in pt."""
INK, FAINT, UNDEFINED, LIMIT = "#222222", "#8a8a8a", "#d4d4d4", "#c1272d"
"""Text and outlines; what is in the background; what has no value; a limit that is not to be crossed."""
HATCH: Final = "/////"
"""Of what has no value."""
LINES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#7a5c00", "#e69f00", "#000000")
"""Told apart without colour vision too (after Okabe and Ito, with a darker yellow)."""
SCALE: Final = "viridis_r"
"""Perceptually uniform and readable without colour vision; more carbon is darker."""


class FigureError(ValueError):
    """A figure that can't be drawn: what it needs, or what was expected of its data or its file name."""


class Form(StrEnum):
    """The format of a figure."""

    PNG = "png"
    SVG = "svg"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is drawn on: a figure of a size in pt, and whether it can show Chinese."""

    figure: "Figure"
    width: float
    height: float
    chinese: bool

    def say(self, english: str, chinese: str) -> str:
        """Return both words, or the English one alone where no font has the other."""
        return f"{english} {chinese}" if self.chinese else english

    def axes(self, left: float, bottom: float, width: float, height: float) -> "Axes":
        """Return axes in a rectangle given in pt."""
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)

    def write(self, x: float, y: float, text: str, *, size: float = PLAIN, bold: bool = False) -> None:
        """Write text from a point on, given in pt from the lower left corner; it is shortened to the width."""
        weight = "bold" if bold else "normal"
        room = (self.width - x - 8) / (1.08 if bold else 1)
        place = (x / self.width, y / self.height)
        self.figure.text(*place, shortened(text, room, size), fontsize=size, fontweight=weight, va="baseline")


def form_of(path: Path) -> Form:
    """Return the format that a file name asks for; FigureError for another one."""
    try:
        return Form(path.suffix[1:].lower())
    except ValueError:
        raise FigureError(f"figure {path.name!r}: expected a name that ends in .png or .svg") from None


@contextmanager
def extra() -> Iterator[None]:
    """Turn the absence of the libraries that draw into a FigureError."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        text = f"a figure needs {error.name}, which the extra `figures` brings: pip install 'diantan[figures]'"
        raise FigureError(text) from None


def drawn(draw: Callable[[Sheet], None], *, form: Form, width: float, height: float, title: str) -> bytes:
    """Return a figure of a size in pt as a file's content; FigureError where the extra is not installed."""
    with extra():
        from matplotlib import rc_context  # noqa: PLC0415 - only who wants a figure needs it
        from matplotlib.figure import Figure  # noqa: PLC0415 - see above

        font = _installed() if form is Form.PNG else None
        chinese = form is Form.SVG or font is not None
        if not chinese:
            _tell_once()
        with rc_context(_settings(font)), warnings.catch_warnings():
            # Of characters that no font has; they are drawn as boxes, and an SVG's viewer has fonts of its own.
            warnings.filterwarnings("ignore", message=r".*[Gg]lyph.*missing")
            figure = Figure(figsize=(width / 72, height / 72), dpi=DPI)
            draw(Sheet(figure, width, height, chinese))
            stream = io.BytesIO()
            metadata = {"Title": printable(title)} | (
                {"Date": None, "Creator": "Diantan"} if form is Form.SVG else {"Software": "Diantan"}
            )
            figure.savefig(stream, format=form.value, metadata=metadata)
    return stream.getvalue()


def _settings(font: str | None) -> dict[Any, Any]:
    families = [_LATIN_FONT] if font is None else [_LATIN_FONT, font]
    return {
        "font.family": ["sans-serif"] if font is None else families,
        "font.sans-serif": [_LATIN_FONT, *CHINESE_FONTS, "sans-serif"],
        "font.size": PLAIN,
        "text.parse_math": False,  # names may have dollar signs
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.6,
        "axes.unicode_minus": True,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "hatch.linewidth": 0.6,
        "hatch.color": "#6b6b6b",
        "path.simplify": False,
        "svg.fonttype": "none",
        "svg.hashsalt": "diantan",
        "figure.facecolor": "white",
    }


@cache
def _installed() -> str | None:
    from matplotlib.font_manager import fontManager  # noqa: PLC0415 - only who wants a figure needs it

    names = set(fontManager.get_font_names())
    return next((font for font in CHINESE_FONTS if font in names), None)


@cache
def _tell_once() -> None:
    text = "no font with Chinese characters is installed: figures as PNG are in English only; looked for: %s"
    _log.warning(text, ", ".join(CHINESE_FONTS))


def width_of(text: str, size: float) -> float:
    """Return about how wide a text is in pt, rather too wide; no font has to be there for it."""
    return size * sum(_ems(char) for char in text)


def _ems(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.02
    if char in "mwMW@%—":
        return 0.98
    if char in "ijlItfr.,:;'|!()[] ":
        return 0.42
    return 0.72 if char.isupper() else 0.645


def shortened(text: str, room: float, size: float) -> str:
    """Return a text as it fits into a width in pt: the end is left out."""
    text = printable(text)
    if width_of(text, size) <= room:
        return text
    kept = 0
    left = room - width_of("…", size)
    while kept < len(text) and (left := left - width_of(text[kept], size)) >= 0:
        kept += 1
    return f"{text[:kept].rstrip()}…"


def printable(text: str) -> str:
    """Return a text as any XML may hold it, in one line: control characters and half surrogates as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def save(path: Path, content: bytes) -> None:
    """Write a figure to its file, which is the old one or the whole new one at any time; OSError that names it."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
