"""Who makes which station's night of error estimation: what processes and receivers share it by."""

from sqlalchemy import BigInteger, Column, Integer, SmallInteger, String, Table

from cloud_receiver.schema.base import metadata

# The night of a station up to the midnight `through_ms`, as `owner` has taken, made or tried it in vain (`state`,
# cloud_receiver.estimation.claims). What is taken is so until `until_ms`; `tries`: how often it was. Station 0 is what
# stations say together, `through_ms` when that was begun.
night_claim = Table(
    "night_claim",
    metadata,
    Column("station", BigInteger, primary_key=True, autoincrement=False),
    Column("through_ms", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("owner", String(32), nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
)
