"""Bootstrap-Pack: all that a device is given, in one answer to what it asks itself. LwM2M Core 1.2, 6.1.7.7."""

from __future__ import annotations

import time

from flownexus_gateway import errors
from flownexus_gateway.bootstrap.admission import Admission
from flownexus_gateway.bootstrap.bootstrap_request import BootstrapRequest
from flownexus_gateway.bootstrap.discovered import Discovered
from flownexus_gateway.bootstrap.given_secrets import GivenSecrets
from flownexus_gateway.bootstrap.session import Session, begun
from flownexus_gateway.bootstrap.writing import place
from flownexus_gateway.downlink.coap_client import MAX_PAYLOAD_BYTES
from flownexus_gateway.errors import NotAcceptable, NotPossible
from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.transport.datagram import Option, uint
from flownexus_gateway.transport.request import Answer, Request
from flownexus_runtime.sealing import NotOpened
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.events import BootstrapState
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path

PACK_FORMATS = (ContentFormat.SENML_CBOR, ContentFormat.SENML_JSON)


class BootstrapPack:
    """Whether a device took what it was sent shows at its registration. Where a pack will not do, it asks for an
    ordinary bootstrap.
    """

    def __init__(
        self, publisher: Publisher, admission: Admission, secrets: GivenSecrets, models: ObjectModels, gateway_id: str
    ) -> None:
        self._publisher, self._admission, self._secrets = publisher, admission, secrets
        self._models, self._gateway_id = models, gateway_id

    async def handle(self, request: Request) -> Answer:
        """Bootstrap-Pack-Request. A repeated one is given the same again: a key that was not used yet stays the same.

        Raises InvalidBootstrapRequest, InvalidName, Forbidden, NotAcceptable, NotPossible, Unavailable.
        """
        asked = BootstrapRequest.parse(request.queries, request.peer.endpoint)
        format_ = _format(request.message.uint(Option.ACCEPT))
        chosen = self._admission.of(asked.endpoint, request.peer)
        message = request.message
        # The same for a repetition, whose events are then those of the first.
        fingerprint = digest("pack", asked.endpoint, message.message_id, message.token, "&".join(request.queries))
        session = Session(
            id=fingerprint,
            endpoint=asked.endpoint,
            fingerprint=fingerprint,
            started_at=request.received_at,
            peer=request.peer,
            chosen=chosen,
            preferred_format=format_,
        )
        payload = await self._payload(session, format_)
        text = f"{begun(chosen)}: it was sent that as a pack"
        event = session.event(BootstrapState.FINISHED, text, now=time.time(), gateway=self._gateway_id)
        await self._publisher.keep(event)
        return Answer(errors.CONTENT, ((Option.CONTENT_FORMAT, uint(format_)),), payload)

    async def _payload(self, session: Session, format_: int) -> bytes:
        try:
            secrets = await self._secrets.of(session, time.time())
            placed = place(session.chosen.configuration, secrets, Discovered(), self._models)
            records = [record for instance in placed.instances for record in instance.records]
            payload = codecs.encode(records, format_, Path())
        except (InvalidRequest, CodecError, NotOpened) as error:
            raise NotPossible(f"there is no pack for it: {error}") from error
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise NotPossible(f"a pack has at most {MAX_PAYLOAD_BYTES} bytes, this one {len(payload)}")
        return payload


def _format(accept: int | None) -> int:
    if accept is None:
        return ContentFormat.SENML_CBOR
    if accept not in PACK_FORMATS:
        raise NotAcceptable(f"a pack comes in Content-Format {' or '.join(map(str, map(int, PACK_FORMATS)))}")
    return accept
