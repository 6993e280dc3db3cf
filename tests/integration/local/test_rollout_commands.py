"""`flownexus rollout`, through the api: nothing carries rollouts out here."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration.local.conftest import NODE, Run

pytestmark = pytest.mark.timeout(300)


def test_a_rollout_is_tried_dry_started_shown_and_stopped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fw.bin").write_bytes(b"image")
    uploaded = run("firmware", "upload", "fw.bin", "--name", "app", "--version", "9.9")
    firmware = uploaded.stdout.split()[0]
    start = ("rollout", "start", firmware, "--name", "to 9.9", "--endpoint", "sim-*", "--group", "1+pause")

    dry = run(*start, "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.splitlines()[:2] == [
        "1 devices would be updated",
        f"group 1: 1 (1 must succeed, 0 may fail, then it pauses): {NODE}",
    ]
    assert run("rollout", "list").stdout == ""

    made = run(*start)
    assert made.returncode == 0, made.stderr
    rollout = made.stdout.split()[0]
    assert f"{rollout} 'to 9.9' to app 9.9, 1 devices (1 WAITING) RUNNING: Requested." in run("rollout", "list").stdout
    shown = run("rollout", "show", rollout).stdout
    assert "group 1 waiting: 1 WAITING; 1 of 1 must succeed" in shown
    assert "RUNNING: Requested." in shown
    assert run("rollout", "devices", rollout).stdout == f"1 {NODE} WAITING: It waits for its group.\n"
    assert run("rollout", "devices", rollout, "--status", "FAILED").stdout == ""

    assert "PAUSED: Paused by admin." in run("rollout", "pause", rollout).stdout
    refused = run("rollout", "next", rollout)
    assert (refused.returncode, "it cannot be given its next group" in refused.stderr) == (2, True)
    assert "RUNNING: Resumed by admin." in run("rollout", "resume", rollout).stdout
    assert "Group 1 of 1 begun by admin" in run("rollout", "next", rollout).stdout
    assert "STOPPED" in run("rollout", "stop", rollout).stdout
    report = run("rollout", "report", rollout).stdout
    assert "0 succeeded, 0 failed, 0 cancelled, 0 under way, 1 not begun" in report


def test_what_cannot_be_says_why(run: Run) -> None:
    wrong_group = run("rollout", "start", "0" * 16, "--name", "x", "--endpoint", "*", "--group", "some")
    assert (wrong_group.returncode, "--group 'some': it is a number of devices" in wrong_group.stderr) == (2, True)
    unknown = run("rollout", "start", "0" * 16, "--name", "x", "--endpoint", "*")
    assert (unknown.returncode, "There is no firmware '0000000000000000'" in unknown.stderr) == (2, True)
    missing = run("rollout", "rollback", "none", "--name", "back")
    assert (missing.returncode, "There is no rollout 'none'" in missing.stderr) == (2, True)
