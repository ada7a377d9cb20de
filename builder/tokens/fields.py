"""The fields of a tokenizer.json, each asked for by name: what nobody knows is refused and not passed over."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from ..errors import SourceError

hint = "Save the tokenizer again with a current version of tokenizers or transformers"
T = TypeVar("T")


def damaged(what: str, place: str) -> SourceError:
    """Return the error of a field that has not the form it should have."""
    return SourceError(what, code="SP-421", where=place, hint=hint)


def unsupported(what: str, place: str, advice: str = "") -> SourceError:
    """Return the error of a part that cannot be had in a page."""
    return SourceError(what, code="SP-422", where=place, hint=advice or "See docs/text.md for the parts that are known")


class Fields:
    """The fields of one part.

    Args:
        content: as JSON gave it.
        place: what users read of where it is.

    Raises:
        SourceError: it is no object.
    """

    def __init__(self, content: object, place: str) -> None:
        """Take the fields."""
        if not isinstance(content, dict):
            raise damaged("should be a JSON object", place)
        self.place = place
        self._content: dict[str, Any] = dict(content)

    @overload
    def take(self, name: str, kind: type[T]) -> T: ...

    @overload
    def take(self, name: str, kind: type[T], default: T) -> T: ...

    def take(self, name: str, kind: type[T], default: T | None = None) -> T:
        """Return a field of a type; a missing one is the default where there is one.

        Raises:
            SourceError: it is missing or of another type.
        """
        value = self._content.pop(name, default)
        if not _is(value, kind):
            raise damaged(f"{name} should be {_words[kind]}", self.place)
        return value  # type: ignore[no-any-return]

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """Return a field that may be missing or null.

        Raises:
            SourceError: it is of another type.
        """
        if self._content.get(name) is None:
            self.drop(name)
            return None
        return self.take(name, kind)

    def other(self, name: str) -> object:
        """Return a field of any type, None where it is missing."""
        return self._content.pop(name, None)

    def drop(self, name: str) -> None:
        """Pass over a field that changes nothing here."""
        self._content.pop(name, None)

    def count(self, name: str, most: int) -> int:
        """Return a whole number from 0.

        Raises:
            SourceError: it is missing, something else, or larger than ``most``.
        """
        value = self.take(name, int)
        if not 0 <= value <= most:
            raise damaged(f"{name} should be a whole number from 0 to {most}", self.place)
        return value

    def end(self) -> None:
        """Refuse what was not asked for.

        Raises:
            SourceError: there is more.
        """
        if self._content:
            raise unsupported(f"has the unknown field {next(iter(self._content))!r}", self.place)


def _is(value: object, kind: type) -> bool:
    """Whether a value is of a type; truth values are no numbers, and whole numbers are numbers too."""
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


_words = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "an object",
}
