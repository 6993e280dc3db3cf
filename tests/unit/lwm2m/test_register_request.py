"""Register: what real clients of 1.0 to 1.2 send is taken, the rest is refused in one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.errors import InvalidRegistration, Lwm2mError, UnsupportedVersion
from flownexus_schemas.lwm2m.registration import (
    DEFAULT_LIFETIME_S,
    MAX_ENDPOINT_BYTES,
    MAX_LIFETIME_S,
    RegisterRequest,
)

LINK_FORMAT = 40
LINKS = b"</1/0>,</3/0>"


def register(*queries: str, payload: bytes = LINKS, identity: str | None = None) -> RegisterRequest:
    return RegisterRequest.parse(queries, payload, LINK_FORMAT, identity=identity)


def fault(*queries: str, payload: bytes = LINKS) -> str:
    with pytest.raises(InvalidRegistration) as caught:
        register(*queries, payload=payload)
    return str(caught.value)


def test_zephyr_1_0_is_taken_without_a_warning() -> None:
    request = register("lwm2m=1.0", "ep=frdm_k64f:1", "lt=30", payload=b"</1/0>,</2>,</3/0>,</5/0>,</3303/0>")
    assert (request.endpoint, request.lifetime_s, request.lwm2m_version) == ("frdm_k64f:1", 30, "1.0")
    assert (request.binding, request.queue_mode, request.sms_number) == ("U", False, None)
    assert request.links.objects == (1, 2, 3, 5, 3303)
    assert request.warnings == ()


def test_zephyr_1_1_in_queue_mode() -> None:
    request = register(
        "lwm2m=1.1", "ep=urn:imei:123456789012345", "lt=600", "b=U", "Q", payload=b"</>;ct=112,</3>;ver=1.0,</3/0>"
    )
    assert (request.binding, request.queue_mode) == ("U", True)
    assert request.links.content_formats == (112,)
    assert request.links.versions == {3: "1.0"}
    assert request.warnings == ()


def test_anjay_1_0_in_queue_mode() -> None:
    request = register("lwm2m=1.0", "ep=anjay", "lt=86400", "b=UQ", payload=b'</1/1>,</3/0>,</10>;ver="1.1"')
    assert (request.binding, request.queue_mode) == ("U", True)
    assert request.links.versions == {10: "1.1"}


def test_wakaama_1_1() -> None:
    request = register(
        "lwm2m=1.1", "ep=wak", "b=U", "lt=300", payload=b'</>;rt="oma.lwm2m";ct=110,</1>;ver=1.1,</1/0>,</3/0>'
    )
    assert (request.lwm2m_version, request.queue_mode) == ("1.1", False)
    assert request.warnings == ()


def test_leshan_sends_attributes_of_its_own() -> None:
    request = register("lwm2m=1.1", "ep=leshan", "b=U", "lt=300", "et=oem", "flag")
    assert dict(request.attributes) == {"et": "oem", "flag": None}
    with pytest.raises(TypeError):
        request.attributes["x"] = "y"  # type: ignore[index]


def test_sms_binding_of_1_0() -> None:
    """LwM2M 1.0.2, 5.3.1.1: UQS is UDP in queue mode beside SMS."""
    request = register("lwm2m=1.0", "ep=a", "lt=60", "b=UQS", "sms=491701234567")
    assert (request.binding, request.queue_mode, request.sms_number) == ("US", True, "491701234567")


@pytest.mark.parametrize(
    ("stated", "taken", "warned"),
    [
        ("1.0", "1.0", False),
        ("1.1", "1.1", False),
        ("1.2", "1.2", False),
        ("1", "1.0", True),
        ("1.3", "1.2", True),
        ("1.15", "1.2", True),
        (None, "1.0", True),
    ],
)
def test_version_is_taken_as_the_nearest_we_speak(stated: str | None, taken: str, warned: bool) -> None:
    queries = ["ep=a", "lt=60"] + ([f"lwm2m={stated}"] if stated else [])
    request = register(*queries)
    assert request.lwm2m_version == taken
    assert bool(request.warnings) is warned


@pytest.mark.parametrize("stated", ["2.0", "0.9", "x", "", "1.x", "-1.0"])
def test_other_major_version_is_unsupported(stated: str) -> None:
    with pytest.raises(UnsupportedVersion, match=r"speaks 1\.0 to 1\.2"):
        register("ep=a", "lt=60", f"lwm2m={stated}")


@pytest.mark.parametrize(
    ("version", "stated", "lifetime_s"),
    [
        ("1.0", "1", 1),
        ("1.1", "0600", 600),
        ("1.1", "4294967295", MAX_LIFETIME_S),
        ("1.1", "4294967296", MAX_LIFETIME_S),
        ("1.1", "9" * 300, MAX_LIFETIME_S),
        ("1.0", "0", DEFAULT_LIFETIME_S),  # Zephyr, after a bad write
        ("1.1", "0", DEFAULT_LIFETIME_S),
        ("1.2", "0", MAX_LIFETIME_S),  # LwM2M Core 1.2, /1/x/1: for ever
    ],
)
def test_lifetime_is_taken(version: str, stated: str, lifetime_s: int) -> None:
    assert register("ep=a", f"lwm2m={version}", f"lt={stated}").lifetime_s == lifetime_s


def test_no_lifetime_is_a_day() -> None:
    request = register("ep=a", "lwm2m=1.1")
    assert request.lifetime_s == DEFAULT_LIFETIME_S == 86400
    assert "no lifetime" in request.warnings[0]


@pytest.mark.parametrize("stated", ["", "-1", "1.5", "sixty", "٣", "1e3", " 60"])
def test_lifetime_that_is_no_number_is_refused(stated: str) -> None:
    assert "lifetime (lt)" in fault("ep=a", "lwm2m=1.1", f"lt={stated}")


@pytest.mark.parametrize(
    ("queries", "told"),
    [
        (["lt=60", "lwm2m=1.1"], "the endpoint name (ep) is missing"),
        (["ep=", "lwm2m=1.1"], "the endpoint name (ep) is missing"),
        (["ep", "lwm2m=1.1"], "the endpoint name (ep) is missing"),
        (["ep=a", "ep=b", "lwm2m=1.1"], "there are two endpoint names (ep)"),
        (["ep=a\x00b", "lwm2m=1.1"], "control characters"),
        (["ep=a\nb", "lwm2m=1.1"], "control characters"),
        (["ep=a\u2028b", "lwm2m=1.1"], "control characters"),
        (["ep=a\ud800", "lwm2m=1.1"], "control characters"),
        (["ep=" + "ä" * 128, "lwm2m=1.1"], f"at most {MAX_ENDPOINT_BYTES}"),
    ],
)
def test_bad_name_is_refused(queries: list[str], told: str) -> None:
    assert told in fault(*queries)


@pytest.mark.parametrize("name", ["urn:imei:123456789012345", "a b/c.*>", "Zähler 7", "x" * 255, "a=b"])
def test_name_is_taken_as_it_is(name: str) -> None:
    assert register(f"ep={name}", "lt=60", "lwm2m=1.1").endpoint == name


def test_identity_stands_in_for_a_name_left_out() -> None:
    """LwM2M Core 1.1.1, 6.2.1: `ep` may be left out where security tells the name."""
    assert register("lt=60", "lwm2m=1.1", identity="from-dtls").endpoint == "from-dtls"
    assert register("ep=own", "lt=60", "lwm2m=1.1", identity="from-dtls").endpoint == "own"


def test_bad_identity_does_not_become_a_name() -> None:
    with pytest.raises(InvalidRegistration, match="control characters"):
        register("lt=60", "lwm2m=1.1", identity="a\x00b")
    with pytest.raises(InvalidRegistration, match="at most 255"):
        register("lt=60", "lwm2m=1.1", identity="x" * 256)


def test_repeated_parameter_counts_once_with_a_warning() -> None:
    request = register("ep=a", "ep=a", "lwm2m=1.1", "lt=60", "lt=90")
    assert (request.endpoint, request.lifetime_s) == ("a", 60)
    assert len(request.warnings) == 2


def test_control_characters_in_other_parameters_are_left_out() -> None:
    request = register("ep=a", "lwm2m=1.1", "lt=60", "note=a\x00b", "=x")
    assert dict(request.attributes) == {}
    assert "control characters" in request.warnings[0]


@pytest.mark.parametrize(
    ("binding", "transports", "queue_mode"), [("", "U", False), ("Q", "U", True), ("XU", "U", False)]
)
def test_odd_binding_is_taken_with_a_warning(binding: str, transports: str, queue_mode: bool) -> None:
    request = register("ep=a", "lwm2m=1.1", "lt=60", f"b={binding}")
    assert (request.binding, request.queue_mode) == (transports, queue_mode)
    assert "the binding (b)" in request.warnings[0]


@pytest.mark.parametrize("payload", [b"", b"  \r\n"])
def test_no_list_of_objects_is_taken_with_a_warning(payload: bytes) -> None:
    request = register("ep=a", "lwm2m=1.0", "lt=60", payload=payload)
    assert (request.links.objects, request.links_text) == ((), "")
    assert request.warnings == ("no list of objects",)


def test_good_links_are_kept_beside_a_bad_one() -> None:
    request = register("ep=a", "lwm2m=1.1", "lt=60", payload=b"</1/0>,nonsense,</3/0>")
    assert request.links.objects == (1, 3)
    assert request.warnings[0].startswith("a link left out")


@pytest.mark.parametrize("payload", [b"nonsense", b"{}", b"\xff\xfe\xfd", b"\xa1\x01\x02"])
def test_payload_in_which_nothing_is_a_link_is_refused(payload: bytes) -> None:
    assert "not a list of links" in fault("ep=a", "lwm2m=1.1", "lt=60", payload=payload)


def test_text_of_the_links_can_be_stored() -> None:
    request = register("ep=a", "lwm2m=1.1", "lt=60", payload=b"</1/0>,\x00\xff</3/0>")
    assert "\x00" not in request.links_text
    request.links_text.encode()


@pytest.mark.parametrize("content_format", [None, 40])
def test_content_format_of_the_list_may_be_left_out(content_format: int | None) -> None:
    assert RegisterRequest.parse(["ep=a", "lt=60", "lwm2m=1.1"], LINKS, content_format).warnings == ()


def test_other_content_format_is_read_as_links_with_a_warning() -> None:
    request = RegisterRequest.parse(["ep=a", "lt=60", "lwm2m=1.1"], LINKS, 0)
    assert request.links.objects == (1, 3)
    assert "Content-Format 0" in request.warnings[0]


def test_profile_id_of_1_2_is_refused_only_in_place_of_a_list() -> None:
    assert "Profile IDs" in fault("ep=a", "lwm2m=1.2", "lt=60", "pid=3q2+7w", payload=b"")
    assert register("ep=a", "lwm2m=1.2", "lt=60", "pid=3q2+7w").links.objects == (1, 3)


def test_warnings_are_bounded() -> None:
    request = register("ep=a", "lwm2m=1.1", "lt=60", payload=b"</1/0>" + b",<x" * 3000 + b",</3/0>")
    assert len(request.warnings) <= 20
    assert request.links.objects == (1, 3)


QUERY = st.one_of(
    st.text(max_size=20),
    st.builds(
        "{}={}".format, st.sampled_from(["ep", "lt", "lwm2m", "b", "Q", "sms", "pid", "et"]), st.text(max_size=20)
    ),
    st.sampled_from(["ep=a", "lt=60", "lwm2m=1.1", "b=U", "Q"]),
)


@given(st.lists(QUERY, max_size=8), st.binary(max_size=60), st.none() | st.integers(0, 65535))
def test_any_register_is_taken_or_refused(queries: list[str], payload: bytes, content_format: int | None) -> None:
    try:
        request = RegisterRequest.parse(queries, payload, content_format)
    except Lwm2mError:
        return
    assert request.endpoint
    assert len(request.endpoint.encode()) <= MAX_ENDPOINT_BYTES
    assert 1 <= request.lifetime_s <= MAX_LIFETIME_S
    assert request.lwm2m_version in {"1.0", "1.1", "1.2"}
    assert request.binding
    request.links_text.encode()
