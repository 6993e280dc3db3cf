"""One bootstrap under way: whose it is, and which request of the device began it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.registrations.live import ANSWER_UNDERWAY_S, MAX_TRANSMIT_SPAN_S
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.bootstrap.configuration import Chosen
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import Address, Bootstrap, BootstrapProgressed, BootstrapState

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Session:
    """`fingerprint` is of the datagram that began it. Times in Unix seconds."""

    id: str
    endpoint: str
    fingerprint: str
    started_at: float
    peer: Peer
    chosen: Chosen
    preferred_format: int | None
    has_answered: bool = False
    credentials: tuple[str, ...] = ()
    task: asyncio.Task[None] | None = field(default=None)

    def is_repeated_by(self, fingerprint: str, peer: Peer, now: float) -> bool:
        """Whether a request is the one that began this session, sent again.

        A device that reboots sends the same message id and token again (Zephyr). From another place, later than any
        retransmission, or once it did what it was asked and none crosses our answer any more, it is taken to have
        forgotten all: begun anew, nothing is lost.
        """
        age = now - self.started_at
        has_gone_on = self.has_answered and age >= ANSWER_UNDERWAY_S
        is_the_same = fingerprint == self.fingerprint and peer == self.peer
        return is_the_same and age <= MAX_TRANSMIT_SPAN_S and not has_gone_on

    def event(
        self,
        state: BootstrapState,
        text: str,
        *,
        now: float,
        gateway: str,
        notes: tuple[str, ...] = (),
        code: str | None = None,
    ) -> BootstrapProgressed:
        """What happened, for the stream; counted and in the log."""
        metrics.BOOTSTRAPS.labels(state).inc()
        log.info("bootstrap.step", state=state, endpoint=self.endpoint, session=self.id, peer=repr(self.peer),
                 text=text)  # fmt: skip
        return BootstrapProgressed(
            id=f"{self.id}-{state}",
            source=f"/gateway/{gateway}",
            subject=self.endpoint,
            time=utc(now),
            data=Bootstrap(
                session=self.id,
                state=state,
                text=text,
                notes=notes,
                code=code,
                profile=self.chosen.profile,
                credentials=self.credentials,
                address=Address(host=self.peer.host, port=self.peer.port),
                identity=self.peer.identity,
                gateway=gateway,
            ),
        )


def begun(chosen: Chosen) -> str:
    """In words, for people."""
    by = "its own configuration" if chosen.profile is None else f"the profile {chosen.profile}"
    return f"it asked for a bootstrap, and is given what {by} says"
