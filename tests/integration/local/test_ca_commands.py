"""`flownexus ca`: its certificates at a gateway, with OpenSSL's client; what is not in order is refused."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from flownexus_local.pki import server_files
from harness.lockstep import CHANGED, CREATED
from harness.openssl_device import COMMAND, OpenSslDevice
from harness.ports import free_port
from harness.services import ServiceProcess
from harness.waiting import blocking_until
from integration.local.terminal import Terminal

if TYPE_CHECKING:
    from conftest import ServiceFactory

pytestmark = pytest.mark.skipif(shutil.which(COMMAND) is None, reason="openssl is not installed")

LINKS = "</1/0>"
CREDENTIALS_KEY = "a key of the tests and of nobody else"
FORBIDDEN = 0x83
NewDevice = Callable[..., OpenSslDevice]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "system"


@pytest.fixture
def terminal(folder: Path) -> Terminal:
    return Terminal({"FLOWNEXUS_FOLDER": str(folder)})


@pytest.fixture
def gateway(
    js: JetStreamContext, service: ServiceFactory, database_url: str, terminal: Terminal, folder: Path
) -> ServiceProcess:
    """A gateway with a certificate of the CA in the folder, and an api that the terminal has a token for."""
    terminal.run("ca", "init")
    terminal.run("ca", "server", "--name", "localhost", "--name", "127.0.0.1")
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY)
    accounts.add_user(database_url, "admin", "administrator", "correct horse battery")
    terminal.env |= {"FLOWNEXUS_DATABASE_URL": database_url, "FLOWNEXUS_API_URL": api.health_url}
    terminal.env["FLOWNEXUS_API_TOKEN"] = terminal.run("token", "create", "here", "--scope", "credentials").strip()
    files = server_files(folder)
    assert files is not None
    return service(
        "flownexus_gateway",
        FLOWNEXUS_COAPS_PORT=free_port("udp"),
        FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY,
        FLOWNEXUS_DTLS_CERTIFICATE=str(files.certificate),
        FLOWNEXUS_DTLS_PRIVATE_KEY=str(files.private_key),
        FLOWNEXUS_DTLS_CLIENT_CA=str(files.client_ca),
    )


@pytest.fixture
def device(gateway: ServiceProcess, folder: Path) -> Iterator[NewDevice]:
    """Makes devices on s_client that check the gateway's certificate, its name too."""
    made: list[OpenSslDevice] = []

    def new(endpoint: str, pem: Path | None = None) -> OpenSslDevice:
        pem = pem or pem_of(folder, endpoint)
        trusted = ("-CAfile", str(folder / "pki/ca.pem"), "-verify_return_error", "-verify_hostname", "localhost")
        shown = ("-cert", str(pem), "-key", str(pem.with_suffix(".key")), "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
        made.append(OpenSslDevice(int(gateway.env["FLOWNEXUS_COAPS_PORT"]), endpoint, (*shown, *trusted)))
        return made[-1]

    yield new
    for one in made:
        one.close()


def pem_of(folder: Path, endpoint: str) -> Path:
    return folder / "pki/devices" / f"{endpoint}.pem"


def refused(gateway: ServiceProcess, reason: str, times: int = 1) -> None:
    blocking_until(lambda: gateway.log_text().count(f'"reason":"{reason}"') >= times, 10, f"{reason} in the log")


def known_to(gateway: ServiceProcess, terminal: Terminal) -> None:
    """Wait until the gateway has what the api wrote."""
    from integration.gateway.gateway_metrics import metric

    listed = terminal.run("credentials", "export").count("\n") - 1
    blocking_until(lambda: metric(gateway, "flownexus_gateway_credentials_revision") >= listed, 10, "the credentials")


def test_a_device_is_in_by_its_certificate_until_that_is_renewed_or_revoked(
    gateway: ServiceProcess, terminal: Terminal, device: NewDevice, folder: Path
) -> None:
    said = terminal.run("ca", "device", "urn:dev:os:32473-1")
    assert str(pem_of(folder, "urn:dev:os:32473-1")) in said
    known_to(gateway, terminal)
    first = device("urn:dev:os:32473-1")
    assert first.register(LINKS).code == CREATED
    assert device("urn:dev:os:other", pem_of(folder, "urn:dev:os:32473-1")).register(LINKS).code == FORBIDDEN

    assert "is there already" in terminal.run("ca", "device", "urn:dev:os:32473-1", expected=2)
    terminal.run("ca", "device", "urn:dev:os:32473-1", "--renew")
    [former] = (folder / "pki/former").glob("*.pem")
    assert first.update().code == CHANGED
    second = device("urn:dev:os:32473-1")
    assert second.register(LINKS).code == CREATED
    refused(gateway, "expired")
    assert "alert" in device("urn:dev:os:32473-1", former).said()

    said = terminal.run("ca", "revoke", "urn:dev:os:32473-1")
    assert said.count("is refused from now on") == 2
    refused(gateway, "revoked")
    [last] = set((folder / "pki/former").glob("*.pem")) - {former}
    for gone in (former, last):
        assert "alert certificate revoked" in device("urn:dev:os:32473-1", gone).said()
    states = [line.split(",")[5] for line in terminal.run("credentials", "export").splitlines()[1:]]
    assert "active" not in states
    assert "nor such a file" in terminal.run("ca", "revoke", "urn:dev:os:32473-2", expected=2)


def test_what_is_not_in_order_is_refused_each_for_its_own_reason(
    gateway: ServiceProcess, terminal: Terminal, device: NewDevice, folder: Path, tmp_path: Path
) -> None:
    rogue = Terminal({"FLOWNEXUS_FOLDER": str(tmp_path / "rogue")})
    rogue.run("ca", "init")
    rogue.run("ca", "device", "pump-1", "--files-only")
    terminal.run("ca", "device", "nobody", "--files-only")
    terminal.run("credentials", "create", "pump-1", "--subject", "cn:pump-1")
    terminal.run("ca", "device", "pump-1", "--files-only")
    known_to(gateway, terminal)
    assert device("pump-1").register(LINKS).code == CREATED
    assert "alert unknown ca" in device("pump-1", pem_of(tmp_path / "rogue", "pump-1")).said()
    assert "alert bad certificate" in device("nobody").said()
    for reason in ("untrusted-certificate", "unknown-certificate"):
        refused(gateway, reason)
    # One certificate of several with the same name: the other ones stay.
    terminal.run("ca", "revoke", "pump-1")
    terminal.run("ca", "device", "pump-1", "--files-only")
    [gone] = (folder / "pki/former").glob("*.pem")
    refused(gateway, "revoked")
    assert "alert certificate revoked" in device("pump-1", gone).said()
    assert device("pump-1").register(LINKS).code == CREATED


def test_files_are_their_owners_alone_and_nothing_is_overwritten(terminal: Terminal, folder: Path) -> None:
    assert "make a CA with `flownexus ca init`" in terminal.run("ca", "server", expected=2)
    terminal.run("ca", "init")
    terminal.run("ca", "server")
    terminal.run("ca", "device", "pump-1", "--files-only")
    before = {path: path.read_bytes() for path in (folder / "pki").rglob("*") if path.is_file()}
    assert {path.name for path in before} == {
        f"{name}.{kind}" for name in ("ca", "server", "pump-1") for kind in ("pem", "key")
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in before} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "pki", folder / "pki/devices")} == {0o700}
    for words in (["init"], ["server"], ["device", "pump-1", "--files-only"]):
        assert "is there already" in terminal.run("ca", *words, expected=2)
    assert {path: path.read_bytes() for path in before} == before
    assert "1 to 64 characters" in terminal.run("ca", "device", "x" * 65, "--files-only", expected=2)
    assert "neither a host name" in terminal.run("ca", "server", "--renew", "--name", "a b", expected=2)
    terminal.run("ca", "server", "--renew", "--name", "coap.my.example", "--days", "20")
    listed = [line.split() for line in terminal.run("ca", "list", expected=1).splitlines()[1:]]
    assert [line[:2] for line in listed] == [
        ["ca", "Flow"], ["server", "coap.my.example"], ["device", "pump-1"], ["former", listed[3][1]],
    ]  # fmt: skip
    soon = terminal.run("ca", "list", "--expiring", "40", expected=1).splitlines()[1:]
    assert [line.split()[1] for line in soon] == ["coap.my.example"]


