"""Shared machinery: a seeded grammar, text clean-up and answer marking.

A template is ordinary text with two extras:
    [a|b|c]   one of the alternatives (may nest, may be empty)
    {slot}    a value, filled with str.format, so {p.name} works as well
"""

import random
import re

# An answer inside a passage is wrapped as  START key MID text END  until the
# passage is finished; only then are positions known.
START, MID, END = "\x01", "\x02", "\x03"
_MARKER = re.compile(START + "([^" + MID + "]*)" + MID + "([^" + END + "]*)" + END)


def mark(key, text):
    return f"{START}{key}{MID}{text}{END}"


def unmark(text):
    """Return the plain text and {key: (answer, start)} (first mention of each key)."""
    out, spans, pos, length = [], {}, 0, 0
    for m in _MARKER.finditer(text):
        before = text[pos:m.start()]
        out.append(before)
        length += len(before)
        spans.setdefault(m.group(1), (m.group(2), length))
        out.append(m.group(2))
        length += len(m.group(2))
        pos = m.end()
    out.append(text[pos:])
    return "".join(out), spans


class Grammar:
    def __init__(self, seed):
        self.r = random.Random(seed)

    def pick(self, seq):
        return seq[self.r.randrange(len(seq))]

    def sample(self, seq, k):
        return self.r.sample(list(seq), k)

    def shuffled(self, seq):
        seq = list(seq)
        self.r.shuffle(seq)
        return seq

    def chance(self, p):
        return self.r.random() < p

    def num(self, lo, hi):
        return self.r.randint(lo, hi)

    def x(self, template, **slots):
        """Expand a template once."""
        text, _ = self._alternatives(template, 0, False)
        return text.format(**slots)

    def some(self, templates, k, **slots):
        """Expand k different templates, keeping their order."""
        k = min(k, len(templates))
        chosen = sorted(self.r.sample(range(len(templates)), k))
        return [self.x(templates[i], **slots) for i in chosen]

    def _alternatives(self, s, i, inside):
        options, cur = [], []
        while i < len(s):
            c = s[i]
            if c == "[":
                sub, i = self._alternatives(s, i + 1, True)
                cur.append(sub)
                continue
            if inside and c in "|]":
                options.append("".join(cur))
                cur = []
                i += 1
                if c == "]":
                    return self.pick(options), i
                continue
            cur.append(c)
            i += 1
        if inside:
            raise ValueError("unclosed [ in template: " + s)
        return "".join(cur), i


_A_N = re.compile(r"\b([Aa])\(n\) ((?:" + START + "[^" + MID + "]*" + MID + r")?)([A-Za-z0-9]+)")
_OPEN = re.compile("((?:^|[.!?] |[.][\"”] |\n)[\"“]?(?:" + START + "[^" + MID + "]*" + MID + ")?)([a-z])")


def _article(m):
    word = m.group(3).lower()
    vowel = word[0] in "aeiou"
    if word.startswith(("uni", "use", "one", "eu")):
        vowel = False
    if word.startswith(("hour", "hon")) and not word.startswith("hone"):
        vowel = True
    if word in ("honest", "8", "11", "18") or (word[0] == "8" and word.isdigit()):
        vowel = True
    return m.group(1) + ("n " if vowel else " ") + m.group(2) + m.group(3)


def tidy_en(text):
    """Choose a/an, collapse spaces, start sentences with a capital letter."""
    text = re.sub(r" +", " ", text).replace(" ,", ",").replace(" .", ".").strip()
    text = _A_N.sub(_article, text)
    return _OPEN.sub(lambda m: m.group(1) + m.group(2).upper(), text)


def tidy_zh(text):
    return re.sub(r"(?<=[^\x00-\x7f]) +| +(?=[^\x00-\x7f])", "", text).strip()


def lines_en(g, sentences, brk=0.3):
    """Join sentences into one document, sometimes broken into two lines."""
    return _lines(g, [s for s in sentences if s], " ", brk, tidy_en)


def lines_zh(g, sentences, brk=0.3):
    return _lines(g, [s for s in sentences if s], "", brk, tidy_zh)


def _lines(g, sentences, glue, brk, tidy):
    if len(sentences) > 4 and g.chance(brk):
        cut = g.num(2, len(sentences) - 2)
        return tidy(glue.join(sentences[:cut])) + "\n" + tidy(glue.join(sentences[cut:]))
    return tidy(glue.join(sentences))
