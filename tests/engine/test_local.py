from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from provenance.engine import Crew, Done, Failed, Phase, Watch, Yielded, beat, run, serve
from provenance.engine.vitals import vitals


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


def troubled(kind):
    for place in range(100):
        beat(place)
        if place == 40 and kind == "crash":
            ctypes.string_at(0)
        if place == 41 and kind == "hang":
            while True:
                pass
        if place == 42 and kind == "memory":
            held = bytearray(400 << 20)
            while held:
                time.sleep(0.01)
        yield place


def test_a_worker_that_hangs_crashes_or_swells_is_replaced_and_says_where_it_was():
    kinds = iter(["fine", "crash", "hang", "memory", "fine"])
    watch = Watch(unit_seconds=1.0, other_seconds=20.0, memory=300 << 20)
    began = time.monotonic()
    values, ends = grouped(serve(troubled, lambda: next(kinds, None), 2, watch))
    assert time.monotonic() - began < 30
    assert values[0] == values[4] == list(range(100))
    found = {end.cause: (end.at.phase, end.at.place) for end in ends.values() if isinstance(end, Failed)}
    assert found == {"crash": (Phase.UNIT, 40), "timeout": (Phase.UNIT, 41), "memory": (Phase.UNIT, 42)}


def test_a_worker_that_waits_for_a_slow_consumer_is_not_taken_to_hang():
    tasks = iter([3])
    arrived = []
    for event in serve(wide, lambda: next(tasks, None), 1, Watch(unit_seconds=0.2, other_seconds=0.2)):
        time.sleep(0.5)
        arrived.append(event)
    assert isinstance(arrived[-1], Done)
    assert len(arrived) == 4


def wide(n):
    for _ in range(n):
        beat(1)
        yield bytes(1 << 20)  # more than a pipe holds


def test_tasks_can_depend_on_what_came_before():
    given = []

    def feed():
        if len(given) < 5 and (not given or arrived):
            given.append(len(given))
            return given[-1]
        return None

    arrived = []
    for event in serve(count_up, feed, 2):
        arrived.append(event)
    assert sum(isinstance(event, Done) for event in arrived) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a worker in native code can't be reached")
def test_a_worker_stuck_in_native_code_ends_with_its_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        "import ctypes, multiprocessing, os\n"
        "from provenance.engine import serve\n"
        "def stuck(n):\n"
        "    yield n\n"
        "    ctypes.PyDLL(None).pause()\n"  # holds the interpreter's lock
        "if __name__ == '__main__':\n"
        "    tasks = iter([1])\n"
        "    for event in serve(stuck, lambda: next(tasks, None), 1):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    (child,) = [int(pid) for pid in parent.stdout.readline().split()]
    time.sleep(0.2)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and alive(child):
        time.sleep(0.05)
    assert not alive(child)


def test_vitals_say_what_a_process_uses():
    child = subprocess.Popen(
        [sys.executable, "-c", "x = bytearray(200 << 20)\nprint(1, flush=True)\nwhile True: pass"],
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        time.sleep(0.5)
        used = vitals(child.pid)
        assert used.cpu > 0.05
        assert 200 << 20 < used.memory < 300 << 20
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert vitals(child.pid) is None


PREPARED = []


def get_ready():
    PREPARED.append(os.getpid())


def fail_to_get_ready():
    raise OSError("no such library")


def say_who(_):
    yield os.getpid(), list(PREPARED)


def test_a_crew_gets_ready_before_there_is_work_and_is_ended_when_there_is_none():
    tasks = iter([1, 2])
    with closing(Crew(say_who, get_ready)) as crew:
        process = crew.start().process
        events = list(serve(say_who, lambda: next(tasks, None), 1, crew=crew))
        ((first, prepared),) = {(at, *ready) for at, ready in (e.value for e in events if isinstance(e, Yielded))}
        assert first == prepared != os.getpid()
    assert not process.is_alive()
    idle = Crew(say_who, get_ready)
    process = idle.start().process
    idle.close()
    assert not process.is_alive()


def test_a_worker_that_can_not_get_ready_works_all_the_same():
    tasks = iter([1])
    events = list(serve(say_who, lambda: next(tasks, None), 1, crew=Crew(say_who, fail_to_get_ready)))
    assert [type(event) for event in events] == [Yielded, Done]
