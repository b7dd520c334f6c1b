from __future__ import annotations

import os
import signal

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
