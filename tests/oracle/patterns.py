"""Random regexes over what RE2 and its rivals disagree on, each with a text that it may match."""

from __future__ import annotations

from random import Random

# Written so that most are good RE2; of the odd ones some are refused by RE2, which is a case too.
_ATOMS = [
    ("a", "a"), ("b", "b"), ("A", "A"), ("1", "1"), ("/", "/"), ("-", "-"), ("é", "é"), (" ", "_"),
    (".", "b"), ("[ab]", "a"), ("[^/]", "1"), ("[^a]", "b"), ("[a-c1]", "c"), ("[é]", "a"),
    (r"\d", "1"), (r"\D", "a"), (r"\w", "_"), (r"\W", "-"), (r"\s", "-"), (r"\S", "a"),
    (r"[\d-]", "-"), (r"[\w/]", "/"), (r"[^\s]", "a"), (r"[\W_]", "_"), (r"[[:alpha:]]", "b"),
    (r"[[:^digit:]b]", "a"), (r"\pL", "a"), (r"\p{Lu}", "A"), (r"\PL", "1"), (r"\p{Greek}", "a"),
    (r"\x41", "A"), (r"\x{62}", "b"), (r"\x{e9}", "é"), (r"\141", "a"), (r"\/", "/"), (r"\-", "-"),
    (r"\Qa-b\E", "a-b"), (r"\Q.", "."), (r"\.", "."), (r"\t", "b"), ("[]a]", "a"), ("[a-]", "-"),
    ("[.]", "."), (r"[\]]", "b"), ("", ""),
]  # fmt: skip
ODD = [  # some RE2 refuses
    ("[a-z&&[^b]]", "a]"), (r"[\w--a]", "-"), ("[a[bc]]", "a]"), (r"\<a", "a"), (r"a\>", "a"),
    (r"\b{start}a", "a"), ("a++", "a"), ("a**", "a"), ("(?x)a b", "ab"), ("(?u)a", "a"),
    ("(?R)a", "a"), (r"\Ca", "1a"), ("a{,3}", "a{,3}"), ("a{0,1001}", "a"), (r"a\Z", "a"),
    ("(?=a)a", "a"), ("(?<=a)b", "b"), (r"\R", "a"), (r"(a)\1", "aa"), ("a{2,1}", "a"),
    ("[b-a]", "a"), ("(a", "a"), ("a)", "a"), ("[a", "a"), ("*a", "a"), ("a|*", "a"), ("\\", "a"),
    ("(?P<n>a)", "a"), ("(?<n>a)", "a"), ("(?P<n>a)(?P<n>b)", "ab"), ("(?P<1>a)", "a"), (r"\8", "a"),
    (r"\x{110000}", "a"), (r"\xg", "a"), (r"[[:foo:]]", "a"), (r"\p{Foo}", "a"), (r"\h", "a"),
    ("(?i", "a"), ("(?i-)a", "a"), ("a{1000}", "a"), ("(a{30}){30}", "a"), ("x{2}{3}", "x"),
    ("(?:a*)*", "aa"), ("(?:a?){3}", "a"), ("(|a)+", "a"), ("()", ""), ("a||b", "b"), ("(?i)(?-i)a", "a"),
    (r"\E", ""), (r"\Qa\Eb", "ab"), ("(?#c)a", "a"), ("(?>a)", "a"), (r"\07", "a"), (r"\Aa\z", "a"),
    (r"\G", "a"), (r"\u0061", "a"), (r"\N", "a"), ("a{", "a{"), ("a{x}", "a{x}"), ("a{1", "a{1"),
    ("^^a$$", "a"), ("^*", "a"), ("$+a", "a"), (r"\b*a", "a"), ("(?s).", "a"), ("(?U)a+b*", "aa"),
]  # fmt: skip
_REPEATS = ["*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}", "*?", "+?", "??", "{1,3}?"]
_LOOKS = ["^", "$", r"\A", r"\z", r"\b", r"\B"]
_FLAGS = ["(?i)", "(?s)", "(?m)", "(?U)", "(?i:", "(?-s:", "(?sm)", "(?im-s)"]


class Patterns:
    """Draws patterns. Each comes with a text that matches it, if it was drawn simply enough."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def draw(self, head: str = "", odd: float = 0.0) -> tuple[str, str]:
        """A pattern and a text; both begin with ``head``, ``odd`` is how often a part is strange."""
        if self._random.random() < odd:
            pattern, text = self._random.choice(ODD)
            if self._random.random() < 0.5:
                return head + pattern, head + text
            more, tail = self._sequence(1)
            return head + pattern + more, head + text + tail
        pattern, text = self._sequence(2)
        flag = self._random.choice(_FLAGS) if self._random.random() < 0.15 else ""
        closing = ")" if flag.endswith(":") else ""
        if "i" in flag.partition("-")[0] and self._random.random() < 0.5:
            text = text.upper() if text.isascii() else text
        return f"{flag}{head}{pattern}{closing}", head + text

    def _sequence(self, depth: int) -> tuple[str, str]:
        parts = [self._part(depth) for _ in range(self._random.randint(1, 3))]
        return "".join(p for p, _ in parts), "".join(t for _, t in parts)

    def _part(self, depth: int) -> tuple[str, str]:
        pattern, text = self._atom(depth)
        if self._random.random() < 0.35 and pattern:
            repeat = self._random.choice(_REPEATS)
            times = {"{2}": 2, "{2,}": 3}.get(repeat, self._random.randint(1, 2))
            if repeat in ("?", "??"):
                times = self._random.randint(0, 1)
            if len(pattern) > 1 and pattern[0] not in "([\\":
                pattern = f"(?:{pattern})"
            return pattern + repeat, text * times
        if self._random.random() < 0.06:
            return self._random.choice(_LOOKS) + pattern, text
        return pattern, text

    def _atom(self, depth: int) -> tuple[str, str]:
        if depth and self._random.random() < 0.25:
            opening = self._random.choice(["(", "(?:", f"(?P<n{self._random.randint(0, 999)}>"])
            ways = [self._sequence(depth - 1) for _ in range(self._random.randint(1, 3))]
            chosen = self._random.choice(ways)[1]
            return f"{opening}{'|'.join(p for p, _ in ways)})", chosen
        return self._random.choice(_ATOMS)
