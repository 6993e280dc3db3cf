"""The error taxonomy: who must act. Each edge maps these to its own status codes once.

| class | who must act | CoAP | HTTP |
|---|---|---|---|
| `PeerError` | the device: it sent what cannot be taken | 4.xx and a warning in the log | - |
| `CallerError` | the caller: the request is wrong or names what is not there | - | 4xx |
| `Unavailable` | we: something that we need is away; the same call works later | silence or 5.03 | 503 |

Anything else is a bug and propagates.
"""


class FlowNexusError(Exception):
    """Root of the taxonomy. The message is one sentence that says what to do."""


class PeerError(FlowNexusError):
    """A device broke the protocol; it must act."""


class CallerError(FlowNexusError):
    """A person or program asked for what cannot be done; they must act."""


class InvalidName(CallerError, ValueError):
    """Not a name that can stand in a subject or key."""


class InvalidRequest(CallerError, ValueError):
    """The request contradicts itself or its schema."""


class NotFound(CallerError, LookupError):
    """What the request names does not exist."""


class Conflict(CallerError):
    """The request meets a state that it cannot change."""


class Unavailable(FlowNexusError):
    """Something we need is away: NATS, the database, another service. The same call can work later."""


class InvalidMessage(FlowNexusError):
    """A message on the bus that its consumer cannot read: it goes to the dead letters with this reason."""
