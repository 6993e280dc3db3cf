"""Update: what is left out stays as it was; queue mode by the rules of each version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.errors import InvalidRegistration, Lwm2mError
from flownexus_schemas.lwm2m.registration import DEFAULT_LIFETIME_S, MAX_LIFETIME_S, RegisterRequest, UpdateRequest


def update(*queries: str, payload: bytes = b"", version: str = "1.1") -> UpdateRequest:
    return UpdateRequest.parse(queries, payload, 40 if payload else None, lwm2m_version=version)


def test_empty_update_changes_nothing() -> None:
    assert update() == UpdateRequest(
        lifetime_s=None,
        binding=None,
        queue_mode=None,
        queued_by_binding=False,
        sms_number=None,
        links=None,
        links_text=None,
        attributes={},
        warnings=(),
    )


def test_each_parameter_is_read() -> None:
    request = update("lt=120", "b=UT", "sms=4917", "et=x", payload=b"</1/0>,</3303/0>")
    assert (request.lifetime_s, request.binding, request.sms_number) == (120, "UT", "4917")
    assert dict(request.attributes) == {"et": "x"}
    assert request.links is not None
    assert request.links.objects == (1, 3303)
    assert request.links_text == "</1/0>,</3303/0>"


@pytest.mark.parametrize(("version", "lifetime_s"), [("1.0", DEFAULT_LIFETIME_S), ("1.2", MAX_LIFETIME_S)])
def test_lifetime_of_0_means_what_the_version_says(version: str, lifetime_s: int) -> None:
    assert update("lt=0", version=version).lifetime_s == lifetime_s


@pytest.mark.parametrize("stated", ["", "-5", "soon"])
def test_lifetime_that_is_no_number_is_refused(stated: str) -> None:
    with pytest.raises(InvalidRegistration, match="lifetime"):
        update(f"lt={stated}")


@pytest.mark.parametrize(
    ("by_binding", "queries", "before", "after"),
    [
        # 1.0, and clients that go on as 1.0 has it
        (True, [], True, True),
        (True, ["b=UQ"], False, True),
        (True, ["b=U"], True, False),
        (True, ["lt=60"], True, True),
        # since 1.1 Q is a parameter, which an Update does not repeat
        (False, [], True, True),
        (False, ["b=U"], True, True),
        (False, ["b=U"], False, False),
        (False, ["Q"], False, True),
        (False, ["Q=0"], True, False),
        (False, ["b=UQ"], False, True),
        (False, ["b=UT"], True, True),
    ],
)
def test_queue_mode_after_an_update(by_binding: bool, queries: list[str], before: bool, after: bool) -> None:
    assert update(*queries).queue_mode_after(before, by_binding=by_binding) is after


@pytest.mark.parametrize(
    ("queries", "by_binding"), [(["b=UQ"], True), (["b=U", "Q"], False), (["b=UQ", "Q"], False), (["b=U"], False)]
)
def test_where_queue_mode_is_stated_is_told_apart(queries: list[str], by_binding: bool) -> None:
    assert update(*queries).queued_by_binding is by_binding
    assert RegisterRequest.parse([*queries, "ep=e", "lwm2m=1.1"], b"", None).queued_by_binding is by_binding


def test_blank_payload_leaves_the_objects_as_they_were() -> None:
    assert update(payload=b" \n").links is None


def test_links_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(InvalidRegistration, match="not a list of links"):
        update(payload=b"nonsense")


@given(
    st.lists(st.text(max_size=20) | st.sampled_from(["lt=60", "b=UQ", "Q", "lt=0", "sms=1"]), max_size=6),
    st.binary(max_size=60),
    st.sampled_from(["1.0", "1.1", "1.2", "", "x"]),
)
def test_any_update_is_taken_or_refused(queries: list[str], payload: bytes, version: str) -> None:
    try:
        request = UpdateRequest.parse(queries, payload, 40, lwm2m_version=version)
    except Lwm2mError:
        return
    assert request.lifetime_s is None or 1 <= request.lifetime_s <= MAX_LIFETIME_S
    assert (request.links is None) == (request.links_text is None)
    assert request.queue_mode_after(True, by_binding=True) in {True, False}
