"""The table `[metrics]` of a program's configuration."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

from settings.values import Port, Section


def _loopback(value: str) -> str:
    try:
        inside = ipaddress.ip_address(value).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise ValueError("expected a loopback address such as 127.0.0.1 or ::1; a proxy can serve others")
    return value


class Metrics(Section):
    """Where Prometheus finds this program: nowhere unless there is a port."""

    host: Annotated[str, AfterValidator(_loopback)] = "127.0.0.1"
    port: Port | None = None
