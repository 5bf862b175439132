"""What is stored and shown of an estimate is all of it, in its order."""

import json
from dataclasses import asdict, replace

import pytest
from estimation_support import DAY, LENGTH, Site, rows_of

from cloud_receiver.estimation.branch_result import BranchResult
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.missing import LeftOut
from cloud_receiver.estimation.run import estimate

DAYS = 4


@pytest.mark.parametrize("series", [True, False])
def test_the_content_is_what_dataclasses_say(site: Site, *, series: bool) -> None:
    site.store(rows_of(site.numbers(), DAYS))
    site.exchanged(site.numbers()[1], DAY + 2 * LENGTH)
    found = estimate(site.engine, site.context(), Estimation(days=DAYS), DAY, DAY + DAYS * LENGTH).result
    assert found.earlier
    branch = BranchResult(1.0, 0.1, 2.0, 96, "mean", None)
    first, *others = found.chargers
    found = replace(found, chargers=(replace(first, branch=branch), *others), left_out=(LeftOut(1, 2, 3.0, 4.0, 5.0),))
    expected = asdict(found)
    expected["common_mode"] = dict(zip(("en", "zh"), found.common_mode, strict=True))
    if not series:
        del expected["residuals"], expected["completeness"], expected["left_out"]
    assert json.dumps(found.content(series=series)) == json.dumps(expected)
