"""Operators that no lowering can do, each with the reason."""

from __future__ import annotations

from typing import NoReturn

from ..registry import Context, lowers

random = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
strings = ("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit")
files = ("ImageDecoder",)
vocabularies = ("TfIdfVectorizer",)


@lowers(*random)
def chance(c: Context) -> NoReturn:
    """Refuse what gives other numbers each time, which nothing can verify."""
    c.refuse("gives other numbers each time", "Export the model for inference, and give it random numbers as an input")


@lowers(*strings)
def texts(c: Context) -> NoReturn:
    """Refuse what works on strings."""
    c.refuse("works on strings, for which TensorFlow.js has nothing like it", "Leave the text to the page")


@lowers(*files)
def file_formats(c: Context) -> NoReturn:
    """Refuse what decodes files."""
    c.refuse("decodes files, which pages do by themselves", "Export the model with pixels as an input")


@lowers(*vocabularies)
def vocabulary(c: Context) -> NoReturn:
    """Refuse what counts words."""
    c.refuse("counts the words of a vocabulary, for which TensorFlow.js has nothing", "Count them in the page")
