"""Regular expressions of Oniguruma in JavaScript's words, as far as both can do exactly the same.

The grammar that is read is documented in Oniguruma's doc/RE; a construct that is not known here is refused by name.
What is written is for a regular expression with the flag ``u``.
"""

from __future__ import annotations

import re

from ..errors import SourceError
from .characters import onig_word, white_space

longest = 5000  # characters of a pattern; published ones have at most some hundreds
deepest = 50
categories = re.compile(r"C[cfno]?|L[ulmot]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?")
scripts = frozenset(
    """Arabic Armenian Bengali Cyrillic Devanagari Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana
    Kannada Katakana Khmer Lao Latin Malayalam Myanmar Sinhala Tamil Telugu Thai Tibetan""".split()  # noqa: SIM905
)
signs = {"n": "\\n", "r": "\\r", "t": "\\t", "f": "\\f", "v": "\\v", "a": "\\x07", "e": "\\x1b"}
any_character, none_before, none_behind = "[^]", "(?<![^])", "(?![^])"
anchors = {
    "A": none_before,
    "z": none_behind,
    "Z": f"(?=\\n?{none_behind})",
    "b": f"(?:(?<=[{onig_word}])(?![{onig_word}])|(?<![{onig_word}])(?=[{onig_word}]))",
    "B": f"(?:(?<=[{onig_word}])(?=[{onig_word}])|(?<![{onig_word}])(?![{onig_word}]))",
}
classes = {"s": white_space, "d": "\\p{Nd}", "w": onig_word}
inverses = {"S": "\\P{White_Space}", "D": "\\P{Nd}"}
heads = {"?:": "(?:", "?=": "(?=", "?!": "(?!", "?<=": "(?<=", "?<!": "(?<!"}
folds_of_two = re.compile("ss|ff|fi|fl|st", re.IGNORECASE)  # one character may stand for these
folded_letters = {"s": "\u017f", "k": "\u212a"}
line_start = f"(?:{none_before}|(?<=\\n)(?={any_character}))"
line_end = "(?=\\n|(?![^]))"


def escaped(text: str) -> str:
    """Return a regular expression that matches a text and nothing else."""
    return "".join(map(_literal, text))


def translated(pattern: str, place: str) -> str:
    """Return a pattern of Oniguruma, in its Ruby syntax, as one of JavaScript.

    Args:
        pattern: what tokenizer.json has.
        place: what users read of where it is.

    Raises:
        SourceError: it has constructs that are not known, or that JavaScript cannot do.
    """
    if len(pattern) > longest:
        raise _refused(f"has a pattern of more than {longest} characters", place)
    return _Translation(pattern, place).whole()


def _refused(what: str, place: str) -> SourceError:
    hint = "Write the pattern with plain groups, sets, \\p{…} and quantifiers"
    return SourceError(what, code="SP-424", where=place, hint=hint)


def _literal(letter: str) -> str:
    if letter in "^$\\.*+?()[]{}|/":
        return f"\\{letter}"
    code = ord(letter)
    if letter.isprintable() and letter.isascii():
        return letter
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\u{{{code:x}}}"


def _member(letter: str) -> str:
    return "\\-" if letter == "-" else _literal(letter)


