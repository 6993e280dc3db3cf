"""`make bench`: runs each benchmark in a process of its own and prints one JSON document.

`python tests/bench/run.py [NAME...]` runs those named, such as `gateway` for bench_gateway.py.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

HERE = Path(__file__).parent


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def main(names: list[str]) -> int:
    """Exit code 1 if a benchmark failed; its error output is shown as it comes."""
    known = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(names) - set(known)
    if unknown:
        print(f"no benchmark is named {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    results: dict[str, object] = {"machine": machine()}
    failed = False
    for name in names or known:
        print(f"running {name}", file=sys.stderr)
        done = subprocess.run([sys.executable, HERE / f"bench_{name}.py"], stdout=subprocess.PIPE, check=False)
        failed |= done.returncode != 0
        results[name] = json.loads(done.stdout) if done.returncode == 0 else {"exit_code": done.returncode}
    print(json.dumps(results, indent=2))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
