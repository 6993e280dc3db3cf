"""Commands for devices that another gateway holds: that one is asked, once."""

from __future__ import annotations

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from flownexus_gateway.downlink.coap_client import NoAnswer
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_runtime.large_messages import Outgoing
from flownexus_schemas import subjects
from flownexus_schemas.commands import Command

log = structlog.get_logger(__name__)

PASSED_ON_BY = "Flownexus-Passed-On-By"
"""Header of a command that was passed on: by which gateways. It is not passed on again, so that two gateways in doubt
make no circle, but where its device went on at another gateway while it waited.
"""

MAX_PASSED_ON = 4

QUEUE_S = 30.0
"""Seconds that a command may wait at the other gateway for those before it to the same device."""


class PassingOn:
    """Of the gateway `gateway_id`."""

    def __init__(self, client: Client, table: RegistrationTable, gateway_id: str) -> None:
        self._client, self._table, self._gateway_id = client, table, gateway_id

    async def reply(self, message: Msg, command: Command, *, has_moved: bool = False) -> Outgoing | None:
        """The reply of the gateway that the device spoke to last; None where that is this one, where nobody listens
        there, or where the command was passed on before; `has_moved`: the device was here, and is there now. Raises
        NoAnswer where the reply does not come: the device may have been asked.
        """
        live = self._table.of_endpoint(command.endpoint)
        by = [name for name in (message.headers or {}).get(PASSED_ON_BY, "").split(",") if name]
        if live is None or live.registration.gateway == self._gateway_id:
            return None
        if len(by) >= (MAX_PASSED_ON if has_moved else 1):
            return None
        other = live.registration.gateway
        try:
            answer = await self._client.request(
                subjects.gateway_request(other),
                message.data,
                timeout=command.timeout_s + command.goes_on_s + QUEUE_S,
                headers={**(message.headers or {}), PASSED_ON_BY: ",".join([*by, self._gateway_id])},
            )
        except NoRespondersError:
            # It is gone; its devices may be reached from here.
            log.warning("command.gateway_away", gateway=other, endpoint=command.endpoint)
            return None
        except (NatsError, TimeoutError) as error:
            raise NoAnswer(f"gateway {other}, which holds the device, did not reply") from error
        return Outgoing(answer.data, answer.headers)
