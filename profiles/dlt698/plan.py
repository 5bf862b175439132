"""The reading plan: as many attributes in one GetRequestNormalList as the meter's sizes allow.

A request costs far more than the octets it carries, so few are best; and an array read whole (index 0) costs less than
two of its elements asked for one by one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from diantan_core import Dlt698DecodeError, dlt698_dar_name, dlt698_decode_apdu
from profiles.dlt698.codec import Data, decode, member
from profiles.dlt698.model import Association, DataType, ObjectPoint, RecordTable
from profiles.model import CodecError, NoValueError

FRAME_OCTETS: Final = 27
"""68 L C AF, 16 octets of address, CA HCS FCS 16: what a frame adds to an APDU at most."""
SECURITY_OCTETS: Final = 32
"""What SECURITY in its plain form adds, with a random number of 16 octets."""
_REQUEST_OCTETS: Final = 5  # 05 02 PIID, the number of OADs, no time tag
_REPLY_OCTETS: Final = 6  # 85 02 PIID-ACD, their number, no report, no time tag
_OAD_OCTETS: Final = 4
_MOST_OADS: Final = 127  # the longest list whose number takes one octet
_SIZES: Final = {DataType.FLOAT32: 4, DataType.FLOAT64: 8, DataType.DATE_TIME: 10, DataType.DATE_TIME_S: 7}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One attribute, or element of one, and the points that its data bring."""

    oad: int
    points: tuple[ObjectPoint, ...]

    def decode(self, item: Data, timezone: str) -> tuple[dict[str, int], list[CodecError]]:
        """Return the values of the points in this data item, and what is wrong with the others."""
        values: dict[str, int] = {}
        wrong: list[CodecError] = []
        for point in self.points:
            try:
                own = member(point, item, 0 if self.oad & 0xFF else point.index)
                values[point.name] = decode(point, own, timezone)
            except NoValueError:
                continue
            except CodecError as error:
                wrong.append(error)
        return values, wrong


@dataclass(frozen=True, slots=True)
class ObjectsBlock:
    """One GET request for attributes: GetRequestNormal for one, GetRequestNormalList for several."""

    wanted: tuple[Wanted, ...]
    timezone: str
    association: Association

    @property
    def points(self) -> tuple[ObjectPoint, ...]:
        """The points that its reply brings."""
        return tuple(point for item in self.wanted for point in item.points)

    @property
    def oads(self) -> tuple[int, ...]:
        """The attributes asked for."""
        return tuple(item.oad for item in self.wanted)

    @property
    def request(self) -> tuple[str, dict[str, Any]]:
        """The choice of GET-Request and its content, without PIID and time tag."""
        if len(self.wanted) == 1:
            return "normal", {"oad": self.wanted[0].oad}
        return "normal_list", {"oads": list(self.oads)}

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the values from the APDU of the GET-Response; what the meter refuses or has not is absent.

        CodecError for another APDU, and where data of a wrong type leave no value at all.
        """
        values, wrong = self._take(reply)
        if wrong and not values:
            raise wrong[0]
        return values

    def refusals(self, reply: bytes) -> dict[str, str]:
        """Return why points have no value, by name: the DAR of their attribute, or what its data are instead."""
        found = {
            point.name: f"DAR {content}, {dlt698_dar_name(content)}"
            for item, (kind, content) in zip(self.wanted, self._results(reply), strict=True)
            if kind == "dar"
            for point in item.points
        }
        return found | {str(error).partition(":")[0]: str(error) for error in self._take(reply)[1]}

    def _take(self, reply: bytes) -> tuple[dict[str, int], list[CodecError]]:
        values: dict[str, int] = {}
        wrong: list[CodecError] = []
        for item, (kind, content) in zip(self.wanted, self._results(reply), strict=True):
            if kind == "data":
                found, mistakes = item.decode(content, self.timezone)
                values |= found
                wrong += mistakes
        return values, wrong

    def _results(self, reply: bytes) -> list[Data]:
        choice, body = get_response(reply)
        results = [body] if choice == "normal" else body.get("results", [])
        if choice not in ("normal", "normal_list") or [result["oad"] for result in results] != list(self.oads):
            raise CodecError(f"expected the attributes {_hex(self.oads)}, got {choice} of other ones")
        return [result["result"] for result in results]


@dataclass(frozen=True, slots=True)
class RecordBlock:
    """One GetRequestRecord for the n-th last record of a table (RSD method 9)."""

    table: RecordTable
    last: int
    wanted: tuple[Wanted, ...]
    timezone: str
    association: Association

    @property
    def points(self) -> tuple[ObjectPoint, ...]:
        """The columns."""
        return tuple(point for item in self.wanted for point in item.points)

    @property
    def oads(self) -> tuple[int, ...]:
        """The table."""
        return (self.table.oad,)

    @property
    def request(self) -> tuple[str, dict[str, Any]]:
        """The choice of GET-Request and its content, without PIID and time tag."""
        columns = [("oad", item.oad) for item in self.wanted]
        return "record", {"record": {"oad": self.table.oad, "rows": ("last", self.last), "columns": columns}}

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return the columns' values from the APDU of the GET-Response; none where the meter has no such record."""
        choice, body = get_response(reply)
        if choice != "record" or body["record"]["oad"] != self.table.oad:
            raise CodecError(f"expected a record of {self.table.oad:08X}, got {choice}")
        record = body["record"]
        kind, rows = record["result"]
        if kind == "dar":
            return {}
        if len(rows) > 1:
            raise CodecError(f"{self.table.name}: expected one record, got {len(rows)}")
        columns = record["columns"]  # of other kinds than an OAD, too, if the meter means something else
        cells = {oad: cell for row in rows for (of, oad), cell in zip(columns, row, strict=True) if of == "oad"}
        values: dict[str, int] = {}
        for item in self.wanted:
            if (cell := cells.get(item.oad)) is not None:
                found, wrong = item.decode(cell, self.timezone)
                if wrong:
                    raise wrong[0]
                values |= found
        return values


