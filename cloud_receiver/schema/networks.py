"""The grid (电网): topologies, telemetry, solved slots, findings; what centres of other levels say."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud_receiver.schema.base import Serial, metadata

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
