"""A device made with Leshan's client library, as a process driven by lines."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flownexus_local.program import base_environment
from harness.waiting import blocking_until

CURRENT = Path(__file__).parent / "leshan" / "LeshanDevice.java"
"""Leshan 2.x: LwM2M 1.1."""

OLD = Path(__file__).parent / "leshan_1_0" / "Leshan10Device.java"
"""Leshan 1.x: LwM2M 1.0."""

FIRMWARE = Path(__file__).parent / "leshan" / "LeshanFirmware.java"
"""Leshan 2.x, taking firmware."""

BOOTSTRAP = Path(__file__).parent / "leshan" / "LeshanBootstrap.java"
"""Leshan 2.x, knowing a bootstrap server alone."""

OBJECTS = Path(__file__).parents[2] / "schemas" / "flownexus_schemas" / "objects"
_SOON = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""It lives for seconds: what would make it faster later costs more than it gives."""

MODELS = (OBJECTS / "ext" / "3303-1_1.xml", OBJECTS / "flownexus" / "10300-1_0.xml")


def build(folder: Path, source: Path = CURRENT) -> str:
    """The class path of a compiled device. Takes the libraries from where Maven is set up to take them."""
    written = folder / "classpath"
    subprocess.run(
        [
            "mvn",
            "-q",
            "-B",
            "-f",
            source.parent / "pom.xml",
            "dependency:build-classpath",
            f"-Dmdep.outputFile={written}",
        ],
        check=True,
        timeout=300,
    )
    libraries = written.read_text().strip()
    subprocess.run(["javac", "-d", folder, "-cp", libraries, source], check=True, timeout=120)
    return f"{folder}:{libraries}"


class LeshanDevice:
    """`said` holds the lines that it wrote: `registered <id>`, `refused <code> <reason>`, `updated`, `sent`,
    `deregistered`, `stopped`, `written <resource> <value>` and `executed <resource> <arguments>`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.said: list[str] = []
        self._process = process
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def do(self, line: str) -> None:
        """Give it a line: `temperature 21.5`, `environment 21 40 101000`, `collect`, `send 112`, `update`, `stop`;
        that of LwM2M 1.1 also `text 5000`.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def wait_for(self, word: str, times: int = 1) -> None:
        """Wait until it has said this word so often, at the beginning of a line."""
        blocking_until(
            lambda: sum(line.startswith(word) for line in self.said) >= times, 30, f"{word} among {self.said}"
        )

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line.strip())


@contextmanager
def running_device(
    class_path: str,
    coap_port: int,
    endpoint: str,
    *,
    lifetime_s: int = 60,
    queue_mode: bool = False,
    source: Path = CURRENT,
    security: Mapping[str, object] | None = None,
) -> Iterator[LeshanDevice]:
    """A device that registers at 127.0.0.1; over DTLS where it has `security`, the properties of its program."""
    queue = "queue" if queue_mode else "-"
    server = f"coap{'' if security is None else 's'}://127.0.0.1:{coap_port}"
    properties = [f"-D{name}={value}" for name, value in (security or {}).items()]
    program = (source.stem, server, endpoint, str(lifetime_s), queue, *map(str, MODELS))
    with _running(class_path, *program, properties=properties) as device:
        yield device


@contextmanager
def running_firmware_device(
    class_path: str, coap_port: int, endpoint: str, *, delivery: int = 2, protocols: str = "0,2", version: str = "1.0.0"
) -> Iterator[LeshanDevice]:
    """A device that takes firmware as 5/0/9 and 5/0/8 say. It also says `downloaded <bytes> <SHA-256>`,
    `failed <result>` and `installed <version>`.
    """
    server = f"coap://127.0.0.1:{coap_port}"
    with _running(class_path, FIRMWARE.stem, server, endpoint, "60", str(delivery), protocols, version) as device:
        yield device


@contextmanager
def running_bootstrap_device(class_path: str, server: str, endpoint: str, *secret: str) -> Iterator[LeshanDevice]:
    """A device that asks a bootstrap server; with coaps `secret` is identity and key in hex. It says `bootstrapped`,
    `registered <server>` and `refused <code> <reason>`.
    """
    with _running(class_path, BOOTSTRAP.stem, server, endpoint, *secret) as device:
        yield device


@contextmanager
def _running(class_path: str, *program: str, properties: Sequence[str] = ()) -> Iterator[LeshanDevice]:
    process = subprocess.Popen(
        ["java", *_SOON, *properties, "-cp", class_path, *program],
        env=base_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield LeshanDevice(process)
    finally:
        process.kill()
        process.communicate()
