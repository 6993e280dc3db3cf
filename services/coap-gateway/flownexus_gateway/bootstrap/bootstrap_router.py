"""The bootstrap server's resources. LwM2M Core 1.1.1, 6.1.7; Transport 1.1.1, 6.4.2."""

from __future__ import annotations

from flownexus_gateway.bootstrap.bootstrap_pack import BootstrapPack
from flownexus_gateway.bootstrap.bootstrap_server import BootstrapServer
from flownexus_gateway.errors import MethodNotAllowed
from flownexus_gateway.transport.request import GET, POST, Answer, Request
from flownexus_schemas.errors import NotFound


class BootstrapRouter:
    """Calls the handler of a path."""

    def __init__(self, server: BootstrapServer, pack: BootstrapPack) -> None:
        self._server, self._pack = server, pack

    async def handle(self, request: Request) -> Answer:
        """Raises what `errors.code_of` takes."""
        match request.path, request.message.code:
            case ("bs",), code if code == POST:
                return await self._server.handle(request)
            case ("bspack",), code if code == GET:
                return await self._pack.handle(request)
            case ("bs",) | ("bspack",), _:
                raise MethodNotAllowed("this path takes other methods")
        raise NotFound("there is nothing at this path")
