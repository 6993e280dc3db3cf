"""Logs: one file a start, a few kept, none grows without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from flownexus_local import log_files


def test_each_start_has_a_new_file_and_the_oldest_goes(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    for start in range(6):
        log_files.rotate(log)
        log.write_text(f"start {start}")
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"api.log": "start 5", "api.log.1": "start 4", "api.log.2": "start 3", "api.log.3": "start 2"}


def test_an_empty_log_pushes_nothing_out(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    log.touch()
    log_files.rotate(log)
    assert [path.name for path in tmp_path.iterdir()] == ["api.log"]


def test_a_large_log_is_cut_while_its_process_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "LARGEST_BYTES", 10)
    log = tmp_path / "api.log"
    with log.open("ab", buffering=0) as process:
        process.write(b"a long line\n")
        assert log_files.cut_if_large(log)
        process.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert (tmp_path / "api.log.1").read_bytes() == b"a long line\n"
    assert not log_files.cut_if_large(log)


def test_the_end_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "api.log"
    assert log_files.last_lines(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(30)))
    assert log_files.last_lines(log, 2) == "line 28\nline 29"
