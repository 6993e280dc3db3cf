"""What is asked of a device at its registration."""

from __future__ import annotations

import pytest

from flownexus_gateway.downlink.composite_formats import composite_formats
from flownexus_gateway.observations.plan import planned_observations, planned_reads
from flownexus_schemas.events import Address, Registration
from flownexus_schemas.profiles import DEFAULT_PROFILE, CompositeObservation, ObservationProfile, SingleObservation

JSON, CBOR = 110, 112


def registration(
    *objects: str, version: str = "1.1", links: str = "", content_formats: tuple[int, ...] = ()
) -> Registration:
    return Registration(
        registration_id="abc",
        lifetime_s=60,
        lwm2m_version=version,
        binding="U",
        queue_mode=False,
        awake_window_s=93,
        address=Address(host="192.0.2.1", port=5683),
        gateway="gw-1",
        object_links=objects,
        content_formats=content_formats,
        links=links,
    )


def asked(profile: ObservationProfile, device: Registration) -> list[tuple[bool, tuple[str, ...]]]:
    return [(one.composite, one.paths) for one in planned_observations(profile, device)]


def test_only_what_the_device_lists_is_observed() -> None:
    assert asked(DEFAULT_PROFILE, registration("1/0", "3/0")) == []
    assert asked(DEFAULT_PROFILE, registration("3303/0")) == [(False, ("3303/0/5700",))]


def test_an_object_without_instances_may_have_the_one_wanted() -> None:
    assert asked(DEFAULT_PROFILE, registration("3303")) == [(False, ("3303/0/5700",))]


def test_another_instance_than_those_listed_is_not_observed() -> None:
    assert asked(DEFAULT_PROFILE, registration("3303/1")) == []


def test_composite_observations_come_last_and_name_what_is_there() -> None:
    profile = ObservationProfile(
        observe=(SingleObservation(path="3303/0/5700"),),
        observe_composite=(CompositeObservation(paths=("3303", "3304", "3315"), event_type="environment"),),
    )
    planned = planned_observations(profile, registration("3303/0", "3315/0"))
    assert [(one.composite, one.paths) for one in planned] == [(False, ("3303/0/5700",)), (True, ("3303", "3315"))]
    assert planned[1].event_type == "environment"


def test_a_1_0_device_is_asked_for_each_object_once() -> None:
    profile = ObservationProfile(
        observe=(SingleObservation(path="3303"),),
        observe_composite=(CompositeObservation(paths=("3303/0/5700", "3304/0/5700"), event_type="environment"),),
    )
    device = registration("3303/0", "3304/0", version="1.0")
    assert asked(profile, device) == [(False, ("3303",)), (False, ("3304",))]


def test_every_observation_has_a_token_of_its_own_and_is_not_established() -> None:
    profile = ObservationProfile(observe=tuple(SingleObservation(path=f"3303/0/{number}") for number in range(50)))
    planned = planned_observations(profile, registration("3303/0"))
    assert len({one.token for one in planned}) == 50
    assert all(len(one.token) == 16 and not one.established for one in planned)


def test_reads_follow_the_same_rule() -> None:
    assert planned_reads(DEFAULT_PROFILE, registration("3/0")) == ("3/0",)
    assert planned_reads(DEFAULT_PROFILE, registration("3303/0")) == ()


@pytest.mark.parametrize(
    ("links", "stated", "first"),
    [
        ("</>;ct=112,</3/0>", (CBOR,), JSON),  # Zephyr
        ('</>;rt="oma.lwm2m";ct=112,</3/0>', (CBOR,), CBOR),  # Wakaama with CBOR
        ('</>;rt="oma.lwm2m";ct=110,</3/0>', (JSON,), JSON),  # Wakaama
        ("</1/1>,</3/0>", (), CBOR),  # Anjay
        ('</>;rt="oma.lwm2m";ct="110 112"', (JSON, CBOR), JSON),
    ],
)
def test_the_format_of_composite_requests(links: str, stated: tuple[int, ...], first: int) -> None:
    formats = composite_formats(registration("3/0", links=links, content_formats=stated))
    assert formats[0] == first
    assert set(formats) == {JSON, CBOR}
