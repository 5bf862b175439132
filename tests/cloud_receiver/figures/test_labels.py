"""Names beside nodes: over no other name, over no node, on the sheet."""

import random

from cloud_receiver.figures.labels import Standing, Wish, stand

SHEET = (0.0, 0.0, 600.0, 400.0)


def box(item: Standing) -> tuple[float, float, float, float]:
    half, high = item.wish.width / 2, item.wish.height / 2
    return item.x - half, item.y - high, item.x + half, item.y + high


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def crowd(count: int, *, optional: bool) -> tuple[list[Wish], list[tuple[float, float]]]:
    chance = random.Random(2)
    nodes = [(chance.uniform(0, 600), chance.uniform(0, 400)) for _ in range(count)]
    return [Wish(f"N{number}", x, y, 40.0, 9.0, optional) for number, (x, y) in enumerate(nodes)], nodes


def test_names_stand_free_and_on_the_sheet() -> None:
    wishes, nodes = crowd(120, optional=False)
    standing = stand(wishes, nodes=nodes, radius=4, lines=[], sheet=SHEET)
    assert [item.wish.text for item in standing] == [wish.text for wish in wishes]
    boxes = [box(item) for item in standing]
    assert not [1 for number, one in enumerate(boxes) for other in boxes[:number] if overlap(one, other)]
    assert not [1 for one in boxes for x, y in nodes if overlap(one, (x - 4, y - 4, x + 4, y + 4))]
    assert all(one[0] >= 0 and one[1] >= 0 and one[2] <= 600 and one[3] <= 400 for one in boxes)
    assert any(item.led for item in standing)


def test_an_optional_name_without_room_is_left_out_late_ones_rather() -> None:
    wishes, nodes = crowd(500, optional=True)
    standing = stand(wishes, nodes=nodes, radius=4, lines=[], sheet=SHEET, farthest=12)
    assert 30 < len(standing) < 500
    early = [item for item in standing if int(item.wish.text[1:]) < 250]
    assert len(early) > 1.5 * (len(standing) - len(early))
    boxes = [box(item) for item in standing]
    assert not [1 for number, one in enumerate(boxes) for other in boxes[:number] if overlap(one, other)]


def test_a_name_avoids_branches() -> None:
    wish = Wish("N", 300.0, 200.0, 40.0, 9.0)
    (right,) = stand([wish], nodes=[(300, 200)], radius=4, lines=[], sheet=SHEET)
    assert right.x > 300
    (left,) = stand([wish], nodes=[(300, 200)], radius=4, lines=[(300, 200, 500, 200)], sheet=SHEET)
    assert not overlap(box(left), (304, 199.5, 500, 200.5))
