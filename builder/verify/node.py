"""Runs the Node harness for many jobs in few processes, and ends processes that are silent for too long."""

from __future__ import annotations

import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from ..errors import VerificationError
from ..sandbox.launch import start_behind_wall
from .result import Failure

harness = Path(__file__).with_name("harness")
install_hint = "Install Node 20 or later and run npm ci, or npm install @tensorflow/tfjs @tensorflow/tfjs-backend-wasm"
largest_output = 1 << 16
silence = "Node gave no answer within"


def answer_of(job: Path) -> Path:
    """Return the file for a job's answer."""
    return job.with_name("result.json")


def run_jobs(node: str, jobs: Sequence[Path], timeout: float, reads: Sequence[Path]) -> dict[Path, str]:
    """Run jobs one after another, in as few processes as it takes.

    Args:
        node: the program.
        jobs: as the harness reads them; each gets an answer beside it.
        timeout: seconds that a job may take from one step to the next.
        reads: files and folders that the harness may read beside the jobs' own.

    Returns:
        For each job without an answer, why it has none.

    Raises:
        VerificationError: Node cannot be started.
    """
    return Jobs(node, timeout, reads).run(jobs)


class Jobs:
    """Runs jobs one after another; another thread may give some of them up."""

    def __init__(self, node: str, timeout: float, reads: Sequence[Path]) -> None:
        """Prepare; see ``run_jobs``."""
        self._node, self._timeout, self._reads = node, timeout, reads
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[Path] = []
        self._given_up: set[Path] = set()
        self._killed = False

    def run(self, jobs: Sequence[Path]) -> dict[Path, str]:
        """Run jobs; those given up are neither answered nor failed, unless they were done by then."""
        failed: dict[Path, str] = {}
        self._waiting = list(jobs)
        while True:
            with self._lock:
                self._waiting = [job for job in self._waiting if job not in self._given_up]
                count = len(self._waiting)
            if not count:
                return failed
            trouble = self._run(self._waiting)
            left = [job for job in self._waiting if not answer_of(job).is_file()]
            if left and not self._killed and (trouble or len(left) == count):
                # The first without an answer brought the process down; the others deserve a run of their own.
                failed[left.pop(0)] = trouble or "Node ended before it gave an answer"
            self._waiting, self._killed = left, False

    def give_up(self, jobs: Iterable[Path]) -> None:
        """End the process if it is at one of these, and begin none of them."""
        with self._lock:
            self._given_up.update(jobs)
            at = next((job for job in self._waiting if not answer_of(job).is_file()), None)
            if self._process and at in self._given_up:
                self._killed = True
                self._process.kill()

    def _run(self, jobs: Sequence[Path]) -> str:
        """Run the harness behind the wall; say what is wrong with the first job without an answer, or nothing."""
        arguments = ["--expose-gc", str(harness / "main.mjs"), *map(str, jobs)]
        folders = [job.parent for job in jobs]
        with tempfile.TemporaryFile() as errors:
            try:
                reads = [harness, *folders, *self._reads]
                process = start_behind_wall(self._node, arguments, reads, folders, errors)
            except OSError as error:
                raise VerificationError(
                    f"Node cannot be started ({error.strerror})", code="SP-542", where=self._node, hint=install_hint
                ) from error
            with process:
                self._at(process)
                silent = _wait(process.stdout, self._timeout) if process.stdout else False
                if silent:
                    process.kill()
            self._at(None)
            if silent:
                return f"{silence} {self._timeout:g} seconds"
            if process.returncode == 0:
                return ""
            errors.seek(max(0, errors.seek(0, 2) - largest_output))
            lines = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
        ending = f"by signal {-process.returncode}" if process.returncode < 0 else f"with status {process.returncode}"
        return f"Node ended {ending}: {' | '.join(lines[-5:]) or 'it said nothing'}"

    def _at(self, process: subprocess.Popen[bytes] | None) -> None:
        with self._lock:
            self._process = process
        self.give_up(())  # what was given up while the process started


def _wait(stream: IO[bytes], timeout: float) -> bool:
    """Wait until a process closes its output, and tell whether it has been silent for too long instead."""
    steps: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_forward, args=(stream, steps), daemon=True).start()
    try:
        while steps.get(timeout=timeout):
            pass
    except queue.Empty:
        return True
    return False


def _forward(stream: IO[bytes], steps: queue.SimpleQueue[bytes]) -> None:
    """Pass a stream's lines on; the last one is empty."""
    for line in stream:
        steps.put(line)
    steps.put(b"")


def failure_text(failure: Failure) -> str:
    """Describe what went wrong in TensorFlow.js."""
    what = {
        "runtime": "TensorFlow.js cannot be started",
        "load": "TensorFlow.js cannot load the bundle",
        "base": "TensorFlow.js loads the bundle, but cannot run its first stage",
        "full": "TensorFlow.js cannot load or run the refined model",
        "source": "TensorFlow.js cannot load or run the source model itself",
    }.get(failure["stage"], f"TensorFlow.js cannot run the outputs of the stage {failure['stage']!r}")
    code = f" ({failure['code']})" if failure["code"] else ""
    return f"{what}{code}: {failure['message']}"
