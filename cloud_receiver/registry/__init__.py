"""registry.toml: the stations, their meters and what is known of their accuracy and losses (台账)."""

from cloud_receiver.registry.file import load
from cloud_receiver.registry.meter import (
    DC_EFFICIENCY,
    DC_EFFICIENCY_UNCERTAINTY,
    Measures,
    Meter,
    Role,
    Side,
    Verified,
)
from cloud_receiver.registry.station import Auxiliary, Loss, Registry, Station, StationEstimation, Tariff

__all__ = [
    "DC_EFFICIENCY",
    "DC_EFFICIENCY_UNCERTAINTY",
    "Auxiliary",
    "Loss",
    "Measures",
    "Meter",
    "Registry",
    "Role",
    "Side",
    "Station",
    "StationEstimation",
    "Tariff",
    "Verified",
    "load",
]