def get_response(reply: bytes) -> tuple[str, dict[str, Any]]:
    """Return choice and content of a GET-Response; CodecError for anything else."""
    try:
        name, content = dlt698_decode_apdu(reply)
    except Dlt698DecodeError as error:
        raise CodecError(f"not an APDU: {error}") from None
    if name != "get_response":
        raise CodecError(f"expected a GET-Response, got {name}")
    choice, body = content
    return choice, body


def group(points: Iterable[ObjectPoint]) -> list[Wanted]:
    """Return the attributes and elements to ask for, each once, in the order in which they first appear."""
    bases: dict[int, dict[ObjectPoint, None]] = {}
    for point in points:
        bases.setdefault(point.base, {})[point] = None
    found = []
    for base, owners in bases.items():
        members = sorted(owners, key=lambda point: (point.index, point.part, point.name))
        indexes = {point.index for point in members}
        alone = len(indexes) == 1 and not any(point.element for point in members)
        found.append(Wanted(base | indexes.pop() if alone else base, tuple(members)))
    return found


def plan_reads(
    points: Iterable[ObjectPoint], elements: Mapping[int, int], association: Association, timezone: str
) -> list[ObjectsBlock]:
    """Return the fewest requests for these points; `elements` says how many an attribute has at least."""
    overhead = FRAME_OCTETS + (SECURITY_OCTETS if association.plain_security else 0)
    most_request = min(association.send_size - overhead, association.apdu_size)
    most_reply = min(association.receive_size - overhead, association.apdu_size)
    # The largest first into the first request that has room: attributes have no order to keep.
    bins: list[tuple[int, int, list[Wanted]]] = []
    for item in sorted(group(points), key=lambda item: (-reply_octets(item, elements), item.oad)):
        cost = _OAD_OCTETS + 1 + reply_octets(item, elements)
        for place, (request, reply, members) in enumerate(bins):
            if request + _OAD_OCTETS <= most_request and reply + cost <= most_reply and len(members) < _MOST_OADS:
                bins[place] = (request + _OAD_OCTETS, reply + cost, [*members, item])
                break
        else:
            bins.append((_REQUEST_OCTETS + _OAD_OCTETS, _REPLY_OCTETS + cost, [item]))
    ordered = [sorted(members, key=lambda item: item.oad) for _, _, members in bins]
    return [ObjectsBlock(tuple(members), timezone, association) for members in sorted(ordered, key=lambda m: m[0].oad)]


def plan_record(table: RecordTable, row: int, association: Association, timezone: str) -> list[RecordBlock]:
    """Return the request for a row; IndexError for one that the table does not have."""
    if not 1 <= row <= table.rows:
        raise IndexError(f"{table.name}: row {row} is not in 1..{table.rows}")
    return [RecordBlock(table, row, tuple(group(table.columns)), timezone, association)]


def reply_octets(item: Wanted, elements: Mapping[int, int]) -> int:
    """Return how many octets the data of an attribute are expected to take."""
    sizes: dict[int, int] = {}
    for point in item.points:
        sizes[point.part] = 1 + _octets(point)
    size = sum(sizes.values()) if 0 in sizes else 2 + sum(sizes.values())
    whole = not item.oad & 0xFF and any(point.index for point in item.points)
    return 2 + size * elements.get(item.oad, 1) if whole else size


def _octets(point: ObjectPoint) -> int:
    if point.type.is_integer:
        return (point.type.bits + 7) // 8
    if point.type is DataType.BIT_STRING:
        return 1 + (point.length + 7) // 8
    return _SIZES.get(point.type, 1 + point.length)


def _hex(oads: Iterable[int]) -> str:
    return " ".join(f"{oad:08X}" for oad in oads)
