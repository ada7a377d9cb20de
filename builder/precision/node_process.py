"""A Node process behind the wall that keeps one graph and answers questions about it, one after another."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import msgspec

from ..errors import ConversionError
from ..sandbox.launch import start_behind_wall
from ..typed import from_json
from ..verify.node import harness as verify_harness
from ..verify.node import install_hint
from ..verify.result import StoredTensor
from ..verify.run import missing_runtime

harness = Path(__file__).with_name("harness")
seconds_to_answer = 300.0  # one batch, on a slow machine, with some kernels of the cpu backend
patience = 5.0  # seconds to end by itself
most_memory = 16 << 30  # bytes of data of the process; WebAssembly takes 4 GiB of it at most
largest_index, largest_numbers = 1 << 24, 1 << 32  # bytes of an answer
quoted_bytes, quoted_lines = 1 << 16, 5
wasm_package = Path("@tensorflow", "tfjs-backend-wasm", "package.json")
way_out = 'Use precision = "balanced" or "exact"'


class Answer(msgspec.Struct):
    """What the harness writes of a question; ``measure.mjs`` says what it means."""

    answer: list[StoredTensor] = []
    error: str | None = None


def require_runtime(node_modules: Path | None) -> tuple[str, Path]:
    """Return Node and the folder of its packages.

    Raises:
        ConversionError: Node, TensorFlow.js or its wasm backend is not installed.
    """
    node, problem = shutil.which("node"), missing_runtime(node_modules)
    if not problem and node_modules is not None and not (node_modules / wasm_package).is_file():
        problem = f"TensorFlow.js' wasm backend is not installed for Node. {install_hint}."
    if problem or node is None or node_modules is None:
        what, _, hint = problem.partition(". ")
        raise ConversionError(
            f"the precision of this model is measured in TensorFlow.js under Node: {what}",
            code="SP-414",
            hint=hint.rstrip("."),
        )
    return node, node_modules


class NodeProcess:
    """Node with ``harness/measure.mjs``, used as a context manager, which ends it.

    Attributes:
        folder: where it reads what it is given, and writes its answers.
    """

    def __init__(self, node: str, node_modules: Path, folder: Path, timeout: float = seconds_to_answer) -> None:
        """Start it.

        Args:
            node: the program.
            node_modules: where TensorFlow.js and its wasm backend are installed.
            folder: an existing folder for the files of questions and answers; the caller removes it.
            timeout: seconds that an answer may take.

        Raises:
            ConversionError: Node cannot be started.
        """
        self.folder = folder
        self._timeout = timeout
        order = folder / "order.json"
        places = {"nodeModules": node_modules, "inputs": folder / "inputs.bin", "out": folder}
        order.write_text(json.dumps({name: str(path.resolve()) for name, path in places.items()}), encoding="utf-8")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 closed with the process
        arguments = ["--expose-gc", str(harness / "measure.mjs"), str(order)]
        reads = [harness, verify_harness, node_modules, folder]
        try:
            self._process = start_behind_wall(
                node, arguments, reads, [folder], self._errors, asked=True, memory=most_memory
            )
        except OSError as error:
            self._errors.close()
            raise ConversionError(
                f"Node cannot be started ({error.strerror})", code="SP-414", where=node, hint=install_hint
            ) from error
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        assert self._process.stdout is not None  # noqa: S101
        self._reader = threading.Thread(target=_forward, args=(self._process.stdout, self._lines), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end(patience if kind is None else 0.0)
        self._errors.close()
        self._reader.join()  # what it reads from has ended
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def ask(self, question: Mapping[str, Any]) -> tuple[Sequence[StoredTensor], bytes]:
        """Ask a question, as ``measure.mjs`` has them.

        Returns:
            The tensors of the answer, for ``verify.tensors.read_tensor``, and their bytes.

        Raises:
            ConversionError: TensorFlow.js cannot do it, or the process died or took too long; then it is ended.
        """
        assert self._process.stdin is not None  # noqa: S101
        with contextlib.suppress(OSError):  # of a dead one the answer tells
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=self._timeout)
        except queue.Empty:
            self._end(0.0)
            raise _failure(f"Node gave no answer within {self._timeout:g} seconds") from None
        if not line:
            raise _failure(self._ending())
        try:
            answer = from_json(self._read("answer.json", largest_index), Answer)
            numbers = self._read("answer.bin", largest_numbers)
        except (OSError, ValueError) as error:
            self._end(0.0)
            raise _failure(f"Node gave an invalid answer ({error})") from error
        if answer.error is not None:
            raise _failure(answer.error)
        return answer.answer, numbers

    def _read(self, name: str, most: int) -> bytes:
        path = self.folder / name
        if path.is_symlink() or path.stat().st_size > most:
            raise ValueError(f"{name} is too large or no plain file")
        return path.read_bytes()

    def _ending(self) -> str:
        """Say how the process ended, of which its closed output tells."""
        self._end(patience)
        code = self._process.returncode
        self._errors.seek(max(0, self._errors.seek(0, 2) - quoted_bytes))
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        how = f"by signal {-code}" if code < 0 else f"with status {code}"
        return f"Node ended {how}: {' | '.join(lines[-quoted_lines:]) or 'it said nothing'}"

    def _end(self, seconds: float) -> None:
        """End the process: it has some seconds to do so by itself, once nobody asks any more."""
        process = self._process
        with contextlib.suppress(OSError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _failure(what: str) -> ConversionError:
    return ConversionError(
        f"TensorFlow.js cannot run the converted model, so its precision cannot be measured: {what}",
        code="SP-413",
        hint=way_out,
    )


def _forward(stream: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Pass a stream's lines on, cut where they are too long for an answer; the last one is empty."""
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(quoted_bytes):
            lines.put(line)
    lines.put(b"")
