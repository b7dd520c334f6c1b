from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provenance.engine import Done, Failed, Yielded, run


def count_up(n):
    yield from range(n)
    if n == 13:
        raise ValueError("unlucky")


def die_on_three(n):
    yield n
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def grouped(events):
    values, ends = {}, {}
    for event in events:
        if isinstance(event, Yielded):
            values.setdefault(event.task, []).append(event.value)
        else:
            assert event.task not in ends
            ends[event.task] = event
    return values, ends


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_value_arrives_in_order_and_one_failure_stays_alone(jobs):
    tasks = [3, 13, 0, 40]
    values, ends = grouped(run(count_up, tasks, jobs))
    assert values == {0: [0, 1, 2], 1: list(range(13)), 3: list(range(40))}
    assert isinstance(ends[1], Failed)
    assert "unlucky" in ends[1].error
    assert "ValueError" in ends[1].trace
    assert all(isinstance(ends[task], Done) for task in (0, 2, 3))


def test_a_killed_worker_fails_its_own_task_and_the_rest_goes_on():
    _, ends = grouped(run(die_on_three, [1, 2, 3, 4, 5, 6], 2))
    assert sorted(ends) == [0, 1, 2, 3, 4, 5]
    assert isinstance(ends[2], Failed)
    assert "SIGKILL" in ends[2].error
    assert all(isinstance(ends[task], Done) for task in (0, 1, 3, 4, 5))


def test_leaving_early_stops_the_workers():
    events = run(count_up, [1000000, 1000000], 2)
    next(events)
    events.close()


def test_workers_end_when_their_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, sys, time\n"
        "from provenance.engine import run\n"
        "def forever(n):\n"
        "    while True:\n"
        "        yield n\n"
        "if __name__ == '__main__':\n"
        "    events = run(forever, [1, 2], 2)\n"
        "    next(events)\n"
        "    print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    children = [int(pid) for pid in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and any(alive(pid) for pid in children):
        time.sleep(0.2)
    assert len(children) == 2
    assert not any(alive(pid) for pid in children)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z" if Path("/proc").is_dir() else True
