"""A device of which 3303/0/5700 is observed, and the payloads that it sends."""

from __future__ import annotations

from flownexus_schemas.events import ValuesReported
from flownexus_schemas.profiles import CompositeObservation, ObservationProfile, SingleObservation
from harness.lockstep import (
    ACCEPT,
    ACK,
    CREATED,
    GET,
    OBSERVE,
    TLV,
    Heard,
    LockstepDevice,
)

TEMPERATURE = ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))
ENVIRONMENT = ObservationProfile(
    observe_composite=(CompositeObservation(paths=("3303", "3304"), event_type="environment"),)
)


MORE, SIZE_32 = 8, 1

TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
"""Resource 5700, four bytes, the float 21.5. LwM2M Core 1.1.1, 7.4.3."""

SENML_PACK = b'[{"bn":"/3303/0/","n":"5700","v":21.5},{"bn":"/3304/0/","n":"5700","v":40}]'


def observed(client: LockstepDevice, links: str = "</3303/0>", version: str = "1.1") -> bytes:
    """Register and let 3303/0/5700 be observed; the token."""
    assert client.register(links, version=version).code == CREATED
    request = client.expect_request(GET, "3303/0/5700")
    assert request.number(OBSERVE) == 0
    assert request.all(ACCEPT) == []
    client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)
    return request.token


def values(event: ValuesReported) -> list[tuple[str, object]]:
    return [(record.path, record.value) for record in event.data.records]


def is_ack(heard: Heard, sent: bytes) -> bool:
    return (heard.type, heard.code, heard.message_id) == (ACK, 0, int.from_bytes(sent[2:4], "big"))
