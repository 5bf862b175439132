"""What stands beside readings: estimates of readings (估补), of chargers' errors, and results of verification."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from cloud_receiver.schema.base import Serial, metadata

# An estimate stands beside readings, and never in their place: what bills and balances use is measured. A row is never
# deleted, and nothing of it changes but its end. `edit`: what was made at once, random. `replaces`: whether there is a
# reading of the slot, that failed. `basis`: what it rests on, JSON. `ended`: superseded or withdrawn; null: in force.
estimate = Table(
    "estimate",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("edit", String(32), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("forward_mwh", BigInteger, nullable=False),
    Column("reverse_mwh", BigInteger, nullable=False),
    Column("method", String(32), nullable=False),
    Column("replaces", SmallInteger, nullable=False),
    Column("basis", Text, nullable=False),
    Column("made_by", String(64), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended", String(16)),
    Column("ended_by", String(64)),
    Column("ended_ms", BigInteger),
    Column("ended_reason", Text),
    Index(None, "edit"),
    sqlite_with_rowid=False,
)

# Remote error estimation (远程误差估计): what was said of a charger, or of the station (meter 0), of windows that end
# at `end_ms`. Relative errors. A later run is a further row by `made_ms`. `content`: JSON, docs/estimation.md. The last
# of a station is found by the index: a query must have its condition to the letter.
error_estimate = Table(
    "error_estimate",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("made_ms", BigInteger, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("error", Double),
    Column("u", Double),
    Column("probability", Double),
    Column("decision", String(16)),
    Column("content", Text, nullable=False),
    Index(None, "station", "made_ms", "end_ms", sqlite_where=text("meter = 0"), postgresql_where=text("meter = 0")),
    sqlite_with_rowid=False,
)

# The sums of a station's windows, to which the next night adds. `rows`: how many records and orders of the time before
# `through_ms` there were (cloud_receiver.row_counts). `branches`: what voltage drops said of branches when all windows
# were taken, JSON; empty: kept before anything was.
error_state = Table(
    "error_state",
    metadata,
    Column("station", BigInteger, primary_key=True, autoincrement=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("through_ms", BigInteger, nullable=False),
    Column("full_ms", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("branches", Text, nullable=False, server_default=""),
)

# Results of on-site verification (现场检定), decimal numbers in per cent; a row is never deleted.
error_verification = Table(
    "error_verification",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("meter", BigInteger, ForeignKey("meter.id"), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("error_percent", String(16), nullable=False),
    Column("u_percent", String(16), nullable=False),
    Column("left_percent", String(16)),
    Column("made_by", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Column("entered_ms", BigInteger, nullable=False),
    Column("withdrawn_ms", BigInteger),
    Column("withdrawn_by", String(64)),
    Column("withdrawn_reason", Text),
    Index(None, "station", "at_ms"),
)

# What a station's last run over all windows shows of its chargers alone: JSON, cloud_receiver.estimation.fleet.view.
fleet_view = Table(
    "fleet_view",
    metadata,
    Column("station", BigInteger, primary_key=True, autoincrement=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
)

# What a station's next run over all windows is told of its chargers' makes: mean error and u, relative.
fleet_prior = Table(
    "fleet_prior",
    metadata,
    Column("station", BigInteger, primary_key=True, autoincrement=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("error", Double, nullable=False),
    Column("u", Double, nullable=False),
)

# What all stations said together in a night (JSON), and of each make (厂家型号), relative; a row is never changed.
fleet_night = Table(
    "fleet_night",
    metadata,
    Column("made_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
)
fleet_make = Table(
    "fleet_make",
    metadata,
    Column("made_ms", BigInteger, primary_key=True),
    Column("make", Text, primary_key=True),
    Column("error", Double, nullable=False),
    Column("u", Double, nullable=False),
    Column("stations", Integer, nullable=False),
    Column("operators", Integer, nullable=False),
    Column("chargers", Integer, nullable=False),
    Column("judged", Integer, nullable=False),
    Column("flagged", Integer, nullable=False),
    Column("content", Text, nullable=False),
    sqlite_with_rowid=False,
)
