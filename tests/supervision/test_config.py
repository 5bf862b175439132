"""The table `[metrics]`: off by default, and on loopback only."""

import pytest
from pydantic import ValidationError

from supervision.config import Metrics


def test_it_is_off_unless_a_port_is_given() -> None:
    assert (Metrics().host, Metrics().port) == ("127.0.0.1", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1"])
def test_loopback_addresses_are_taken(host: str) -> None:
    assert Metrics(host=host, port=9645).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "127.0.0.1.example", "", "fe80::1"])
def test_others_are_refused_with_what_is_expected(host: str) -> None:
    with pytest.raises(ValidationError, match=r"expected a loopback address such as 127\.0\.0\.1 or ::1"):
        Metrics(host=host, port=9645)


@pytest.mark.parametrize("port", [0, -1, 65_536, "9645", True])
def test_a_port_is_a_number_of_one(port: object) -> None:
    with pytest.raises(ValidationError):
        Metrics(port=port)  # type: ignore[arg-type]  # that is the point
