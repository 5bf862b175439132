"""What figures share: fonts, words, widths of text, files, and the error without the extra."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from figure_support import png_size, texts

from cloud_receiver.figures import style
from cloud_receiver.figures.style import (
    FigureError,
    Form,
    Sheet,
    drawn,
    extra,
    form_of,
    printable,
    save,
    shortened,
    width_of,
)

WORDS = ("energy", "电量")


def page(form: Form) -> tuple[bytes, list[str]]:
    said = []

    def draw(sheet: Sheet) -> None:
        said.append(sheet.say(*WORDS))
        sheet.write(10, 50, said[0])

    return drawn(draw, form=form, width=144, height=72, title="t"), said


@pytest.fixture
def no_chinese_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "CHINESE_FONTS", ("No Such Font",))
    style._installed.cache_clear()
    style._tell_once.cache_clear()
    yield
    style._installed.cache_clear()
    style._tell_once.cache_clear()


def test_a_png_has_the_size_asked_for() -> None:
    content, _ = page(Form.PNG)
    assert png_size(content) == (300, 150)


def test_an_svg_keeps_text_as_text_with_fonts_for_chinese() -> None:
    content, said = page(Form.SVG)
    assert said == ["energy 电量"]
    assert texts(content) == ["energy 电量"]
    for font in ("DejaVu Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC"):
        assert f"'{font}'".encode() in content
    assert b"sans-serif" in content
    assert page(Form.SVG)[0] == content


@pytest.mark.usefixtures("no_chinese_font")
def test_without_a_chinese_font_a_png_is_english_and_that_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger=style.__name__):
        assert page(Form.PNG)[1] == ["energy"]
        assert page(Form.PNG)[1] == ["energy"]
        assert page(Form.SVG)[1] == ["energy 电量"]
    assert [record.getMessage() for record in caplog.records if record.name == style.__name__] == [
        "no font with Chinese characters is installed: figures as PNG are in English only; looked for: No Such Font"
    ]


def test_an_installed_chinese_font_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "CHINESE_FONTS", ("No Such Font", "DejaVu Serif", "DejaVu Sans Mono"))
    style._installed.cache_clear()
    try:
        assert style._installed() == "DejaVu Serif"
        assert page(Form.PNG)[1] == ["energy 电量"]
    finally:
        style._installed.cache_clear()


@pytest.mark.parametrize("missing", ["matplotlib", "networkx", "numpy", "scipy"])
def test_without_the_extra_the_error_names_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as Python marks a module that can't be imported
    with pytest.raises(FigureError, match=rf"needs {missing}.*pip install 'diantan\[figures\]'"), extra():
        __import__(missing)
    if missing == "matplotlib":
        with pytest.raises(FigureError, match="extra `figures`"):
            page(Form.SVG)


def test_another_missing_module_is_another_error() -> None:
    with pytest.raises(ModuleNotFoundError), extra():
        __import__("no_such_module")


def test_nothing_that_draws_is_imported_before_a_figure_is_asked_for() -> None:
    code = (
        "import sys, cloud_receiver.cli, cloud_receiver.grid.command, cloud_receiver.figures.day\n"
        "print([name for name in ('matplotlib', 'numpy', 'networkx', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_the_settings_of_others_are_left_as_they_were() -> None:
    from matplotlib import rcParams  # noqa: PLC0415 - the module is tested without it too

    before = dict(rcParams)
    page(Form.SVG)
    assert dict(rcParams) == before


def test_widths_are_rather_too_wide() -> None:
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415 - see above
    from matplotlib.textpath import TextPath  # noqa: PLC0415 - see above

    for text in ("Nodal carbon factors", "110kV-Guangzhou_East.12", "0123456789", "WWWMMM@%", "substation (488)"):
        drawn_width = TextPath((0, 0), text, prop=FontProperties(family="DejaVu Sans", size=10)).get_extents().width
        assert drawn_width < width_of(text, 10) * 1.05
    assert width_of("碳势", 10) >= 20


def test_shortened_text_fits() -> None:
    assert shortened("short", 100, 10) == "short"
    for text in ("a" * 100, "节点碳势" * 30, "a b c " * 30):
        cut = shortened(text, 100, 10)
        assert cut.endswith("…")
        assert width_of(cut, 10) <= 100
        assert len(cut) > 5
    assert shortened("wide", 0, 10) == "…"


def test_printable_text_is_one_line_of_what_xml_may_hold() -> None:
    assert printable("a\nb\x00\u202e\ud800 电") == "a\\nb\\x00\\u202e\\ud800 电"


def test_the_file_name_says_the_form() -> None:
    assert form_of(Path("a.svg")) is Form.SVG
    assert form_of(Path("a.b.PNG")) is Form.PNG
    for name in ("a", "a.jpg", ".svg", "a.svg.gz"):
        with pytest.raises(FigureError, match=r"png or \.svg"):
            form_of(Path(name))


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    save(path, b"one")
    save(path, b"two")
    assert path.read_bytes() == b"two"
    assert [item.name for item in tmp_path.iterdir()] == ["a.svg"]
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(OSError, match="folder"):
        save(tmp_path / "folder.svg", b"three")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.svg", "folder.svg"]


def test_where_a_figure_can_not_be_written_its_own_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "nowhere" / "a.svg", tmp_path / "file" / "a.svg"):
        with pytest.raises(OSError, match=re.escape(f"'{path}'")):
            save(path, b"one")
