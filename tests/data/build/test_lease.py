"""One run at a time writes into an output, whatever the clocks of the machines say."""

import json
import os
import time
from pathlib import Path

import pytest

from motionhub.data.build.lease import NAME, Lease
from motionhub.data.build.store import Store


QUICK = {"beat": 0.05, "patience": 4}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def test_a_second_run_into_one_output_is_refused_while_the_first_lives(store: Store) -> None:
    with Lease(store, **QUICK) as first:
        with pytest.raises(ValueError, match=f"another run \\(process {os.getpid()} on .*is writing there"):
            Lease(store, **QUICK).__enter__()
        first.check()
    assert store.files() == {}
    with Lease(store, **QUICK):  # it has ended: no wait
        pass


@pytest.mark.parametrize("seconds", [-1e6, 0.0, 1e6])
def test_an_output_whose_owner_is_dead_is_taken_over_whatever_its_clock(store: Store, seconds: float) -> None:
    store.write(NAME, json.dumps({"token": "x", "host": "gone", "process": 1, "count": 7}).encode())
    path, moment = Path(store.address) / NAME, time.time() + seconds
    os.utime(path, (moment, moment))
    with Lease(store, **QUICK) as lease:
        assert json.loads(path.read_bytes())["token"] == lease.token
        lease.check()


def test_of_two_runs_that_begin_at_once_one_ends(store: Store) -> None:
    first, second = Lease(store, **QUICK), Lease(store, **QUICK)
    first.__enter__()
    second._write(0)  # it looked before the first had written
    second._thread.start()
    deadline = time.monotonic() + 10
    while not first._lost_to and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ValueError, match="has taken it over; this run ends"):
        first.check()
    second.check()
    first.__exit__()
    assert json.loads(store.read(NAME))["token"] == second.token
    second.__exit__()
    assert store.files() == {}


def test_a_damaged_note_of_the_owner_does_not_lock_the_output(store: Store) -> None:
    store.write(NAME, b"{")
    with Lease(store, **QUICK) as lease:
        lease.check()


@pytest.mark.parametrize(
    ("address", "seconds"),
    [("hf://datasets/me/poses", 60.0), ("hf://buckets/me/poses", 5.0), ("s3://bucket/poses", 5.0), ("poses", 5.0)],
)
def test_a_repository_of_the_hub_gets_a_sign_of_life_a_minute_because_each_is_a_commit(
    address: str, seconds: float
) -> None:
    assert Lease(Store(address)).beat == seconds
