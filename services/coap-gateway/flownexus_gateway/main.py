"""Wiring: settings, socket, bus, registrations, observations; and the order of start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoServersError
from nats.js import JetStreamContext
from pydantic import ValidationError

from flownexus_gateway import aiocoap_private, metrics
from flownexus_gateway.bootstrap.admission import Admission
from flownexus_gateway.bootstrap.bootstrap_pack import BootstrapPack
from flownexus_gateway.bootstrap.bootstrap_ports import BootstrapPorts
from flownexus_gateway.bootstrap.bootstrap_router import BootstrapRouter
from flownexus_gateway.bootstrap.bootstrap_server import BootstrapServer
from flownexus_gateway.bootstrap.configurations import Configurations
from flownexus_gateway.bootstrap.given_secrets import GivenSecrets
from flownexus_gateway.bootstrap.issued_keys import IssuedKeys
from flownexus_gateway.certificate_expiry import CertificateExpiry
from flownexus_gateway.downlink.coap_client import CoapClient
from flownexus_gateway.downlink.command_server import CommandServer
from flownexus_gateway.downlink.device_requests import DeviceRequests
from flownexus_gateway.downlink.firmware_offers import FirmwareOffers
from flownexus_gateway.downlink.handing_over import HandingOver
from flownexus_gateway.downlink.negotiated_requests import NegotiatedRequests
from flownexus_gateway.downlink.package_push import PackagePush
from flownexus_gateway.downlink.request_tokens import RequestTokens
from flownexus_gateway.firmware_addresses import FirmwareAddresses
from flownexus_gateway.firmware_downloads import FirmwareDownloads
from flownexus_gateway.identity_claim import claim
from flownexus_gateway.observations.attribute_writes import AttributeWrites
from flownexus_gateway.observations.observer import Observer
from flownexus_gateway.observations.profile_application import ProfileApplication
from flownexus_gateway.observations.profile_server import ProfileServer
from flownexus_gateway.observations.reads import Reads
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.entitlement import Entitlement
from flownexus_gateway.registrations.expiry import Expiry
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.registrations.saver import Saver
from flownexus_gateway.registrations.store import RegistrationStore
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.rotation_ends import RotationEnds
from flownexus_gateway.router import Router
from flownexus_gateway.settings import GatewaySettings
from flownexus_gateway.transport.coap import CoapDispatcher
from flownexus_gateway.transport.dtls import openssl_private
from flownexus_gateway.transport.dtls.dtls_socket import DtlsSocket
from flownexus_gateway.transport.dtls.handshakes import Contexts
from flownexus_gateway.transport.dtls.session_handover import SessionHandover
from flownexus_gateway.transport.dtls.session_store import PURPOSE
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.server import RequestServer
from flownexus_gateway.transport.sockets import Sockets
from flownexus_gateway.uplink.signs_of_life import SignsOfLife
from flownexus_gateway.uplink.uplink import Uplink
from flownexus_runtime import bus, health, logs, process
from flownexus_runtime.bucket import Bucket
from flownexus_runtime.bus_tls import TlsFailed
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_progress import FirmwareDownloadProgress
from flownexus_runtime.large_messages import LargeMessages
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_runtime.sealing import BOOTSTRAP, CREDENTIALS, Sealer
from flownexus_schemas import objects, subjects
from flownexus_schemas.errors import Conflict, InvalidRequest
from flownexus_schemas.lwm2m.errors import Lwm2mError

log = structlog.get_logger(__name__)

CONNECT_RETRY_S = 0.5
COMMANDS_S = 1.0
"""What devices have to answer requests under way when the gateway stops."""

DRAIN_S = 2.0
STOP_S = 5.0
FLUSH_S = 0.5
MISCONFIGURED = 2


class Listening(NamedTuple):
    """The sockets for devices and those of the bootstrap server, and OpenSSL where one is of CoAPS."""

    sockets: Sockets
    bootstrap: Sockets
    contexts: Contexts | None


@dataclass(slots=True)
class _State:
    """What /readyz tells, and whether there is anything to drain at the end."""

    client: Client | None = None
    is_loaded: bool = False
    has_served: bool = False

    def checks(self) -> dict[str, health.Check]:
        return {
            "nats": lambda: self.client is not None and self.client.is_connected,
            "registrations": lambda: self.is_loaded,
        }


def main() -> int:
    """Run the gateway until SIGTERM or SIGINT; the exit code."""
    try:
        settings = GatewaySettings()
        models = LiveObjectModels(objects.load(settings.object_model_folders))
        sockets = Sockets.bind(*settings.places)
        bootstrap_sockets = Sockets.bind(*settings.bootstrap_places)
        is_secure = sockets.secure is not None or bootstrap_sockets.secure is not None
        contexts = settings.dtls_options.contexts() if is_secure else None
        listening = Listening(sockets, bootstrap_sockets, contexts)
    except (ValidationError, OSError, Lwm2mError, InvalidRequest) as error:
        print(f"flownexus_gateway: {_one_line(error)}", file=sys.stderr)  # noqa: T201 - before there is a log
        return MISCONFIGURED
    aiocoap_private.check()
    openssl_private.check()
    logs.configure("gateway", settings.log_level, settings.log_format)
    try:
        process.run(_serve(settings, models, listening))
    except (OSError, Conflict, TlsFailed) as error:
        print(f"flownexus_gateway: {_one_line(error)}", file=sys.stderr)  # noqa: T201 - the last word
        return MISCONFIGURED
    return 0


async def _serve(settings: GatewaySettings, models: LiveObjectModels, listening: Listening) -> None:
    stop, state = process.stop_signal(), _State()
    try:
        async with health.serving(settings, state.checks()):
            await process.until_stopped(
                _run(settings, models, listening, state, stop),
                stop,
                lambda serving: _drained(serving, state),
            )
    finally:
        listening.sockets.close()
        listening.bootstrap.close()


async def _drained(serving: asyncio.Task[None], state: _State) -> None:
    """It ends by itself at a stop; there is nothing to wait for where it served nobody yet."""
    if state.has_served:
        await asyncio.wait({serving}, timeout=STOP_S)


async def _run(
    settings: GatewaySettings, models: LiveObjectModels, listening: Listening, state: _State, stop: asyncio.Event
) -> None:
    async with AsyncExitStack() as stack:
        client = state.client = await _connect(settings)
        stack.push_async_callback(client.close)
        js = bus.jetstream(client)
        id_ = await claim(client, settings.gateway_id)
        stack.push_async_callback(id_.unsubscribe)
        await _serve_devices(
            settings=settings,
            models=models,
            listening=listening,
            state=state,
            stop=stop,
            client=client,
            js=js,
        )


async def _serve_devices(  # noqa: PLR0915 - the parts put together, and taken apart
    *,
    settings: GatewaySettings,
    models: LiveObjectModels,
    listening: Listening,
    state: _State,
    stop: asyncio.Event,
    client: Client,
    js: JetStreamContext,
) -> None:
    gateway_id, source = settings.gateway_id, f"/gateway/{settings.gateway_id}"
    table, profiles, publisher = RegistrationTable(), Profiles(), Publisher(client)
    keys = settings.credentials_key
    credentials = LiveCredentials(None if keys is None else Sealer(keys, CREDENTIALS))
    metrics.CREDENTIALS_REVISION.set_function(lambda: credentials.revision)
    dtls = sessions = None
    handover = SessionHandover(client, gateway_id)
    sockets, contexts = listening.sockets, listening.contexts
    if sockets.secure is not None and contexts is not None:
        dtls = DtlsSocket(sockets.secure, contexts, settings.dtls_options, credentials)
        sockets.find_session = dtls.session_of
        if keys is not None and settings.dtls_connection_ids:
            sessions = dtls.keep_sessions(js, Sealer(keys, PURPOSE), handover)
    rotations = RotationEnds(js, credentials)
    store = RegistrationStore(js, table, sockets, gateway_id)
    entitlement = Entitlement(credentials)
    registrar = Registrar(table, store, publisher, profiles, entitlement, gateway_id)
    saver = Saver(registrar)
    uplink = Uplink(table, publisher, models, source)
    uplink.on_changed, uplink.on_heard = saver.later, registrar.heard
    coap = CoapClient(RequestTokens(gateway_id))
    one_by_one = DeviceRequests(coap)
    requests = NegotiatedRequests(one_by_one, profiles, saver.later)
    reads, attributes = Reads(requests, uplink), AttributeWrites(requests, models)
    observer = Observer(
        table=table,
        registrar=registrar,
        requests=requests,
        reads=reads,
        uplink=uplink,
        publisher=publisher,
        profiles=profiles,
        attributes=attributes,
    )
    uplink.on_cut_short = reads.whole
    registrar.on_registered, registrar.on_ended, store.on_lost = observer.begin, observer.stop, observer.stop
    registrar.on_repeated, registrar.on_moved = observer.again, saver.soon
    application = ProfileApplication(observer, registrar, attributes, profiles)
    registrar.on_taken_over = application.taken_over
    profile_server = ProfileServer(
        client=client,
        table=table,
        application=application,
        profiles=profiles,
        gateway_id=gateway_id,
    )
    images = FirmwareImages(lambda: js)
    addresses = FirmwareAddresses(
        sockets.ports, settings.firmware_coap_url, settings.firmware_http_url, settings.firmware_coaps_url
    )
    offers = FirmwareOffers(js, images, table, sockets, addresses)
    one_by_one.on_heard = offers.on_heard = SignsOfLife(publisher, source).heard
    commands = CommandServer(
        client=client,
        table=table,
        requests=requests,
        reads=reads,
        observer=observer,
        large=LargeMessages(js),
        models=models,
        publisher=publisher,
        settled=registrar.settled,
        gateway_id=gateway_id,
        offers=offers,
        push=PackagePush(one_by_one, requests, images),
    )
    downloads = FirmwareDownloads(js, images, FirmwareDownloadProgress(client.publish), offers.served)
    issued_keys = IssuedKeys(js, None if keys is None else Sealer(keys, CREDENTIALS), credentials, table.identity_of)
    configurations = Configurations(profiles.tags)
    registrar.on_registered = issued_keys.noting(observer.begin)
    given_secrets = GivenSecrets(None if keys is None else Sealer(keys, BOOTSTRAP), issued_keys)
    admission = Admission(configurations, entitlement, table)
    bootstrap = BootstrapServer(
        client=coap,
        publisher=publisher,
        admission=admission,
        secrets=given_secrets,
        models=models,
        gateway_id=gateway_id,
    )
    pack = BootstrapPack(publisher, admission, given_secrets, models, gateway_id)
    bootstrap_router = BootstrapRouter(bootstrap, pack)
    bootstrap_here = bootstrap_router if settings.bootstrap_on_all_ports else None
    server = RequestServer(Router(registrar, uplink, downloads, bootstrap_here).handle)
    handing_over = HandingOver(client, coap, table, registrar.heard, gateway_id)
    dispatcher = CoapDispatcher(table, server, uplink, coap, registrar.heard, store.catch_up, handing_over)
    bootstrap_ports = BootstrapPorts(
        listening.bootstrap,
        contexts,
        settings.dtls_options,
        credentials,
        bootstrap_router.handle,
        # An answer there says nothing of where the device is registered from.
        lambda receiver: CoapDispatcher(
            table,
            receiver,
            uplink,
            coap,
            _ignore,
            store.catch_up,
            HandingOver(client, coap, table, _ignore, gateway_id),
        ),
    )
    expiry = Expiry(table, registrar, publisher, gateway_id)
    buckets = [
        Bucket(client, js, subjects.Bucket.OBJECT_MODELS, models.apply),
        Bucket(client, js, subjects.Bucket.OBSERVATION_PROFILES, profiles.apply),
        Bucket(client, js, subjects.Bucket.ENDPOINT_TAGS, profiles.tags.apply),
        Bucket(client, js, subjects.Bucket.CREDENTIALS, credentials.apply),
        Bucket(client, js, subjects.Bucket.BOOTSTRAP_CONFIGURATIONS, configurations.apply_own),
        Bucket(client, js, subjects.Bucket.BOOTSTRAP_PROFILES, configurations.apply_profile),
        Bucket(client, js, subjects.Bucket.REGISTRATIONS, store.apply),
    ]

    await publisher.start()
    await handover.start()
    for bucket in buckets:
        if bucket is buckets[-1] and sessions is not None:
            log.info("dtls.sessions_taken_up", sessions=await sessions.load())
        bucket.start()
        await bucket.loaded()
    store.loaded()
    for live in table:
        if live.registration.gateway == gateway_id:
            registrar.on_registered(live)
    forever = (expiry.run(), saver.run(), server.sweep(), rotations.run())
    tasks = [asyncio.create_task(one) for one in forever]
    await handing_over.start()
    await commands.start()
    await profile_server.start()
    if sockets.plain is not None:
        sockets.plain.start(settings.plain_access.guarded(dispatcher.receive))
    if dtls is not None:
        dtls.start(dispatcher.receive)
        dtls.tell_used(rotations.used)
        expiries = CertificateExpiry(settings.dtls_options.certificate)
        tasks += [asyncio.create_task(forever) for forever in (dtls.run(), expiries.run())]
        if sessions is not None:
            tasks.append(asyncio.create_task(sessions.run()))
    tasks += bootstrap_ports.start(settings.plain_access, rotations.used)
    state.is_loaded = state.has_served = True
    log.info("gateway.listening", ports=sockets.ports, bootstrap=listening.bootstrap.ports,
             registrations=len(table), credentials=len(credentials))  # fmt: skip

    await stop.wait()
    state.is_loaded = False
    one_by_one.is_stopping = True
    await commands.stop(COMMANDS_S)
    sockets.stop_reading()
    await bootstrap_ports.stop(DRAIN_S / 2)
    await bootstrap.stop()
    await issued_keys.stop()
    await dispatcher.stop()
    await handing_over.stop()
    await profile_server.stop()
    await observer.stop_all()
    await reads.stop()
    await server.stop(DRAIN_S / 2)
    if publisher.is_connected:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await saver.flush()
                if sessions is not None:
                    await sessions.stop()
    await publisher.drain(DRAIN_S / 2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for bucket in buckets:
        await bucket.stop()
    await handover.stop()
    await coap.shutdown()
    log.info("gateway.stopped")


def _ignore(_live: LiveRegistration, _peer: Peer) -> None:
    """It is held where it is."""


async def _connect(settings: GatewaySettings) -> Client:
    while True:
        try:
            return await bus.connect(settings, f"gateway {settings.gateway_id}")
        except (NatsError, NoServersError, OSError, TimeoutError) as error:
            log.warning("nats.not_reachable", error=repr(error))
            await asyncio.sleep(CONNECT_RETRY_S)


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"FLOWNEXUS_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
