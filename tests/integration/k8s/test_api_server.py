"""The chart at a real Kubernetes API server, which says more than schemas do: defaults, cross-checks, pod security."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness import helm
from harness.kubernetes import Cluster, running_cluster
from integration.k8s.value_sets import SETS, TRIAL, changed

OF_OTHERS = {"PodMonitor", "Certificate"}
NAMESPACE = yaml.safe_dump(
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": helm.NAMESPACE,
            "labels": {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")},
        },
    }
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    helm.need_helm()
    with tempfile.TemporaryDirectory() as folder, running_cluster(Path(folder)) as running:
        made = running.kubectl("apply", "-f", "-", text=NAMESPACE)
        assert made.returncode == 0, made.stderr
        yield running


@pytest.mark.parametrize("values", SETS)
def test_it_takes_every_manifest_under_the_strictest_pod_security(cluster: Cluster, values: str) -> None:
    manifests = [one for one in helm.render(SETS[values]).manifests if one["kind"] not in OF_OTHERS]
    done = cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict", "-n", helm.NAMESPACE, "-f", "-"),
        text=yaml.safe_dump_all(manifests),
    )
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    # A gateway on the node's network is what that asks for, and what restricted pods may not be.
    expected = "host namespaces" if values == "external" else None
    assert [line for line in warnings if expected is None or expected not in line] == []
    assert done.stdout.count("serverside-applied") == len(manifests)


def test_a_secret_that_lacks_something_is_refused_and_a_whole_one_is_installed_and_upgraded(cluster: Cluster) -> None:
    keys = [*re.findall(r'"([A-Z]+_[A-Z_]+)"', (helm.CHART / "templates" / "checks.yaml").read_text())]
    assert len(keys) > 10
    given = [f"--from-literal={key}=n0123" for key in keys]
    left_out = ("CONSOLE_SECRET", "NATS_API_PASSWORD")
    some = [one for one in given if not any(key in one for key in left_out)]
    assert cluster.kubectl("-n", helm.NAMESPACE, "create", "secret", "generic", "flownexus", *some).returncode == 0
    with pytest.raises(helm.Refused, match="the Secret flownexus lacks NATS_API_PASSWORD, CONSOLE_SECRET"):
        helm.install(TRIAL, cluster.server, cluster.token)
    cluster.kubectl("-n", helm.NAMESPACE, "delete", "secret", "flownexus")
    assert cluster.kubectl("-n", helm.NAMESPACE, "create", "secret", "generic", "flownexus", *given).returncode == 0
    helm.install(TRIAL, cluster.server, cluster.token)
    # A Job cannot be changed: another migration is another one.
    helm.install(changed(TRIAL, "migrate.auditDays", 30), cluster.server, cluster.token, upgrade=True)
    jobs = cluster.kubectl("-n", helm.NAMESPACE, "get", "jobs", "-o", "name").stdout.split()
    assert len(jobs) == 1
