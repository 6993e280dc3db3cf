"""The supervisor over real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from flownexus_local import run_notes
from flownexus_local.errors import CannotRun
from flownexus_local.program import Program, base_environment
from flownexus_local.supervisor import Happened, Supervised, Supervision, stop_in_stages
from harness.waiting import until

WAITS = "import signal; print('up', flush=True); signal.pause()"
IGNORES_SIGTERM = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
)
STARTS_NEVER = "import sys; print('the port is taken', file=sys.stderr); sys.exit({code})"


@pytest.fixture
def happened() -> list[tuple[str, Happened]]:
    """What was reported."""
    return []


@pytest.fixture
async def supervise(tmp_path: Path, happened: list[tuple[str, Happened]]) -> AsyncIterator[Callable[..., Supervised]]:
    """Makes supervised Python programs; kills them at the end."""
    made: list[Supervised] = []

    def make(name: str, code: str, *, stage: int = 1, stop_timeout_s: float = 5) -> Supervised:
        program = Program((sys.executable, "-c", code), cwd=tmp_path, env=base_environment())
        log = tmp_path / f"{name}.log"
        supervision = Supervision(
            name, program, lambda: log.exists() and "up" in log.read_text(), log, stage, stop_timeout_s
        )
        process = Supervised(supervision, tmp_path, lambda name, what, _: happened.append((name, what)))
        made.append(process)
        return process

    yield make
    for process in made:
        process.kill()
        await process.stop()


async def test_a_killed_process_is_started_again(
    supervise: Callable[..., Supervised], happened: list[tuple[str, Happened]]
) -> None:
    process = supervise("one", WAITS)
    process.launch()
    await process.until_ready(10)
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: process.pid != first, what="another process")
    assert happened == [("one", Happened.ENDED), ("one", Happened.STARTED)]


async def test_a_stopped_process_stays_stopped(
    supervise: Callable[..., Supervised], happened: list[tuple[str, Happened]]
) -> None:
    process = supervise("one", WAITS)
    process.launch()
    await process.until_ready(10)
    await process.stop()
    assert process.pid is not None
    assert not psutil.pid_exists(process.pid)
    assert happened == []


async def test_one_that_does_not_listen_is_killed(
    supervise: Callable[..., Supervised], happened: list[tuple[str, Happened]]
) -> None:
    process = supervise("deaf", IGNORES_SIGTERM, stop_timeout_s=0.3)
    process.launch()
    await process.until_ready(10)
    await process.stop()
    assert happened == [("deaf", Happened.KILLED)]


async def test_stages_are_stopped_from_the_lowest(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    code = (
        "import signal,sys,time; print('up', flush=True); "
        "signal.signal(signal.SIGTERM, lambda *_: (print(time.monotonic_ns()), sys.exit())); "
        "[signal.pause() for _ in iter(int, 1)]"
    )
    late, early = supervise("late", code, stage=2), supervise("early", code, stage=1)
    for process in (late, early):
        process.launch()
        await process.until_ready(10)
    await stop_in_stages([late, early])
    ends = {name: int((tmp_path / f"{name}.log").read_text().split()[-1]) for name in ("late", "early")}
    assert ends["early"] < ends["late"]


async def test_a_misconfigured_program_ends_the_start_at_once_with_its_words(
    supervise: Callable[..., Supervised], happened: list[tuple[str, Happened]]
) -> None:
    process = supervise("wrong", STARTS_NEVER.format(code=2))
    process.launch()
    with pytest.raises(CannotRun, match="the port is taken"):
        await process.until_ready(10)
    assert happened == []


async def test_a_program_that_keeps_crashing_ends_the_start(supervise: Callable[..., Supervised]) -> None:
    process = supervise("crashes", STARTS_NEVER.format(code=1))
    process.launch()
    with pytest.raises(CannotRun, match="crashes does not start: it ended with exit code 1"):
        await process.until_ready(20)


async def test_what_was_left_running_is_found_and_ended(supervise: Callable[..., Supervised], tmp_path: Path) -> None:
    process = supervise("one", WAITS)
    process.launch()
    await process.until_ready(10)
    assert [found.pid for found in run_notes.leftovers(tmp_path).values()] == [process.pid]
    assert run_notes.end_leftovers(tmp_path) == ["one"]
    assert run_notes.leftovers(tmp_path) == {}


async def test_a_step_of_the_clock_does_not_hide_what_was_left(
    supervise: Callable[..., Supervised], tmp_path: Path
) -> None:
    process = supervise("one", WAITS)
    process.launch()
    await process.until_ready(10)
    path = tmp_path / "one.json"
    noted = json.loads(path.read_text())
    path.write_text(json.dumps(noted | {"created": noted["created"] - 3600}))
    assert [found.pid for found in run_notes.leftovers(tmp_path).values()] == [process.pid]


def test_a_note_about_a_number_that_another_process_has_now_is_dropped(tmp_path: Path) -> None:
    run_notes.note(tmp_path, "old", os.getpid())
    path = tmp_path / "old.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"created": 1.0, "command": ["another"]}))
    assert run_notes.leftovers(tmp_path) == {}
    assert not list(tmp_path.iterdir())
