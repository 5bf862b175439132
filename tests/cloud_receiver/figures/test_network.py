"""The picture of a network: each node is there, coloured by its factor; and nothing in it can break it."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from figure_support import group, marks, places, png_size, points, texts

from cloud_receiver.figures.network import (
    MOST_NODES,
    Balance,
    NetworkPicture,
    PictureBranch,
    PictureNode,
    Shape,
    draw,
    render,
)
from cloud_receiver.figures.style import FigureError, Form

THREE = NetworkPicture(
    nodes=[
        PictureNode("P1", Shape.PLANT, 0.8),
        PictureNode("S1", Shape.SUBSTATION, 0.5),
        PictureNode("U1", Shape.LOAD, 0.1),
    ],
    branches=[PictureBranch("P1", "S1", 100.0, 2.0), PictureBranch("S1", "U1", 38.0, 1.0)],
    title="three",
    time="2026-07-01 08:15",
    solve_id="a1b2",
    balance=Balance(80.0, 70.0, 9.5, 0.5, 1e-16),
)


def svg(picture: NetworkPicture) -> bytes:
    return render(picture, Form.SVG)


def grown(count: int, seed: int = 1) -> NetworkPicture:
    """Return a network in which each node has a branch to one of those shortly before it."""
    chance = random.Random(seed)
    nodes = [
        PictureNode(f"N{number}", list(Shape)[number % 3], chance.random() if number % 9 else None, "dead")
        for number in range(count)
    ]
    branches = [
        PictureBranch(f"N{number}", f"N{max(0, number - chance.randint(1, 9))}", chance.uniform(-90, 90))
        for number in range(1, count)
    ]
    return NetworkPicture(nodes, branches)


@pytest.mark.parametrize("count", [14, 118, 200])
def test_every_node_is_named_up_to_two_hundred(count: int) -> None:
    written = texts(svg(grown(count)))
    assert [node.id for node in grown(count).nodes if node.id not in written] == []


def test_of_more_nodes_the_plants_and_extremes_are_named() -> None:
    picture = grown(600)
    written = set(texts(svg(picture)))
    named = [node for node in picture.nodes if node.id in written]
    ranked = sorted((node.factor, node.id) for node in picture.nodes if node.factor is not None)
    extremes = {name for _, name in (*ranked[:5], *ranked[-5:])}
    assert {node.id for node in named} >= extremes
    assert {node.kind for node in named if node.id not in extremes} == {Shape.PLANT}
    assert len(named) > 80
    assert "named: plants, extremes 标注电厂与极值" in written


def test_the_head_says_what_is_drawn() -> None:
    written = texts(svg(THREE))
    assert written.count("Nodal carbon factors 节点碳势  three") == 1
    assert "3 nodes 节点, 2 branches 支路   2026-07-01 08:15   solve 求解号 a1b2" in written
    balance = "sources 电源 80.000 = loads 负荷 70.000 + losses 网损 9.500 + other 其他 0.500 tCO₂/h"
    assert f"Balance 碳平衡: {balance} (relative residual 相对残差 1e-16)" in written
    assert "kgCO₂/kWh" in written
    assert {"plant 电厂 (1)", "substation 变电站 (1)", "load 用户 (1)"} <= set(written)
    assert not [text for text in written if "undefined" in text]
    assert {"100 MW", "25 MW", "5 MW"} <= set(written)


def test_colours_follow_the_factors() -> None:
    fills = marks(svg(THREE))
    assert len(set(fills)) == 3
    same = marks(svg(replace(THREE, nodes=[replace(node, factor=0.5) for node in THREE.nodes])))
    assert len(same) == 3
    assert len(set(same)) == 1
    swapped = [replace(node, factor=0.9 - node.factor) for node in THREE.nodes if node.factor is not None]
    # Drawn by kind: load, plant, substation.
    assert marks(svg(replace(THREE, nodes=swapped)))[:2] == fills[1::-1]
    scaled = marks(svg(replace(THREE, scale=(0.0, 2.0))))
    assert len(set(scaled)) == 3
    assert not set(scaled) & set(fills)


def test_a_node_without_factor_is_hatched_and_in_the_legend() -> None:
    nodes = [*THREE.nodes, PictureNode("X1", factor=None, quality="dead"), PictureNode("X2", factor=math.nan)]
    drawn = svg(replace(THREE, nodes=nodes))
    assert len([fill for fill in marks(drawn) if fill.startswith("url(#")]) == 2
    assert b"<pattern" in drawn
    assert b"<pattern" not in svg(THREE)
    assert {"undefined 未定义 (2)", "no through-flow 无潮流 (1)", "X1", "X2"} <= set(texts(drawn))


def test_all_undefined_none_and_one_are_drawn() -> None:
    dead = svg(replace(THREE, nodes=[replace(node, factor=None, quality="no_source") for node in THREE.nodes]))
    assert all(fill.startswith("url(#") for fill in marks(dead))
    assert "no source 无电源 (3)" in texts(dead)
    assert "0 nodes 节点, 0 branches 支路" in texts(svg(NetworkPicture([])))
    assert "1 node 节点, 0 branches 支路" in texts(svg(NetworkPicture([PictureNode("one", factor=0.0)])))


def test_an_arrow_points_where_power_goes() -> None:
    ends = {"P": (0.0, 0.0), "Q": (10.0, 0.0)}
    nodes = [PictureNode(name, factor=factor, place=ends[name]) for name, factor in (("P", 0.1), ("Q", 0.9))]

    def head(power: float | None) -> list[tuple[float, float]]:
        drawn = svg(NetworkPicture(nodes, [PictureBranch("P", "Q", power)]))
        return [point for path in group(drawn, "PolyCollection") for point in points(path)]

    right, left = head(50.0), head(-50.0)
    assert right[0][0] > max(x for x, _ in right[1:3])
    assert left[0][0] < min(x for x, _ in left[1:3])
    assert head(0.0) == head(None) == head(1e-9) == head(math.nan) == []


def test_a_branch_has_the_colour_of_the_sender_and_its_width_by_power() -> None:
    nodes = [PictureNode("A", factor=0.1), PictureNode("B", factor=0.9), PictureNode("C", factor=None)]
    branches = [PictureBranch("A", "B", 100.0), PictureBranch("A", "B", -25.0), PictureBranch("C", "A", 1.0)]
    drawn = svg(NetworkPicture(nodes, branches))
    styles = [path.get("style", "") for path in group(drawn, "LineCollection")]
    fills = [fill for fill in marks(drawn) if not fill.startswith("url(#")]
    assert f"stroke: {fills[0]}" in styles[0]
    assert f"stroke: {fills[1]}" in styles[1]
    assert "stroke: #8a8a8a" in styles[2]
    widths = [float(style.rpartition("stroke-width: ")[2]) for style in styles]
    assert widths[0] > widths[1] > widths[2]
    first, second = (points(path) for path in group(drawn, "LineCollection")[:2])
    assert math.dist(first[0], second[0]) > 3, "parallel lines are beside each other"


def test_open_and_unmeasured_branches_are_dashed() -> None:
    branches = [PictureBranch("P1", "S1", 5.0, open=True), PictureBranch("S1", "U1")]
    drawn = svg(replace(THREE, branches=branches))
    assert all("stroke-dasharray" in path.get("style", "") for path in group(drawn, "LineCollection"))
    assert {"open 断开", "not measured 无量测"} <= set(texts(drawn))
    assert not group(drawn, "PolyCollection")


def test_the_same_network_is_the_same_file() -> None:
    picture = grown(60)
    turned = replace(picture, branches=[*picture.branches], nodes=[*picture.nodes])
    assert svg(picture) == svg(turned)
    assert b"<dc:date>" not in svg(picture)


def test_places_are_kept_where_every_node_has_one() -> None:
    nodes = [PictureNode(f"N{x}{y}", factor=0.1 * x, place=(x, y)) for x in range(4) for y in range(3)]
    drawn = places(svg(NetworkPicture(nodes)))
    for (x, y), node in zip(drawn, nodes, strict=True):
        assert node.place is not None
        assert (x - drawn[0][0]) == pytest.approx(node.place[0] * (drawn[-1][0] - drawn[0][0]) / 3, abs=0.01)
        assert (drawn[0][1] - y) == pytest.approx(node.place[1] * (drawn[0][1] - drawn[-1][1]) / 2, abs=0.01)
    partly = [nodes[0], *(replace(node, place=None) for node in nodes[1:])]
    assert len(set(places(svg(NetworkPicture(partly))))) == len(nodes)


def test_hostile_names_are_text() -> None:
    names = [
        '<script>alert("&")</script>',
        "$x_1$",
        "电厂\u202e一",
        "a\x00\x1b[31mb",
        "\ud800",
        "]]>",
        "x" * 300,
        "%s{0}",
    ]
    nodes = [PictureNode(f"N{number}", factor=0.1 * number, name=name) for number, name in enumerate(names)]
    drawn = svg(NetworkPicture(nodes, title="<&>\x07", time="$1$", solve_id="</svg>"))
    written = texts(drawn)
    assert [text for text in written if text.startswith('N0 <script>alert("&")')]
    assert "N1 $x_1$" in written
    assert "N3 a\\x00\\x1b[31mb" in written
    assert "N4 \\ud800" in written
    assert any(text.startswith("N6 xxx") and text.endswith("…") for text in written)
    assert "Nodal carbon factors 节点碳势  <&>\\x07" in written
    odd = [PictureNode("城东", factor=0.2), PictureNode("<b>", factor=0.3)]
    assert {"城东", "<b>"} <= set(texts(svg(NetworkPicture(odd, [PictureBranch("城东", "<b>", 1.0)]))))


def test_png_and_svg_go_by_the_file_name(tmp_path: Path) -> None:
    draw(THREE, tmp_path / "three.PNG")
    # 550 pt of plot, 178 of legend and two margins of 14; at 150 dots an inch.
    assert png_size((tmp_path / "three.PNG").read_bytes())[0] == pytest.approx((550 + 178 + 28) / 72 * 150, abs=1)
    draw(THREE, tmp_path / "three.svg")
    assert (tmp_path / "three.svg").read_bytes() == svg(THREE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["three.PNG", "three.svg"]
    with pytest.raises(FigureError, match=r"three.pdf.*\.png or \.svg"):
        draw(THREE, tmp_path / "three.pdf")
    with pytest.raises(OSError, match="nowhere"):
        draw(THREE, tmp_path / "nowhere" / "three.svg")


def test_no_two_nodes_of_a_laid_out_network_overlap() -> None:
    for count in (14, 118, 200):
        found = places(svg(grown(count)))
        nearest = min(math.dist(a, b) for number, a in enumerate(found) for b in found[:number])
        assert nearest > 14


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (NetworkPicture([PictureNode("A"), PictureNode("A")]), "'A' is there twice"),
        (NetworkPicture([PictureNode("A")], [PictureBranch("A", "B")]), "'B': there is no such node"),
        (
            NetworkPicture([PictureNode(str(number)) for number in range(MOST_NODES + 1)]),
            "at most 10000 nodes, found 10001",
        ),
        (NetworkPicture([PictureNode("A")], [PictureBranch("A", "A")] * 20_001), "at most 20000 branches, found 20001"),
        (NetworkPicture([PictureNode("A")], scale=(0.5, 0.5)), "from a lower to a higher factor"),
        (NetworkPicture([PictureNode("A")], scale=(0.0, math.inf)), "from a lower to a higher factor"),
    ],
)
def test_what_is_no_network_is_told(picture: NetworkPicture, said: str) -> None:
    with pytest.raises(FigureError, match=said):
        svg(picture)
