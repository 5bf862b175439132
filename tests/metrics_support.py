"""A strict reader of the Prometheus text format, and a scrape over a real socket; no code is the writer's."""

import asyncio
import re
import socket
from pathlib import Path

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\]|\\\\|\\n)+)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\\\|\\"|\\n)*)"')
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?")
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")

Samples = dict[tuple[str, ...], float]


class NotExpositionError(AssertionError):
    pass


def must(condition: object, line: str, why: str) -> None:
    if not condition:
        raise NotExpositionError(f"{why}: {line!r}")


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), value)


def labels_of(text: str | None, line: str) -> dict[str, str]:
    if text is None:
        return {}
    found, place = {}, 0
    while True:
        match = LABEL.match(text, place)
        must(match, line, "no label")
        assert match
        must(match[1] not in found and not match[1].startswith("__"), line, "label name")
        found[match[1]] = unescaped(match[2])
        place = match.end()
        if place == len(text):
            return found
        must(text[place] == ",", line, "no comma between labels")
        place += 1


class Scraped:
    """A page, read: kinds by name, and samples by name and label values."""

    def __init__(self, text: str) -> None:
        self.kinds: dict[str, str] = {}
        self.labels: dict[str, tuple[str, ...]] = {}
        self.samples: dict[str, Samples] = {}
        must(text.endswith("\n"), text[-80:], "no line end at the end")
        helped = current = ""
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                match = HELP.fullmatch(line)
                must(match and match[1] not in self.kinds, line, "HELP")
                assert match
                helped = match[1]
            elif line.startswith("#"):
                match = TYPE.fullmatch(line)
                must(match and match[1] == helped and match[1] != current, line, "TYPE")
                assert match
                current = match[1]
                self.kinds[current] = match[2]
            else:
                self._sample(current, line)
        for name, kind in self.kinds.items():
            must(kind != "counter" or name.endswith("_total"), name, "a counter ends with _total")
            must(kind == "counter" or not name.endswith("_total"), name, "only a counter ends with _total")
            if kind == "histogram":
                self._histogram(name)
            else:
                must(self.samples.get(name), name, "a family without samples")

    def _sample(self, current: str, line: str) -> None:
        match = SAMPLE.fullmatch(line)
        must(match, line, "no sample")
        assert match
        name = match[1]
        suffixes = ("_bucket", "_sum", "_count") if self.kinds.get(current) == "histogram" else ("",)
        must(name in {current + suffix for suffix in suffixes}, line, f"not of family {current}")
        labels = labels_of(match[2], line)
        must(NUMBER.fullmatch(match[3]), line, "no number")
        must(self.labels.setdefault(name, tuple(labels)) == tuple(labels), line, "other labels than before")
        samples = self.samples.setdefault(name, {})
        must(tuple(labels.values()) not in samples, line, "twice")
        must(self.kinds[current] != "counter" or not match[3].startswith("-"), line, "negative counter")
        samples[tuple(labels.values())] = float(match[3])

    def _histogram(self, name: str) -> None:
        must(self.labels[f"{name}_bucket"][-1] == "le", name, "buckets without le")
        for labels, count in self.samples[f"{name}_count"].items():
            buckets = [(key[-1], value) for key, value in self.samples[f"{name}_bucket"].items() if key[:-1] == labels]
            bounds = [float(bound.replace("+Inf", "inf")) for bound, _ in buckets]
            counts = [value for _, value in buckets]
            must(bounds == sorted(set(bounds)) and buckets[-1] == ("+Inf", count), name, "bounds")
            must(counts == sorted(counts), name, "buckets are not cumulative")
            must(labels in self.samples[f"{name}_sum"], name, "no sum")

    def value(self, name: str, *labels: str) -> float:
        return self.samples[name][labels]


def free_port() -> int:
    """Return a port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def http(host: str, port: int, request: bytes) -> tuple[str, bytes]:
    """Send octets; return the head and the body of what comes back."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


async def scrape(port: int, host: str = "127.0.0.1") -> Scraped:
    """Ask as Prometheus does and read every line of the answer."""
    head, body = await http(host, port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain\r\n\r\n")
    assert head.startswith("HTTP/1.1 200 OK\r\n"), head
    assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in head.split("\r\n")
    assert f"Content-Length: {len(body)}" in head.split("\r\n")
    return Scraped(body.decode())


def documented(program: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Return the metrics of docs/monitoring.md by name: kind, labels, meaning."""
    text = (Path(__file__).parents[1] / "docs" / "monitoring.md").read_text()
    rows = re.findall(rf"^\| `(diantan_{program}_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", text, flags=re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows}
