"""The tables of the centre. Integers carry the units their names state: mWh, µg, mg/kWh, ms UTC.

Rows of readings are clustered by (station, time), which is also the key by which the same schema is distributed.
`received_range` decides what is new, in the transaction that stores it: nothing else keeps a record from
counting twice.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is declared INTEGER PRIMARY KEY.
Serial = BigInteger().with_variant(Integer, "sqlite")

station = Table(
    "station",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
)

gateway = Table(
    "gateway",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
)

gateway_key = Table(
    "gateway_key",
    metadata,
    Column("kid", LargeBinary(8), primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("public_key", LargeBinary(65), nullable=False),
    Column("added_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger),
)

# A meter the registry doesn't know has the role "unknown": its records are kept, and a finding says so.
meter = Table(
    "meter",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("gateway", String(64), nullable=False),
    Column("name", String(64), nullable=False),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("role", String(16), nullable=False),
    UniqueConstraint("gateway", "name"),
)

# A gateway's journal: one context of sequence numbers that never repeat. `told_next`: the highest next sequence that
# the gateway has told of it, 0 where it never did.
journal = Table(
    "journal",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("context", LargeBinary(8), nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("told_next", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("gateway", "context"),
)

received_range = Table(
    "received_range",
    metadata,
    Column("journal", BigInteger, ForeignKey("journal.id"), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The signed envelope as it came: a record is proved by the message of its journal whose sequences cover it.
message = Table(
    "message",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("journal", BigInteger, ForeignKey("journal.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("kid", LargeBinary(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("clock_state", SmallInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Index(None, "journal", "first"),
)

# A message whose records the store would not take: kept whole, acknowledged, and tried again at every start.
set_aside = Table(
    "set_aside",
    metadata,
    Column("message", BigInteger, ForeignKey("message.id"), primary_key=True, autoincrement=False),
    Column("new", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("aside_ms", BigInteger, nullable=False),
)

# The newest status of a gateway; `seen_ms` is by the centre's clock, `time_ms` by the gateway's.
gateway_status = Table(
    "gateway_status",
    metadata,
    Column("gateway", BigInteger, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("context", LargeBinary(8), nullable=False),
    Column("next_sequence", BigInteger, nullable=False),
    Column("unacknowledged", BigInteger, nullable=False),
    Column("clock_state", SmallInteger, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Column("dropped_ms", BigInteger),
    Column("facts", Text),
)

interval = Table(
    "interval",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("forward_mwh", BigInteger, nullable=False),
    Column("reverse_mwh", BigInteger, nullable=False),
    Column("forward_total_mwh", BigInteger, nullable=False),
    Column("reverse_total_mwh", BigInteger, nullable=False),
    Column("factor", BigInteger),
    Column("factor_quality", SmallInteger, nullable=False),
    Column("carbon_forward_ug", BigInteger, nullable=False),
    Column("carbon_reverse_ug", BigInteger, nullable=False),
    Column("carbon_forward_total_ug", BigInteger, nullable=False),
    Column("carbon_reverse_total_ug", BigInteger, nullable=False),
    Column("readings", BigInteger, nullable=False),
    Column("quality", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

freeze = Table(
    "freeze",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    Column("forward_total_mwh", BigInteger, nullable=False),
    Column("reverse_total_mwh", BigInteger, nullable=False),
    Column("carbon_forward_total_ug", BigInteger, nullable=False),
    Column("carbon_reverse_total_ug", BigInteger, nullable=False),
    Column("source", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

adjustment = Table(
    "adjustment",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("duration_ms", BigInteger, nullable=False),
    Column("forward_mwh", BigInteger, nullable=False),
    Column("reverse_mwh", BigInteger, nullable=False),
    Column("factor_used", BigInteger),
    Column("factor_now", BigInteger),
    Column("carbon_forward_ug", BigInteger, nullable=False),
    Column("carbon_reverse_ug", BigInteger, nullable=False),
    Column("solve_id", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

# meter 0: the gateway itself. details: JSON, keys as in docs/wire.md.
event = Table(
    "event",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("time_ms", BigInteger, primary_key=True),
    Column("meter", BigInteger, primary_key=True),
    Column("journal", BigInteger, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("code", Integer, nullable=False),
    Column("details", Text, nullable=False),
    sqlite_with_rowid=False,
)

# `gateway`: the enrolled one that the topic names, if it does. `count`: for how many messages the row stands.
# `running`: the bytes kept in all rows before it, dropped ones too.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("topic", String(256), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("gateway", String(64)),
    Column("running", BigInteger, nullable=False, server_default="0"),
    Index(None, "running"),
)

# What the quarantine had no room for any more.
quarantine_dropped = Table(
    "quarantine_dropped",
    metadata,
    Column("reason", String(32), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

# What the verification of every message came to: "verified", or the reason why it was refused.
verification = Table(
    "verification",
    metadata,
    Column("gateway", String(64), primary_key=True),
    Column("result", String(32), primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

# What the centre dispatched; a corrected factor is a further row with a later `issued_ms`.
# `origin`: wire.messages.Origin.
factor = Table(
    "factor",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("slot_ms", BigInteger, nullable=False),
    Column("factor", BigInteger),
    Column("solve_id", LargeBinary(32), nullable=False),
    Column("origin", SmallInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# The signed messages in which the centre dispatched factors, as far as they are needed to prove each of them.
factor_message = Table(
    "factor_message",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("first_start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("slot_ms", BigInteger, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("topic", String(256), nullable=False),
    Column("kid", LargeBinary(8), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

# Factor messages of the grid service that the broker is yet to confirm.
factor_unsent = Table(
    "factor_unsent",
    metadata,
    Column("node", String(64), primary_key=True),
    Column("first_start_ms", BigInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# Until when each gateway is known to have got what was published: what was issued since, it may have missed.
factor_reached = Table(
    "factor_reached",
    metadata,
    Column("gateway", BigInteger, ForeignKey("gateway.id"), primary_key=True, autoincrement=False),
    Column("reached_ms", BigInteger, nullable=False),
)

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
# at `end_ms`. Relative errors. A later run is a further row by `made_ms`. `content`: JSON, docs/estimation.md.
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
    sqlite_with_rowid=False,
)

# The sums of a station's windows, to which the next night adds. `rows`: how many records they rest on.
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

# Topologies of the grid (电网拓扑): each is valid from its time to that of the next.
# `content`: JSON as in docs/grid.md.
grid = Table(
    "grid",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("valid_from_ms", BigInteger, nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("content", Text, nullable=False),
    Column("entered_ms", BigInteger, nullable=False),
)

# What was measured on the grid in a slot and came by file or HTTP. A later row of an element counts, none is changed.
# `content`: CBOR, cloud_receiver.grid.telemetry.
grid_telemetry = Table(
    "grid_telemetry",
    metadata,
    Column("start_ms", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("feed", String(64), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# The carbon flow of a slot. A later version corrects it; none is changed. Columns of binary numbers as in
# cloud_receiver.grid.kept: what was measured, what was solved (reconciled), what came of it.
grid_slot = Table(
    "grid_slot",
    metadata,
    Column("start_ms", BigInteger, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("grid", BigInteger, ForeignKey("grid.id"), nullable=False),
    Column("solve_id", LargeBinary(32), nullable=False),
    Column("solved_ms", BigInteger, nullable=False),
    Column("measured", LargeBinary, nullable=False),
    Column("used", LargeBinary, nullable=False),
    Column("nodes", LargeBinary, nullable=False),
    Column("summary", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What the intake tells the grid service: something new was measured in [first_ms, last_ms].
grid_notice = Table(
    "grid_notice",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,  # a number that comes again would be taken for a notice that was dealt with
)

# Findings about the grid: of a node, an element, a feed, another centre. `day_ms`: the local day's start.
grid_finding = Table(
    "grid_finding",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("day_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", String(96), nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    UniqueConstraint("day_ms", "kind", "subject"),
)

# Levels (省、市、站): what this centre and another one say of the boundary between them in a slot.
# `side`: 0 ours, 1 theirs.
level_slot = Table(
    "level_slot",
    metadata,
    Column("centre", String(64), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("side", SmallInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("forward_mwh", BigInteger),
    Column("reverse_mwh", BigInteger),
    Column("factor", BigInteger),
    Column("reverse_factor", BigInteger),
    Column("carbon_forward_ug", BigInteger),
    Column("carbon_reverse_ug", BigInteger),
    Column("totals", Text),
    Column("origin", SmallInteger),
    sqlite_with_rowid=False,
)

# The signed messages in which another centre said so, and in which we did, as they went over the wire.
# `heard_ms`: when the other side named ours as stored there. `envelope`: empty where later ones of its day prove more.
level_message = Table(
    "level_message",
    metadata,
    Column("centre", String(64), primary_key=True),
    Column("side", SmallInteger, primary_key=True),
    Column("issued_ms", BigInteger, primary_key=True),
    Column("topic", String(256), nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("error_ppm", Integer),
    Column("step_mwh", BigInteger),
    Column("envelope", LargeBinary, nullable=False),
    Column("heard_ms", BigInteger),
    Index(None, "centre", "side", "heard_ms", "issued_ms"),
)

# Commands to gateways (wire.commands) and what became of them; a row is never deleted, it is the audit (审计).
# `published`: how often; `outcome` and the reply's columns are null until the gateway has answered.
command = Table(
    "command",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("gateway", BigInteger, ForeignKey("gateway.id"), nullable=False),
    Column("verb", SmallInteger, nullable=False),
    Column("author", String(64), nullable=False),
    Column("issued_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("published", Integer, nullable=False, server_default="0"),
    Column("published_ms", BigInteger),
    Column("outcome", SmallInteger),
    Column("reply_ms", BigInteger),
    Column("reply_kid", LargeBinary(8)),
    Column("reply", LargeBinary),
    Index(None, "expires_ms"),
    Index(None, "gateway", "issued_ms"),
)

# What the intake and the dispatch tell the checks: this station and time span is to be checked, `due_ms` or at once.
dirty = Table(
    "dirty",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("due_ms", BigInteger),
)

slot_check = Table(
    "slot_check",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("complete", SmallInteger, nullable=False),
    Column("result", Text, nullable=False),
    Column("checked_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# meter 0: the station itself.
finding = Table(
    "finding",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("station", BigInteger, ForeignKey("station.id"), nullable=False),
    Column("day_ms", BigInteger, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("meter", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("evidence", Text, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    UniqueConstraint("station", "day_ms", "kind", "meter"),
)
