"""What a DL/T 698.45 profile says: which object attribute (对象属性) holds each point, and how its data are typed."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Self

from profiles.model import Point

WHOLE: Final = 0xFFFFFF00
"""An OAD without its index: the whole attribute."""


class DataType(Enum):
    """The data types (数据类型) that a point may have; the names are those of the codec, the tags of 7.3.1."""

    tag: int
    bits: int
    signed: bool

    def __new__(cls, text: str, tag: int, bits: int = 0) -> Self:
        """Make a member whose value is the name that profiles use; `bits` is that of an integer, negative: signed."""
        member = object.__new__(cls)
        member._value_ = text
        member.tag, member.bits, member.signed = tag, abs(bits), bits < 0
        return member

    BOOL = ("bool", 0x03, 1)
    BIT_STRING = ("bit_string", 0x04)
    DOUBLE_LONG = ("double_long", 0x05, -32)
    DOUBLE_LONG_UNSIGNED = ("double_long_unsigned", 0x06, 32)
    OCTET_STRING = ("octet_string", 0x09)
    VISIBLE_STRING = ("visible_string", 0x0A)
    INTEGER = ("integer", 0x0F, -8)
    LONG = ("long", 0x10, -16)
    UNSIGNED = ("unsigned", 0x11, 8)
    LONG_UNSIGNED = ("long_unsigned", 0x12, 16)
    LONG64 = ("long64", 0x14, -64)
    LONG64_UNSIGNED = ("long64_unsigned", 0x15, 64)
    ENUM = ("enum", 0x16, 8)
    FLOAT32 = ("float32", 0x17)
    FLOAT64 = ("float64", 0x18)
    DATE_TIME = ("date_time", 0x19)
    DATE_TIME_S = ("date_time_s", 0x1C)

    @property
    def is_integer(self) -> bool:
        """Return whether the type holds a plain number of fixed width."""
        return self.bits > 0

    @property
    def is_float(self) -> bool:
        """Return whether it is a binary floating-point number."""
        return self in (DataType.FLOAT32, DataType.FLOAT64)

    @property
    def is_time(self) -> bool:
        """Return whether it is a local date and time."""
        return self in (DataType.DATE_TIME, DataType.DATE_TIME_S)

    @property
    def least(self) -> int:
        """The least number of an integer type."""
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def greatest(self) -> int:
        """The greatest number of an integer type."""
        return (1 << self.bits - 1 if self.signed else 1 << self.bits) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectPoint(Point):
    """One value in an object attribute.

    `oad` is what the profile names. With `element` k it is the k-th element of the attribute's array, which is then
    always read whole (index 0); an OAD with an index k of its own names the same element and may be read alone. `part`
    is the k-th member of a structure (a maximum demand is {value, time}). `length` is the octets of an octet or
    visible string, the bits of a bit string.
    """

    oad: int
    element: int = 0
    part: int = 0
    type: DataType
    length: int = 0

    @property
    def base(self) -> int:
        """Return the OAD of the whole attribute."""
        return self.oad & WHOLE

    @property
    def index(self) -> int:
        """Return which element of the attribute it is; 0: the attribute itself."""
        return self.element or self.oad & 0xFF

    @property
    def place(self) -> dict[str, int | str]:
        """Return OAD, element and part, as far as they are said, and the type."""
        place: dict[str, int | str] = {"oad": f"{self.oad:08X}"}
        place |= {key: value for key, value in (("element", self.element), ("part", self.part)) if value}
        return {**place, "type": self.type.value}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A terminal (终端, 4G gateway) that passes frames on to the meter's port by PROXY-TransCommand (透明转发)."""

    port: int  # OAD of the port, F2010201 for the first RS-485
    baud: int  # codes of COMDCB
    parity: int
    message_timeout_s: int
    byte_timeout_ms: int
    terminal: str = ""  # its address; empty: whoever stands in front of the meter is asked by wildcard


@dataclass(frozen=True, slots=True)
class Association:
    """How the meter is talked to (应用连接); sizes in octets.

    Without `connect` the preset association (预连接) is used, with these sizes.
    """

    client: int = 0  # client address CA
    logical: int = 0  # logical address of the server
    connect: bool = False
    send_size: int = 1024  # of the longest frame that the meter takes
    receive_size: int = 1024  # of the longest frame that it sends
    apdu_size: int = 1024
    timeout_s: int = 600  # after which the meter may give up a silent association
    plain_security: bool = False  # requests inside SECURITY-Request, plain with a random number
    proxy: Proxy | None = None


@dataclass(frozen=True, slots=True)
class RecordTable:
    """Rows that the meter stores (冻结 tables): row n is its n-th last record, asked for by GET-Record."""

    name: str
    oad: int
    rows: int
    columns: tuple[ObjectPoint, ...]


@dataclass(frozen=True, slots=True)
class ClockWrite:
    """A date and time to be set, local time of the meter's zone."""

    name: str
    field: ObjectPoint


@dataclass(frozen=True, slots=True)
class FactorWrite:
    """The factors of one day (电碳因子): structure {date_time_s of its 00:00:00, TI, array of `values` numbers}.

    The layout is known from one captured meter (see the model file), not from a published standard.
    """

    name: str
    field: ObjectPoint  # each factor
    values: int  # 1, 24 or 96, in equal parts of the day
    interval_unit: int  # TI: 0 s, 1 min, 2 h, 3 d, 4 month, 5 year
    interval: int


@dataclass(frozen=True, slots=True)
class ObjectCommand:
    """An attribute to be set: `data` is the encoded data item.

    With `kept` above 0, what the meter has of the same day for the first so many parts of it stays as it is.
    """

    name: str
    oad: int
    data: bytes
    association: Association
    kept: int = 0
