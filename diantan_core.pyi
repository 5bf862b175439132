"""Exact energy and carbon arithmetic of Diantan: the typed face of the Rust extension.

Units of plain integers: energy mWh (10⁻⁶ kWh), power mW, carbon factor (电碳因子) mg/kWh, carbon (电碳排放量)
ng or µg as the name says, time ms UTC. Buffers are one-dimensional and contiguous, of signed 64-bit integers
(`array('q')`, a `memoryview`, a numpy array); they are copied and the GIL is released while they are worked on.

Time zones come from the database bundled with the extension, so boundaries are the same on every machine; instants lie
in the years 1 to 9998. Objects are not locked: using one from two threads at once raises RuntimeError.
A float is refused (TypeError) wherever a quantity is expected.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple, TypeAlias, final

from _typeshed import ReadableBuffer

class CoreError(ValueError):
    """The base of every error this module raises."""

class QuantityError(CoreError):
    """A value is out of range or finer than its unit."""

class ScheduleError(CoreError):
    """A carbon factor or its slot is not acceptable."""

class IntegrationError(CoreError):
    """Columns of different lengths, a bad setting, or a state that can't be restored."""

class DecodeError(CoreError):
    """A record batch is not what docs/wire.cddl says; `offset` is the byte at which that showed."""

    offset: int

@final
class Energy:
    """An amount of energy (电能量), an integer of 1 mWh = 10⁻⁶ kWh within i64."""

    def __new__(cls, mwh: int = 0) -> Energy: ...
    @staticmethod
    def from_kwh(value: Decimal | str | int) -> Energy:
        """Exact conversion; QuantityError when finer than 1 mWh or out of range. No float is accepted."""
    @property
    def mwh(self) -> int: ...
    @property
    def kwh(self) -> Decimal: ...
    def __add__(self, other: Energy) -> Energy: ...
    def __sub__(self, other: Energy) -> Energy: ...
    def __neg__(self) -> Energy: ...
    def __mul__(self, other: Factor) -> Carbon: ...
    def __lt__(self, other: Energy) -> bool: ...
    def __le__(self, other: Energy) -> bool: ...
    def __gt__(self, other: Energy) -> bool: ...
    def __ge__(self, other: Energy) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Carbon:
    """An amount of carbon dioxide (电碳排放量), an integer of 1 ng = 10⁻¹² kg within i128."""

    def __new__(cls, ng: int = 0) -> Carbon: ...
    @staticmethod
    def from_kg(value: Decimal | str | int) -> Carbon: ...
    @property
    def ng(self) -> int: ...
    @property
    def ug(self) -> int:
        """Whole µg (10⁻⁹ kg), floored: how carbon leaves the core (design section 3)."""
    @property
    def kg(self) -> Decimal: ...
    def __add__(self, other: Carbon) -> Carbon: ...
    def __sub__(self, other: Carbon) -> Carbon: ...
    def __neg__(self) -> Carbon: ...
    def __lt__(self, other: Carbon) -> bool: ...
    def __le__(self, other: Carbon) -> bool: ...
    def __gt__(self, other: Carbon) -> bool: ...
    def __ge__(self, other: Carbon) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Factor:
    """A carbon factor (电碳因子), an integer of 1 mg/kWh = 10⁻⁶ kgCO₂/kWh within u32."""

    def __new__(cls, mg_per_kwh: int) -> Factor: ...
    @staticmethod
    def from_kg_per_kwh(value: Decimal | str | int) -> Factor: ...
    @property
    def mg_per_kwh(self) -> int: ...
    @property
    def kg_per_kwh(self) -> Decimal: ...
    def __lt__(self, other: Factor) -> bool: ...
    def __le__(self, other: Factor) -> bool: ...
    def __gt__(self, other: Factor) -> bool: ...
    def __ge__(self, other: Factor) -> bool: ...
    def __hash__(self) -> int: ...

FACTOR_DISPATCHED: Final = 0
FACTOR_HELD: Final = 1
FACTOR_DEFAULT: Final = 2
FACTOR_UNDEFINED: Final = 3

@final
class FactorSchedule:
    """The carbon factors of one node, slot by slot.

    A slot without an entry is *held* (the last entry before it applies) for at most `hold_ms` after that entry's
    slot ended (None: without limit); beyond that, and before the first entry, the *default* applies, and without
    one the factor is *undefined*. An entry may itself be None: the node had no through-flow and has no factor; such an
    entry is held like any other. A slot is 60 000 (a minute) to 86 400 000 ms (a day) long and starts at a multiple of
    its length in UTC.
    """

    def __new__(
        cls, *, slot_ms: int = 900_000, default: int | None = None, hold_ms: int | None = None
    ) -> FactorSchedule: ...
    def set(self, start_ms: int, factor: int | None) -> None:
        """Enter one slot's factor; ScheduleError unless `start_ms` is a multiple of the slot length."""
    def extend(self, starts_ms: Sequence[int], factors: Sequence[int | None]) -> None:
        """Enter several slots, all of them or, with ScheduleError, none."""
    def at(self, time_ms: int) -> tuple[int | None, int]:
        """Return (factor in mg/kWh or None, FACTOR_… quality) of the slot that contains the instant."""
    def forget_before(self, time_ms: int) -> int:
        """Drop the entries of slots that ended by then, except the last one (it is still held); return how many."""
    def __len__(self) -> int: ...

QUALITY_MEASURED: Final = 0
"""Every step between readings that touches the interval is at most `measured_gap_ms` long."""
QUALITY_INTERPOLATED: Final = 1
"""A longer step touches the interval, but at least one reading lies in it."""
QUALITY_ESTIMATED: Final = 2
"""No reading lies in the interval: its energy is a share of a longer register difference."""
QUALITY_PARTIAL: Final = 3
"""Part of the interval is not covered: start of metering, reset, exchange, implausible jump, gap in power samples."""

FREEZE_DAILY: Final = 0
FREEZE_MONTHLY: Final = 1

EVENT_ROLLOVER: Final = 1
EVENT_RESET: Final = 2
EVENT_EXCHANGE: Final = 3
EVENT_JUMP: Final = 4
EVENT_GAP: Final = 5
EVENT_TIME_BACK: Final = 6

IntervalRow: TypeAlias = tuple[
    int,  # start, ms UTC
    int,  # duration, ms
    int,  # energy forward (正向) of the interval, mWh
    int,  # energy reverse (反向)
    int,  # cumulative energy forward at its end, mWh
    int,  # cumulative energy reverse
    int | None,  # carbon factor, mg/kWh; None: undefined, the energy is pending and the carbon 0
    int,  # FACTOR_… quality
    int,  # carbon forward of the interval, µg (difference of the floored cumulative register)
    int,  # carbon reverse
    int,  # cumulative carbon forward at its end, µg, floored
    int,  # cumulative carbon reverse
    int,  # number of readings in (start, end]
    int,  # QUALITY_…
]

FreezeRow: TypeAlias = tuple[
    int,  # the boundary, ms UTC
    int,  # FREEZE_DAILY or FREEZE_MONTHLY
    int,  # cumulative energy forward, mWh
    int,  # cumulative energy reverse
    int,  # cumulative carbon forward, µg
    int,  # cumulative carbon reverse
    int,  # QUALITY_…: measured (a reading at the boundary, or between readings at most measured_gap_ms apart),
    #       interpolated (readings further apart), or partial (nothing is known of the time up to the boundary)
]

EventRow: TypeAlias = tuple[
    int,  # time of the reading that showed it, ms UTC
    int,  # EVENT_…
    int,  # direction: 0 forward, 1 reverse (one event a register concerned); GAP and TIME_BACK: 2, both
    int,  # value before: register in mWh (GAP and TIME_BACK: time in ms of the last reading used)
    int,  # value after
]

class Columns(NamedTuple):
    """Closed intervals as columns: read-only views (format "q") of 64-bit integers; an undefined factor is -1."""

    start_ms: memoryview
    duration_ms: memoryview
    forward_mwh: memoryview
    reverse_mwh: memoryview
    forward_total_mwh: memoryview
    reverse_total_mwh: memoryview
    factor: memoryview
    factor_quality: memoryview
    carbon_forward_ug: memoryview
    carbon_reverse_ug: memoryview
    carbon_forward_total_ug: memoryview
    carbon_reverse_total_ug: memoryview
    readings: memoryview
    quality: memoryview

@final
class Closed:
    """What one call of `feed` closed, in order of time."""

    @property
    def intervals(self) -> list[IntervalRow]: ...
    @property
    def freezes(self) -> list[FreezeRow]: ...
    @property
    def events(self) -> list[EventRow]: ...
    def columns(self) -> Columns: ...
    def __len__(self) -> int:
        """Return the number of closed intervals."""

