"""Values with which the chart cannot work are refused before anything is installed, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from harness import helm
from integration.k8s.value_sets import EXTERNAL, LEAST, TRIAL, WHOLE, changed


@pytest.mark.parametrize(
    ("values", "path", "value", "expected"),
    [
        (LEAST, "secrets.existingSecret", "", "secrets.existingSecret is not set: no secret has a default"),
        (LEAST, "database.host", "", "database.host is not set: name a PostgreSQL server"),
        (TRIAL, "database.host", "db", "which of the two databases is it?"),
        (LEAST, "nats.tls.existingSecret", "", "nats.tls.existingSecret is not set: flownexus nats certificates"),
        (LEAST, "image.tag", "latest", "image.tag is latest, which is another image tomorrow"),
        (LEAST, "nats.image.tag", "", "nats.image.tag is not set: name a version or a digest"),
        (LEAST, "nats.enabled", False, "nats.servers is not set"),
        (EXTERNAL, "nats.enabled", True, "nats.servers and nats.enabled are both set"),
        (EXTERNAL, "nats.tls.certManager.enabled", True, "for servers of yours name the Secret"),
        (WHOLE, "nats.tls.certManager.issuerRef.name", "", "issuerRef.name is not set"),
        (LEAST, "gateway.dtls.clientCa", True, "clientCa needs gateway.dtls.certificateSecret"),
        (LEAST, "gateway.hostNetwork", True, "name those in networkPolicy.natsFrom"),
        (WHOLE, "api.ingress.tlsSecret", "", "api.ingress needs host and tlsSecret"),
        (WHOLE, "console.ingress.host", "", "console.ingress needs host and tlsSecret"),
    ],
)
def test_what_does_not_go_together(values: dict[str, Any], path: str, value: object, expected: str) -> None:
    helm.need_helm()
    with pytest.raises(helm.Refused) as refusal:
        helm.render(changed(values, path, value))
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.digest", "sha256:abc"),
        ("gateway.replicas", 0),
        ("gateway.replica", 2),
        ("gateway.plainCoap", "maybe"),
        ("gateway.plainCoap", "10.0.0.0"),
        ("gateway.service.externalTrafficPolicy", "Global"),
        ("gateway.service.coapsPort", 70000),
        ("gateway.firmwareCoapUrl", "https://devices.example.org"),
        ("gateway.firmwareCoapsUrl", "coap://devices.example.org"),
        ("gateway.extraEnv", [{"name": "PATH", "value": "/tmp"}]),
        ("gateway.dtls.namedBy", "serial"),
        ("api.trustedProxies", ["everybody"]),
        ("api.corsOrigins", ["*"]),
        ("database.sslMode", "on"),
        ("database.owner", "flownexus; drop table"),
        ("nats.servers", ["nats://nats:4222"]),
        ("nats.storage.size", "ten"),
        ("logLevel", "loud"),
        ("secret", "abc"),
    ],
)
def test_what_no_value_can_be_is_named(path: str, value: object) -> None:
    helm.need_helm()
    with pytest.raises(helm.Refused) as refusal:
        helm.render(changed(LEAST, path, value))
    where, _, last = path.replace(".", "/").rpartition("/")
    # A value at its place, or a name that the place does not have.
    assert f"at '/{where}" in str(refusal.value) or "at ''" in str(refusal.value)
    assert last in str(refusal.value)
