"""The conversion pool: lazy, lasting workers that die with the main process, and whose deaths are told."""

from __future__ import annotations

import importlib.util
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import ConversionError, SourceError
from builder.work import pool as pool_module
from builder.work.pool import ConversionPool
from tests.helpers import pool_tasks

pytestmark = pytest.mark.slow
root = Path(__file__).resolve().parents[2]


def test_nothing_starts_before_the_first_request() -> None:
    with ConversionPool(2, reads=pool_tasks.code) as pool:
        assert pool._all == []
        assert pool.submit(pool_tasks.square, 7).result() == 49
        assert len(pool._all) == 1


def test_workers_stay_and_are_no_more_than_jobs(tmp_path: Path) -> None:
    with ConversionPool(2, reads=pool_tasks.code) as pool:
        first = [pool.submit(pool_tasks.process, None).result() for _ in range(3)]
        assert len(set(first)) == 1
        many = [pool.submit(pool_tasks.process, None) for _ in range(20)]
        assert len({future.result() for future in many} | set(first)) <= 2
    assert os.getpid() not in first


def test_neither_side_imports_tensorflow_by_itself() -> None:
    program = (  # a process of its own: other tests have their reasons to import h5py
        "from builder.work.pool import ConversionPool\n"
        "from tests.helpers import pool_tasks\n"
        "with ConversionPool(1, reads=pool_tasks.code) as pool:\n"
        "    print(*pool.submit(pool_tasks.modules, None).result())\n"
        "print(*pool_tasks.modules(None))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=root, check=True, capture_output=True, text=True)
    for side in done.stdout.splitlines():
        assert "builder.convert.side_files" in side.split()
        assert not {"tensorflow", "tensorflowjs", "keras", "tf_keras", "h5py"} & set(side.split())
    assert len(done.stdout.splitlines()) == 2


def test_a_crash_names_the_model_and_harms_no_other() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool:
        future = pool.submit(pool_tasks.crash, int(signal.SIGSEGV), "faces")
        after = pool.submit(pool_tasks.square, 3)
        with pytest.raises(ConversionError, match=r"'faces' crashed \(SIGSEGV\)") as caught:
            future.result()
        assert after.result() == 9
    assert any("the last words" in note for note in caught.value.__notes__)


def test_a_kill_tells_of_memory() -> None:
    with (
        ConversionPool(1, reads=pool_tasks.code) as pool,
        pytest.raises(ConversionError, match=r"killed.*memory.*--jobs"),
    ):
        pool.submit(pool_tasks.crash, int(signal.SIGKILL), "faces").result()


def test_a_worker_that_leaves_is_told() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool, pytest.raises(ConversionError, match="ended with status 7"):
        pool.submit(pool_tasks.leave, 7, "faces").result()


def test_expected_failures_come_back_as_they_are() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool, pytest.raises(SourceError) as caught:
        pool.submit(pool_tasks.refuse, "model.h5").result()
    assert (caught.value.what, caught.value.where, caught.value.hint) == ("is damaged", "model.h5", "Save it again")


def test_other_failures_become_one_sentence_with_the_rest_for_debugging() -> None:
    with ConversionPool(1, reads=pool_tasks.code) as pool, pytest.raises(ConversionError) as caught:
        pool.submit(pool_tasks.fail, "\n \nThe shapes do not match\nand much more").result()
    assert "The shapes do not match" in str(caught.value)
    assert "much more" not in str(caught.value)
    assert any("Traceback" in note and "and much more" in note for note in caught.value.__notes__)


def test_what_workers_print_goes_to_the_log_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "worker.log"
    with ConversionPool(1, log, reads=pool_tasks.code) as pool:
        assert pool.submit(pool_tasks.speak, "from Python").result() == "from Python"
    assert sorted(log.read_text().splitlines()) == ["and from C++", "from Python"]
    assert capfd.readouterr() == ("", "")


def test_without_tensorflow_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        pool_module.importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name)
    )
    with (
        ConversionPool(1, reads=pool_tasks.code) as pool,
        pytest.raises(ConversionError, match=r"tensorflow .*pip install"),
    ):
        pool.submit("versions", None).result()
    assert pool._all == []


def test_an_exception_ends_the_work_under_way() -> None:
    descriptors = []

    def interrupt() -> None:
        with ConversionPool(1, reads=pool_tasks.code) as pool:
            pipe = pool_tasks.make_pipe(pool)
            pool.submit(pool_tasks.wait_forever, pipe)
            descriptors.append(os.pidfd_open(int(Path(pipe).read_text())))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert select.select(descriptors, [], [], 30)[0]
    os.close(descriptors[0])


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_worker_does_not_outlive_a_killed_main_process(state: str) -> None:
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.helpers.pool_tasks", state]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        descriptor = os.pidfd_open(int(main.stdout.readline()))
        pipe = main.stdout.readline().strip()
        if state == "busy":
            assert int(Path(pipe).read_text())
        main.kill()
    ended = select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
    assert ended
