"""The tables of the centre. Integers carry the units their names state: mWh, µg, mg/kWh, ms UTC.

Rows of readings are clustered by (station, time), which is also the key by which the same schema is distributed.
`received_range` decides what is new, in the transaction that stores it: nothing else keeps a record from
counting twice.
"""

from cloud_receiver.schema.base import metadata
from cloud_receiver.schema.checks import (
    completeness_day,
    day_check,
    dirty,
    finding,
    finding_change,
    recheck,
    slot_check,
)
from cloud_receiver.schema.commands import command
from cloud_receiver.schema.estimates import (
    error_estimate,
    error_state,
    error_verification,
    estimate,
    fleet_make,
    fleet_night,
    fleet_prior,
    fleet_view,
)
from cloud_receiver.schema.factors import factor, factor_message, factor_reached, factor_unsent
from cloud_receiver.schema.intake import (
    journal,
    message,
    quarantine,
    quarantine_dropped,
    received_range,
    set_aside,
    verification,
)
from cloud_receiver.schema.networks import (
    grid,
    grid_finding,
    grid_notice,
    grid_slot,
    grid_telemetry,
    level_message,
    level_slot,
)
from cloud_receiver.schema.nights import night_claim
from cloud_receiver.schema.readings import adjustment, event, freeze, interval, removal, station_rows
from cloud_receiver.schema.sales import charge_order
from cloud_receiver.schema.stations import gateway, gateway_key, gateway_status, meter, station

__all__ = [
    "adjustment",
    "charge_order",
    "command",
    "completeness_day",
    "day_check",
    "dirty",
    "error_estimate",
    "error_state",
    "error_verification",
    "estimate",
    "event",
    "factor",
    "factor_message",
    "factor_reached",
    "factor_unsent",
    "finding",
    "finding_change",
    "fleet_make",
    "fleet_night",
    "fleet_prior",
    "fleet_view",
    "freeze",
    "gateway",
    "gateway_key",
    "gateway_status",
    "grid",
    "grid_finding",
    "grid_notice",
    "grid_slot",
    "grid_telemetry",
    "interval",
    "journal",
    "level_message",
    "level_slot",
    "message",
    "metadata",
    "meter",
    "night_claim",
    "quarantine",
    "quarantine_dropped",
    "received_range",
    "recheck",
    "removal",
    "set_aside",
    "slot_check",
    "station",
    "station_rows",
    "verification",
]
