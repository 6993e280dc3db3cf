"""The rules of the layout that no type checker sees."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[3]
CODE = ("schemas/flownexus_schemas", "services", "deploy/local", "firmware/simulator")
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MAX_LINES = 400


def modules() -> Iterator[Path]:
    for folder in CODE:
        yield from sorted((ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def strings(path: Path) -> Iterator[str]:
    """String constants of a module that are not docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_imports_keep_the_borders_between_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_nats_names_are_spelled_in_one_module() -> None:
    name = re.compile(r"^(lwm2m\.(event|operation|desired|firmware|rollout|dead|gateway)\.|LWM2M_[A-Z]|lwm2m_[a-z])")
    spelled = {
        relative(path)
        for path in modules()
        # The generator writes the patterns of subjects for readers; a column of a table is no subject.
        if relative(path) not in {"schemas/flownexus_schemas/subjects.py", "schemas/flownexus_schemas/generate.py"}
        and any(name.match(text) and text != "lwm2m_version" for text in strings(path))
    }
    assert not spelled, "take the name from subjects.py"


def test_only_settings_read_the_environment() -> None:
    reading = {
        relative(path)
        for path in modules()
        if re.search(r"\bos\.(environ|getenv)\b", path.read_text()) and "deploy/local" not in relative(path)
    }
    assert not reading, "build a settings class in main.py and pass it down"


@pytest.mark.parametrize("path", list(modules()), ids=relative)
def test_a_module_is_one_concept(path: Path) -> None:
    assert path.stem not in VAGUE_NAMES, "name the module after its concept"
    assert len(path.read_text().splitlines()) <= MAX_LINES, "it is telling you that it is two modules"
