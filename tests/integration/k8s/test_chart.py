"""The Helm chart, rendered by Helm itself: what Kubernetes would be given, and what the services in it are told."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic_settings import BaseSettings

from flownexus_api.settings import ApiSettings
from flownexus_console.settings import ConsoleSettings
from flownexus_gateway.settings import GatewaySettings
from flownexus_ingest.settings import IngestSettings
from flownexus_local import nats_certificates
from flownexus_local.nats_configuration import configuration, password_variable
from flownexus_operations.settings import OperationsSettings
from flownexus_schemas.bus_users import BusUser
from harness import helm
from harness.certificates import Ca
from harness.helm import Manifest, Rendered
from integration.k8s.value_sets import EXTERNAL, LEAST, SETS, TRIAL, WHOLE

SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "ingest": IngestSettings,
    "operations": OperationsSettings,
    "api": ApiSettings,
    "console": ConsoleSettings,
}
EVERYWHERE = {"0.0.0.0", "::"}
KUBERNETES = ("1.29", "1.37")
"""The oldest that the chart is for, and the newest whose schemas there are."""

OF_OTHERS = {"PodMonitor", "Certificate"}
"""Kinds of the Prometheus operator and of cert-manager, which Kubernetes' schemas do not have."""


@pytest.fixture(scope="module", params=SETS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    helm.need_helm()
    return helm.render(SETS[request.param])


@pytest.fixture(scope="module")
def whole() -> Rendered:
    helm.need_helm()
    return helm.render(WHOLE)


@pytest.fixture(scope="module")
def least() -> Rendered:
    helm.need_helm()
    return helm.render(LEAST)


def containers(rendered: Rendered) -> dict[str, Manifest]:
    return {name: pod["spec"]["containers"][0] for name, pod in rendered.pods().items()}


def settings_of(container: Manifest, values: dict[str, str], folder: Path) -> dict[str, str]:
    """Its variables as Kubernetes would set them, with files of the test's in place of mounted ones."""
    env: dict[str, str] = {}
    for one in container["env"]:
        if "value" in one:
            told = re.sub(r"\$\((\w+)\)", lambda match: env[match[1]], one["value"])
            env[one["name"]] = told.replace("/etc/flownexus/", f"{folder}/")
        elif "fieldRef" in one["valueFrom"]:
            env[one["name"]] = "flownexus-gateway-0"
        else:
            env[one["name"]] = values[one["valueFrom"]["secretKeyRef"]["key"]]
    return env


@pytest.fixture
def secret_values() -> dict[str, str]:
    """A strong one for whatever key the chart asks for."""

    class Values(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return "n" + base64.b16encode(key.encode().ljust(24, b"\x9a")).decode().lower()

    return Values()


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Files where the chart mounts them."""
    for name in ("nats", "database", "dtls"):
        (tmp_path / name).mkdir()
    issued = Ca(tmp_path).issue("gateway")
    for name in ("nats", "database", "dtls"):
        (tmp_path / name / "ca.crt").write_bytes(issued.pem.read_bytes())
    (tmp_path / "dtls" / "tls.crt").write_bytes(issued.pem.read_bytes())
    (tmp_path / "dtls" / "tls.key").write_bytes(issued.key_pem.read_bytes())
    return tmp_path


@functools.cache
def schema_reader() -> Callable[[str, str], Any]:
    """That of kubernetes-validate, which reads a megabyte for each manifest, reading each file once."""
    from kubernetes_validate import utils

    return functools.cache(utils.schema_contents)


def validate(manifest: Manifest, version: str) -> None:
    """Raises kubernetes_validate.ValidationError, also for a field that is not there."""
    from kubernetes_validate import utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", schema_reader())
        utils.validate(manifest, version, strict=True)


@pytest.mark.parametrize("values", SETS)
def test_helm_finds_nothing_to_say_against_it(values: str) -> None:
    helm.need_helm()
    assert helm.lint(SETS[values]) == []


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_takes_every_manifest(rendered: Rendered, version: str) -> None:
    checked = [one for one in rendered.manifests if one["kind"] not in OF_OTHERS]
    assert len(checked) > 12
    for one in checked:
        validate(one, version)


def test_a_manifest_that_kubernetes_does_not_know_would_be_found(least: Rendered) -> None:
    from kubernetes_validate import ValidationError

    wrong = json.loads(json.dumps(least.of("Deployment")["flownexus-api"]))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(ValidationError, match="livenesProbe"):
        validate(wrong, KUBERNETES[-1])


@pytest.mark.parametrize("values", SETS)
@pytest.mark.parametrize("service", SETTINGS)
def test_each_service_starts_with_what_it_is_told(
    service: str,
    values: str,
    secret_values: dict[str, str],
    mounted: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helm.need_helm()
    container = containers(helm.render(SETS[values]))[service]
    for name in [name for name in os.environ if name.startswith("FLOWNEXUS_")]:
        monkeypatch.delenv(name)
    for name, value in settings_of(container, secret_values, mounted).items():
        if name.startswith("FLOWNEXUS_"):
            field = name.removeprefix("FLOWNEXUS_").lower()
            assert field in SETTINGS[service].model_fields, f"{service} reads no {name}"
            monkeypatch.setenv(name, value)
    settings = SETTINGS[service]()
    listening = {port["name"]: port["containerPort"] for port in container["ports"]}
    told = {
        "health": getattr(settings, "health_port", None),
        "http": getattr(settings, f"{service}_port", None),
        "coap": getattr(settings, "coap_port", None),
        "coaps": getattr(settings, "coaps_port", None),
        "bootstrap-coap": getattr(settings, "bootstrap_coap_port", None),
        "bootstrap-coaps": getattr(settings, "bootstrap_coaps_port", None),
    }
    assert listening == {name: told[name] for name in listening}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] in {"health", "http"}
    host = "health_host" if "health" in listening else f"{service}_host"
    assert getattr(settings, host) in EVERYWHERE, "the kubelet comes from outside of the pod"
    assert container["args"] == ["service", service]


def test_each_service_is_a_user_of_its_own(rendered: Rendered, secret_values: dict[str, str], mounted: Path) -> None:
    for name, container in containers(rendered).items():
        env = settings_of(container, secret_values, mounted)
        if "FLOWNEXUS_NATS_URL" in env:
            user = BusUser.OWNER if name == "migrate" else BusUser(name)
            for url in env["FLOWNEXUS_NATS_URL"].split(","):
                assert (urlsplit(url).username, urlsplit(url).password) == (
                    user,
                    secret_values[password_variable(user)],
                )
        if "FLOWNEXUS_DATABASE_URL" in env:
            role = "flownexus" if name == "migrate" else f"flownexus_{name}"
            assert urlsplit(env["FLOWNEXUS_DATABASE_URL"]).username == role


def test_a_service_sees_the_secrets_that_it_needs_and_no_other(whole: Rendered) -> None:
    seen = {
        name: {
            one["valueFrom"]["secretKeyRef"]["key"]
            for one in container["env"]
            if one.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == "flownexus"
        }
        for name, container in containers(whole).items()
    }
    assert seen == {
        "gateway": {"NATS_GATEWAY_PASSWORD", "CREDENTIALS_KEY"},
        "ingest": {"NATS_INGEST_PASSWORD", "INGEST_DATABASE_PASSWORD"},
        "operations": {"NATS_OPERATIONS_PASSWORD"},
        "api": {"NATS_API_PASSWORD", "API_DATABASE_PASSWORD", "CREDENTIALS_KEY"},
        "console": {"CONSOLE_SECRET"},
        "migrate": {"NATS_FLOWNEXUS_PASSWORD", "POSTGRES_PASSWORD"},
        "nats": {password_variable(user) for user in BusUser},
    }


def test_it_holds_no_secret(rendered: Rendered) -> None:
    assert rendered.of("Secret") == {}
    for name, container in containers(rendered).items():
        for one in container["env"]:
            if re.search("PASSWORD$|SECRET$|_KEY$", one["name"]) and not one["name"].endswith("PRIVATE_KEY"):
                assert "secretKeyRef" in one["valueFrom"], f"{name}: {one['name']}"


def test_the_secret_is_the_one_that_make_secrets_writes(rendered: Rendered) -> None:
    script = Path(helm.CHART).parents[1] / "compose" / "make-secrets"
    written = set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", script.read_text()))
    asked = {
        one["valueFrom"]["secretKeyRef"]["key"]
        for container in containers(rendered).values()
        for one in container["env"]
        if one.get("valueFrom", {}).get("secretKeyRef", {}).get("name") == "flownexus"
    }
    assert asked <= written


def test_pods_run_as_nobody_in_particular_and_write_nowhere(rendered: Rendered) -> None:
    for name, pod in rendered.pods().items():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]["cpu"]


def test_kubernetes_sets_no_variable_that_a_service_would_read_as_a_setting(rendered: Rendered) -> None:
    """A Service flownexus-api becomes FLOWNEXUS_API_PORT=tcp://... in every pod, unless links are off."""
    assert "flownexus-api" in rendered.of("Service")
    for pod in rendered.pods().values():
        assert pod["spec"]["enableServiceLinks"] is False


def test_images_are_pinned(rendered: Rendered) -> None:
    for name, container in containers(rendered).items():
        assert re.search(r":\d+\.\d+|@sha256:[0-9a-f]{64}$", container["image"]), name


def test_nats_has_the_configuration_that_the_permissions_say(least: Rendered) -> None:
    assert least.of("ConfigMap")["flownexus-nats"]["data"]["nats-server.conf"].strip() == configuration().strip()


@pytest.mark.parametrize(("values", "scheme"), [(LEAST, "tls"), (WHOLE, "tls"), (EXTERNAL, "tls"), (TRIAL, "nats")])
def test_nats_is_over_tls_unless_it_was_turned_off(
    values: dict[str, Any], scheme: str, secret_values: dict[str, str], mounted: Path
) -> None:
    helm.need_helm()
    for container in containers(helm.render(values)).values():
        env = settings_of(container, secret_values, mounted)
        if "FLOWNEXUS_NATS_URL" in env:
            assert {urlsplit(url).scheme for url in env["FLOWNEXUS_NATS_URL"].split(",")} == {scheme}
            assert ("FLOWNEXUS_NATS_CA" in env) == (scheme == "tls")
            mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert ("/etc/flownexus/nats" in mounts) == (scheme == "tls")


def test_the_command_in_the_refusal_makes_a_certificate_for_the_name_that_services_use(
    secret_values: dict[str, str], mounted: Path, tmp_path: Path
) -> None:
    helm.need_helm()
    with pytest.raises(helm.Refused) as refusal:
        helm.render({"secrets": {"existingSecret": "flownexus"}, "database": {"host": "db"}}, name="iot")
    asked = re.search(r"flownexus nats certificates tls --host (\S+);", str(refusal.value))
    assert asked is not None
    url = settings_of(containers(helm.render(LEAST, name="iot"))["api"], secret_values, mounted)["FLOWNEXUS_NATS_URL"]
    assert urlsplit(url).hostname == asked[1]
    for name in (nats_certificates.CERTIFICATE, nats_certificates.KEY, nats_certificates.CA):
        assert f"=tls/{name}" in str(refusal.value)


def test_the_address_of_a_device_reaches_the_gateway(least: Rendered) -> None:
    service = least.of("Service")["flownexus-gateway"]["spec"]
    assert (service["type"], service["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert service["sessionAffinity"] == "ClientIP"
    assert {(port["port"], port["protocol"]) for port in service["ports"]} == {(5684, "UDP"), (5784, "UDP")}


def test_plain_coap_is_there_only_where_it_is_let_in(whole: Rendered) -> None:
    ports = {port["port"] for port in whole.of("Service")["flownexus-gateway"]["spec"]["ports"]}
    assert ports == {5683, 5684, 5783, 5784}


def test_each_pod_is_picked_by_one_policy_and_one_budget(whole: Rendered) -> None:
    for kind, exempt in (("NetworkPolicy", set[str]()), ("PodDisruptionBudget", {"migrate"})):
        for name, pod in whole.pods().items():
            picked = [
                one["metadata"]["name"]
                for one in whole.of(kind).values()
                if (one["spec"].get("podSelector") or one["spec"]["selector"])["matchLabels"].items()
                <= pod["metadata"]["labels"].items()
            ]
            assert picked == ([] if name in exempt else [f"flownexus-{name}"])


def test_services_point_at_ports_that_pods_have(rendered: Rendered) -> None:
    pods = rendered.pods().values()
    for name, service in rendered.of("Service").items():
        labels = service["spec"]["selector"].items()
        [pod] = [pod for pod in pods if labels <= pod["metadata"]["labels"].items()]
        ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports, name


def test_a_policy_lets_services_reach_what_they_are_told_of(
    whole: Rendered, secret_values: dict[str, str], mounted: Path
) -> None:
    for name, container in containers(whole).items():
        env = settings_of(container, secret_values, mounted)
        egress = whole.of("NetworkPolicy")[f"flownexus-{name}"]["spec"]["egress"]
        allowed = {port["port"] for rule in egress for port in rule["ports"]}
        for variable in ("FLOWNEXUS_NATS_URL", "FLOWNEXUS_DATABASE_URL", "FLOWNEXUS_API_URL"):
            if variable in env:
                assert urlsplit(env[variable].split(",")[0]).port in allowed, f"{name}: {variable}"


def test_another_migration_is_another_job(least: Rendered) -> None:
    [first] = least.of("Job")
    [same] = helm.render(LEAST).of("Job")
    [other] = helm.render(LEAST | {"migrate": {"auditDays": 30}}).of("Job")
    assert first == same != other


def test_the_notes_say_where_to_look_and_what_is_not_safe() -> None:
    helm.need_helm()
    trial, plain = helm.render(TRIAL).notes, helm.render(LEAST).notes
    for word in ("nats.tls.enabled is false", "plainCoap is open", "timescaledb.enabled is for a trial"):
        assert word in trial
        assert word not in plain
    assert "component=migrate" in plain
    assert "https://console.example.org" in helm.render(WHOLE).notes
