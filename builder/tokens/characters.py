"""Where browsers and the tokenizers package disagree on characters, and sets of them for regular expressions.

The package has several tables: of Unicode 16 in its regular expressions, of Unicode 8 to 11 in what came from BERT and
in its normal forms. Browsers have their own, of Unicode 15 to 17. Each constant lists code points, in hexadecimal
digits, that Unicode 17 has in a class and the package has not, or the other way round; a range may run over code points
that are not in the class at all. ``tests/tokens/test_characters.py`` compares all code points.
"""

from __future__ import annotations

no_punctuation = """
    61d 9fd-a76 c77-c84 1b4e-1b4f 1b7d-1b7f 2e43-2e5d 10d6e-10f89 113d4-1145d 11660-116b9 1183b-11fff
    12ff1-12ff2 16d6d-16fe2 1e5ff-1e95f
"""
also_punctuation = "166d 111c9"
no_controls = "9 a d 890-8e2 110cd 13430-1343f"  # tabs and ends of lines count as spaces
no_nonspacing_marks = """
    7fd 897-8e1 9fe afa-aff b55 c04-c3c d00 d3b-d3c d81 eba ece 180f-1886 1abf-1aeb 1df6-1dfb a82c a8c5 a8ff
    a9bd 10d24-10f85 11070-11074 110c2 111c9 111cf 1123e-11241 1133b 113bb-1145e 1182f-11f5a 13440-13455
    1611e-1612f 16f4f 16fe4 1cf00-1cf46 1e000-1e6f5 1e944-1e94a
"""
also_nonspacing_marks = "1734 1171e"
no_marks = """
    7fd 897-8d3 9fe afa-aff b55 c04-c3c cf3-d00 d3b-d3c d81 eba ece 1715 180f 1abf-1aeb 1cf7 1df6-1dfa a82c a8ff
    10d24-10f85 11070-11074 110c2 11145-11146 111c9 111ce-111cf 11241 1133b 113b8-113e2 1145e 1182c-11b67
    11d31-11f5a 13440-13455 1611e-1612f 16f4f 16f7f-16f87 16fe4-16ff1 1cf00-1cf46 1e08f-1e6f5
"""
also_marks = "1cf2-1cf3"

kept_by_normal_forms = """
    7fd 897-8d3 9fe c3c d3b-d3c eba 1715 1abf-1aeb 1df6-1dfa 32ff a7f1-a7f4 a82c ab69 105c9-107ba 10d24-10f85
    11070 1133b 11383-113d0 1145e 11839-11a99 11d42-11f42 1611e-1612f 16d63-16ff1 1ccd6-1ccf9 1e030-1e6f5 1f16c
    1fbf0-1fbf9
"""
"""Characters that the package neither decomposes, composes nor reorders, because its tables are older."""

newer = """
    295 88f c5c cdc 1acf-1aeb 20c1 2b96 a7ce-a7cf a7d2 a7d4 a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 10940-10959
    10ec5-10efb 11b60-11b67 11db0-11de9 16ea0-16ed3 16ff2-16ff6 187f8-187ff 18d09-18df2 1ccfa-1ccfc 1ceba-1cef0
    1e6c0-1e6ff 1f6d8 1f777-1f77a 1f8d0-1f8d8 1fa54-1fa57 1fa8a-1fa8e 1fac8-1facd 1faea-1faef 1fbfa 2b73a-2b73f
    2cea2-2cead 323b0-33479
"""
"""Characters that are unassigned where the package has regular expressions; U+0295 is a small letter there."""

chinese = "4e00-9fff 3400-4dbf 20000-2a6df 2a700-2b73f 2b740-2b81f 2b920-2ceaf f900-faff 2f800-2fa1f"
"""What BertNormalizer puts spaces around."""


def items(ranges: str) -> str:
    """Return code points as the items of a set in a regular expression of JavaScript with the flag ``u``."""
    return "".join("-".join(map(_item, part.split("-"))) for part in ranges.split())


def _item(digits: str) -> str:
    code = int(digits, 16)
    # Marks would combine with what stands before them, in an editor and in a diff.
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\u{{{code:x}}}"


white_space = "\\p{White_Space}"
punctuation = f"(?![{items(no_punctuation)}])[!-/:-@\\[-`{{-~\\p{{P}}{items(also_punctuation)}]"
controls = f"(?![{items(no_controls)}])[\\0\\ufffd\\p{{Cc}}\\p{{Cf}}\\p{{Co}}]"
nonspacing_marks = f"(?![{items(no_nonspacing_marks)}])[\\p{{Mn}}{items(also_nonspacing_marks)}]"
marks = f"(?![{items(no_marks)}])[\\p{{M}}{items(also_marks)}]"
word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}"  # of the Rust package regex
onig_word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\xb2\\xb3\\xb9\\xbc-\\xbe"  # of Oniguruma
