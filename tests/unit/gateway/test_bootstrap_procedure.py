"""The bootstrap of a device, answer by answer. LwM2M Core 1.1.1, 6.1.7."""

from __future__ import annotations

import pytest
from aiocoap.numbers.codes import DELETE, GET, POST, PUT

from flownexus_gateway.bootstrap.procedure import ENDS, TRANSITIONS, Answered, Outcome, Procedure, State
from flownexus_gateway.bootstrap.writing import Secret, formats
from flownexus_schemas import objects
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration
from flownexus_schemas.lwm2m.object_model import ObjectModels

URI = "coap://192.0.2.1:5683"
SECURITY_TLV = b"\xc8\x00\x15coap://192.0.2.1:5683\xc1\x01\x00\xc1\x02\x03\xc0\x03\xc0\x04\xc0\x05\xc1\x0a\x07"
"""URI; no bootstrap server; mode 3; no identity, no certificate, no key; short server id 7."""

SERVER_TLV = b"\xc1\x00\x07\xc2\x01\x02\x58\xc1\x06\x01\xc1\x07U"
"""Short server id 7; 600 s; keeps notifications; binding U."""

CHANGED, DELETED, CONTENT = Answered(0x44, "2.04"), Answered(0x42, "2.02"), "2.05"
NOT_FOUND, NOT_ALLOWED = Answered(0x84, "4.04"), Answered(0x85, "4.05")
OTHER_FORMAT = Answered(0x8F, "4.15")


@pytest.fixture(scope="module")
def models() -> ObjectModels:
    return objects.load()


def configuration(**changes: object) -> BootstrapConfiguration:
    account = {"uri": URI, "short_server_id": 7, "security": "none", "lifetime_s": 600}
    return BootstrapConfiguration.model_validate({"servers": [account], **changes})


def discovered(links: str) -> Answered:
    return Answered(0x45, CONTENT, links.encode())


def procedure(models: ObjectModels, given: BootstrapConfiguration, preferred: int | None = None) -> Procedure:
    return Procedure(given, {}, formats(preferred, given.format), models)


def answered(one: Procedure, *answers: Answered) -> list[tuple[int, str]]:
    """What was asked until then, as code and path, with what is asked next where it goes on."""
    asked = []
    for answer in answers:
        asked.append((int(one.request.code), "/".join(one.request.path)))
        one.take(answer)
    return asked if one.state in ENDS else [*asked, (int(one.request.code), "/".join(one.request.path))]


def test_discover_delete_write_finish_in_this_order(models: ObjectModels) -> None:
    one = procedure(models, configuration())
    assert answered(one, discovered("</0/0>,</1/0>;ssid=1"), DELETED, DELETED, CHANGED, CHANGED, CHANGED) == [
        (GET, ""), (DELETE, "0"), (DELETE, "1"), (PUT, "0/1"), (PUT, "1/0"), (POST, "bs"),
    ]  # fmt: skip
    assert (one.state, one.notes) == (State.FINISHED, [])


def test_an_instance_is_written_as_the_specification_has_its_bytes(models: ObjectModels) -> None:
    one = procedure(models, configuration())
    answered(one, discovered("</0/3>"), DELETED, DELETED)
    assert (one.request.path, one.request.content_format, one.request.payload) == (("0", "0"), 11542, SECURITY_TLV)
    one.take(CHANGED)
    assert (one.request.path, one.request.content_format, one.request.payload) == (("1", "0"), 11542, SERVER_TLV)


@pytest.mark.parametrize(
    ("links", "written"),
    [
        ("</>;lwm2m=1.1,</0/0>,</1>", "0/1"),
        ("</>;lwm2m=1.1,</0/1>,</0/0>;ssid=101", "0/0"),
        ("</0/0>;ssid=65535,</0/1>;ssid=101", "0/1"),
        ("</0/0>;ssid=101,</0/2>;ssid=7,</0/1>", "0/2"),
        ('</>;lwm2m=1.1,</0/0>;ssid=3;uri=coap://h:5683",</0/1>', "0/0"),
        ("</0/5>", "0/0"),
    ],
    ids=["usual", "second", "stated", "its-own", "half-quoted", "far"],
)
def test_the_account_of_the_bootstrap_server_is_never_written(models: ObjectModels, links: str, written: str) -> None:
    one = procedure(models, configuration())
    assert answered(one, discovered(links), DELETED, DELETED)[-1] == (PUT, written)


def test_a_device_that_discovers_nothing_keeps_the_usual_places_of_that_account(models: ObjectModels) -> None:
    one = procedure(models, configuration())
    assert answered(one, NOT_ALLOWED, DELETED, DELETED)[-1] == (PUT, "0/2")
    assert one.notes == []


