"""Sentences with names of people, places and organisations, in English and Chinese; the Chinese ones cut into words too."""

import re

from . import words_en as en
from . import words_zh as zh
from .core import mark, tidy_en, unmark

# ---------------------------------------------------------------- English
_WORD = re.compile(r"'s\b|\w+(?:-\w+)*|[^\w\s]")

_ORG_EN = ["{l} Library", "{l} Rowing Club", "{l} School of Music", "the {l} Gazette", "{s} and Sons", "{s} Press", "{s} & Co", "Bank of {l}", "{l} City Council",
           "the {l} Museum", "{s} Shipping", "Society of {l} Beekeepers"]

EN = [
    "{p} moved from {l} to {m} last [spring|summer|autumn|winter].",
    "{p} works for {o} in {l}.",
    "{o} has [bought|sold] its old [mill|warehouse|shop] in {l}.",
    "On {day} {p} and {q} [rowed|walked|drove] from {l} to {m}.",
    "[The bridge over|The path along|A boat on] the {r} was [closed|repaired|painted] on {day}, [said {p}|says {o}].",
    "{p}, who was born in {l}, now [leads|directs|advises] {o}.",
    "Have you met {p} of {o}?",
    "{q} wrote to {p} from {l}.",
    "\"We will open a new office in {m},\" {p} told {o}.",
    "{p}'s [sister|brother|neighbour] lives near {l}.",
    "{o} and {u} will meet in {l} on {day}.",
    "The {job} {p} found the {thing} of {q} in {l}.",
    "{l} is smaller than {m}.",
    "Nobody in {l} had heard of {o} before {day}.",
    "{p} left {o} after {k} years and moved to {u}.",
    "A letter from {p} reached {l} [late|early] on {day}.",
    "It rained in {l}, so {p} stayed at home.",
    "The winner is {p} ({l}), second is {q} ({m}).",
    "{o}: {p} will be our new [director|secretary|{job}].",
    "[Yesterday|Last week|In {month}] {o} thanked {p} and {q}.",
    "The {thing} was made by {o}.",
    "In {month} the {r} rose, and {l} was under water.",
    "My [aunt|uncle] {q} taught [drawing|history|music] in {l}.",
    "The market was quiet, and the {job} went home early.",
    "There was a(n) {thing} on the table, but no {other}.",
    "Every {job} in {l} knows {p}.",
    "{p} took the train to {m}, [where {q} waited|because {o} had asked for a(n) {job}].",
    "Trains between {l} and {m} are late, {o} says.",
    "The {job} of {l} is called {p}.",
    "{p} sold {q} a(n) {thing} for {k} [crowns|coins].",
]


def sentence_en(g, held):
    """(words, tags) in BIO."""
    count = [0]

    def name(kind, text):
        count[0] += 1
        return mark(f"{kind}#{count[0]}", text)

    def person(given):
        return f"{given} {g.pick(en.SURNAMES)}" if g.chance(0.6) else str(given)

    def organisation():
        return g.pick(_ORG_EN).format(l=en.places(g, 1, held)[0], s=g.pick(en.SURNAMES))

    (p, q), (l, m) = en.people(g, 2, held), en.places(g, 2, held)
    thing, other = g.sample(en.OBJECTS, 2)
    template = g.x(g.pick(EN).replace("{", "{{").replace("}", "}}"))
    text = template.format(p=name("PER", person(p)), q=name("PER", person(q)), l=name("LOC", l), m=name("LOC", m), r=name("LOC", g.pick(en.RIVERS)),
                           o=name("ORG", organisation()), u=name("ORG", organisation()), day=g.pick(en.WEEKDAYS), month=g.pick(en.MONTHS),
                           job=g.pick(en.JOBS), thing=thing, other=other, k=en.words(g.num(2, 40)))
    plain, spans = unmark(tidy_en(text))
    words, tags = [], []
    for match in _WORD.finditer(plain):
        tag = "O"
        for key, (answer, start) in spans.items():
            if start <= match.start() < start + len(answer):
                tag = ("B-" if match.start() == start else "I-") + key.split("#")[0]
        words.append(match.group())
        tags.append(tag)
    return words, tags


def conll(g, count, held, seen):
    """CoNLL text: a word and its tag a line, a blank line behind each sentence."""
    lines = ["-DOCSTART- O", ""]
    done = 0
    while done < count:
        words, tags = sentence_en(g, held)
        key = " ".join(words)
        if key in seen:
            continue
        seen.add(key)
        done += 1
        lines += [f"{word} {tag}" for word, tag in zip(words, tags)] + [""]
    return "\n".join(lines) + "\n"


# ---------------------------------------------------------------- Chinese
_SHOP = "面馆 茶庄 书店 药房 裁缝店 木器行 船行 米铺".split()
_HOUSE = "图书馆 中学 小学 医院 博物馆 剧院 日报 自行车厂 养蜂合作社 文化站".split()
_TRADE = "出版社 航运公司 机械厂 玩具厂 建筑公司 印刷厂".split()
_BRAND = "长青 星河 金叶 白鹭 永和 双喜 东风 青松".split()

