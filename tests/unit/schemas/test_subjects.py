"""NATS names: whatever a device calls itself stays inside its one token."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas import subjects
from flownexus_schemas.errors import CallerError, InvalidName
from flownexus_schemas.subjects import Bucket, EventKind, Stream

TOKEN = re.compile(r"[A-Za-z0-9:_%-]+")
# NATS ADR-8: what a key is made of, and the prefix that is NATS's own.
KEY = re.compile(r"(?!_kv)[-/_=A-Za-z0-9][-/_=.A-Za-z0-9]*")
ENDPOINTS = st.text(min_size=1, max_size=60) | st.text(alphabet=".*> %=:/\\\x00\n_kv", min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("endpoint", "token", "key"),
    [
        ("urn:imei:123456789012345", "urn:imei:123456789012345", "urn=3Aimei=3A123456789012345"),
        ("sim-0001", "sim-0001", "sim-0001"),
        ("a.b", "a%2Eb", "a=2Eb"),
        ("*", "%2A", "=2A"),
        (">", "%3E", "=3E"),
        ("a b", "a%20b", "a=20b"),
        ("100%", "100%25", "100=25"),
        ("a=b", "a%3Db", "a=3Db"),
        ("ä", "%C3%A4", "=C3=A4"),
        ("_kv", "_kv", "=5Fkv"),
        ("%41", "%2541", "=2541"),
    ],
)
def test_name_is_escaped(endpoint: str, token: str, key: str) -> None:
    assert (subjects.endpoint_token(endpoint), subjects.endpoint_key(endpoint)) == (token, key)


@given(ENDPOINTS)
def test_escaped_name_is_read_back(endpoint: str) -> None:
    assert subjects.endpoint_of_token(subjects.endpoint_token(endpoint)) == endpoint
    assert subjects.endpoint_of_key(subjects.endpoint_key(endpoint)) == endpoint


@given(ENDPOINTS)
def test_no_name_breaks_out_of_its_subject(endpoint: str) -> None:
    assert TOKEN.fullmatch(subjects.endpoint_token(endpoint))
    made = [
        subjects.event(endpoint, EventKind.REPORTED),
        subjects.operation(endpoint, "01JD-op_1"),
        subjects.firmware(endpoint, "7"),
    ]
    assert [len(subject.split(".")) for subject in made] == [4, 4, 4]
    assert [subjects.endpoint_of_subject(subject) for subject in made] == [endpoint] * 3
    device = subjects.rollout_device("7d1e5a", endpoint)
    assert (len(device.split(".")), subjects.rollout_of_subject(device)) == (5, "7d1e5a")


@given(ENDPOINTS)
def test_every_name_is_a_key_that_nats_takes(endpoint: str) -> None:
    assert KEY.fullmatch(subjects.endpoint_key(endpoint))


@given(ENDPOINTS, ENDPOINTS)
def test_two_names_share_nothing(first: str, second: str) -> None:
    same = first == second
    assert (subjects.endpoint_token(first) == subjects.endpoint_token(second)) is same
    assert (subjects.endpoint_key(first) == subjects.endpoint_key(second)) is same


@pytest.mark.parametrize("endpoint", ["", "x" * 256, "ä" * 128, "\ud800"])
def test_what_is_no_endpoint_name_is_refused(endpoint: str) -> None:
    for escape in (subjects.endpoint_token, subjects.endpoint_key):
        with pytest.raises(InvalidName):
            escape(endpoint)


def test_longest_name_is_taken() -> None:
    assert len(subjects.endpoint_token("." * 255)) == 765


@pytest.mark.parametrize("token", ["%FF", "%C3", "a%80b", "ж%41"])
def test_token_that_is_no_escaped_name_is_refused(token: str) -> None:
    with pytest.raises(InvalidName):
        subjects.endpoint_of_token(token)
    with pytest.raises(InvalidName):
        subjects.endpoint_of_key(token.replace("%", "="))


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "lwm2m",
        "lwm2m.event.a",
        "lwm2m.event.a.b.c",
        "lwm2m.dead.ingest.x",
        "other.event.a.registered",
        "lwm2m.gateway.gw-1.request",
        "lwm2m.event.%FF.registered",
    ],
)
def test_subject_without_an_endpoint_is_refused(subject: str) -> None:
    with pytest.raises(InvalidName):
        subjects.endpoint_of_subject(subject)


@pytest.mark.parametrize(
    "subject", ["lwm2m.firmware.a", "lwm2m.firmware.a.b.c", "lwm2m.operation.a.b", "a.firmware.b.c"]
)
def test_subject_of_no_firmware_update_is_refused(subject: str) -> None:
    with pytest.raises(InvalidName):
        subjects.firmware_of_subject(subject)
    assert subjects.firmware_of_subject(subjects.firmware("a.b", "7")) == ("a.b", "7")


MAKERS: list[Callable[[str], str]] = [
    lambda name: subjects.operation("a", name),
    lambda name: subjects.firmware("a", name),
    subjects.dead_letter,
    subjects.gateway_request,
    subjects.firmware_progress,
]


@pytest.mark.parametrize(
    "make", MAKERS, ids=["operation", "firmware", "dead_letter", "gateway_request", "firmware_progress"]
)
@pytest.mark.parametrize("name", ["", "a.b", "*", ">", "a b", "a\n", "ä", "x" * 65])
def test_name_of_our_own_that_would_break_out_is_refused(make: Callable[[str], str], name: str) -> None:
    with pytest.raises(CallerError):
        make(name)


def test_subjects_lie_in_their_streams() -> None:
    assert subjects.event("a", EventKind.LOG).startswith(subjects.ALL_EVENTS.removesuffix(">"))
    assert subjects.event("a", EventKind.LOG).startswith(subjects.events_of("a").removesuffix(">"))
    assert subjects.event("a", EventKind.LOG) == subjects.events_of_kind(EventKind.LOG).replace("*", "a")
    assert subjects.operation("a", "1").startswith(subjects.ALL_OPERATIONS.removesuffix(">"))
    assert subjects.firmware("a", "1").startswith(subjects.ALL_FIRMWARE.removesuffix(">"))
    assert subjects.firmware("a", "1") == subjects.firmware_updates_of("a").replace("*", "1")
    assert subjects.firmware("a", "1") == subjects.firmware_update_of_any("1").replace("*", "a")
    assert subjects.dead_letter("ingest").startswith(subjects.ALL_DEAD_LETTERS.removesuffix(">"))


@pytest.mark.parametrize("name", [*Stream, *Bucket])
def test_streams_and_buckets_have_names_that_nats_takes(name: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]+", name)
