"""What sources that are read and run without TensorFlow have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..errors import ConversionError

Arrays = dict[str, Any]


@contextmanager
def needed(package: str, extra: str) -> Iterator[None]:
    """Say how to install a package where what is within cannot import it.

    Args:
        package: as pip calls it.
        extra: of ours that has it.

    Raises:
        ConversionError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConversionError(
            f"{package} cannot be imported: not installed",
            code="SP-405",
            hint=f'Run pip install "shardpress[{extra}]"',
        ) from error


def chosen(names: Iterable[str], outputs: Sequence[str]) -> list[str]:
    """Return the names of a model's outputs that are wanted; all where ``outputs`` is empty."""
    return [name for name in names if not outputs or name in outputs]


def runner_of(types: Mapping[str, Any], always: Arrays, call: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
    """Return a function from arrays by name of an input to arrays by name of an output.

    Args:
        types: of the inputs, as NumPy names them.
        always: what inputs are that nobody gives.
        call: runs the model on arrays of these types.
    """

    def run(arrays: Arrays) -> Arrays:
        return call({name: array.astype(types[name]) for name, array in {**arrays, **always}.items()})

    return run