# Words stand between slashes; a slot is a name or one or more words of its own.
ZH = [
    "{p}/[去年|今年|上个月]/从/{l}/搬/到/了/{m}/。",
    "{p}/在/{l}/的/{o}/工作/。",
    "{o}/[卖/掉|买/下]/了/{l}/的/[老/磨坊|旧/仓库|一/家/商店]/。",
    "{day}/，/{p}/和/{q}/[划船|步行|骑/自行车]/从/{l}/到/{m}/。",
    "{r}/上/的/[石桥|木桥]/{day}/[关闭|修/好]/了/，/{o}/说/。",
    "{p}/出生/在/{l}/，/现在/是/{o}/的/[主任|经理|{job}]/。",
    "你/认识/{o}/的/{p}/吗/？",
    "{q}/从/{l}/给/{p}/写/了/一/封/信/。",
    "“/我们/要/在/{m}/开/一/家/新/店/。/”/{p}/对/{o}/的/人/说/。",
    "{p}/的/[妹妹|弟弟|邻居]/住/在/{l}/附近/。",
    "{o}/和/{u}/{day}/在/{l}/见面/。",
    "{job}/{p}/在/{l}/找到/了/{q}/的/{thing}/。",
    "{l}/比/{m}/小/得/多/。",
    "{day}/以前/，/{l}/没有/人/听说/过/{o}/。",
    "{p}/在/{o}/干/了/{k}/年/，/后来/去/了/{u}/。",
    "{p}/的/信/{day}/才/送/到/{l}/。",
    "{l}/下雨/了/，/所以/{p}/没有/出门/。",
    "第一/名/是/{p}/（/{l}/）/，/第二/名/是/{q}/（/{m}/）/。",
    "{o}/[昨天|上/个/星期]/感谢/了/{p}/和/{q}/。",
    "这/{measure}/{thing}/是/{o}/做/的/。",
    "{season}/，/{r}/涨/水/，/{l}/被/淹/了/。",
    "我/的/[叔叔|阿姨]/{q}/在/{l}/教/[历史|音乐|美术]/。",
    "市场/上/很/安静/，/{job}/很/早/就/回家/了/。",
    "桌子/上/有/一/{measure}/{thing}/，/没有/别的/东西/。",
    "{l}/的/{job}/都/认识/{p}/。",
    "{p}/坐/火车/去/了/{m}/，/[{q}/在/那里/等/着|{o}/请/了/一/位/{job}]/。",
    "{l}/到/{m}/的/火车/晚点/了/，/{o}/说/。",
    "{p}/把/{thing}/卖/给/了/{q}/，/要/了/{k}/块/钱/。",
    "今天/早上/，/{p}/在/{r}/边/散步/，/看见/了/{q}/。",
    "{season}/的/时候/，/{l}/的/{flower}/开/得/很/好看/。",
]


def sentence_zh(g, held):
    """(words, entities): entities are [first word, end, type]."""
    (p, q), (l, m) = zh.people(g, 2, held), zh.places(g, 2, held)

    def organisation():
        kind = g.num(0, 2)
        if kind == 0:
            return [g.pick("王李张刘陈杨赵黄周吴") + "记", g.pick(_SHOP)]
        if kind == 1:
            return [zh.places(g, 1, held)[0], g.pick(_HOUSE)]
        return [g.pick(_BRAND), g.pick(_TRADE)]

    thing, measure = g.pick(zh.THINGS)
    slots = {"p": ("PER", [p.name]), "q": ("PER", [q.name]), "l": ("LOC", [l]), "m": ("LOC", [m]), "r": ("LOC", [g.pick(zh.RIVERS)]),
             "o": ("ORG", organisation()), "u": ("ORG", organisation()), "day": (None, [g.pick(zh.WEEKDAYS)]), "season": (None, [g.pick(zh.SEASONS)]),
             "job": (None, [g.pick(zh.JOBS)]), "thing": (None, [thing]), "measure": (None, [measure]), "flower": (None, [g.pick(zh.FLOWERS)]),
             "k": (None, [zh.liang(g.num(2, 30))])}
    words, entities = [], []
    for part in g.x(g.pick(ZH).replace("{", "{{").replace("}", "}}")).split("/"):
        kind, own = slots[part[1:-1]] if part.startswith("{") else (None, [part])
        if kind:
            entities.append((len(words), len(words) + len(own), kind))
        words += own
    return words, entities


def sentences_zh(g, count, held, seen):
    out = []
    while len(out) < count:
        words, entities = sentence_zh(g, held)
        text = "".join(words)
        if text not in seen:
            seen.add(text)
            out.append((words, entities))
    return out


def spans(sentences):
    """Records with spans in characters."""
    rows = []
    for words, entities in sentences:
        at = [0]
        for word in words:
            at.append(at[-1] + len(word))
        rows.append({"text": "".join(words), "entities": [{"start": at[a], "end": at[b], "label": kind} for a, b, kind in entities]})
    return rows


def segmented(sentences):
    return "".join(" ".join(words) + "\n" for words, _ in sentences)
