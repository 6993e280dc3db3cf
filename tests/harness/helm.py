"""Helm on our chart: what it renders, what it refuses.

Run as a program of its own: Helm is Go, whose runtime stays out of the tests' process.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "deploy" / "k8s" / "flownexus"
NAMESPACE = "flow"
Manifest = dict[str, Any]


class Refused(Exception):
    """Helm does not render the chart with these values."""


@dataclass(frozen=True)
class Rendered:
    """Manifests in the order of Helm, and what it says after an installation."""

    manifests: list[Manifest]
    notes: str

    def of(self, kind: str) -> dict[str, Manifest]:
        """Those of a kind, by name."""
        return {one["metadata"]["name"]: one for one in self.manifests if one["kind"] == kind}

    def pods(self) -> dict[str, Manifest]:
        """The template of each workload's pods, by its component."""
        workloads = [one for one in self.manifests if one["kind"] in {"Deployment", "StatefulSet", "Job"}]
        return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"] for one in workloads}


def need_helm() -> None:
    """Skip where Helm is not installed; in CI it must be."""
    if importlib.util.find_spec("helm_python") is None:
        assert not os.environ.get("CI"), "CI runs `make helm` before the tests"
        pytest.skip("Helm is not installed: `make helm` installs it")


def render(values: dict[str, Any], name: str = "flownexus") -> Rendered:
    """`helm template`; not to be changed, as each is rendered once. Raises Refused with Helm's words."""
    return _rendered(json.dumps(values, sort_keys=True), name)


@functools.cache
def _rendered(values: str, name: str) -> Rendered:
    answer = _run("render", json.loads(values), name)
    if "refused" in answer:
        raise Refused(answer["refused"])
    notes = next(text for path, text in answer["rendered"].items() if path.endswith("NOTES.txt"))
    texts = (text for path, text in sorted(answer["rendered"].items()) if path.endswith(".yaml"))
    manifests = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return Rendered(manifests, notes)


def install(values: dict[str, Any], server: str, token: str, upgrade: bool = False) -> None:
    """`helm install` or `upgrade` at an API server. Raises Refused with Helm's words or the server's."""
    answer = _run("upgrade" if upgrade else "install", values | {"server": server, "token": token}, "flownexus")
    if "refused" in answer:
        raise Refused(answer["refused"])


def lint(values: dict[str, Any]) -> list[str]:
    """`helm lint --strict`: its errors and warnings."""
    found = _run("lint", values, "")["found"]
    return [str(one) for one in [*(one["error"] for one in found["messages"] if one["severity"] > 1), *found["errors"]]]


def close() -> None:
    """End the program, if it runs."""
    if _Program.running is not None:
        _Program.running.communicate()
        _Program.running = None


class _Program:
    """One process for all that a run of the tests asks: it takes longer to load than to answer."""

    running: subprocess.Popen[str] | None = None


def _run(what: str, values: dict[str, Any], name: str) -> dict[str, Any]:
    if _Program.running is None:
        _Program.running = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    program = _Program.running
    assert program.stdin is not None
    assert program.stdout is not None
    program.stdin.write(json.dumps([what, values, name]) + "\n")
    program.stdin.flush()
    answer: dict[str, Any] = json.loads(program.stdout.readline())
    return answer


def _answer(what: str, values: dict[str, Any], name: str) -> dict[str, Any]:
    import helm_python

    if what in {"install", "upgrade"}:
        return _at_a_server(what, values.pop("server"), values.pop("token"), values, name)
    if what == "lint":
        return {"found": helm_python.lint(CHART, values, strict=True)}
    try:
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(values)
            return {"rendered": chart.render(values, name=name, namespace=NAMESPACE)}
    except helm_python.HelmError as error:
        return {"refused": str(error)}


def _at_a_server(what: str, server: str, token: str, values: dict[str, Any], name: str) -> dict[str, Any]:
    import helm_python

    cluster = helm_python.Config(
        kube_apiserver=server, kube_token=token, kube_insecure_skip_tls_verify=True, namespace=NAMESPACE
    )
    try:
        with cluster:
            getattr(cluster, what)(CHART, name, values=values)
    except helm_python.HelmError as error:
        return {"refused": str(error)}
    return {}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(_answer(*json.loads(line))), flush=True)
