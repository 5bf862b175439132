"""`sales import`: what a file may look like, and what is said of one that is wrong."""

import gzip
from pathlib import Path

import pytest
from sales_support import Centre
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.schema import charge_order, dirty

OURS = """number,charger,start,end,energy_kwh,amount,electricity_amount,service_amount,start_total_kwh,end_total_kwh
a1,C01,2026-07-01 10:00:00,2026-07-01 11:00:00,20.25,30.3750,20.25,10.125,100.5,120.75
a2,C02,2026-07-01 10:00:00,2026-07-01 11:00:00,0.01,,,,,
"""
THEIRS = """StartChargeSeq;ConnectorID;StartTime;EndTime;TotalPower;TotalElecMoney;{service};TotalMoney;StopReason
a1;K1-2;2026-07-01 10:00:00;2026-07-01 11:00:00;20,25;20,25;10,125;30,375;2
"""


@pytest.fixture
def centre(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Centre:
    return Centre(tmp_path, capsys)


def row(centre: Centre, number: str = "a1") -> dict[str, object]:
    engine = centre.engine()
    with database.reading(engine) as connection:
        found = connection.execute(select(charge_order).where(charge_order.c.number == number)).one()
    engine.dispose()
    return dict(found._mapping)


def test_a_file_with_our_headings(centre: Centre) -> None:
    status, report = centre.take(OURS, "--by", "Li")
    assert (status, report["new"], report["known"], report["stored"]) == (0, 2, 0, True)
    assert (
        row(centre).items()
        >= {
            "start_ms": 1_782_871_200_000,
            "end_ms": 1_782_874_800_000,
            "energy_mwh": 20_250_000,
            "amount": 303_750,
            "electricity_amount": 202_500,
            "service_amount": 101_250,
            "start_total_mwh": 100_500_000,
            "end_total_mwh": 120_750_000,
            "source": "csv",
            "made_by": "Li",
            "superseded_ms": None,
        }.items()
    )
    assert row(centre, "a2")["amount"] is None


@pytest.mark.parametrize("service", ["TotalSeviceMoney", "TotalServiceMoney"])
def test_a_file_with_the_names_of_t_cec_102_and_decimal_commas(centre: Centre, service: str) -> None:
    assert centre.take(THEIRS.format(service=service))[0] == 0
    found = row(centre)
    assert (found["energy_mwh"], found["service_amount"], found["amount"]) == (20_250_000, 101_250, 303_750)
    assert (found["connector"], found["stop_reason"]) == ("K1-2", 2)


def test_the_same_again_is_nothing_and_other_content_is_a_version(centre: Centre) -> None:
    centre.take(OURS)
    assert centre.take(OURS)[1]["known"] == 2
    status, report = centre.take(OURS.replace("20.25,30", "21.25,30"))
    assert (status, report["new"], report["known"], report["changed"]) == (0, 0, 1, 1)
    assert centre.stored() == [
        ("a1", 1, 20_250_000, "csv", False),
        ("a1", 2, 21_250_000, "csv", True),
        ("a2", 1, 10_000, "csv", True),
    ]


def test_nothing_is_stored_of_a_file_with_a_mistake(centre: Centre) -> None:
    text = OURS + "a3,C09,2026-07-01 10:00:00,2026-07-01 11:00:00,1,,,,,\na4,C01,morning,2026-07-01 11:00,x,,,,,\n"
    status, report = centre.take(text)
    assert (status, report["stored"], report["wrong"]) == (1, False, 2)
    told = [(item["place"], item["column"]) for item in report["mistakes"]]  # type: ignore[attr-defined]
    assert told == [("line 4", "charger"), ("line 5", "start"), ("line 5", "energy_kwh")]
    assert centre.stored() == []
    status, report = centre.take(text, "--skip-bad")
    assert (status, report["stored"], report["new"], report["wrong"]) == (1, True, 2, 2)
    assert [item[0] for item in centre.stored()] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("cell", "column", "expected"),
    [
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,1.1234567,,,,,", "energy_kwh", "at most 6 digits"),
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,-1,,,,,", "energy", "found -1000000"),
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,1e9,,,,,", "energy_kwh", "expected a number"),
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,NaN,,,,,", "energy_kwh", "expected a number"),
        (f"a3,C01,2026-07-01 10:00,2026-07-01 11:00,{'9' * 60},,,,,", "energy_kwh", "expected a number"),
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,1,0.00001,,,,", "amount", "at most 4 digits"),
        (f"{'n' * 65},C01,2026-07-01 10:00,2026-07-01 11:00,1,,,,,", "number", "at most 64 bytes"),
        ("a3,C01,1926-07-01 10:00,2026-07-01 11:00,1,,,,,", "start", "expected a year from 1970"),
        (",C01,2026-07-01 10:00,2026-07-01 11:00,1,,,,,", "number", "found none"),
        ("a3,,2026-07-01 10:00,2026-07-01 11:00,1,,,,,", "charger", "found none"),
        ("a3,C01,2026-07-01 10:00,2026-07-01 11:00,1", "", "expected 10 cells, found 5"),
        ("a1,C01,2026-07-01 10:00,2026-07-01 11:00,9,,,,,", "number", "other content than in line 2"),
    ],
)
def test_each_mistake_is_named(centre: Centre, cell: str, column: str, expected: str) -> None:
    status, report = centre.take(f"{OURS}{cell}\n")
    (mistake,) = report["mistakes"]  # type: ignore[misc]
    assert (status, mistake["place"], mistake["column"]) == (1, "line 4", column)
    assert expected in mistake["text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a line of headings"),
        ("\n\n", "expected a line of headings"),
        ("number,start,end\n", "expected a column energy_kwh"),
        ("number,start,end,energy_kwh,TotalPower\n", "expected one column energy_kwh, found 2"),
        ('number,start,end,energy_kwh\n"a,1,2,3', "not CSV"),
        ("number,start,end,energy_kwh\na,1\n" + "b" * 140_000 + "\n", "line 2: expected 4 cells, found 2"),
        ("number,start,end,energy_kwh\na,1\n" + "b" * 140_000 + "\n", "line 3: expected a line of at most 131072"),
    ],
)
def test_what_is_no_table_of_orders_is_named(centre: Centre, text: str, expected: str) -> None:
    status, _, said = centre.run("sales", "import", centre.file(text), "--station", "S1")
    assert status == 1
    assert expected in said
    assert centre.stored() == []


