"""What of a configuration can't be changed from afar, and what is told of one that can't be taken."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.configuration import candidate
from agent.configuration.base import BaseFile
from agent.configuration.candidate import FIXED, check, fitting, shortened
from settings.errors import ConfigError
from wire import keys
from wire.results import MAX_PROBLEMS


def own_file(site: Any) -> BaseFile:
    """Return the gateway's own file with two meters."""
    return BaseFile.read(site.configure(broker_port=1, meter_ports=[1, 2]))


def problems(own: BaseFile, text: str) -> tuple[str, ...]:
    """Return why a document is refused."""
    now: Any = own.loaded
    with pytest.raises(ConfigError) as error:
        check(text.encode(), own, now.config)
    return error.value.problems


def test_lines_meters_and_the_broker_may_change(site: Any) -> None:
    """File names are relative to where the own file stands, though the document stands nowhere."""
    own = own_file(site)
    now: Any = own.loaded
    text = own.content.decode().replace("port = 1\n", "port = 8883\n").replace("poll_seconds = 60", "poll_seconds = 30")
    found = check(text.encode(), own, now.config)
    assert found.config.broker.port == 8883
    assert found.config.gateway.data_dir == site.directory / "data"
    assert {meter.poll_seconds for line in found.config.line for meter in line.meter} == {30}


def test_who_the_gateway_is_and_whom_it_believes_stays(site: Any) -> None:
    """All that is tried is told."""
    own = own_file(site)
    keys.save_private(keys.generate(), site.directory / "other.key")
    keys.save_public(keys.generate().public_key(), site.directory / "other.pub")
    text = own.content.decode()
    for old, new in (
        ('id = "gw-1"', 'id = "gw-2"'),
        ('data_dir = "data"', 'data_dir = "elsewhere"'),
        ('key_file = "gateway.key"', 'key_file = "other.key"'),
        ('key_file = "centre.pub"', 'key_file = "other.pub"'),
    ):
        assert old in text
        text = text.replace(old, new)
    found = problems(own, text)
    assert [problem.split(":")[0] for problem in found] == list(FIXED)
    assert found[0] == "gateway.id: can't be changed from afar: expected gw-1, got gw-2"


def test_the_same_place_by_another_name_is_no_change(site: Any) -> None:
    """An absolute path, or one with a dot."""
    own = own_file(site)
    now: Any = own.loaded
    text = own.content.decode().replace('data_dir = "data"', f'data_dir = "{site.directory}/data"')
    check(text.replace('"gateway.key"', '"./gateway.key"').encode(), own, now.config)


@pytest.mark.parametrize("file", ["gateway.key", "link.key"])
def test_no_key_is_given_to_a_broker_as_a_password(site: Any, file: str) -> None:
    """Not even by another name."""
    own = own_file(site)
    keys.save_private(keys.generate(), site.directory / "tls.key")
    (site.directory / "link.key").symlink_to("gateway.key")
    text = own.content.decode().replace(
        "[broker]\n", f'[broker]\nusername = "u"\npassword_file = "{file}"\nkey_file = "tls.key"\n'
    )
    assert "broker.password_file: expected a file of its own, got that of gateway.key_file" in problems(own, text)


def test_no_key_of_before_is_given_to_a_broker_as_a_password(site: Any) -> None:
    """Neither one that was rotated nor that of the connection now, which a new configuration need not name."""
    own = own_file(site)
    keys.save_private(keys.generate(), site.directory / "former.key")
    (site.directory / "password").write_text("one line\n")
    for file, found in (("former.key", True), ("centre.pub", True), ("password", False)):
        text = own.content.decode().replace("[broker]\n", f'[broker]\nusername = "u"\npassword_file = "{file}"\n')
        if found:
            assert problems(own, text) == ("broker.password_file: expected a password, which has one line",)
        else:
            now: Any = own.loaded
            check(text.encode(), own, now.config)


def test_every_mistake_is_told_by_its_key_and_no_file(site: Any) -> None:
    """As `check` does it; the document has no name."""
    own = own_file(site)
    text = (
        own.content.decode().replace("poll_seconds = 60", "poll_seconds = 0").replace("[factor]", "[factor]\nnod = 1")
    )
    assert problems(own, text) == (
        "factor.nod: unknown key; did you mean 'node'?",
        "line[line-1].meter[meter-1].poll_seconds: expected greater than or equal to 1, got 0",
        "line[line-2].meter[meter-2].poll_seconds: expected greater than or equal to 1, got 0",
    )
    assert problems(own, "what = ")[0].startswith("not TOML: ")


def test_tls_files_that_are_none_are_told_before_anything_is_tried(site: Any) -> None:
    """The trial would find out too, but would cost a restart."""
    own = own_file(site)
    text = own.content.decode().replace("[broker]\n", '[broker]\nca_file = "centre.pub"\n')
    (problem,) = problems(own, text)
    assert problem.startswith("broker.tls: TLS files ")


def test_problems_are_cut_to_what_can_travel() -> None:
    """The number of those that are left out is the last."""
    assert fitting(("a", "b")) == ("a", "b")
    many = fitting(tuple(str(number) for number in range(80)))
    assert len(many) == MAX_PROBLEMS
    assert many[-1] == "and 31 more"
    (long,) = fitting(("错" * 200,))
    assert len(long.encode()) <= 256
    assert long.endswith("错…")
    assert shortened("a" * 256, 256) == "a" * 256
    assert candidate.shortened("\ud800", 10) == "?"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('profile = "sim-carbon-meter"', 'profile = "\\u0000/x.toml"'),
        ('profile = "sim-carbon-meter"', 'profile = "/"'),
        ('profile = "sim-carbon-meter"', f'profile = "{"x" * 5000}.toml"'),
        ('profile = "sim-carbon-meter"', 'profile = "/dev/zero.toml"'),
        ('key_file = "gateway.key"', 'key_file = "gateway.key\\u0000"'),
        ('data_dir = "data"', f'data_dir = "{"x" * 5000}"'),
        ("[broker]\n", '[broker]\nca_file = "\\u0000"\n'),
        ("[broker]\n", '[broker]\npassword_file = "."\n'),
        ("[broker]\n", '[broker]\npassword_file = "gateway.key/x"\n'),
        ('timezone = "Asia/Shanghai"', 'timezone = "../../etc/passwd"'),
        ("[factor]", "x = " + "[" * 5000 + "]" * 5000 + "\n[factor]"),
        ("[factor]", "x = 1e999999999\n[factor]"),
        ("[factor]", f"x = {'1' * 5000}\n[factor]"),
    ],
)
def test_whatever_stands_in_it_is_refused_by_a_list_of_problems(site: Any, old: str, new: str) -> None:
    """Names of files that none can have, and more of anything than is sensible."""
    own = own_file(site)
    text = own.content.decode().replace('station = "station-1"', 'station = "s"\ntimezone = "Asia/Shanghai"')
    assert old in text
    assert fitting(problems(own, text.replace(old, new)))


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_document_with_any_change_is_a_configuration_or_has_problems(site: Any, data: st.DataObject) -> None:
    """Cut, doubled or overwritten anywhere: never another error."""
    own = own_file(site)
    now: Any = own.loaded
    text = bytearray(own.content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 12))] = data.draw(st.binary(max_size=12) | st.just(bytes(text[:at])))
    with suppress(ConfigError):
        check(bytes(text), own, now.config)