@final
class RegisterIntegrator:
    """Integrates cumulative registers (design section 4) of one meter.

    Between two readings the register's difference is spread linearly over time and split at interval, factor-slot
    and local-midnight boundaries by integer arithmetic (cumulative floor), so that the parts add up to the difference
    exactly, whatever the partition into calls. An interval closes with the first reading at or after its end, with
    the factor the schedule holds then; a midnight freezes with it. The cumulative energy starts at the first reading's
    register and never falls; a first reading exactly at a local midnight is frozen too.

    A register that falls: a rollover (翻转) when `rollover_mwh` is set and the difference modulo it is plausible
    (within `max_power_mw` over the step, or below half of `rollover_mwh` when no maximum is set); a reset otherwise.
    A rise beyond `max_power_mw` over the step plus `resolution_mwh` (one unit of the register, since a register that
    counts in steps of 0.01 kWh can move by one within a second) is a jump. Reset, jump and exchange (换表) end the
    segment: no energy is counted across them, in either direction; an interval of which a part is covered, or in which
    the reading lies, is partial, one wholly inside the gap is not emitted, and midnights inside it freeze as partial. A
    silence of more than 400 days ends the segment likewise, with a GAP event, a JUMP event for each register, and no
    freezes inside. A reading not later than the last one raises TIME_BACK and is not used; its energy counts with the
    next good one.

    A call is taken whole or, when it raises, not at all. A schedule with another slot length than the last one applies
    from the last reading on.
    """

    def __new__(
        cls,
        *,
        interval_ms: int = 900_000,
        timezone: str = "Asia/Shanghai",
        rollover_mwh: int | None = None,
        max_power_mw: int | None = None,
        measured_gap_ms: int = 120_000,
        resolution_mwh: int = 10_000,
    ) -> RegisterIntegrator:
        """`interval_ms` divides 900 000 and is at least 60 000. IntegrationError for a bad setting or time zone."""
    def feed(
        self,
        times_ms: ReadableBuffer,
        forward_mwh: ReadableBuffer,
        reverse_mwh: ReadableBuffer,
        schedule: FactorSchedule,
        *,
        exchanged: bool = False,
    ) -> Closed:
        """Take readings as columns; `exchanged` says that the first of them is a new meter's.

        The mark waits for the next reading that is used (a first reading ever needs none). IntegrationError names the
        reading by its index in the call: a negative register, a time out of range, a total beyond 64 bits, or more than
        4 000 000 intervals to close at once.
        """
    def feed_one(
        self,
        time_ms: int,
        forward_mwh: int,
        reverse_mwh: int,
        schedule: FactorSchedule,
        *,
        exchanged: bool = False,
    ) -> Closed: ...
    def relocate(self, time_ms: int, schedule: FactorSchedule) -> Closed:
        """Take the last reading as one of another time, before or after it: the clock that dated it was wrong.

        The open interval closes as partial with the energy it has, without a freeze; if `time_ms` lies in it, it goes
        on and will close as partial. The next reading's difference counts from `time_ms` on. Nothing happens before
        the first reading. IntegrationError for a time out of range.
        """
    def state(self) -> bytes:
        """Return everything needed to go on after a restart (versioned, with a checksum, under 200 bytes)."""
    def restore(self, state: bytes) -> None:
        """Take over a state written by `state`; IntegrationError when it is not one. Settings stay this object's."""
    @property
    def forward_mwh(self) -> int: ...
    @property
    def reverse_mwh(self) -> int: ...
    @property
    def carbon_forward_ng(self) -> int: ...
    @property
    def carbon_reverse_ng(self) -> int: ...
    @property
    def pending_forward_mwh(self) -> int:
        """Energy of closed intervals whose factor was undefined: its carbon waits (an adjustment brings it)."""
    @property
    def pending_reverse_mwh(self) -> int: ...
    @property
    def last_time_ms(self) -> int | None: ...

@final
class PowerIntegrator:
    """Integrates signed power samples by trapezoid, the remainder carried; positive power is forward.

    A step whose power changes sign is cut at the zero crossing: forward and reverse are never netted. A step longer
    than `max_gap_ms` (1 to 3 600 000) is not integrated: a GAP event, and the intervals it touches are partial, as with
    a register's reset. Cumulative energy starts at 0. At every sample the exact energy is a whole number of half mW·ms
    (7 200 000 in a mWh), and forward less reverse is the exact net energy. |power| is at most 10¹² mW (1 GW).
    """

    def __new__(
        cls,
        *,
        interval_ms: int = 900_000,
        timezone: str = "Asia/Shanghai",
        max_gap_ms: int = 300_000,
        measured_gap_ms: int = 120_000,
    ) -> PowerIntegrator: ...
    def feed(self, times_ms: ReadableBuffer, power_mw: ReadableBuffer, schedule: FactorSchedule) -> Closed: ...
    def state(self) -> bytes: ...
    def restore(self, state: bytes) -> None: ...
    @property
    def forward_mwh(self) -> int: ...
    @property
    def reverse_mwh(self) -> int: ...
    @property
    def carbon_forward_ng(self) -> int: ...
    @property
    def carbon_reverse_ng(self) -> int: ...
    @property
    def pending_forward_mwh(self) -> int: ...
    @property
    def pending_reverse_mwh(self) -> int: ...
    @property
    def last_time_ms(self) -> int | None: ...

@final
class AdjustmentRegister:
    """The exact carbon that late and corrected factors have added to one meter's register (may be negative)."""

    def __new__(cls, forward_ng: int = 0, reverse_ng: int = 0) -> AdjustmentRegister: ...
    def apply(
        self, forward_mwh: int, reverse_mwh: int, factor_used: int | None, factor_now: int | None
    ) -> tuple[int, int]:
        """Account one interval's change of factor; return the (forward, reverse) change of the floored register, µg."""
    @property
    def forward_ng(self) -> int: ...
    @property
    def reverse_ng(self) -> int: ...

def carbon_residuals_ng(energy_mwh: ReadableBuffer, factor: ReadableBuffer, carbon_ug: ReadableBuffer) -> list[int]:
    """Return carbon_ug·1000 − energy·factor in ng per row; the factor -1, undefined, counts as 0.

    The carbon of an interval is the change of a floored register, so an honest row lies within ±999. CoreError for
    columns of different lengths and for a factor that is neither -1 nor within u32.
    """

def day_start_ms(time_ms: int, timezone: str) -> int:
    """Return the local midnight (freeze instant, 日冻结) at or before the instant."""

def next_day_start_ms(time_ms: int, timezone: str) -> int:
    """Return the first local midnight after the instant."""

def next_month_start_ms(time_ms: int, timezone: str) -> int:
    """Return the first local midnight of a month's first day after the instant (月冻结)."""

def relative_error(indicated: int, true: int) -> Fraction:
    """Return ε = (C − C₀)/C₀ exactly; CoreError when `true` is 0 or a value leaves i128."""

def round_to_interval(value: Fraction | Decimal | int, unit: Decimal | str) -> Decimal:
    """Round once to a multiple of `unit`, half to even on an exact tie only (GB/T 8170, interval method).

    An int or Fraction of any size is rounded exactly, a Decimal of at most 400 digits before or after the point. The
    result has the unit's number of decimals; a rounded zero keeps the sign of the value (−0.0365 to 0.1 is −0.0).
    QuantityError for a unit that is not a positive decimal.
    """

