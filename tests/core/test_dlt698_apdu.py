"""APDUs and data of DL/T 698.45: every type and every service comes back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import diantan_core as core

byte, word, double = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
octets = st.binary(max_size=20)
Strategy = st.SearchStrategy[Any]


def signed(bits: int) -> Strategy:
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)


def record(**fields: Strategy) -> Strategy:
    return st.fixed_dictionaries(fields)


def brief(strategy: Strategy) -> Strategy:
    """Hide what a strategy is made of: hypothesis refuses to print one this large."""

    @st.composite
    def drawn(draw: st.DrawFn) -> object:
        return draw(strategy)

    return drawn()


def choice(name: str, content: Strategy) -> Strategy:
    return st.tuples(st.just(name), content)


def items(item: Strategy) -> Strategy:
    return st.lists(item, max_size=3)


clock = {"hour": byte, "minute": byte, "second": byte}
date_time_s = record(year=word, month=byte, day=byte, **clock)
date_time = record(year=word, month=byte, day=byte, weekday=byte, **clock, milliseconds=word)
ti = record(unit=byte, interval=word)
road = record(oad=double, columns=items(double))
csd = choice("oad", double) | choice("road", road)
sid = record(identifier=double, additional=octets)
comdcb = record(baud=byte, parity=byte, data_bits=byte, stop_bits=byte, flow=byte)

SIMPLE: dict[str, Strategy] = {
    "null": st.none(),
    "bool": st.booleans(),
    "bit_string": st.text("01", max_size=40),
    "double_long": signed(32),
    "double_long_unsigned": double,
    "octet_string": st.binary(max_size=300),
    "visible_string": st.text(st.characters(max_codepoint=0xFF), max_size=150),
    "utf8_string": st.text(st.characters(exclude_categories=["Cs"])),
    "integer": signed(8),
    "long": signed(16),
    "unsigned": byte,
    "long_unsigned": word,
    "long64": signed(64),
    "long64_unsigned": st.integers(0, (1 << 64) - 1),
    "enum": byte,
    "float32": st.floats(width=32, allow_nan=False),
    "float64": st.floats(allow_nan=False),
    "date_time": date_time,
    "date": record(year=word, month=byte, day=byte, weekday=byte),
    "time": record(**clock),
    "date_time_s": date_time_s,
    "oi": word,
    "oad": double,
    "road": road,
    "omd": double,
    "ti": ti,
    "tsa": octets,
    "mac": octets,
    "rn": octets,
    "scaler_unit": record(scaler=signed(8), unit=byte),
    "csd": csd,
    "sid": sid,
    "sid_mac": record(sid=sid, mac=octets),
    "comdcb": comdcb,
    "rcsd": items(csd),
}
simple = brief(st.one_of([choice(name, content) for name, content in SIMPLE.items()]))
region = record(bounds=byte, start=simple, end=simple)
ms = brief(
    st.one_of(
        choice("none", st.none()),
        choice("all", st.none()),
        choice("user_types", items(byte)),
        choice("addresses", items(octets)),
        choice("numbers", items(word)),
        choice("user_type_regions", items(region)),
        choice("address_regions", items(region)),
        choice("number_regions", items(region)),
    )
)
selector = record(oad=double, start=simple, end=simple, interval=simple)
at, between = record(time=date_time_s, meters=ms), record(start=date_time_s, end=date_time_s, interval=ti, meters=ms)
rsd = brief(
    st.one_of(
        choice("none", st.none()),
        choice("equal", record(oad=double, value=simple)),
        choice("range", selector),
        choice("ranges", items(selector)),
        choice("begun_at", at),
        choice("stored_at", at),
        choice("begun_between", between),
        choice("stored_between", between),
        choice("succeeded_between", between),
        choice("last", byte),
        choice("last_of_meters", record(last=byte, meters=ms)),
    )
)
leaf = simple | choice("region", region) | choice("ms", ms) | choice("rsd", rsd)
data = st.recursive(leaf, lambda inner: choice("array", items(inner)) | choice("structure", items(inner)), max_leaves=6)

time_tag = st.none() | record(sent=date_time_s, allowed_delay=ti)
normal = record(oad=double, result=choice("dar", byte) | choice("data", data))


@st.composite
def record_results(draw: st.DrawFn) -> dict[str, Any]:
    columns = draw(st.lists(csd, max_size=3))
    size = len(columns)
    rows = st.lists(st.lists(simple, min_size=size, max_size=size), max_size=3 if columns else 0)
    return {"oad": draw(double), "columns": columns, "result": draw(choice("dar", byte) | choice("rows", rows))}


follow_report = brief(st.none() | choice("normal_list", items(normal)) | choice("record_list", items(record_results())))


def request(**fields: Strategy) -> Strategy:
    return record(piid=byte, **fields, time_tag=time_tag)


def reply(**fields: Strategy) -> Strategy:
    return record(piid_acd=byte, **fields, follow_report=follow_report, time_tag=time_tag)


def by_server(**what: Strategy) -> Strategy:
    return items(record(server=octets, **what))


def service(name: str, **choices: Strategy) -> Strategy:
    return choice(name, brief(st.one_of([choice(one, content) for one, content in choices.items()])))


asked = record(oad=double, rows=rsd, columns=items(csd))
settings = record(oad=double, data=data)
setting_gets = record(oad=double, data=data, get=double, delay_s=byte)
actions = record(omd=double, data=data)
action_gets = record(omd=double, data=data, get=double, delay_s=byte)
maybe = st.none() | data
was_set, was_set_got = record(oad=double, dar=byte), record(oad=double, dar=byte, get=normal)
done, done_got = record(omd=double, dar=byte, data=maybe), record(omd=double, dar=byte, data=maybe, get=normal)
association = {
    "version": word,
    "protocol_conformance": st.binary(min_size=8, max_size=8),
    "function_conformance": st.binary(min_size=16, max_size=16),
    "send_size": word,
    "receive_size": word,
    "receive_window": byte,
    "apdu_size": word,
    "timeout_s": double,
}
security_data = record(rn=octets, signature=octets)
ciphered = record(ciphertext=octets, signature=octets)
mechanism = st.one_of(
    choice("none", st.none()),
    choice("password", SIMPLE["visible_string"]),
    choice("symmetric", ciphered),
    choice("signature", ciphered),
)
FACTORY = {
    "manufacturer": 4,
    "software_version": 4,
    "software_date": 6,
    "hardware_version": 4,
    "hardware_date": 6,
    "extension": 8,
}
factory = record(**{name: st.binary(min_size=size, max_size=size) for name, size in FACTORY.items()})
link_type = st.sampled_from(["login", "heartbeat", "logout"]).map(lambda name: (name, None))

REQUESTS: list[Strategy] = [
    choice("link_request", record(piid_acd=byte, type=link_type, heartbeat_s=word, time=date_time)),
    choice("connect_request", request(**association, mechanism=mechanism)),
    choice("release_request", request()),
    service(
        "get_request",
        normal=request(oad=double),
        normal_list=request(oads=items(double)),
        record=request(record=asked),
        record_list=request(records=items(asked)),
        next=request(block=word),
        md5=request(oad=double),
    ),
    service(
        "set_request",
        normal=request(oad=double, data=data),
        normal_list=request(items=items(settings)),
        then_get=request(items=items(setting_gets)),
    ),
    service(
        "action_request",
        normal=request(omd=double, data=data),
        normal_list=request(items=items(actions)),
        then_get=request(items=items(action_gets)),
    ),
    service(
        "report_response",
        normal_list=request(oads=items(double)),
        record_list=request(oads=items(double)),
        transparent=request(),
    ),
    service(
        "proxy_request",
        get_list=request(timeout_s=word, servers=by_server(timeout_s=word, items=items(double))),
        get_record=request(timeout_s=word, server=octets, record=asked),
        set_list=request(timeout_s=word, servers=by_server(timeout_s=word, items=items(settings))),
        set_then_get=request(timeout_s=word, servers=by_server(timeout_s=word, items=items(setting_gets))),
        action_list=request(timeout_s=word, servers=by_server(timeout_s=word, items=items(actions))),
        action_then_get=request(timeout_s=word, servers=by_server(timeout_s=word, items=items(action_gets))),
        transparent=request(port=double, settings=comdcb, message_timeout_s=word, byte_timeout_ms=word, command=octets),
    ),
    choice(
        "security_request",
        record(
            apdu=choice("plain", octets) | choice("ciphered", octets),
            verification=choice("sid_mac", SIMPLE["sid_mac"])
            | choice("rn", octets)
            | choice("rn_mac", record(rn=octets, mac=octets))
            | choice("sid", sid),
        ),
    ),
]
REPLIES: list[Strategy] = [
    choice(
        "link_response",
        record(piid=byte, result=byte, requested=date_time, received=date_time, responded=date_time),
    ),
    choice(
        "connect_response",
        reply(
            factory=factory, **association, result=byte, security_data=st.none() | record(rn=octets, signature=octets)
        ),
    ),
    choice("release_response", reply(result=byte)),
    choice("release_notification", reply(connected=date_time_s, released=date_time_s)),
    service(
        "get_response",
        normal=reply(oad=double, result=choice("dar", byte) | choice("data", data)),
        normal_list=reply(results=items(normal)),
        record=reply(record=record_results()),
        record_list=reply(records=items(record_results())),
        next=reply(
            last=st.booleans(),
            block=word,
            result=choice("dar", byte)
            | choice("normal_list", items(normal))
            | choice("record_list", items(record_results())),
        ),
        md5=reply(oad=double, result=choice("dar", byte) | choice("md5", octets)),
    ),
    service(
        "set_response",
        normal=reply(oad=double, dar=byte),
        normal_list=reply(results=items(was_set)),
        then_get=reply(results=items(was_set_got)),
    ),
    service(
        "action_response",
        normal=reply(omd=double, dar=byte, data=maybe),
        normal_list=reply(results=items(done)),
        then_get=reply(results=items(done_got)),
    ),
    service(
        "report_notification",
        normal_list=reply(results=items(normal)),
        record_list=reply(records=items(record_results())),
        transparent=reply(oad=double, message=octets),
    ),
    service(
        "proxy_response",
        get_list=reply(servers=by_server(results=items(normal))),
        get_record=reply(server=octets, record=record_results()),
        set_list=reply(servers=by_server(results=items(was_set))),
        set_then_get=reply(servers=by_server(results=items(was_set_got))),
        action_list=reply(servers=by_server(results=items(done))),
        action_then_get=reply(servers=by_server(results=items(done_got))),
        transparent=reply(port=double, result=choice("dar", byte) | choice("answer", octets)),
    ),
    choice(
        "security_response",
        record(
            apdu=choice("plain", octets) | choice("ciphered", octets) | choice("dar", byte),
            verification=st.none() | choice("mac", octets),
        ),
    ),
    choice("error_response", reply(error=byte)),
]


@given(data)
def test_data_of_every_type_comes_back(item: tuple[str, Any]) -> None:
    encoded = core.dlt698_encode_data(item)
    assert core.dlt698_decode_data(encoded) == item
    assert core.dlt698_encode_data(core.dlt698_decode_data(encoded)) == encoded


@pytest.mark.parametrize("services", [REQUESTS, REPLIES], ids=["requests", "replies"])
def test_apdus_come_back(services: list[Strategy]) -> None:
    @given(st.one_of(services))
    def check(apdu: tuple[str, Any]) -> None:
        encoded = core.dlt698_encode_apdu(apdu)
        assert core.dlt698_decode_apdu(encoded) == apdu
        with pytest.raises(core.Dlt698DecodeError):
            core.dlt698_decode_apdu(encoded[:-1])
        with pytest.raises(core.Dlt698DecodeError):
            core.dlt698_decode_apdu(encoded + b"\0")

    check()
