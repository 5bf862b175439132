"""The figure's data: what has no data of its own has no error."""

from dataclasses import replace

from estimation_support import DAY, LENGTH, Site, rows_of

from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.figure import picture
from cloud_receiver.estimation.run import estimate
from cloud_receiver.figures.errors import Decision, render
from cloud_receiver.figures.style import Form


def test_it_has_what_the_result_says(site: Site) -> None:
    site.store(rows_of(site.numbers(), 3))
    said = estimate(site.engine, site.context(), Estimation(), DAY, DAY + 3 * LENGTH).result
    found = picture(said, "Asia/Shanghai")
    assert [(one.name, one.error, one.u) for one in found.chargers] == [
        (one.meter, one.error, one.u) for one in said.chargers
    ]
    assert [one.decision for one in found.chargers] == [Decision.CLEAR, Decision.FLAG, Decision.CLEAR]
    assert len(found.residuals) == said.windows
    assert found.completeness is not None
    assert found.completeness.meters == ("C01", "C02", "C03", "G")
    assert found.period == "2026-07-01 .. 2026-07-03"
    assert f"±{2 * said.u_common:.2f} %" in found.note
    assert said.halves is not None
    assert f"z rms {said.halves.z_rms:.2f} (95 %: {said.halves.z_limit:.2f}), agree 一致" in found.note
    apart = replace(said, halves=replace(said.halves, agree=False, factor=1.5))
    assert found.note != picture(apart, "Asia/Shanghai").note
    assert picture(apart, "Asia/Shanghai").note.endswith("own u x 1.50")
    assert render(found, Form.SVG).startswith(b"<?xml")
    # For who has no font with Chinese.
    for one in (found, picture(apart, "Asia/Shanghai")):
        assert not one.note.isascii()
        assert one.note_english.replace("±", "").isascii()
    supposed = picture(replace(said, supposed=(("C02", DAY),)), "Asia/Shanghai").note
    assert supposed.endswith("supposed exchanged 假设换表: C02 2026-07-01T00:00")


def test_without_a_window_nothing_is_said_of_what_all_have_in_common(site: Site) -> None:
    said = estimate(site.engine, site.context(), Estimation(), DAY, DAY + LENGTH).result
    found = picture(said, "Asia/Shanghai")
    assert (found.note_english, "±" in found.note) == ("no window: nothing was estimated", False)


def test_a_charger_without_energy_has_no_error(site: Site) -> None:
    site.store(rows_of(site.numbers(), 2))
    said = estimate(site.engine, site.context(), Estimation(), DAY, DAY + 2 * LENGTH).result
    idle = replace(said.chargers[0], active_windows=0)
    found = picture(replace(said, chargers=(idle,), completeness=None), "Asia/Shanghai")
    assert (found.chargers[0].error, found.chargers[0].u, found.completeness) == (None, None, None)