def test_openssl_finds_the_certificates_in_order(terminal: Terminal, folder: Path) -> None:
    """Chain, purpose, names, and that none outlives the CA."""
    terminal.run("ca", "init", "--days", "100")
    terminal.run("ca", "server", "--name", "coap.my.example", "--name", "192.0.2.5")
    terminal.run("ca", "device", "urn:imei:1", "--files-only")
    ca, server, device = (str(folder / "pki" / name) for name in ("ca.pem", "server.pem", "devices/urn:imei:1.pem"))
    for purpose, other, pem in (("sslserver", "sslclient", server), ("sslclient", "sslserver", device)):
        assert openssl("verify", "-x509_strict", "-CAfile", ca, "-purpose", purpose, pem).returncode == 0
        assert openssl("verify", "-CAfile", ca, "-purpose", other, pem).returncode != 0
    shown = [openssl("x509", "-in", pem, "-noout", "-text").stdout for pem in (ca, server, device)]
    assert "CA:TRUE, pathlen:0" in shown[0]
    assert "DNS:coap.my.example, IP Address:192.0.2.5" in shown[1]
    assert "URI:urn:imei:1" in shown[2]
    assert "CN = urn:imei:1" in shown[2] or "CN=urn:imei:1" in shown[2]
    assert len({line for text in shown for line in text.splitlines() if "Not After" in line}) == 1
    assert all("prime256v1" in text and "ecdsa-with-SHA256" in text for text in shown)
    assert "".join(shown).count("CA:FALSE") == 2


def test_a_device_keeps_its_key_and_has_its_request_signed(terminal: Terminal, folder: Path, tmp_path: Path) -> None:
    terminal.run("ca", "init")
    key, request = str(tmp_path / "own.key"), str(tmp_path / "own.csr")

    def new(*kind: str) -> None:
        made = openssl("req", "-new", *kind, "-nodes", "-keyout", key, "-subj", "/CN=pump-1", "-out", request)
        assert made.returncode == 0, made.stderr

    def signed(endpoint: str, of: str = request, expected: int = 0) -> str:
        return terminal.run("ca", "device", endpoint, "--csr", of, "--files-only", expected=expected)

    new("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    assert "the request is that of 'pump-1', not of 'pump-2'" in signed("pump-2", expected=2)
    assert "devices/pump-1.pem, until" in signed("pump-1")
    assert [path.name for path in (folder / "pki/devices").iterdir()] == ["pump-1.pem"]
    ca, pem = str(folder / "pki/ca.pem"), str(pem_of(folder, "pump-1"))
    assert openssl("verify", "-x509_strict", "-CAfile", ca, "-purpose", "sslclient", pem).returncode == 0
    of_certificate = openssl("x509", "-in", pem, "-noout", "-pubkey").stdout
    assert of_certificate == openssl("pkey", "-in", key, "-pubout").stdout != ""
    assert "not a certificate signing request" in signed("pump-1", key, expected=2)
    new("-newkey", "rsa:2048")
    assert "make one of secp256r1 or secp384r1" in signed("pump-1", expected=2)


def openssl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *words], check=False, capture_output=True, text=True)
