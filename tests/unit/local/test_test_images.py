"""`flownexus firmware make-test-image`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flownexus_local.errors import CannotRun
from flownexus_local.firmware_commands import firmware_app
from flownexus_simulator.image import Image, Reader


def made(file: Path, *options: str) -> str:
    result = CliRunner().invoke(firmware_app, ["make-test-image", str(file), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_an_image_is_written_as_simulated_devices_read_it(tmp_path: Path) -> None:
    file = tmp_path / "fw.bin"
    digest = made(file, "--version=2.0.0", "--size=5000", "--fault=quiet")
    reader = Reader()
    reader.feed(file.read_bytes())
    assert reader.finish() == Image("simulated", "2.0.0", "quiet", 5000, digest)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
    assert made(file, "--version=2.0.0", "--size=5000", "--seed=1") != digest


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--size=10",), "no such image: the smallest"),
        (("--fault=stalls",), "nothing that an image can do"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    with pytest.raises(CannotRun, match=says):
        made(tmp_path / "fw.bin", "--version=2.0.0", *options)
    assert not (tmp_path / "fw.bin").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot be written"):
        made(tmp_path / "nowhere" / "fw.bin", "--version=2.0.0")
