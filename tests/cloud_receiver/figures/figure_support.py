"""What a test sees of a figure: the texts, the marks and the colours of an SVG, the size of a PNG."""

import re
import struct
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: bytes) -> list[str]:
    """Return all texts of an SVG, which is parsed as XML."""
    return [item.text or "" for item in ET.fromstring(svg).iter(f"{_SVG}text")]


def _marks(svg: bytes) -> list[ET.Element]:
    """Return the marks of nodes: shapes of their own, or uses of one that is defined once."""
    groups = [item for item in ET.fromstring(svg).iter(f"{_SVG}g") if "PathCollection" in item.get("id", "")]
    kinds = {f"{_SVG}use", f"{_SVG}path"}
    return [item for each in groups for item in each.iter() if item.tag in kinds and "fill: " in item.get("style", "")]


def marks(svg: bytes) -> list[str]:
    """Return the fill of each node's mark, in the order they are drawn."""
    return [match[1] for item in _marks(svg) if (match := re.search(r"fill: ([^;]+)", item.get("style", "")))]


def places(svg: bytes) -> list[tuple[float, float]]:
    """Return where the marks of nodes are."""
    found = []
    for item in _marks(svg):
        if item.tag == f"{_SVG}use":
            found.append((float(item.get("x", "nan")), float(item.get("y", "nan"))))
        else:
            xs, ys = zip(*points(item), strict=True)
            found.append(((min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2))
    return found


def group(svg: bytes, name: str) -> list[ET.Element]:
    """Return the elements within groups whose id begins with a name."""
    found = [item for item in ET.fromstring(svg).iter(f"{_SVG}g") if item.get("id", "").startswith(name)]
    return [element for item in found for element in item.iter(f"{_SVG}path")]


def points(path: ET.Element) -> list[tuple[float, float]]:
    """Return the corners of a path."""
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def png_size(content: bytes) -> tuple[int, int]:
    """Return width and height of a PNG in pixels."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content[12:16] == b"IHDR"
    width, height = struct.unpack(">II", content[16:24])
    return width, height
