"""A download by CoAP, block after block, as Zephyr's client does it. RFC 7959, 2.4. Sans-IO.

One token for all blocks, the path of the URI without its query, the size asked for with each block.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from urllib.parse import unquote, urlsplit

from flownexus_simulator.coap import Code, MalformedMessage, Message, Option, Type, decode, encode, unsigned
from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.object5 import Result
from flownexus_simulator.reliability import Transmission, Transmitter

MORE = 1 << 3
TOKEN_BYTES = 8

Tell = Callable[[Part | Fetched | FetchFailed], None]


class CoapPull:
    """`send` takes each datagram to the host of the URI; `tell` is told of each part. Times are Unix seconds.

    `offset`: where to begin; the block that it is in is fetched from there on. `bytes_per_s`: at most, where given.
    """

    def __init__(
        self,
        uri: str,
        offset: int,
        block_size: int,
        random: Random,
        *,
        send: Callable[[bytes], None],
        tell: Tell,
        bytes_per_s: float | None = None,
    ) -> None:
        self._path = [unquote(segment) for segment in urlsplit(uri).path.split("/") if segment]
        self._exponent = block_size.bit_length() - 5
        self._offset = offset
        self._send, self._tell = send, tell
        self._token = random.randbytes(TOKEN_BYTES)
        self._mid = random.randrange(1 << 16)
        self._transmitter = Transmitter(random)
        self._bytes_per_s = bytes_per_s
        self._etag: bytes | None = None
        self._next: float | None = None
        self._is_over = False

    def due(self) -> float | None:
        """When `tick` is wanted next."""
        if self._is_over:
            return None
        return self._transmitter.current.due if self._transmitter.current is not None else self._next

    def start(self, now: float) -> None:
        """Ask for the first block."""
        self._ask(now)

    def tick(self, now: float) -> None:
        """Do what has fallen due."""
        match self._transmitter.expire(now):
            case bytes() as datagram:
                self._send(datagram)
            case Transmission():
                self._end(FetchFailed(Result.CONNECTION_LOST))
            case None if self._next is not None and now >= self._next:
                self._ask(now)

    def receive(self, datagram: bytes, now: float) -> None:
        """Take a datagram from there; what is not for this download is ignored."""
        try:
            message = decode(datagram)
        except MalformedMessage:
            return
        if message.type == Type.CON:
            self._send(encode(Message(Type.ACK, Code.EMPTY, message.mid)))
        if self._is_over or not message.is_response or message.token != self._token:
            return
        if message.code != Code.CONTENT:
            refused = message.code >> 5 == 4
            self._end(FetchFailed(Result.INVALID_URI if refused else Result.CONNECTION_LOST))
            return
        self._take(message, now)

    def _take(self, message: Message, now: float) -> None:
        block = message.number(Option.BLOCK2) or 0
        exponent = block & 7
        begins = (block >> 4) << exponent + 4
        if not begins <= self._offset < begins + max(1, len(message.payload)):
            return  # a block that came twice
        self._transmitter.current = None
        etag = next((value for number, value in message.options if number == Option.ETAG), None)
        if self._etag is not None and etag != self._etag:
            self._end(FetchFailed(Result.INTEGRITY_FAILURE))
            return
        self._etag, self._exponent = etag, min(self._exponent, exponent)
        data = message.payload[self._offset - begins :]
        self._offset += len(data)
        self._tell(Part(data, message.number(Option.SIZE2)))
        if self._is_over:
            return
        if not block & MORE:
            self._end(Fetched())
        elif self._bytes_per_s is None:
            self._ask(now)
        else:
            self._next = now + len(data) / self._bytes_per_s

    def stop(self) -> None:
        """Tell nothing more, and ask for nothing more."""
        self._is_over = True
        self._transmitter.current = None

    def _ask(self, now: float) -> None:
        self._next = None
        self._mid = (self._mid + 1) & 0xFFFF
        number = self._offset >> self._exponent + 4
        options = [(int(Option.URI_PATH), segment.encode()) for segment in self._path]
        options += [(int(Option.BLOCK2), unsigned(number << 4 | self._exponent)), (int(Option.SIZE2), b"")]
        datagram = encode(Message(Type.CON, Code.GET, self._mid, self._token, tuple(options)))
        self._transmitter.start(self._mid, datagram, now)
        self._send(datagram)

    def _end(self, event: Fetched | FetchFailed) -> None:
        self.stop()
        self._tell(event)
