"""Takes Bootstrap-Request, answers it, and carries the bootstrap out. LwM2M Core 1.1.1, 6.1."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from functools import partial

from flownexus_gateway import errors, metrics
from flownexus_gateway.bootstrap.admission import Admission
from flownexus_gateway.bootstrap.bootstrap_request import BootstrapRequest
from flownexus_gateway.bootstrap.given_secrets import GivenSecrets
from flownexus_gateway.bootstrap.procedure import ENDS, Answered, Procedure
from flownexus_gateway.bootstrap.session import Session, begun
from flownexus_gateway.bootstrap.writing import formats
from flownexus_gateway.downlink.block1 import TransferFailed
from flownexus_gateway.downlink.coap_client import CoapClient, DeviceRequest, NoAnswer
from flownexus_gateway.publisher import Kept, Publisher, until_kept
from flownexus_gateway.registrations.identifiers import digest
from flownexus_gateway.transport.request import Answer, Request
from flownexus_runtime.sealing import NotOpened
from flownexus_schemas.errors import InvalidRequest, Unavailable
from flownexus_schemas.events import BootstrapProgressed, BootstrapState
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels

REQUEST_S = 93.0
"""For each request. MAX_TRANSMIT_WAIT: RFC 7252, 4.8.2. Clients wait EXCHANGE_LIFETIME, 247 s, for the next one."""

MAX_SESSIONS = 500
"""Bootstraps under way; who comes then is not answered, and sends its request again."""

_UNFIT = (InvalidRequest, CodecError, NotOpened)
"""What is wrong with a configuration itself."""


class BootstrapServer:
    """One bootstrap of an endpoint at a time; a new request of it puts an end to the one before."""

    def __init__(
        self,
        *,
        client: CoapClient,
        publisher: Publisher,
        admission: Admission,
        secrets: GivenSecrets,
        models: ObjectModels,
        gateway_id: str,
    ) -> None:
        self._client, self._publisher, self._admission, self._secrets = client, publisher, admission, secrets
        self._models, self._gateway_id = models, gateway_id
        self._sessions: dict[str, Session] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, request: Request) -> Answer:
        """Bootstrap-Request. It is answered, then the bootstrap begins.

        Raises InvalidBootstrapRequest, InvalidName, UnsupportedContentFormat, Forbidden, Unavailable.
        """
        asked = BootstrapRequest.parse(request.queries, request.peer.endpoint)
        chosen = self._admission.of(asked.endpoint, request.peer)
        fingerprint = digest(
            asked.endpoint, request.message.message_id, request.message.token, "&".join(request.queries)
        )
        running = self._sessions.get(asked.endpoint)
        if running is not None and running.is_repeated_by(fingerprint, request.peer, request.received_at):
            if running.task is None:
                raise Unavailable("the same request is handled already")
            return Answer(errors.CHANGED)
        if running is None and len(self._sessions) >= MAX_SESSIONS:
            metrics.BOOTSTRAPS.labels("overload").inc()
            raise Unavailable(f"{MAX_SESSIONS} bootstraps are under way")
        session = Session(
            id=uuid.uuid4().hex,
            endpoint=asked.endpoint,
            fingerprint=fingerprint,
            started_at=request.received_at,
            peer=request.peer,
            chosen=chosen,
            preferred_format=asked.preferred_format,
        )
        self._sessions[session.endpoint] = session
        if running is not None:
            self._give_way(running)
        try:
            await self._publisher.keep(self._event(session, BootstrapState.STARTED, begun(session.chosen)))
        except BaseException:
            self._forget(session)
            raise
        # After the answer is on its way: clients take nothing before it.
        asyncio.get_running_loop().call_soon(self._begin, session)
        return Answer(errors.CHANGED)

    async def stop(self) -> None:
        """End what is under way: the devices ask again."""
        for session in list(self._sessions.values()):
            self._forget(session)
            event = self._event(session, BootstrapState.FAILED, "the gateway stopped: the device will ask again")
            self._publisher.publish_event(event, lambda _: None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, session: Session) -> None:
        if self._sessions.get(session.endpoint) is session:
            session.task = self._keep(asyncio.create_task(self._serve(session)))

    async def _serve(self, session: Session) -> None:
        procedure: Procedure | None = None
        code = None
        try:
            now, configuration = time.time(), session.chosen.configuration
            secrets = await self._secrets.of(session, now)
            wanted = formats(session.preferred_format, configuration.format)
            procedure = Procedure(configuration, secrets, wanted, self._models)
            while procedure.state not in ENDS:
                procedure.take(await self._ask(session, procedure))
            failure, code = procedure.failure, procedure.code
        except (NoAnswer, TransferFailed) as error:
            failure = f"{'' if procedure is None else procedure.asked}: {error}"
        except _UNFIT as error:
            failure = f"what it is to be given cannot be written: {error}"
        except Unavailable as error:
            failure = f"its key was not issued: {error}"
        self._forget(session)
        notes = () if procedure is None else tuple(procedure.notes)
        state, text = _end(session, failure)
        event = self._event(session, state, text, notes=notes, code=code)
        await until_kept(partial(self._publisher.publish_event, event))

    async def _ask(self, session: Session, procedure: Procedure) -> Answered:
        """Raises NoAnswer, TransferFailed."""
        if not session.peer.is_reachable:
            raise NoAnswer("its DTLS session ended")
        asked = procedure.request
        request = DeviceRequest(
            asked.code, asked.path, payload=asked.payload, content_format=asked.content_format, accept=asked.accept
        )
        answer = await self._client.request(session.peer, request, REQUEST_S)
        session.peer, session.has_answered = answer.peer or session.peer, True
        return Answered(answer.code, answer.code_text, answer.payload, None if answer.is_success else answer.diagnostic)

    def _give_way(self, session: Session) -> None:
        """The device asked anew before this one was done."""
        if session.task is not None:
            session.task.cancel()
        event = self._event(session, BootstrapState.FAILED, "the device began anew before it was done")
        publish = partial(self._publisher.publish_event, event)
        # At once, so that it is before the next one's on the stream.
        publish(lambda is_kept: None if is_kept else self._again(publish))

    def _again(self, publish: Callable[[Kept], None]) -> None:
        self._keep(asyncio.create_task(until_kept(publish)))

    def _forget(self, session: Session) -> None:
        if self._sessions.get(session.endpoint) is session:
            del self._sessions[session.endpoint]

    def _keep(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _event(
        self,
        session: Session,
        state: BootstrapState,
        text: str,
        *,
        notes: tuple[str, ...] = (),
        code: str | None = None,
    ) -> BootstrapProgressed:
        return session.event(state, text, now=time.time(), gateway=self._gateway_id, notes=notes, code=code)


def _end(session: Session, failure: str | None) -> tuple[BootstrapState, str]:
    if failure is not None:
        return BootstrapState.FAILED, failure
    servers = ", ".join(server.uri for server in session.chosen.configuration.servers)
    return BootstrapState.FINISHED, f"it has what it needs to register at {servers}"
