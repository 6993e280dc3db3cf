"""A Kubernetes API server over etcd, without nodes and controllers: it takes or refuses manifests as a cluster does."""

from __future__ import annotations

import os
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from flownexus_local.program import Program, base_environment
from harness.ports import free_port
from harness.server_process import ServerProcess

API_SERVER = os.environ.get("TEST_KUBE_APISERVER")
"""The program kube-apiserver, built from the Go module k8s.io/kubernetes with its version (`-ldflags "-X
k8s.io/component-base/version.gitVersion=v1.34.3"`). etcd and kubectl are on the path."""


class Cluster:
    """A running API server; `kubectl` asks it as an administrator."""

    def __init__(self, port: int, token: str, folder: Path) -> None:
        self.server, self.token = f"https://127.0.0.1:{port}", token
        self._options = [f"--server={self.server}", f"--token={token}", "--insecure-skip-tls-verify"]
        self._folder = folder

    def kubectl(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run it with `text` on standard input; what it said, with its exit code."""
        return subprocess.run(
            [str(shutil.which("kubectl")), *self._options, *arguments],
            input=text,
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=base_environment() | {"HOME": str(self._folder)},
            timeout=60,
            check=False,
        )


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Start both servers. Skips where one of the programs is not there."""
    missing = [name for name in ("etcd", "kubectl") if shutil.which(name) is None]
    if API_SERVER is None or missing:
        pytest.skip(
            f"no API server: TEST_KUBE_APISERVER is not set{', and no ' + ' and '.join(missing) if missing else ''}"
        )
    etcd_port, peer_port, port, token = free_port(), free_port(), free_port(), secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    subprocess.run(["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True)
    etcd_url = f"http://127.0.0.1:{etcd_port}"
    etcd = _server(
        "etcd",
        folder,
        [
            str(shutil.which("etcd")),
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd_url}",
            f"--advertise-client-urls={etcd_url}",
            f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
            f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
        ],
        f"{etcd_url}/health",
    )
    api = _server(
        "kube-apiserver",
        folder,
        [
            API_SERVER,
            f"--etcd-servers={etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={folder / 'accounts.key'}",
            f"--service-account-signing-key-file={folder / 'accounts.key'}",
        ],
        f"https://127.0.0.1:{port}/readyz",
    )
    etcd.start(60)
    try:
        api.start(120)
        try:
            yield Cluster(port, token, folder)
        finally:
            api.kill()
    finally:
        etcd.kill()


def _server(name: str, folder: Path, argv: list[str], ready: str) -> ServerProcess:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

    def is_ready() -> bool:
        try:
            return httpx.get(ready, timeout=2, trust_env=False, verify=unverified).status_code == 200
        except httpx.HTTPError:
            return False

    program = Program(tuple(argv), folder, base_environment())
    return ServerProcess(name, lambda: program, is_ready, folder / f"{name}.log")
