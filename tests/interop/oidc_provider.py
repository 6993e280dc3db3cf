"""A real OpenID Connect provider as a process: oidc-provider for Node.js, certified by the OpenID Foundation."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from harness.ports import free_port
from harness.waiting import blocking_until

SOURCES = Path(__file__).parent / "oidc"
SECRET = "a-word-of-the-tests-at-the-provider"


class OidcProvider:
    """One provider, and a browser of somebody who logs in there."""

    def __init__(self, folder: Path, redirect_uri: str, people: Mapping[str, object]) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.redirect_uri = redirect_uri
        command = ["node", "provider.js", str(self.port), redirect_uri, json.dumps(people)]
        self.log = folder / "provider.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        blocking_until(self._answers, 60, "the provider")

    def log_in(self, url: str, login: str) -> httpx.URL:
        """Follow the login as a browser does, up to where the provider sends it back to."""
        with httpx.Client(trust_env=False, timeout=30) as browser:
            answer = browser.get(url)
            for _ in range(12):
                if answer.is_redirect:
                    location = urljoin(str(answer.url), answer.headers["location"])
                    if location.startswith(self.redirect_uri):
                        return httpx.URL(location)
                    answer = browser.get(location)
                    continue
                assert answer.status_code == 200, answer.text
                form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', answer.text))
                action = re.search(r'action="([^"]+)"', answer.text)
                assert action is not None, answer.text
                typed = {"login": login, "password": "any"} if form.get("prompt") == "login" else {}
                answer = browser.post(urljoin(str(answer.url), action[1]), data=form | typed)
        raise AssertionError("the provider sends the browser round and round")

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.issuer}/.well-known/openid-configuration", trust_env=False).status_code == 200
        except httpx.TransportError:
            assert self._process.poll() is None, self.log.read_text()
            return False

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def oidc_provider(folder: Path, redirect_uri: str, people: Mapping[str, object]) -> Iterator[OidcProvider]:
    """A provider in a folder of its own, its packages from npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.fail("The test of OpenID Connect needs Node.js and npm: apt install nodejs npm")
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    provider = OidcProvider(folder, redirect_uri, people)
    try:
        yield provider
    finally:
        provider.stop()
