"""What waits to be stored is bounded, and nobody's flood takes another's room."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.waiting import Waiting


@dataclass(frozen=True)
class Item:
    lane: str
    number: int
    size: int = 1

    @property
    def payload(self) -> bytes:
        return bytes(self.size)


def waiting(limit: int = 100, limit_bytes: int = 1000) -> Waiting[Item]:
    return Waiting(limit, limit_bytes, lambda item: item.lane)


def test_a_flood_displaces_its_own_messages() -> None:
    queue = waiting(limit=10)
    for number in range(3):
        assert queue.put(Item("good", number)) == []
    displaced = [item for number in range(100) for item in queue.put(Item("bad", number))]
    assert displaced == [Item("bad", number) for number in range(93)]
    assert [item for item in queue.take(10) if item.lane == "good"] == [Item("good", number) for number in range(3)]
    assert len(queue) == queue.bytes == 0


def test_large_messages_displace_those_of_who_sends_the_most_bytes() -> None:
    queue = waiting(limit_bytes=1000)
    many = [Item("small", number) for number in range(50)]
    for item in many:
        queue.put(item)
    displaced = [item for number in range(10) for item in queue.put(Item("large", number, 400))]
    assert {item.lane for item in displaced} == {"large"}
    assert queue.bytes <= 1000
    assert [item for item in queue.take(100) if item.lane == "small"] == many


def test_one_message_beyond_the_limit_alone_is_taken() -> None:
    queue = waiting(limit_bytes=10)
    assert queue.put(Item("a", 0, 11)) == []
    assert queue.put(Item("a", 1, 1)) == [Item("a", 0, 11)]


def test_lanes_are_taken_in_turn() -> None:
    queue = waiting()
    for lane, count in (("a", 5), ("b", 1), ("c", 3)):
        for number in range(count):
            queue.put(Item(lane, number))
    # Also when fewer are taken than there are lanes: none is always first.
    order = [item for _ in range(5) for item in queue.take(2)]
    assert [item.lane for item in order] == ["a", "b", "c", "a", "c", "a", "c", "a", "a"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40)) | st.integers(1, 8), max_size=200))
def test_nothing_is_lost_twice_or_out_of_order(steps: list[tuple[str, int] | int]) -> None:
    queue = waiting(limit=7, limit_bytes=60)
    there: dict[str, list[Item]] = {"a": [], "b": [], "c": []}
    for number, step in enumerate(steps):
        if isinstance(step, int):
            gone = queue.take(step)
        else:
            item = Item(step[0], number, step[1])
            there[item.lane].append(item)
            gone = queue.put(item)
        for item in gone:
            assert there[item.lane].pop(0) == item
        left = [item for lane in there.values() for item in lane]
        assert (len(queue), queue.bytes) == (len(left), sum(item.size for item in left))
        assert len(left) <= 7
        assert queue.bytes <= 60