def test_an_instance_that_is_asked_for_gives_way_to_that_account(models: ObjectModels) -> None:
    account = {"uri": URI, "security": "none", "security_instance": 4}
    one = procedure(models, configuration(servers=[account]))
    assert answered(one, discovered("</0/4>"), DELETED, DELETED)[-1] == (PUT, "0/0")
    assert one.notes == ["/0/4 is the account of the bootstrap server: another instance was written"]


def test_accounts_that_are_not_deleted_are_not_written_over(models: ObjectModels) -> None:
    one = procedure(models, configuration(delete=[]))
    links = "</0/0>,</0/1>;ssid=50,</1/0>;ssid=50"
    assert answered(one, discovered(links), CHANGED, CHANGED) == [
        (GET, ""), (PUT, "0/2"), (PUT, "1/1"), (POST, "bs"),
    ]  # fmt: skip


def test_what_is_not_there_need_not_be_deleted_and_a_refusal_to_delete_is_noted(models: ObjectModels) -> None:
    one = procedure(models, configuration(delete=["2", "3303/1"]))
    answered(one, discovered("</0/0>"), NOT_FOUND, NOT_ALLOWED)
    assert one.state is State.WRITE
    assert one.notes == ["it answered 4.05 to Bootstrap-Delete of /3303/1"]


def test_the_next_format_is_tried_where_one_is_refused_and_kept(models: ObjectModels) -> None:
    one = procedure(models, configuration(), preferred=112)
    answered(one, discovered("</0/0>"), DELETED, DELETED)
    assert one.request.content_format == 112
    one.take(OTHER_FORMAT)
    assert (one.request.path, one.request.content_format, one.request.payload) == (("0", "1"), 11542, SECURITY_TLV)
    one.take(CHANGED)
    assert (one.request.path, one.request.content_format) == (("1", "0"), 11542)


def test_text_is_the_last_resort_a_resource_a_request(models: ObjectModels) -> None:
    account = {"uri": "coaps://h", "security": "psk", "identity": "me", "sealed_key": "sealed"}
    given = configuration(servers=[account])
    one = Procedure(given, {1: Secret(b"me", b"\x00" * 16)}, formats(None, None), models)
    answered(one, discovered("</0/0>"), DELETED, DELETED, OTHER_FORMAT, OTHER_FORMAT, OTHER_FORMAT)
    written = []
    for _ in range(6):
        written.append(("/".join(one.request.path), one.request.content_format, one.request.payload))
        one.take(CHANGED)
    assert written == [
        ("0/1/0", 0, b"coaps://h"),
        ("0/1/1", 0, b"0"),
        ("0/1/2", 0, b"0"),
        ("0/1/3", 42, b"me"),
        ("0/1/5", 42, b"\x00" * 16),
        ("0/1/10", 0, b"1"),
    ]
    assert one.request.path == ("1", "0", "0")


def test_an_account_that_is_refused_is_the_end(models: ObjectModels) -> None:
    one = procedure(models, configuration())
    answered(one, discovered("</0/0>"), DELETED, DELETED, Answered(0x80, "4.00", b"no", "no room"))
    assert one.state is State.FAILED
    assert (one.failure, one.code) == ("it answered 4.00 to Bootstrap-Write of /0/1: no room", "4.00")


def test_a_value_of_another_object_that_is_refused_is_noted(models: ObjectModels) -> None:
    values = [{"path": "/3303/0/5750", "value": "hall", "type": "string"}]
    one = procedure(models, configuration(values=values))
    asked = answered(one, discovered("</0/0>"), DELETED, DELETED, CHANGED, CHANGED, NOT_FOUND, NOT_ALLOWED)
    assert asked[5:] == [(PUT, "3303/0"), (POST, "bs")]
    assert one.state is State.FAILED


def test_a_device_that_finds_it_inconsistent_says_so_at_the_finish(models: ObjectModels) -> None:
    one = procedure(models, configuration())
    refused = Answered(0x86, "4.06", b"", "no server for /0/1")
    answered(one, discovered("</0/0>"), DELETED, DELETED, CHANGED, CHANGED, refused)
    assert (one.state, one.failure) == (
        State.FAILED, "it answered 4.06 to Bootstrap-Finish: no server for /0/1",
    )  # fmt: skip


def test_every_state_that_asks_something_leads_on_and_the_ends_do_not() -> None:
    begun = {state for state, _ in TRANSITIONS}
    assert begun == set(State) - ENDS
    assert {outcome for _, outcome in TRANSITIONS} == set(Outcome)