def test_headings_of_its_own_and_columns_that_are_left_out(centre: Centre) -> None:
    text = "session_ID;unit;in;out;El_kWh;User\n7;C01;01.07.2026 10:00;01.07.2026 11:30;5,55;u1\n"
    columns = ("number=session_ID", "charger=unit", "start=in", "end=out", "energy_kwh=El_kWh")
    options = [part for item in columns for part in ("--column", item)]
    status, report = centre.take(text, *options, "--zone", "+01:00")
    assert (status, report["ignored_columns"]) == (0, ["User"])
    assert (row(centre, "7")["energy_mwh"], row(centre, "7")["start_ms"]) == (5_550_000, 1_782_896_400_000)


def test_a_heading_can_not_command_a_terminal(centre: Centre) -> None:
    path = centre.file("number,start,end,energy_kwh,charger,\x1b[2Jgone\n1,2026-07-01 10:00,2026-07-01 11:00,5,C01,x\n")
    status, _, said = centre.run("sales", "import", path, "--station", "S1")
    assert (status, "\\x1b[2Jgone" in said, "\x1b" in said) == (0, True, False)


@pytest.mark.parametrize("item", ["charger", "who=User", "number="])
def test_a_column_that_is_none_is_refused(centre: Centre, item: str) -> None:
    status, _, said = centre.run("sales", "import", centre.file(OURS), "--station", "S1", "--column", item)
    assert status == 1
    assert "expected NAME=HEADING" in said


def test_columns_by_number_and_headings_whatever_their_capitals(centre: Centre) -> None:
    text = "No;Unit;In;Out;El_kWh\n7;C01;01.07.2026 10:00;01.07.2026 11:30;5,55\n"
    columns = ("number=1", "charger=unit", "start=IN", "end=out", "energy_kwh=5")
    assert centre.take(text, *(part for item in columns for part in ("--column", item)))[0] == 0
    assert row(centre, "7")["energy_mwh"] == 5_550_000