@final
class RecordBatch:
    """A decoded batch of records (docs/wire.cddl `records`)."""

    @property
    def schema(self) -> int: ...
    @property
    def gateway(self) -> str: ...
    @property
    def context(self) -> bytes: ...
    @property
    def first(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def clock_state(self) -> int: ...
    @property
    def meters(self) -> list[str]: ...
    def interval_rows(self, meter_keys: Sequence[int], constants: tuple[int, ...] = ()) -> list[tuple[int | None, ...]]:
        """Return (sequence, meter key, *IntervalRow, *constants) per interval record.

        `meter_keys` replaces the meter indices of the batch.
        """
    def freeze_rows(self, meter_keys: Sequence[int], constants: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
        """Return (sequence, meter key, *FreezeRow, *constants) per freeze record."""
    def adjustment_rows(
        self, meter_keys: Sequence[int], constants: tuple[int, ...] = ()
    ) -> list[tuple[int | bytes | None, ...]]:
        """Return one tuple per adjustment record.

        (sequence, meter key, start, duration, forward_mwh, reverse_mwh, factor_used, factor_now, carbon_forward_ug,
        carbon_reverse_ug, solve_id, *constants)
        """
    def event_rows(self, meter_keys: Sequence[int]) -> list[tuple[int, int | None, int, int, dict[int, int | str]]]:
        """Return (sequence, meter key or None for the gateway, time_ms, code, details) per event record."""

def decode_batch(payload: bytes) -> RecordBatch:
    """Decode a batch strictly and within bounds (size, depth, rows); DecodeError names the offset."""

def check_cbor(data: bytes) -> None:
    """Check that the bytes are one item of deterministic CBOR (RFC 8949, 4.2) without tags and floats.

    At most 1 MiB and 16 levels deep; DecodeError names the offset.
    """

class Dlt645Error(CoreError):
    """Bytes or values that DL/T 645-2007 does not allow; `offset` is the byte at which that showed."""

    offset: int

@final
class Dlt645Frame:
    """A frame of DL/T 645-2007 (帧): `68 A0..A5 68 C L DATA CS 16`, its data without the offset of 33H.

    Equal frames have the same address, control code and data.
    """

    def __new__(cls, address: str, control: int, data: bytes | None = None) -> Dlt645Frame:
        """`address` has up to 12 digits, the high ones first and 0 where they are missing; AA stands for any two.

        Dlt645Error for another text.
        """
    @property
    def address(self) -> str:
        """12 digits, the high ones first; whatever the field holds, so that a deviating peer can be named."""
    @property
    def control(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def function(self) -> int:
        """D4..D0 of the control code."""
    @property
    def from_meter(self) -> bool:
        """D7 of the control code."""
    @property
    def abnormal(self) -> bool:
        """D6 of the control code."""
    @property
    def more(self) -> bool:
        """D5 of the control code: follow-up frames are to be read."""
    def encode(self, preamble: int = 4) -> bytes:
        """Return the bytes on the wire behind some preamble bytes FE (前导字节): a master sends 4, a meter 0 to 4.

        Dlt645Error when the data have more than 255 bytes.
        """
    def __hash__(self) -> int: ...

@final
class Dlt645Noise:
    """Bytes in the stream that are no frame; none is told twice."""

    @property
    def data(self) -> bytes: ...
    @property
    def cause(self) -> str:
        """garbage: no frame begins in them; checksum: all of a frame but that; truncated: given up by `flush`."""
    @property
    def expected(self) -> int | None:
        """Of a bad checksum, the sum of the bytes."""
    @property
    def found(self) -> int | None:
        """Of a bad checksum, the frame's byte."""

@final
class Dlt645Parser:
    """Finds frames in a stream that comes in pieces and has noise in it.

    What is found depends on the bytes alone, not on the pieces. Behind noise, a bad checksum too, the search goes on
    at the next byte that can begin a frame. At most one frame and its preamble wait for more bytes.
    """

    def __new__(cls, limit: int = 200) -> Dlt645Parser:
        """`limit` is the most data bytes of a frame, up to 255; the default is known from one source."""
    @property
    def pending(self) -> int:
        """How many bytes wait for more."""
    def feed(self, data: bytes) -> list[Dlt645Frame | Dlt645Noise]:
        """Take bytes as they come and return what is complete, in order."""
    def flush(self) -> list[Dlt645Frame | Dlt645Noise]:
        """Give up what waits for more bytes, as after a time-out; a frame that had begun inside it is found."""

def dlt645_matches(requested: str, meter: str) -> bool:
    """Return whether a request to an address is meant for a meter: its own, broadcast, or AA in all high bytes."""

def dlt645_shortened(digits: str) -> str:
    """Return the shortened address (缩位寻址) of an even number of low digits; the reply carries the real one."""

Dlt645Moment: TypeAlias = dict[str, int]
"""A date or time: those of year (0 to 99), month, day, weekday (0 is Sunday), hour, minute, second that are known."""

Dlt645Value: TypeAlias = tuple[int, int] | Dlt645Moment | str | int | bytes
"""By format: (mantissa, exponent) of a decimal number, a moment, digits or text, a status word, raw bytes."""

Dlt645Message: TypeAlias = dict[str, Any]
"""What a frame says; see `dlt645_parse`."""

def dlt645_parse(frame: Dlt645Frame) -> Dlt645Message:
    """Return what a frame says: a dictionary of kind (str), reply (bool) and what the kind has.

    kind            request                                     reply
    read            di, blocks?, since? (YYMMDDhhmm)            di, data, more
    read_next       di, seq                                     di, data, seq, more
    read_address                                                address
    write           di, AUTHORITY, data
    write_address   address
    time_sync       time (YYMMDDhhmmss)                         is never answered
    freeze          time (MMDDhhmm, 99 is any)
    change_baud     baud (bits a second)                        baud
    change_password di, level, password, new_level, new_password    new_level?, new_password?
    clear_demand    AUTHORITY                                   (clear_meter likewise)
    clear_events    AUTHORITY, di
    control         AUTHORITY, data
    output          data                                        data (security likewise)

    AUTHORITY is level (int), password (3 bytes), operator (4 bytes), as on the wire. `di` is an int, DI3 in its highest
    byte. A reply that refuses has instead error (the ERR byte) and reasons, its bits' names: other, no_such_data,
    not_authorised, baud_fixed, too_many_year_zones, too_many_day_periods, too_many_tariffs, reserved.

    Dlt645Error for a control code that is not of DL/T 645-2007 (those of 1997 are not), and for data that are not what
    the function says. The layouts of change_password and control are common practice, not from the standard's text.
    """

def dlt645_build(address: str, message: Dlt645Message) -> Dlt645Frame:
    """Return the frame of a message, the inverse of `dlt645_parse`; a key that the kind does not have is refused."""

@final
class Dlt645Item:
    """What a data identifier (数据标识) stands for, DL/T 645-2007 annex A."""

    @property
    def di(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def name_zh(self) -> str: ...
    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of one element's fields."""
    @property
    def units(self) -> tuple[str, ...]: ...
    @property
    def repeats(self) -> bool:
        """Whether elements repeat as often as the meter has tariffs, phases or settlement days (blocks)."""

def dlt645_item(di: int) -> Dlt645Item | None:
    """Return what a data identifier stands for; None when the table does not know it (private ones, say)."""

def dlt645_decode(
    di: int, data: bytes, formats: Sequence[str] | None = None, *, repeats: bool = False
) -> list[Dlt645Value]:
    """Return the exact values in the data behind an identifier, field by field, element by element.

    `formats` and `repeats` replace the table, for a meter with private identifiers. A format is `XXXXXX.XX` (decimal
    digits, BCD), `±XX.XXXX` (its top bit is the sign), `YYMMDDhhmm` (any of YY MM DD WW hh mm ss), `digits:N`
    (leading zeros count), `ascii:N` (arrives reversed, NUL padded), `bits:N` (low byte first), N in bytes, or `raw`
    (all that is left). A moment is what the meter says, 00 and 99 included.

    Dlt645Error for another length, and for a nibble that is no decimal digit: such a value is never returned.
    """

def dlt645_encode(
    di: int, values: Sequence[Dlt645Value], formats: Sequence[str] | None = None, *, repeats: bool = False
) -> bytes:
    """Return the data of values, the inverse of `dlt645_decode`; Dlt645Error for a value that the format can't hold."""

# DL/T 698.45-2017

class Dlt698Error(CoreError):
    """The base of every error of the DL/T 698.45 codec."""

class Dlt698FrameError(Dlt698Error):
    """Bytes that are not a frame, or a frame that can't be encoded."""

class Dlt698FragmentError(Dlt698Error):
    """A fragment out of order, of another conversation or too large, or a frame that is none."""

class Dlt698DecodeError(Dlt698Error):
    """Bytes that are not an APDU or data item: what the grammar has at `offset`, and what was found there."""

    offset: int
    expected: str
    found: str

class Dlt698EncodeError(Dlt698Error):
    """A structure that is not an APDU or data item: what the grammar has at `path`, and what was found there."""

    path: str
    expected: str
    found: str

@final
class Dlt698Frame:
    """A frame (帧) of DL/T 698.45: `68 L C AF SA CA HCS user data FCS 16`.

    `control` is the control field C (控制域): 0x43 a request, 0xC3 the reply, 0x83 a report, 0x81 and 0x01 LINK and
    its answer; with 0x20 a fragment (分帧), with 0x08 scrambled (扰码: 33H is added to the user data on the line).
    `address` is the server address SA (服务器地址), 1 to 16 bytes as hexadecimal digits in reading order; `client`
    is CA. `user_data` is never scrambled here. `kilobytes` has L count units of 1024 bytes.
    """

    def __new__(
        cls,
        control: int,
        address: str,
        client: int,
        user_data: bytes,
        *,
        kind: Literal["single", "wildcard", "group", "broadcast"] = "single",
        logical: int = 0,
        kilobytes: bool = False,
    ) -> Dlt698Frame:
        """Dlt698FrameError for an address that no frame can carry; OverflowError for a number that is no byte."""
    @staticmethod
    def decode(data: bytes) -> Dlt698Frame:
        """Decode exactly one frame with any number of preamble bytes FEH before it; else Dlt698FrameError."""
    def encode(self) -> bytes:
        """Return the frame without preamble; Dlt698FrameError where L can't state its length."""
    @property
    def control(self) -> int: ...
    @property
    def from_server(self) -> bool:
        """DIR (传输方向): sent by the meter or terminal."""
    @property
    def client_initiated(self) -> bool:
        """PRM (启动标志): the exchange was begun by the client."""
    @property
    def is_fragment(self) -> bool: ...
    @property
    def scrambled(self) -> bool: ...
    @property
    def function(self) -> int:
        """1 link management (链路管理), 3 user data (用户数据)."""
    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> Literal["single", "wildcard", "group", "broadcast"]: ...
    @property
    def logical(self) -> int: ...
    @property
    def client(self) -> int: ...
    @property
    def user_data(self) -> bytes: ...
    @property
    def kilobytes(self) -> bool: ...
    def fragment(self) -> tuple[int, Literal["first", "middle", "last", "confirm"], bytes]:
        """Return number (0 to 4095), kind and piece of a fragment; else Dlt698FragmentError."""
    def confirmation(self) -> Dlt698Frame:
        """Return the frame that confirms this fragment: DIR turned round, PRM set as in the one known capture."""
    def split(self, size: int, first: int = 0) -> list[Dlt698Frame]:
        """Return fragments of at most `size` bytes of the user data each, numbered from `first`.

        Dlt698FragmentError where that makes fewer than 2 or more than 4096.
        """
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Dlt698Noise:
    """Bytes that are no frame, without preamble bytes at their end."""

    @property
    def octets(self) -> bytes: ...
    @property
    def kind(self) -> Literal["start", "header_check", "length", "frame_check", "end", "truncated"]:
        """What is wrong with them; `start`: no frame begins there."""
    @property
    def reason(self) -> str:
        """The same in words."""
    def __eq__(self, other: object) -> bool: ...

@final
class Dlt698Parser:
    """Finds frames in a stream of bytes that has anything else in it as well.

    It holds back at most one unfinished frame, whose length it believes only once the header check fits.
    `max_length` is the greatest length L that is read, in bytes.
    """

    def __new__(cls, max_length: int = 16383) -> Dlt698Parser: ...
    def feed(self, data: bytes) -> list[Dlt698Frame | Dlt698Noise]:
        """Take bytes as they came, in pieces of any size; no bytes raise an error."""
    def flush(self) -> list[Dlt698Frame | Dlt698Noise]:
        """Give up the frame that is not complete, for instance after a time-out; frames inside it are still found."""
    @property
    def pending(self) -> int:
        """How many bytes are held back."""

@final
class Dlt698Reassembler:
    """Joins the fragments (分帧) of one message at a time, of at most `max_size` bytes."""

    def __new__(cls, max_size: int = 65535) -> Dlt698Reassembler: ...
    def feed(
        self, frame: Dlt698Frame
    ) -> tuple[Literal["more", "repeated", "confirmed", "complete"], Dlt698Frame | int | None]:
        """Take a fragment and return what it brought.

        ("more", None): taken, confirm it; ("repeated", None): it came before, confirm it again; ("confirmed",
        number): the other side confirmed that fragment; ("complete", frame): confirm it, and here is the message in
        one frame. A first piece begins anew; any other out of order raises Dlt698FragmentError and changes nothing,
        but a message that is too large is given up.
        """
    def reset(self) -> None:
        """Forget the message that is being collected."""
    @property
    def pending(self) -> int:
        """How many bytes of an incomplete message are kept."""

def dlt698_decode_apdu(data: bytes) -> tuple[str, Any]:
    """Decode exactly one APDU of either direction; Dlt698DecodeError for anything else.

    A choice is a tuple of its name and content, a sequence a dict, a list a list; integers, OAD (0x40010200) and
    OMD are int, octet strings bytes, bit strings a str of 0 and 1, absent parts None. So GET of the address is
    ("get_request", ("normal", {"piid": 1, "oad": 0x40010200, "time_tag": None})), and data keeps its type:
    ("long_unsigned", 2413). Characters above 7FH of a visible string are U+0080 to U+00FF. Times are dicts of what
    is on the line, FFH wildcards included; a server address (TSA) is its octets. The content of TransCommand and
    SECURITY stays bytes.

    At most 65535 bytes and 16 lists in each other. Lengths in a longer form than needed are read, never written.
    """

def dlt698_encode_apdu(apdu: tuple[str, Any]) -> bytes:
    """Encode what `dlt698_decode_apdu` returns; Dlt698EncodeError names the path of what does not fit the grammar.

    A float for a 32-bit float is rounded to the nearest one.
    """

def dlt698_decode_data(data: bytes) -> tuple[str, Any]:
    """Decode exactly one data item (数据) with its tag, as `dlt698_decode_apdu` does inside an APDU."""

def dlt698_encode_data(item: tuple[str, Any]) -> bytes:
    """Encode one data item with its tag."""

def dlt698_dar_name(code: int) -> str:
    """Return the name of a data access result (数据访问结果 DAR), such as "object_undefined" for 4; else "unknown"."""

@final
class Dlt698Field:
    """How a value lies in the data: type (数据类型), scale (换算) and unit (单位)."""

    @property
    def name(self) -> str:
        """What it is within a structure."""
    @property
    def name_zh(self) -> str: ...
    @property
    def data_type(self) -> str:
        """By its name in `dlt698_decode_data`."""
    @property
    def exponent(self) -> int:
        """The power of ten that an integer is to be multiplied by."""
    @property
    def unit(self) -> str:
        """Empty where there is none."""

@final
class Dlt698Object:
    """What an object attribute descriptor OAD (对象属性描述符) stands for, DL/T 698.45-2017 annex A."""

    @property
    def oad(self) -> int: ...
    @property
    def oi(self) -> int:
        """The object identifier (对象标识), the high 16 bits."""
    @property
    def attribute(self) -> int: ...
    @property
    def feature(self) -> int:
        """The attribute's feature (属性特征), 0 to 7; meters use 1 for at an event's start and 4 for at its end."""
    @property
    def index(self) -> int:
        """Which element of the attribute, from 1 on; 0 is all of it."""
    @property
    def interface_class(self) -> int | None:
        """The number of the interface class (接口类)."""
    @property
    def name(self) -> str:
        """With the element's name where the index says which."""
    @property
    def name_zh(self) -> str: ...
    @property
    def data_type(self) -> str | None:
        """The type of one element, `structure` if it has `fields`; None where it is not known."""
    @property
    def exponent(self) -> int | None:
        """The power of ten that an element is to be multiplied by; None where it is no single value or not known."""
    @property
    def unit(self) -> str | None:
        """The unit behind the exponent; empty where there is none, None like `exponent`."""
    @property
    def array(self) -> bool | None:
        """Whether the attribute is an array, whatever the index; None where that is not known."""
    @property
    def layout(
        self,
    ) -> Literal[
        "single", "members", "tariffs", "phases", "total_phases", "harmonics", "numbered", "records", "unknown"
    ]:
        """What the index counts.

        tariffs: 1 is the total, then the tariffs (2 尖, 3 峰, 4 平, 5 谷); phases: A, B, C; total_phases: total, A, B,
        C; harmonics: 1 is the total content, then the orders from 2 on; members: those of the structure; records: of
        a table that only GET-Record reads, the last one first.
        """
    @property
    def fields(self) -> tuple[Dlt698Field, ...]:
        """The members of a structure; empty for a single value."""
    def element(self, index: int) -> tuple[str, str]:
        """Return English and Chinese name of an element; empty for 0 and for one that the attribute can't have."""

def dlt698_object(oad: int) -> Dlt698Object | None:
    """Return what a descriptor stands for, whatever its feature; None for an object or index the table does not know.

    A meter says itself what scale and unit it has (attribute 3, the extended precision's attribute 5): the table has
    those of the standard. Where it has none (the carbon objects 2080 and 2090), a profile must.
    """

class CarbonFlowError(CoreError):
    """A grid that can't be (unknown node, id twice, branch from a node to itself), or values that don't fit it."""

CarbonFlowNumber: TypeAlias = float | None
"""A number in the unit its place says; None is a value that is not there, told of like one that is no number."""
CarbonTank: TypeAlias = tuple[float, float, float]
"""What a storage holds: energy in MW·h, its carbon in t, and the part of the energy whose origin is unknown in MW·h."""

@final
class CarbonSlot:
    """What was measured in one slot, in the order of a grid's elements. Mean powers in MW, all numbers `float`.

    `flows`: for each branch either 2 powers measured *into* the branch, at its from and its to end, or 4 registers
    (正向, 反向), none negative: in and out at the from end, in and out at the to end. A flow that turned in the slot
    is two arcs by its registers, and never netted. `sources`: power and factor in kg/kWh; without a factor, `emissions`
    gives the emission rate in t/h, else the origin is unknown. Negative power is a load. `loads`: power, or power and
    the factor with which a negative load feeds in. `storages`: charging and discharging power, both efficiencies, and
    the tank when the slot begins.
    """

    def __new__(
        cls,
        *,
        flows: Sequence[
            tuple[CarbonFlowNumber, CarbonFlowNumber]
            | tuple[CarbonFlowNumber, CarbonFlowNumber, CarbonFlowNumber, CarbonFlowNumber]
        ],
        sources: Sequence[tuple[CarbonFlowNumber, float | None]],
        loads: Sequence[CarbonFlowNumber | tuple[CarbonFlowNumber, float | None]] = (),
        storages: Sequence[tuple[float, float, float, float, float, float, float]] = (),
        emissions: Sequence[float | None] | None = None,
        hours: float = 0.25,
    ) -> CarbonSlot:
        """CarbonFlowError where a source has factor and emission; TypeError where flows of both kinds are mixed."""
    @property
    def flows(self) -> list[tuple[float, float]] | list[tuple[float, float, float, float]]: ...

@final
class CarbonGrid:
    """A grid (电网): its nodes, and at which of them each branch, source, load and storage is.

    Ids are each there once among those of their kind. Parallel branches are kept apart.
    """

    def __new__(
        cls,
        *,
        nodes: Sequence[str],
        branches: Sequence[tuple[str, str, str]],
        sources: Sequence[tuple[str, str]],
        loads: Sequence[tuple[str, str]] = (),
        storages: Sequence[tuple[str, str]] = (),
    ) -> CarbonGrid:
        """Branches are (id, from node, to node), the others (id, node); CarbonFlowError names what doesn't fit."""
    @property
    def nodes(self) -> list[str]: ...
    @property
    def branches(self) -> list[str]: ...
    @property
    def sources(self) -> list[str]: ...
    @property
    def loads(self) -> list[str]: ...
    @property
    def storages(self) -> list[str]: ...
    def solve(
        self, slot: CarbonSlot, *, dead_below_megawatts: float = 1e-6, max_unknown_share: float = 0.01
    ) -> CarbonFlow:
        """Return the nodal carbon factors of one slot.

        A node with less than `dead_below_megawatts` of through-flow is dead and has none; nor has one of whose power a
        larger share than `max_unknown_share` is of unknown origin. CarbonFlowError for another number of values than
        the grid has elements, and for settings out of range; a bad value costs only the nodes it concerns.
        """
    def solve_slots(
        self,
        slots: Sequence[CarbonSlot],
        *,
        threads: int | None = None,
        dead_below_megawatts: float = 1e-6,
        max_unknown_share: float = 0.01,
    ) -> list[CarbonFlow]:
        """Solve slots that don't depend on each other, in parallel; the number of threads changes no bit of it."""
    def solve_day(
        self,
        slots: Sequence[CarbonSlot],
        *,
        threads: int | None = None,
        dead_below_megawatts: float = 1e-6,
        max_unknown_share: float = 0.01,
    ) -> list[CarbonFlow]:
        """Solve slots in order, the tanks of the storages carried on; those of the first slot are taken as they are."""
    def reconcile(
        self,
        slot: CarbonSlot,
        *,
        flow_sigmas: Sequence[tuple[float, float]],
        source_sigmas: Sequence[float],
        load_sigmas: Sequence[float] = (),
        storage_sigmas: Sequence[float] = (),
        losses: Sequence[tuple[float, float] | None] | None = None,
        max_normalised_residual: float = 3.0,
        max_bad_readings: int = 10,
        missing_sigma_megawatts: float = 1e4,
    ) -> CarbonReconciliation:
        """Correct measurements by weighted least squares until each node balances (数据协调).

        Standard deviations in MW, 0 for a value that may not be corrected; a value that is None or out of range is
        found from the others, within `missing_sigma_megawatts` of 0. `losses`: expected loss of a branch and its
        standard deviation, where it is known; without, both ends of a branch don't check each other but for a loss
        below 0, which is held at 0. A reading is bad whose normalised residual is the largest and beyond
        `max_normalised_residual`; up to `max_bad_readings` are left out, one after the other. CarbonFlowError for
        columns that don't fit and for a standard deviation that is none.
        """

@final
class CarbonFlow:
    """The nodal carbon flow (碳排放流) of one slot, by the loss-borne convention: see docs/carbon-flow.md.

    Lists are in the order of the grid's elements; carbon rates in t/h; None where there is none or it is unknown.
    """

    @property
    def factors(self) -> list[float | None]:
        """The factor (节点碳势) of each node in kg/kWh."""
    @property
    def factors_mg_per_kwh(self) -> list[int | None]:
        """The same as it is dispatched: quantised once, half to even. QuantityError beyond 32 bits."""
    @property
    def qualities(
        self,
    ) -> list[Literal["defined", "dead", "no_source", "unknown_origin", "bad_input", "unsolved"]]:
        """Whether each node has a factor, or why not."""
    @property
    def flux_megawatts(self) -> list[float]:
        """The through-flow (节点有功通量) of each node."""
    @property
    def unknown_shares(self) -> list[float | None]:
        """The share of each node's power whose origin is unknown."""
    @property
    def imbalances_megawatts(self) -> list[float]:
        """What flows into each node and, by the measurements, not out of it."""
    @property
    def branches(self) -> list[tuple[float | None, float | None, float | None]]:
        """Carbon flow rates (支路碳流率) delivered at the to end and at the from end, and the carbon of the loss."""
    @property
    def sources(self) -> list[float | None]:
        """What each source brings in; of negative power, what it takes out, negative."""
    @property
    def loads(self) -> list[float | None]:
        """The carbon of each load; of one that feeds in, what it brings in, negative."""
    @property
    def storages(self) -> list[float | None]:
        """What each storage charges less what it discharges."""
    @property
    def tanks(self) -> list[CarbonTank]:
        """The tank of each storage when the slot ends."""
    @property
    def faults(self) -> list[tuple[Literal["branch", "source", "load", "storage"], str, str]]:
        """What could not be taken as measured: kind of element, id, and what is wrong."""
    @property
    def balance(self) -> dict[str, float]:
        """Where carbon came from and went, in t/h.

        `sources` = `loads` + `losses` + `negative_sources` + `storages` + `dropped` (at dead and unusable nodes) +
        `imbalance` (of power that by the measurements did not flow on) + `residual` (rounding; `relative_residual` is
        its share). `without_factor` went to nodes that got no factor, `untraced` is of sources that delivered nothing;
        `unknown_megawatts` came in from nowhere known, `imbalance_megawatts` sums the nodes' absolute imbalances.
        """

@final
class CarbonReconciliation:
    """Measurements that balance, and what had to be done to them. Powers in MW, in the order of the grid's elements."""

    @property
    def slot(self) -> CarbonSlot:
        """The slot with the corrected values: what is solved.

        The correction of a net value goes to the larger of two registers, and what that can't take to the other.
        """
    @property
    def flows(self) -> list[tuple[float, float]]:
        """Corrected net power into each branch at its from and its to end."""
    @property
    def flow_corrections(self) -> list[tuple[float | None, float | None]]:
        """What was added to the readings at both ends; None where there was none."""
    @property
    def flow_residuals(self) -> list[tuple[float | None, float | None]]:
        """Normalised residuals (标准化残差) of both ends; None for a reading that nothing checks."""
    @property
    def sources(self) -> list[float]: ...
    @property
    def loads(self) -> list[float]: ...
    @property
    def storages(self) -> list[float]:
        """Charge less discharge."""
    @property
    def imbalances_before_megawatts(self) -> list[float]:
        """What the readings left at each node, inflow less outflow, a missing one taken for 0."""
    @property
    def imbalances_after_megawatts(self) -> list[float]:
        """What is left now: rounding, but for nodes where nothing may be corrected."""
    @property
    def chi_square(self) -> float:
        """The sum of the squares of corrections by standard deviation, without what was left out."""
    @property
    def degrees_of_freedom(self) -> int: ...
    @property
    def probability(self) -> float:
        """The probability of a `chi_square` as large as this if all standard deviations are right."""
    @property
    def findings(
        self,
    ) -> list[
        tuple[
            Literal["branch", "source", "load", "storage"],
            str,
            Literal["from", "to", "loss", "power"],
            float,
            float,
            float,
            bool,
        ]
    ]:
        """Bad readings (坏数据): element, id, which, measured, corrected, normalised residual, whether left out."""
    @property
    def ambiguous(self) -> bool:
        """Several readings are equally suspect: all are among the findings, and none of them was left out."""
    @property
    def held(self) -> list[str]:
        """Branches whose loss would come out below 0 and is held at 0."""

class EstimationError(CoreError):
    """Settings, windows or a state of error estimation that can't be taken."""

ErrorPair: TypeAlias = tuple[float, float]
"""A value and its standard uncertainty."""
ErrorColumn: TypeAlias = ReadableBuffer | Sequence[float | None]
"""A buffer of doubles (`array.array("d")`), or any sequence; None and NaN are values that are not there."""
ErrorTimes: TypeAlias = ReadableBuffer | Sequence[int]
"""A buffer of signed 64-bit integers (`array.array("q")`), or any sequence: ms UTC."""

@final
class ErrorCharger:
    """A charger (充电桩) behind the master meter; errors are relative, (indicated - true)/true."""

    def __new__(
        cls,
        *,
        class_limit: float = 0.02,
        branch_loss: float | None = None,
        dc_output: bool = False,
        from_ms: int | None = None,
        verified: ErrorPair | None = None,
        step_kwh: float = 0.01,
        max_kw: float = 2000.0,
        branch_measured: ErrorPair | None = None,
        uneven_loss: ErrorPair | None = None,
    ) -> ErrorCharger:
        """Say what is known of it.

        `class_limit`: maximum permissible error of its class, 0.02 for class 2. `branch_loss`: power lost in its branch
        per power squared, by design, in 1/kW (resistance by voltage squared); None: guessed from the station's
        `loss_share`. `dc_output`: it meters its output, so that the conversion loss is before its meter. `from_ms`: its
        meter, or its adjustment, is another from then on; what was before has an error of its own (`earlier`).
        `verified`: its error by verification (检定) and the standard uncertainty, from `from_ms` on or always.
        `step_kwh`: of its register. `max_kw`: a window with more is left out. `branch_measured`: its branch's loss by
        measurement and the standard uncertainty, in 1/kW, as `voltage_drop` has it: it stands beside the design, and in
        the place of one that is not known or 0; chargers without either are then guessed to be like those measured.
        `uneven_loss`: what its branch loses beyond that because its load stands unevenly on the phases (三相不平衡):
        a share of its energy, 0 to 0.5, and the standard uncertainty.
        EstimationError names the charger, by the estimator that takes it.
        """

@final
class ErrorWindows:
    """What the master (总表) and the chargers counted, in kWh, between instants at which all of them were read.

    Windows need not be equally long. `sessions_ms`: for each charger its sessions (start, end) in order, by its own
    clock; None where nobody tells of them: the edges are inferred from the energies. `told_ms`: for each charger the
    spans in which all of its sessions are told, in order; None: always. Elsewhere the sessions given are used too, and
    energy without one is no contradiction. EstimationError for columns of wrong lengths, more than 512 chargers or
    250,000 windows, times that do not rise, sessions or spans that overlap, and spans of a charger without sessions.
    """

    @staticmethod
    def from_energies(
        boundaries_ms: ErrorTimes,
        master_kwh: ErrorColumn,
        energies_kwh: Sequence[ErrorColumn],
        *,
        sessions_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
        told_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
    ) -> ErrorWindows:
        """Windows between consecutive boundaries, from the energies in them: one column per charger."""
    @staticmethod
    def from_registers(
        times_ms: ErrorTimes,
        master_kwh: ErrorColumn,
        registers_kwh: Sequence[ErrorColumn],
        *,
        sessions_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
        told_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
    ) -> ErrorWindows:
        """Windows from cumulative registers: a reading that is missing makes the window longer, none is interpolated.

        A charger without any reading does not hold up the others; it has no energy.
        """
    @staticmethod
    def from_columns(
        chargers: Sequence[RegisterColumn | None],
        others: Sequence[tuple[RegisterColumn, bool]],
        first: int,
        end: int,
        *,
        sessions_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
        told_ms: Sequence[Sequence[tuple[int, int]] | None] | None = None,
    ) -> ErrorWindows:
        """Windows between instants [first, end) of one grid, from registers of chargers and of other meters.

        `chargers`: None for one that is not in service, which has no energy. `others`: those that make up the master's
        energy, and whether each counts against it; their sum is exact. No windows where a charger in service is never
        known, since it may have sold anything. EstimationError for columns of different grids and instants beyond them.
        """
    def append(self, later: ErrorWindows) -> None:
        """Add what came later; EstimationError where it begins before the last window ends."""
    @property
    def chargers(self) -> int: ...
    @property
    def starts_ms(self) -> list[int]: ...
    @property
    def ends_ms(self) -> list[int]: ...
    @property
    def master_kwh(self) -> list[float]: ...
    def energies_kwh(self, window: int) -> list[float]:
        """Energies in one window by charger; IndexError where there is none."""
    def part(self, places: list[int]) -> ErrorWindows:
        """Return some of the windows, with their sessions; IndexError unless places rise and are of windows."""
    def columns_kwh(self) -> list[list[float]]:
        """Return the energies of each charger by window."""
    def weighted_kwh(self, weights: list[float]) -> list[float]:
        """Return by window the sum of all chargers' energies, each times its weight; EstimationError for too few."""
    def powers(self, charger: int, limit_kw: float) -> tuple[int, int, float]:
        """Return in how many windows a charger counted anything, in how many of them with more than a power (kW).

        And the largest power.
        """
    def quiet(self, charger: int, share: float) -> int:
        """Return in how many windows a charger counts anything while it doesn't charge.

        It counts less than a share of its largest energy then, and so it does in the windows before and after.
        """
    @property
    def sums_kwh(self) -> list[float]:
        """Energies in all windows by charger; what is NaN counts for nothing."""
    def __len__(self) -> int: ...

@final
class ErrorEstimator:
    """Remote error estimation (远程误差估计) of a station by energy balance (能量平衡法).

    Generalised least squares on window energies with the noise of readings, losses, fixed load and clock offsets as
    unknowns, and priors. Defaults are those of simulations, not of a standard.
    """

    def __new__(
        cls,
        chargers: Sequence[ErrorCharger],
        *,
        gain: ErrorPair = (0.0, 0.0025),
        cohort_mean: float = 0.0,
        cohort_sd: float = 0.0003,
        sound_sd: float = 0.0035,
        altered_sd: float = 0.03,
        altered_share: float = 0.1,
        strange_share: float = 0.001,
        curve_sd: float = 0.0008,
        trunk_loss: float | None = None,
        trunk_sd: float = 0.3,
        branch_sd: float = 0.3,
        branch_own_sd: float = 0.3,
        loss_share: float = 0.005,
        offset_sd_s: float = 60.0,
        max_offset_s: float = 450.0,
        fit_offsets: bool = True,
        fixed_load_kw: ErrorPair = (0.0, 10.0),
        night: tuple[int, int, int, ErrorPair] | None = ...,
        profile_kw: float = 1.0,
        conversion: ErrorPair = (0.05, 0.02),
        conversion_spread: float = 0.003,
        conversion_doubt: float = 0.35,
        standby_kw: ErrorPair = (0.2, 0.3),
        master_step_kwh: float = 0.01,
        jitter_s: float = 1.0,
        white: float = 0.0005,
        floor_kwh: float = 0.001,
        fit_noise: bool = True,
        huber: float = 2.5,
        rounds: int = 12,
        u_factor: float = 1.0,
        flag_above: float = 0.95,
        clear_below: float = 0.05,
    ) -> ErrorEstimator:
        """Say what is known before the readings; EstimationError names a setting out of range.

        `gain`: error of the master and its u, by certificate if it has one. `cohort_mean`: what all chargers are
        expected to have in common, as other stations tell of their make; `cohort_sd`: by how much they may have more
        or less. Raise that to 0.003 where a whole make may be off, and feed verified chargers back. `sound_sd`,
        `altered_sd`, `altered_share`: the mixture of sound and altered chargers. `strange_share`: of those whose
        register is not what it is taken for (turned round, not behind the master), which then pull no other.
        `curve_sd`: how much an error changes between no load and the charger's usual highest power; 0: not at all.
        `trunk_loss` (1/kW), `trunk_sd`, `branch_sd`, `branch_own_sd`: design loss of the trunk and how well it, the
        branches' level, and single branches are known, relative; without designs, `loss_share` of the energy is lost
        in trunk and branches each, known to as much as itself. `offset_sd_s`, `max_offset_s`, `fit_offsets`: clock
        offsets. `night`: first minute of the night and of the day, local time less UTC in minutes, and the load in kW
        by night beyond the fixed one, by default (1080, 360, 480, (0.0, 2.0)): from 18 to 6 o'clock in Shanghai;
        None: no such load. `profile_kw`: how much single hours of the day (of UTC) differ from these two; 0: not at
        all. `conversion`, `conversion_spread`, `standby_kw`: of chargers that meter their output; `conversion_doubt`:
        how well that spread is known, sd of its logarithm, 0: as given. `master_step_kwh` (primary side), `jitter_s`,
        `white`, `floor_kwh`: noise; with `fit_noise` jitter, white noise and the floor
        are chosen by likelihood. `huber`: from how many standard deviations on a window weighs less. `u_factor`
        multiplies every u.
        """
    def estimate(self, windows: ErrorWindows) -> ErrorEstimation:
        """Estimate from all windows. Odd data are findings; EstimationError only where nothing can be computed."""
    def begin(self, estimation: ErrorEstimation) -> ErrorAccumulator:
        """Begin sums over windows that are weighted and realigned as this estimation did with its own."""
    def restore(self, state: bytes) -> ErrorAccumulator:
        """Go on from a `state`; EstimationError where it is damaged or was made with other settings or chargers."""

@final
class ErrorAccumulator:
    """Sums over windows, added day by day: the same to the bit as all at once."""

    def push(self, windows: ErrorWindows) -> None:
        """Add the windows that follow; EstimationError for earlier ones, and nothing is taken then."""
    def estimate(self) -> ErrorEstimation:
        """Estimate from all windows so far; `residuals` are empty, and findings that need them are missing.

        Other weights, offsets or noise need the windows again: estimate from all of them now and then.
        """
    @property
    def state(self) -> bytes: ...
    @property
    def end_ms(self) -> int | None:
        """When the last window ends."""

@final
class ErrorEstimate:
    """What is said of one charger."""

    @property
    def charger(self) -> int:
        """Its number, from 0."""
    @property
    def error(self) -> float:
        """Its error (误差), (indicated - true)/true."""
    @property
    def u(self) -> float:
        """The standard uncertainty of that, all parts included."""
    @property
    def u_common(self) -> float:
        """The part that all chargers share: the master's gain and what the cohort has in common."""
    @property
    def u_own(self) -> float:
        """The part that is its own: `u`² = `u_common`² + `u_own`²."""
    @property
    def probability(self) -> float:
        """Probability that the error is beyond the class limit."""
    @property
    def decision(self) -> Literal["flag", "clear", "undetermined"]:
        """With the guard band: flag (超差) is a candidate for re-verification."""
    @property
    def reason(
        self,
    ) -> (
        Literal[
            "station",
            "never_charged",
            "implausible",
            "offset",
            "collinear",
            "few_windows",
            "daily",
            "master_register",
            "charger_register",
            "little_data",
            "misfit",
            "conversion",
            "common_mode",
            "near_limit",
        ]
        | None
    ):
        """Why it is undetermined; None where it is not. `station`: a finding leaves all of them so."""
    @property
    def altered(self) -> float:
        """Probability that it is one of the altered ones."""
    @property
    def identified(self) -> float:
        """Share of what is known of it that comes from data and verification: 0 is the prior alone."""
    @property
    def offset_s(self) -> ErrorPair | None:
        """Clock offset; positive: its readings are taken too late."""
    @property
    def branch_loss(self) -> ErrorPair:
        """Power lost in its branch per power squared, 1/kW."""
    @property
    def active_windows(self) -> int: ...
    @property
    def energy_kwh(self) -> float: ...
    @property
    def excluded_windows(self) -> int:
        """Windows left out because of it."""

@final
class ErrorEstimation:
    """What is said of a station."""

    @property
    def chargers(self) -> list[ErrorEstimate]: ...
    @property
    def earlier(self) -> list[ErrorEstimate]:
        """What those with a `from_ms` were before."""
    @property
    def u_common(self) -> float:
        """Standard uncertainty that all chargers share: no balance lowers it, a certificate or verified chargers do."""
    @property
    def gain(self) -> ErrorPair:
        """Error of the master."""
    @property
    def cohort(self) -> ErrorPair:
        """What the chargers have in common."""
    @property
    def trunk_loss(self) -> ErrorPair:
        """Power lost in the trunk per power squared, 1/kW."""
    @property
    def fixed_load_kw(self) -> ErrorPair: ...
    @property
    def night_load_kw(self) -> ErrorPair | None:
        """Load by night beyond the fixed one."""
    @property
    def load_profile_kw(self) -> list[ErrorPair]:
        """Load beside the chargers by hour of the day in UTC; empty with a `profile_kw` of 0."""
    @property
    def standby_kw(self) -> ErrorPair | None:
        """Loss of an active DC-output charger, whatever its power."""
    @property
    def conversion(self) -> ErrorPair | None:
        """Conversion loss of DC-output chargers, share of their output."""
    @property
    def conversion_spread(self) -> ErrorPair | None:
        """How far that differs from charger to charger: sd, share of their output."""
    @property
    def white(self) -> float:
        """White noise of the master that was chosen, relative to a window's energy."""
    @property
    def jitter_s(self) -> float:
        """Jitter of readings that was chosen."""
    @property
    def floor_kwh(self) -> float:
        """Noise of any window that was chosen: what the station's own load does from window to window."""
    @property
    def scale(self) -> float:
        """How much larger residuals are than the noise: above 1 it has widened every u."""
    @property
    def chi_square(self) -> float:
        """Mean square of the whitened residuals."""
    @property
    def windows(self) -> int: ...
    @property
    def excluded(self) -> dict[Literal["no_number", "decreasing", "too_much"], int]:
        """Windows left out, by cause."""
    @property
    def unknowns(self) -> int: ...
    @property
    def span_ms(self) -> tuple[int, int] | None: ...
    @property
    def hours(self) -> float:
        """Length of all windows used."""
    @property
    def master_kwh(self) -> float: ...
    @property
    def energy_kwh(self) -> float:
        """Of all chargers."""
    @property
    def findings(self) -> list[tuple[str, list[int], dict[str, float | str], bool]]:
        """What to know first: name, chargers it is about, its numbers, and whether no charger can be judged with it.

        excluded, few_windows, daily, never_charged, negative, collinear, gain (wrong transformer ratio, CT 变比),
        implausible (with a `suspicion`: reversed, not_behind_master, multiplier), offset, clock_shift, swapped,
        outside_sessions, generation (PV or storage), unexplained_load, unexplained, misfit, master_register,
        charger_register.
        """
    @property
    def residuals(self) -> tuple[list[int], list[int], list[float], list[float], list[float]]:
        """By window: start and end in ms, residual in kWh, the same whitened (in standard deviations), and weight."""

@final
class DropMeter:
    """Means of one meter over quarters of an hour (时段均值): of the same polls its voltages and its power."""

    def __new__(cls, voltages: Sequence[ErrorColumn], power_kw: ErrorColumn) -> DropMeter:
        """Take one column of voltages or those of the phases a, b and c, in V, and the power in kW, forward positive.

        None and NaN are what is not known. A charger's three voltages are used as their mean, and beside each other.
        EstimationError for another number of columns, columns that are not equally long, and more than 40,000 quarters.
        """
    def __len__(self) -> int: ...

@final
class DropBranch:
    """What voltages say of one charger's branch (支路)."""

    @property
    def loss(self) -> float | None:
        """Power lost per power squared, 1/kW, of a load that stands evenly: slightly below 0 where chance has it.

        None: nothing; see `reason`.
        """
    @property
    def u(self) -> float:
        """Standard uncertainty of that, of statistics alone; `math.inf` where `loss` is None."""
    @property
    def reference(self) -> Literal["mean", "a", "b", "c"]:
        """The voltage of the master that it follows; `mean` without three phases of a master."""
    @property
    def quarters(self) -> int:
        """Quarters in which its voltage and power are known and other meters tell the bus."""
    @property
    def reason(
        self,
    ) -> (
        Literal[
            "few_quarters",
            "constant_power",
            "voltage",
            "frozen",
            "no_bus",
            "scatter",
            "power",
            "collinear",
            "negative",
            "absurd",
        ]
        | None
    ):
        """Why there is no `loss`; None where there is one.

        `few_quarters`: too few with a believable voltage and power, or so little contrast that the drop is not even
        known to a tenth of the voltage. `constant_power`: it never charged. `voltage`: it jumps about by a third and
        more, as of a DC side. `frozen`: it stands still to the last digit. `no_bus`: no other meter is known at the
        same times. `scatter`: it follows no bus, its residuals are beyond 1 %: a DC side, another transformer.
        `power`: many times the master's, so in another unit. `collinear`: its power can't be told from that of others
        or of the trunk, or goes with the hour of the day and nothing else. `negative`: the voltage rises with power:
        wrong sign, or another charger's voltage. `absurd`: a drop beyond a fifth of the voltage.
        """
    @property
    def even(self) -> bool | None:
        """Whether its load stands evenly on its three phases (三相平衡), as far as it matters; None: nobody can say.

        It shows one voltage, or nothing tells the phases of its bus.
        """
    @property
    def uneven_loss(self) -> ErrorPair | None:
        """What it loses beyond `loss`, of its energy, where it is not `even`, and the standard uncertainty."""
    @property
    def factor(self) -> float:
        """All that it loses by what an even load would: 6 of vehicles on one phase, 1 if unknown."""

@final
class DropEstimation:
    """What voltages say of a station."""

    @property
    def branches(self) -> list[DropBranch]:
        """The chargers, in order."""
    @property
    def trunk(self) -> ErrorPair | None:
        """Loss of the trunk (干线) per square of the master's power, 1/kW, and its u; None: nothing is said of it."""

def voltage_drop(
    times_ms: ErrorTimes,
    chargers: Sequence[DropMeter],
    master: DropMeter | None = None,
    *,
    utc_offset_minutes: int = 480,
) -> DropEstimation:
    """Losses of single branches by voltage drop (电压降): what a charger's own power does to its own voltage.

    By Ohm's law the relative drop RP/V² of a branch is the relative loss in it, so the slope of ln V against the own
    power is the loss per power squared, whatever the bus does: that is eliminated quarter by quarter, together with the
    gain of each meter on each local day (`utc_offset_minutes`: local time less UTC), and with what each meter drifts by
    the hour, the same every day. Neither calibrated voltages nor transformer ratios are needed. Where the master has
    three phases, each charger is laid to the one it follows. Without a master the chargers tell the bus. `times_ms`: of
    the quarters, rising: all of their starts or all of their ends.

    `u` is of statistics alone, by days (widened by Student's t where they are few). Where the power factor is not 1,
    loss/drop = (1 + t²)/(1 + rt), t = tan of the phase angle, r = X/R of the branch: some 2 % with t within ±0.15 and r
    up to 0.25, to be added by the caller. Of two chargers behind one sub-feeder each slope has the common piece in it,
    and the other's power is scatter: where they charge at the same times as a rule, a part of the other's drop too. A
    charger for three phases that charges vehicles on one loses more than the mean of its phases shows: where it tells
    all three, `DropBranch.uneven_loss` is that.

    EstimationError for columns of other lengths than the times, times that do not rise, more than 512 chargers, 40,000
    quarters or 5,000,000 quarters of chargers. What is odd in the data is the `reason` of a branch.
    """

@final
class RegisterClocks:
    """What gateways knew of their clocks when they sent records (时钟状态)."""

    def __new__(cls) -> RegisterClocks: ...
    def know(self, journal: int, sent: Sequence[tuple[int, int, int]]) -> None:
        """Say which records [first, end) of a journal were sent by a clock that was not right, in whatever order.

        With each its state, a code of the wire. A clock that had stepped is told of every record that any message of it
        brought. It stands for what was said of that journal before.
        """
    def trusted(self, journal: int, sequence: int) -> bool:
        """Whether the clock had not stepped; what no clock has confirmed is counted (`unknown`), and used."""
    @property
    def right(self) -> bool:
        """Whether every clock was right."""
    @property
    def unknown(self) -> int:
        """How many records were asked for that no clock had confirmed."""

@final
class RegisterRows:
    """Intervals (时段记录) of a station's meters, as the driver of a store gives them."""

    def __new__(
        cls,
        rows: Sequence[tuple[int, ...]],
        ordinary: Sequence[tuple[int, str, str, str, str, str]] | None = None,
    ) -> RegisterRows:
        """Take one tuple per interval.

        Start in ms, meter, journal, sequence, duration in ms, energy forward and reverse, register forward and reverse
        at the end, in mWh, and quality, a code of the wire. ValueError for another number of columns, TypeError for
        what is no tuple of integers, OverflowError beyond 64 bits.

        `ordinary`: besides, intervals of a quarter of an hour, measured, of which nothing is known to flow in reverse.
        One tuple for those that begin at once: start in ms, then meters, journals, sequences, energies and registers,
        each as whole numbers with commas between. ValueError where these are not equally many.
        """
    @property
    def sequences(self) -> dict[int, tuple[int, int]]:
        """The lowest and the highest sequence, by journal."""
    def __len__(self) -> int: ...

@final
class StationRegisters:
    """What is known of the registers (示数) of a station's meters, from rows added in order of time, day by day.

    A register is known at both ends of an interval of measured quality, where these are whole quarters of an hour:
    nothing is interpolated. It goes on being comparable (a segment) until an interval lacks energy, the journal
    changes, or the register is not what it was plus what was counted.
    """

    def __new__(
        cls, imported: set[int] | frozenset[int] = ..., inverted: set[int] | frozenset[int] = ...
    ) -> StationRegisters:
        """Begin; `imported`: meters some of whose records came from a file.

        These have no register of their own: across a gap their sum stands as if nothing had been counted, and says
        nothing. An interval that was divided is known at its end.

        `inverted`: meters that count the other way round, of which all that is known is turned, as it flowed.
        """
    def add(self, rows: RegisterRows, clocks: RegisterClocks | None = None) -> None:
        """Add intervals that follow; without `clocks` all of these were right.

        Of those that overlap among themselves the better quality counts, then the later journal and record.
        """
    def of(self, meter: int) -> RegisterHistory:
        """Return a meter's history until now; an empty one where nothing came."""

@final
class RegisterHistory:
    """What is known of one meter's registers."""

    def __new__(cls) -> RegisterHistory:
        """Nothing is known."""
    @property
    def known(self) -> list[RegisterKnown]:
        """What is known, in the order in which it came: that of time, but where rows of two readings overlap."""
    @property
    def nets(self) -> list[tuple[int, int, int]]:
        """The same as plain numbers: the instant in ms, forward less reverse in mWh, and the segment."""
    @property
    def breaks(self) -> list[int]:
        """When a new segment begins, ms."""
    @property
    def jumps(self) -> list[RegisterJump]:
        """Where the register was another one than it had been."""
    @property
    def unclear(self) -> int:
        """Boundaries that are not used: not measured, or by a clock that had stepped."""
    @property
    def imported(self) -> bool: ...
    @property
    def step_mwh(self) -> int:
        """What divides all that it counted from one instant to the next, and so may be its step; 0: it stood still."""
    def counted_mwh(self, first_ms: int, end_ms: int) -> int:
        """Return what the intervals that begin in [first, end) counted, of whatever quality; forward less reverse."""
    def between(self, first_ms: int, last_ms: int) -> list[RegisterKnown]:
        """Return what is known in [first, last], and one instant before and after for what held still."""
    def over(self, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int] | None]:
        """Return what was counted over each span.

        That is from the last instant known until it begins to the first one known since it ends, as (ms between these,
        forward less reverse in mWh); None where there is none, or they can't be compared.
        """
    def instants(self, *, standing: bool = False) -> RegisterInstants:
        """Return the instants at which it is known; `standing`: those too between which it stood still."""
    def column(self, begin_ms: int, count: int, every: int = 1) -> RegisterColumn:
        """Return the net register at `count` instants from an aligned one on, a quarter of an hour apart.

        One that stands still is known where it would have been read, after `every` quarters: a coarse one stands still
        for most of every hour, and what was counted then comes at its end. EstimationError for more than 250,000.
        """

@final
class RegisterKnown:
    """A register at an instant, in mWh; registers of one segment can be subtracted."""

    @property
    def time_ms(self) -> int: ...
    @property
    def forward_mwh(self) -> int: ...
    @property
    def reverse_mwh(self) -> int: ...
    @property
    def net_mwh(self) -> int:
        """Forward less reverse."""
    @property
    def segment(self) -> int: ...

@final
class RegisterJump:
    """Where a register was another one than it had been when it was read last: forward, in mWh."""

    @property
    def before_ms(self) -> int: ...
    @property
    def time_ms(self) -> int: ...
    @property
    def before_mwh(self) -> int: ...
    @property
    def after_mwh(self) -> int: ...

@final
class RegisterInstants:
    """Instants at which a register is known."""

    @property
    def first_ms(self) -> int | None:
        """The earliest; None: there is none."""
    def count(self, first_ms: int, end_ms: int, step_ms: int) -> int:
        """How many of first, first + step, … before end are among them; 0 for a step that isn't positive."""

@final
class RegisterColumn:
    """A net register in mWh at instants a quarter of an hour apart; None where it is not known."""

    def __new__(cls, begin_ms: int, net_mwh: Sequence[int | None]) -> RegisterColumn: ...
    @property
    def any(self) -> bool:
        """Whether it is known at any of them."""
    def __getitem__(self, place: int) -> int | None: ...
    def __len__(self) -> int: ...
