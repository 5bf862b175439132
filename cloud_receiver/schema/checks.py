"""What checks work on and what they find."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cloud_receiver.schema.base import Serial, metadata

_NOT_CLOSED = text("state <> 'closed'")

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
    Index(None, "station", "kind", sqlite_where=_NOT_CLOSED, postgresql_where=_NOT_CLOSED),
)

# What a finding was before each change, and what brought the change about (JSON, docs/checks.md). Changes of evidence
# that followed each other while the day was `running` are one row, with the first `..._before` and the last `cause`;
# `times`: how many.
finding_change = Table(
    "finding_change",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("finding", BigInteger, ForeignKey("finding.id"), nullable=False),
    Column("change", String(16), nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("running", SmallInteger, nullable=False, server_default="0"),
    Column("state_before", String(16)),
    Column("severity_before", String(16)),
    Column("first_before_ms", BigInteger),
    Column("last_before_ms", BigInteger),
    Column("evidence_before", Text),
    Column("cause", Text, nullable=False),
    Index(None, "finding"),
)

# What the checks of a local day left for its month, and by what they were made: `registry` and `settings` are digests,
# `through_message` is the last message in the store then. `content`: JSON, cloud_receiver.checks.day_sum.
day_check = Table(
    "day_check",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("day_ms", BigInteger, primary_key=True),
    Column("over", SmallInteger, nullable=False),
    Column("registry", String(64), nullable=False),
    Column("settings", String(64), nullable=False),
    Column("through_message", BigInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("checked_ms", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Local days that are to be checked anew (重新核查), until they are. `asked_by`: empty where nobody asked. `tries`: how
# often the check failed. `due_ms`: not before; whoever takes a day puts it off, so that no other takes it meanwhile.
recheck = Table(
    "recheck",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("day_ms", BigInteger, primary_key=True),
    Column("asked_by", String(64), nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# Completeness and timeliness (完整率、及时率) of a local day that is over, by gateway: time of intervals, summed over
# its meters.
completeness_day = Table(
    "completeness_day",
    metadata,
    Column("station", BigInteger, primary_key=True),
    Column("day_ms", BigInteger, primary_key=True),
    Column("gateway", String(64), primary_key=True),
    Column("expected_ms", BigInteger, nullable=False),
    Column("present_ms", BigInteger, nullable=False),
    Column("in_15_min_ms", BigInteger, nullable=False),
    Column("in_60_min_ms", BigInteger, nullable=False),
    Column("by_day_end_ms", BigInteger, nullable=False),
    Column("interpolated_ms", BigInteger, nullable=False),
    Column("estimated_ms", BigInteger, nullable=False),
    Column("partial_ms", BigInteger, nullable=False),
    Column("substituted_ms", BigInteger, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Index(None, "day_ms"),
    sqlite_with_rowid=False,
)