class _Translation:
    """One pass over a pattern."""

    def __init__(self, pattern: str, place: str) -> None:
        self.text = pattern
        self.place = place
        self.at = 0
        self.fold = False
        self.atoms = 0  # groups that are not tried in another way, which need names

    def refuse(self, what: str) -> SourceError:
        return _refused(f"has {what} in its pattern {self.text[:80]!r}", self.place)

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def eat(self, wanted: str) -> bool:
        found = self.text.startswith(wanted, self.at)
        self.at += len(wanted) if found else 0
        return found

    def next(self) -> str:
        if self.at >= len(self.text):
            raise self.refuse("an end where more is expected")
        self.at += 1
        return self.text[self.at - 1]

    def whole(self) -> str:
        self.fold = self.eat("(?i)")
        found = self.alternatives(0)
        if self.at < len(self.text):
            raise self.refuse("a closing parenthesis too many")
        return found

    def alternatives(self, depth: int) -> str:
        if depth > deepest:
            raise self.refuse(f"more than {deepest} groups in one another")
        start = self.at
        parts = [self.sequence(depth)]
        while self.eat("|"):
            parts.append(self.sequence(depth))
        if self.fold and folds_of_two.search(self.text[start : self.at]):
            raise self.refuse("letters that one ligature may stand for, in any case,")
        return "|".join(parts)

    def sequence(self, depth: int) -> str:
        parts = []
        while self.at < len(self.text) and self.peek() not in "|)":
            atom, repeatable = self.atom(depth)
            parts.append(self.repeated(atom) if repeatable else self.alone(atom))
        return "".join(parts)

    def alone(self, atom: str) -> str:
        if self.peek() and self.peek() in "*+?{":
            raise self.refuse("a repeated assertion")
        return atom

    def atom(self, depth: int) -> tuple[str, bool]:
        """Return what stands at this place, and whether a quantifier may follow."""
        letter = self.next()
        if letter == "(":
            return self.group(depth)
        if letter == "[":
            return self.set(), True
        if letter == "\\":
            return self.escape()
        if letter == ".":
            return "[^\\n]", True
        if letter in "^$":
            return (line_start if letter == "^" else line_end), False
        if letter in "*+?{":
            raise self.refuse("a quantifier of nothing" if letter != "{" else "a brace without a backslash")
        return self.letter(letter), True

    def letter(self, letter: str) -> str:
        if not self.fold:
            return _literal(letter)
        if not letter.isascii():
            raise self.refuse("a letter beyond ASCII in any case")
        return f"[{_cases(letter)}]" if letter.isalpha() else _literal(letter)

    def group(self, depth: int) -> tuple[str, bool]:
        kept = self.fold
        opening = "(?:"
        if self.eat("?>"):
            opening = ">"
        elif self.eat("?i:"):
            self.fold = True
        else:
            head = next((head for head in ("?<=", "?<!", "?:", "?=", "?!") if self.eat(head)), "")
            if not head and self.peek() == "?":
                raise self.refuse(f"the group ({self.peek(3)}")
            opening = heads.get(head, "(?:")
        inside = self.alternatives(depth + 1)
        if not self.eat(")"):
            raise self.refuse("a parenthesis without its end")
        self.fold = kept
        if opening == ">":
            return self.atomic(inside), True
        return f"{opening}{inside})", opening == "(?:"

    def atomic(self, inside: str) -> str:
        """Return what is not tried in another way once it has matched, as what a lookahead found is not."""
        self.atoms += 1
        return f"(?:(?=(?<a{self.atoms}>{inside}))\\k<a{self.atoms}>)"

    def repeated(self, atom: str) -> str:
        found = re.compile(r"[*+?]|\{(\d{0,5})(,?)(\d{0,5})\}").match(self.text, self.at)
        if not found:
            if self.peek() == "{":
                raise self.refuse("a brace without a backslash")
            return atom
        self.at = found.end()
        sign = found[0]
        if sign[0] == "{":
            low, comma, high = found[1], found[2], found[3]
            if not low + high or (low and high and int(low) > int(high)):
                raise self.refuse(f"the quantifier {sign}")
            sign = f"{{{low or 0}{comma}{high}}}"
            if self.peek() == "?" and not comma:
                raise self.refuse("two quantifiers one after the other")
        if sign[0] == "{" and self.eat("+"):
            atom = f"(?:{atom}{sign})+"  # braces cannot be possessive: all of it is repeated
        elif self.eat("+"):
            atom = self.atomic(f"{atom}{sign}")
        else:
            atom += sign + ("?" if self.eat("?") else "")
        if self.peek() and self.peek() in "*+?{":
            raise self.refuse("two quantifiers one after the other")
        return atom

    def escape(self) -> tuple[str, bool]:
        letter = self.next()
        if letter in anchors:
            return anchors[letter], False
        if letter in classes:
            return f"[{classes[letter]}]", True
        if letter in inverses:
            return inverses[letter], True
        if letter == "W":
            return f"[^{onig_word}]", True
        if letter in "pP":
            return self.category(letter), True
        if letter in signs:
            return signs[letter], True
        return self.letter(self.character(letter)), True

    def category(self, letter: str) -> str:
        found = re.compile(r"\{(\^?)(\w+)\}").match(self.text, self.at)
        if not found:
            raise self.refuse(f"\\{letter} without a name in braces")
        self.at = found.end()
        name = found[2]
        if self.fold:
            raise self.refuse(f"\\p{{{name}}} in any case")
        negated = (letter == "P") is not bool(found[1])
        if categories.fullmatch(name):
            inside = name
        elif name in scripts:
            inside = f"Script={name}"
        elif name in {"Space", "White_Space"}:
            inside = "White_Space"
        else:
            raise self.refuse(f"the property {name!r}")
        return f"\\{'P' if negated else 'p'}{{{inside}}}"

    def character(self, letter: str) -> str:
        """Return the one character that an escape stands for."""
        if letter in "xu":
            found = re.compile(r"\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2})").match(self.text, self.at)
            if letter == "u":
                found = re.compile(r"()([0-9a-fA-F]{4})").match(self.text, self.at)
            code = int(found[1] or found[2], 16) if found else 0x110000
            if (
                not found
                or code > 0x10FFFF
                or 0xD800 <= code <= 0xDFFF
                or (letter == "x" and not found[1] and code > 0x7F)
            ):
                raise self.refuse(f"an escape \\{letter} that is no character")
            self.at = found.end()
            return chr(code)
        if letter.isalnum():
            raise self.refuse(f"the escape \\{letter}")
        return letter

    def set(self) -> str:
        """Return a set of characters, whose bracket is open."""
        negated = self.eat("^")
        parts: list[str] = []
        first = True
        while not self.eat("]") or first:
            if first and self.text[self.at - 1] == "]":
                raise self.refuse("a set that begins with ]")
            first = False
            if self.peek() == "[" or self.peek(2) == "&&":
                raise self.refuse("sets inside of a set")
            parts.append(self.members())
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def members(self) -> str:
        start = self.one()
        if len(start) > 1:
            if self.peek() == "-" and self.peek(2) != "-]":
                raise self.refuse("a range that begins with a class")
            return start
        if self.peek() == "-" and self.peek(2) not in {"-]", "-"}:
            self.next()
            end = self.one()
            if len(end) > 1 or end < start:
                raise self.refuse("a range that ends before it begins")
            if self.fold:
                return self.folded_range(start, end)
            return f"{_member(start)}-{_member(end)}"
        if self.fold and not start.isascii():
            raise self.refuse("a letter beyond ASCII in any case")
        return _cases(start) if self.fold and start.isalpha() else _member(start)

    def folded_range(self, start: str, end: str) -> str:
        if not (start.isascii() and end.isascii()):
            raise self.refuse("a letter beyond ASCII in any case")
        letters = [chr(code) for code in range(ord(start), ord(end) + 1)]
        return f"{_member(start)}-{_member(end)}" + "".join(_cases(letter) for letter in letters if letter.isalpha())

    def one(self) -> str:
        """Return a character as it is, or a class as JavaScript writes it."""
        letter = self.next()
        if letter != "\\":
            return letter
        letter = self.next()
        if letter in classes:
            return classes[letter]
        if letter in inverses:
            return inverses[letter]
        if letter in "pP":
            return self.category(letter)
        if letter in signs:
            return {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a", "e": "\x1b"}[letter]
        if letter == "b":
            return "\b"
        return self.character(letter)


def _cases(letter: str) -> str:
    return letter.lower() + letter.upper() + folded_letters.get(letter.lower(), "")