@pytest.mark.parametrize(("item", "expected"), [("number=Nr", "--column number 'Nr': expected a heading or a number")])
def test_a_column_that_is_not_there_is_named(centre: Centre, item: str, expected: str) -> None:
    status, _, said = centre.run("sales", "import", centre.file(OURS), "--station", "S1", "--column", item)
    assert (status, expected in said) == (1, True)


def test_dates_and_the_decimal_mark_as_told(centre: Centre) -> None:
    text = "number\tcharger\tstart\tend\tenergy_kwh\n7\tC01\t7/1/2026 10:00\t7/1/2026 11:30\t5,55\n"
    status, report = centre.take(text, "--dates", "month-first", "--decimal", "point")
    assert (status, report["wrong"]) == (1, 1)
    assert centre.take(text, "--dates", "month-first", "--decimal", ",", "--separator", "tab")[0] == 0
    assert (row(centre, "7")["energy_mwh"], row(centre, "7")["start_ms"]) == (5_550_000, 1_782_871_200_000)


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_lines_end_as_other_systems_end_them(centre: Centre, ending: str) -> None:
    status, report = centre.take(OURS.replace("\n", ending))
    assert (status, report["new"]) == (0, 2)


def test_periods_by_both_spellings(centre: Centre) -> None:
    details = (
        '[{""DetailStartTime"":""2026-07-01 10:00:00"",""DetailEndTime"":""2026-07-01 11:00:00"",'
        '""DetailPower"":20.25,""ElecPrice"":1,""SevicePrice"":""0.5"",""DetailElecMoney"":20.25,'
        '""DetailServiceMoney"":10.125}]'
    )
    head = "number,charger,start,end,energy_kwh,ChargeDetails\n"
    text = f'{head}a1,C01,2026-07-01 10:00:00,2026-07-01 11:00:00,20.25,"{details}"\n'
    assert centre.take(text)[0] == 0
    start, end = 1_782_871_200_000, 1_782_874_800_000
    assert row(centre)["periods"] == f"[[{start},{end},20250000,1000000,500000,202500,101250]]"


@pytest.mark.parametrize("cell", ["{", "[1]", '[{""start"":1}]', "[" * 30_000, "[{}]"])
def test_periods_that_are_none_are_mistakes(centre: Centre, cell: str) -> None:
    head = "number,charger,start,end,energy_kwh,periods\n"
    status, report = centre.take(f'{head}a1,C01,2026-07-01 10:00,2026-07-01 11:00,1,"{cell}"\n')
    assert (status, report["wrong"]) == (1, 1)


def test_a_gzip_file_and_one_in_gb18030(centre: Centre) -> None:
    path = centre.directory / "orders.csv.gz"
    path.write_bytes(gzip.compress(OURS.encode()))
    assert centre.run("sales", "import", str(path), "--station", "S1")[0] == 0
    text = "number,charger,start,end,energy_kwh,备注\na9,C01,2026-07-01 10:00,2026-07-01 11:00,1,好\n"
    file = centre.file(text, encoding="gb18030")
    assert centre.run("sales", "import", file, "--station", "S1")[0] == 1
    assert centre.run("sales", "import", file, "--station", "S1", "--encoding", "gb18030")[0] == 0
    assert len(centre.stored()) == 3


def test_the_checks_are_told_of_the_days_of_new_orders_only(centre: Centre) -> None:
    def notices() -> list[tuple[int, int]]:
        engine = centre.engine()
        with database.reading(engine) as connection:
            found = connection.execute(select(dirty.c.first_ms, dirty.c.last_ms)).all()
        engine.dispose()
        return [(row[0], row[1]) for row in found]

    centre.take(OURS)
    assert notices() == [(1_782_871_200_000, 1_782_871_200_000), (1_782_874_800_000, 1_782_874_800_000)]
    centre.take(OURS)
    assert len(notices()) == 2


def test_an_unknown_station_is_named(centre: Centre) -> None:
    status, _, said = centre.run("sales", "import", centre.file(OURS), "--station", "S9")
    assert status == 1
    assert "'S9' is not in the registry" in said
