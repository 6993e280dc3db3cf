"""The CoAP requests of an observation. LwM2M Transport 1.1.1, 6.4.4; RFC 7641."""

from __future__ import annotations

from aiocoap.numbers.codes import FETCH, GET

from flownexus_gateway.downlink.coap_client import DeviceRequest
from flownexus_gateway.downlink.composite_formats import composite_formats, formats_of_read
from flownexus_gateway.downlink.device_requests import payload_root, uri_path
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation


def request_to_observe(live: LiveRegistration, observation: Observation, observe: int | None) -> DeviceRequest:
    """Observe with 0, no longer with 1, read the same with None; with the token of the observation."""
    token = bytes.fromhex(observation.token)
    if not observation.composite:
        path = uri_path(live, Path.parse(observation.paths[0]))
        return DeviceRequest(GET, path, accept=observation.content_format, observe=observe, token=token)
    wanted = observation.content_format or composite_formats(live.registration)[0]
    formats = formats_of_read(wanted, live.registration)
    paths = [Path.parse(path) for path in observation.paths]
    return DeviceRequest(
        FETCH,
        uri_path(live, Path()),
        payload=codecs.encode_paths(paths, formats.paths, payload_root(live)),
        content_format=formats.paths,
        accept=formats.values,
        observe=observe,
        token=token,
    )
