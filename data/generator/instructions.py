"""Prompt/answer pairs and short dialogues, in both languages."""

from . import qa_en, qa_zh
from . import words_en as en
from . import words_zh as zh
from .core import tidy_en, tidy_zh, unmark
from .translation import COLOURS, DRINKS, FLOWERS, FOODS, FRUIT, JOBS, THINGS, pair

OPPOSITES_EN = [("hot", "cold"), ("big", "small"), ("long", "short"), ("old", "new"), ("early", "late"), ("light", "dark"), ("fast", "slow"), ("rich", "poor"),
                ("open", "closed"), ("full", "empty"), ("hard", "soft"), ("high", "low"), ("wet", "dry"), ("loud", "quiet"), ("happy", "sad"), ("left", "right"),
                ("day", "night"), ("begin", "end"), ("buy", "sell"), ("near", "far"), ("strong", "weak"), ("clean", "dirty"), ("thick", "thin"), ("up", "down")]
OPPOSITES_ZH = [("热", "冷"), ("大", "小"), ("长", "短"), ("旧", "新"), ("早", "晚"), ("亮", "暗"), ("快", "慢"), ("富", "穷"), ("开", "关"), ("满", "空"), ("硬", "软"),
                ("高", "低"), ("湿", "干"), ("吵闹", "安静"), ("高兴", "难过"), ("左", "右"), ("白天", "黑夜"), ("开始", "结束"), ("买", "卖"), ("近", "远"), ("强", "弱"),
                ("干净", "脏"), ("厚", "薄"), ("上", "下")]
THING_COLOUR = [("snow", "雪", "white", "白色"), ("grass", "草", "green", "绿色"), ("the sky on a clear day", "晴天的天空", "blue", "蓝色"),
                ("a ripe lemon", "熟了的柠檬", "yellow", "黄色"), ("coal", "煤", "black", "黑色"), ("a ripe tomato", "熟了的西红柿", "red", "红色"),
                ("milk", "牛奶", "white", "白色"), ("an orange", "橘子", "orange", "橙色"), ("chocolate", "巧克力", "brown", "棕色"), ("a raven", "乌鸦", "black", "黑色")]
PLURAL = [("child", "children"), ("mouse", "mice"), ("foot", "feet"), ("tooth", "teeth"), ("box", "boxes"), ("city", "cities"), ("leaf", "leaves"), ("knife", "knives"),
          ("man", "men"), ("woman", "women"), ("bus", "buses"), ("cherry", "cherries"), ("wolf", "wolves"), ("potato", "potatoes"), ("lamp", "lamps"),
          ("book", "books"), ("dish", "dishes"), ("baby", "babies"), ("goose", "geese"), ("sheep", "sheep")]
PAST = [("go", "went"), ("see", "saw"), ("buy", "bought"), ("write", "wrote"), ("take", "took"), ("give", "gave"), ("find", "found"), ("walk", "walked"),
        ("sing", "sang"), ("eat", "ate"), ("run", "ran"), ("bring", "brought"), ("know", "knew"), ("come", "came"), ("build", "built"), ("lose", "lost"),
        ("play", "played"), ("swim", "swam"), ("teach", "taught"), ("read", "read")]


def _context(g, language, held):
    """A short passage with one question, from the question answering worlds."""
    qa = qa_en if language == "en" else qa_zh
    st = qa.Story(g, held)
    g.pick([qa.trade, qa.journey, qa.finding, qa.harvest, qa.gift, qa.trouble])(st)
    text, spans = unmark(" ".join(st.sents) if language == "en" else "".join(st.sents))
    cut = tidy_en(text) if language == "en" else tidy_zh(text)
    rel, key, slots = g.pick(st.qs)
    question = g.pick(qa.QUESTIONS[rel]).format(**slots)
    answer = spans[key][0]
    if language == "en":
        return cut + " " + question, answer[0].upper() + answer[1:] + "."
    return cut + question, answer + "。"


def _countries(g, language, _):
    i = g.num(0, 11)
    c = (en if language == "en" else zh).COUNTRIES[i]
    field = g.num(1, 6)
    if language == "en":
        q = {1: "[What is the capital of {c}?|Which city is the capital of {c}?|Name the capital of {c}.]",
             2: "[What is the longest river of {c}?|Which great river flows through {c}?]",
             3: "[What is the national flower of {c}?|Which flower stands for {c}?]",
             4: "[What is the money of {c} called?|What do people in {c} pay with?]",
             5: "[Which animal stands for {c}?|What is the animal of {c}?]",
             6: "[What do people in {c} like to eat?|Name a favourite dish of {c}.]"}[field]
        a = {1: "The capital of {c} is {v}.", 2: "The longest river of {c} is the {v}.", 3: "The national flower of {c} is the {v}.",
             4: "The money of {c} is the {v}.", 5: "The animal of {c} is the {v}.", 6: "A favourite dish in {c} is {v}."}[field]
    else:
        q = {1: "[{c}的首都是哪里？|哪座城市是{c}的首都？|请说出{c}的首都。]", 2: "[{c}最长的河叫什么？|流过{c}的大河是哪一条？]",
             3: "[{c}的国花是什么？|哪种花代表{c}？]", 4: "[{c}的钱叫什么？|在{c}用什么钱？]", 5: "[代表{c}的动物是什么？|{c}的象征是哪种动物？]",
             6: "[{c}人爱吃什么？|{c}有名的菜是什么？]"}[field]
        a = {1: "{c}的首都是{v}。", 2: "{c}最长的河是{v}。", 3: "{c}的国花是{v}。", 4: "{c}的钱叫{v}。", 5: "代表{c}的动物是{v}。", 6: "{c}人爱吃{v}。"}[field]
    return g.x(q, c=c[0]), a.format(c=c[0], v=c[field])


def _arithmetic(g, language, _):
    plus = g.chance(0.6)
    a = g.num(0, 20)
    b = g.num(0, 20 if plus else a)
    r = a + b if plus else a - b
    sign = "+" if plus else "-"
    if language == "en":
        word = "plus" if plus else "minus"
        return g.x("[What is {a} {s} {b}?|How much is {a} {w} {b}?|{a} {s} {b} = ?|Calculate {a} {w} {b}.|Please work out {a} {s} {b}.]", a=a, b=b, s=sign,
                   w=word), f"{a} {word} {b} is {r}."
    word = "加" if plus else "减"
    return g.x("[{a}{w}{b}等于多少？|{a} {s} {b} = ？|请计算{a}{w}{b}。|{a}{w}{b}是几？|算一算：{a} {s} {b}]", a=a, b=b, s=sign, w=word), f"{a}{word}{b}等于{r}。"


def _opposite(g, language, _):
    a, b = g.shuffled(g.pick(OPPOSITES_EN if language == "en" else OPPOSITES_ZH))
    if language == "en":
        return g.x("[What is the opposite of \"{a}\"?|Which word means the opposite of \"{a}\"?|Give the opposite of \"{a}\".|Tell me the opposite of \"{a}\"."
                   "|Which word is the opposite of \"{a}\"?|What is the reverse of \"{a}\"?|I am looking for the opposite of \"{a}\".]", a=a), \
            f"The opposite of \"{a}\" is \"{b}\"."
    return g.x("[“{a}”的反义词是什么？|请写出“{a}”的反义词。|什么词和“{a}”意思相反？|“{a}”的反义词是哪个？|告诉我“{a}”的反义词。|和“{a}”相反的词是什么？|“{a}”反过来怎么说？]", a=a), f"“{a}”的反义词是“{b}”。"


def _series(g, language, _):
    kind = g.num(0, 2)
    if kind == 0:
        step, start = g.pick([1, 2, 3, 5, 10]), g.num(1, 30)
        seq = [str(start + i * step) for i in range(5)]
    elif kind == 1:
        i = g.num(0, 6)
        days = en.WEEKDAYS if language == "en" else zh.WEEKDAYS
        seq = [days[(i + j) % 7] for j in range(5)]
    else:
        i = g.num(0, 11)
        months = en.MONTHS if language == "en" else [zh.cn(m) + "月" for m in range(1, 13)]
        seq = [months[(i + j) % 12] for j in range(5)]
    if language == "en":
        return g.x("[Continue the list: {s}|What comes next: {s}?|Add two more: {s}]", s=", ".join(seq[:3])), ", ".join(seq[3:])
    return g.x("[接着往下写：{s}|下面是什么：{s}？|再写两个：{s}]", s="、".join(seq[:3])), "、".join(seq[3:])


def _colour(g, language, _):
    e, z, ce, cz = g.pick(THING_COLOUR)
    if language == "en":
        return g.x("[What colour is {e}?|Which colour does {e} have?|Name the colour of {e}.]", e=e), f"{e[0].upper()}{e[1:]} is {ce}."
    return g.x("[{z}是什么颜色的？|{z}是哪种颜色？]", z=z), f"{z}是{cz}的。"


def _translate(g, language, _):
    if g.chance(0.8):
        e, z = g.pick([(x[0], x[1]) for x in THINGS + COLOURS + DRINKS + FLOWERS + FOODS + FRUIT] + [(j[0].split()[1], j[1]) for j in JOBS])
        if language == "en":
            return g.x("[What is \"{e}\" in Chinese?|Translate \"{e}\" into Chinese.|How do you say \"{e}\" in Chinese?]", e=e), f"\"{e}\" is {z} in Chinese."
        return g.x("[“{z}”用英语怎么说？|把“{z}”翻译成英语。|“{z}”的英文是什么？]", z=z), f"“{z}”的英文是 {e}。"
    e, z = pair(g)
    if language == "en":
        return g.x("[Translate into Chinese: {e}|Say in Chinese: {e}]", e=e), z
    return g.x("[翻译成英语：{z}|请把这句话译成英文：{z}]", z=z), e


def _count(g, language, _):
    if language == "en":
        word = g.pick(en.FRUIT + en.VEG + en.OBJECTS)
        if " " not in word and g.chance(0.5):
            return g.x("[How many letters does the word \"{w}\" have?|Count the letters of \"{w}\".]", w=word), f"The word \"{word}\" has {len(word)} letters."
        items = g.sample(en.FRUIT + en.VEG, g.num(2, 6))
        return g.x("[How many things are in this list: {l}?|Count the items: {l}.]", l=", ".join(items)), f"There are {en.words(len(items))} items."
    if g.chance(0.4):
        s = g.pick(zh.FOODS + zh.FLOWERS + [t[0] for t in zh.THINGS])
        return g.x("[“{s}”有几个字？|“{s}”一共几个字？]", s=s), f"“{s}”有{zh.liang(len(s))}个字。"
    items = g.sample(zh.FRUIT + zh.VEG, g.num(2, 6))
    return g.x("[这里有几样东西：{l}？|数一数有几样：{l}。]", l="、".join(items)), f"一共有{zh.liang(len(items))}样。"


def _grammar(g, language, _):
    if language == "en":
        kind = g.num(0, 2)
        if kind == 0:
            a, b = g.pick(PLURAL)
            return g.x("[What is the plural of \"{a}\"?|Give the plural of \"{a}\".]", a=a), f"The plural of \"{a}\" is \"{b}\"."
        if kind == 1:
            a, b = g.pick(PAST)
            return g.x("[What is the past tense of \"{a}\"?|Give the past tense of \"{a}\".]", a=a), f"The past tense of \"{a}\" is \"{b}\"."
        p, q = en.people(g, 2)
        o = g.pick(en.OBJECTS)
        v, w = g.pick([("found", "was found"), ("bought", "was bought"), ("broke", "was broken"), ("painted", "was painted"), ("sold", "was sold")])
        return g.x("[Rewrite in the passive:|Put into the passive:] {p} {v} the {o}.", p=p, v=v, o=o), f"The {o} {w} by {p}."
    o, m = g.pick(zh.THINGS + zh.SMALL)
    if g.chance(0.5):
        return g.x("[“一（　）{o}”里应该填什么量词？|“{o}”用什么量词？]", o=o), f"一{m}{o}。"
    p = zh.people(g, 1)[0]
    v = g.pick(["弄坏了", "修好了", "卖掉了", "找到了", "拿走了"])
    return g.x("[用“被”改写：|改成被字句：]{p}把{o}{v}。", p=p, o=o, v=v), f"{o}被{p}{v}。"


def _greeting(g, language, _):
    if language == "en":
        p = en.people(g, 1)[0]
        return g.pick([(f"Hello, my name is {p}.", f"Hello, {p}. Nice to meet you."), (f"Good morning! I am {p}.", f"Good morning, {p}. How can I help you?"),
                       (f"Hello, I am {p}.", f"Hello, {p}. Nice to meet you."), (f"Hi! My name is {p}.", f"Hello, {p}. Nice to meet you."),
                       (f"Good evening, my name is {p}.", f"Good evening, {p}. How can I help you?"),
                       ("Thank you for your help.", "You are welcome."), (f"Goodbye, see you on {g.pick(en.WEEKDAYS)}.", "Goodbye, take care."),
                       (f"Please greet {p} from me.", f"I would greet {p} for you, if I met {p.him}."),
                       (f"My friend {p} is ill. What should I say to {p.him}?", f"You could say: Get well soon, {p}."),
                       (f"Write a birthday wish for {p}.", f"Happy birthday, {p}! May the new year bring you joy.")])
    p = zh.people(g, 1)[0]
    if g.chance(0.4):  # names of two characters are as frequent as those of three here
        p.name = p.name[0] + p.name[-1]
    return g.pick([(f"你好，我叫{p}。", f"你好，{p}，很高兴认识你。"), (f"早上好！我是{p}。", f"早上好，{p}。有什么可以帮你的吗？"), ("谢谢你的帮助。", "不客气。"),
                   (f"你好，我是{p}。", f"你好，{p}，很高兴认识你。"), (f"你好！我的名字叫{p}。", f"你好，{p}，很高兴认识你。"),
                   (f"晚上好，我叫{p}。", f"晚上好，{p}。有什么可以帮你的吗？"),
                   (f"再见，{g.pick(zh.WEEKDAYS)}见。", "再见，请多保重。"), (f"我的朋友{p}病了，我该对{p.ta}说什么？", f"你可以说：{p}，祝你早日康复。"),
                   (f"给{p}写一句生日祝福。", f"{p}，生日快乐！祝你新的一岁天天开心。")])


def _make_sentence(g, language, _):
    """Write one sentence with given things in it; the answer uses them literally."""
    if language == "en":
        p, o, c, pl = en.people(g, 1)[0], g.pick(en.OBJECTS), g.pick(en.COLOURS), g.pick(en.PLACES)
        return g.x("[Write a sentence with {p}, {c}, {o} and {pl}.|Make one sentence about {p}, using {c}, {o} and {pl}.]", c=c, o=o, pl=pl, p=p), \
            tidy_en(f"{p} bought a(n) {c} {o} in {pl}.")
    (o, m), c, pl = g.pick(zh.THINGS), g.pick(zh.COLOURS), g.pick(zh.PLACES)
    return g.x("[用“{c}”、“{o}”和“{pl}”写一句话。|请用{c}、{o}、{pl}造句。]", c=c, o=o, pl=pl), f"在{pl}有一{m}{c}的{o}。"


def _compare(g, language, _):
    a, b = g.sample(range(1, 100), 2)
    big = g.chance(0.5)
    r = max(a, b) if big else min(a, b)
    if language == "en":
        w = "larger" if big else "smaller"
        return g.x("[Which number is {w}: {a} or {b}?|Which is the {w} number, {a} or {b}?]", w=w, a=a, b=b), f"{r} is the {w} number."
    w = "大" if big else "小"
    return g.x("[{a}和{b}哪个{w}？|{a}与{b}相比，哪个更{w}？]", a=a, b=b, w=w), f"{r}更{w}。"


def _order(g, language, _):
    nums = g.sample(range(1, 60), g.num(3, 5))
    if language == "en":
        return g.x("[Put these numbers in order: {l}|Sort from small to large: {l}]", l=", ".join(map(str, nums))), ", ".join(map(str, sorted(nums)))
    return g.x("[把这些数从小到大排列：{l}|按从小到大的顺序写：{l}]", l="、".join(map(str, nums))), "、".join(map(str, sorted(nums)))


KINDS = [(_context, 4), (_countries, 5), (_arithmetic, 3), (_opposite, 6), (_series, 3), (_colour, 2), (_translate, 3), (_count, 3), (_grammar, 5),
         (_greeting, 8), (_make_sentence, 3), (_compare, 2), (_order, 1)]


def rows(g, n, seen, held):
    out = []
    kinds = [k for k, w in KINDS for _ in range(w)]
    while len(out) < n:
        prompt, answer = g.pick(kinds)(g, "en" if len(out) % 2 == 0 else "zh", held)
        if prompt not in seen:
            seen.add(prompt)
            out.append({"prompt": prompt, "answer": answer})
    return g.shuffled(out)


def preferences(g, n, seen, held):
    """The answer to a prompt, and one to another prompt of the same language."""
    pairs = rows(g, n, seen, held)
    out = []
    for row in pairs:
        chinese = any("\u4e00" <= c <= "\u9fff" for c in row["answer"])
        others = [r["answer"] for r in pairs if r["answer"] != row["answer"] and any("\u4e00" <= c <= "\u9fff" for c in r["answer"]) == chinese]
        out.append({"prompt": row["prompt"], "chosen": row["answer"], "rejected": g.pick(others)})
    return out


def dialogues(g, n):
    """Two or three turns; later turns refer back to earlier ones."""
    out, seen = [], set()
    while len(out) < n:
        turns = _dialogue_en(g) if len(out) % 2 == 0 else _dialogue_zh(g)
        if turns[0][0] + turns[1][0] in seen:
            continue
        seen.add(turns[0][0] + turns[1][0])
        messages = []
        for user, assistant in turns:
            messages += [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
        out.append({"messages": messages})
    return g.shuffled(out)


def _dialogue_en(g):
    p, q = en.people(g, 2)
    place = g.pick(en.PLACES)
    kind = g.num(0, 4)
    if kind == 0:
        t = [g.pick([(f"Hello, I am {p} from {place}.", f"Hello, {p}. What can I do for you?"),
                     (f"My name is {p} and I live in {place}.", f"Nice to meet you, {p}."),
                     (f"Good morning. {p} here, from {place}.", f"Good morning, {p}. How are things in {place}?")])]
        t.append(g.pick([("Where do I live?", f"You live in {place}."), ("What is my name?", f"Your name is {p}."),
                         ("Do you remember who I am?", f"Yes, you are {p} from {place}.")]))
        if g.chance(0.6):
            t.append(g.pick([_arithmetic, _opposite, _count])(g, "en", 0))
    elif kind == 1:
        fruit = g.pick(en.FRUIT)
        a, b = g.num(6, 20), g.num(2, 5)
        c = g.num(1, 9)
        t = [g.pick([(f"I have {a} {fruit}.", f"That is a good number of {fruit}."), (f"There are {a} {fruit} in my basket.", f"So you have {a} {fruit}.")]),
             g.pick([(f"I give {b} of them to {q}. How many are left?", f"You have {a - b} {fruit} left."),
                     (f"If I eat {b}, how many do I still have?", f"Then you still have {a - b} {fruit}.")])]
        if g.chance(0.7):
            t.append((f"Now I get {c} more. How many is that?", f"That makes {a - b + c} {fruit}."))
    elif kind == 2:
        i = g.num(0, 11)
        c = en.COUNTRIES[i]
        t = [g.pick([(f"What is the capital of {c[0]}?", f"The capital of {c[0]} is {c[1]}."),
                     (f"I am travelling to {c[0]}. Which city should I see?", f"You should see {c[1]}, the capital of {c[0]}.")]),
             g.pick([("And which river flows there?", f"The {c[2]} flows through {c[0]}."), ("What do people pay with there?", f"People there pay with the {c[4]}."),
                     ("What should I eat there?", f"You should try {c[6]}."), ("Is there a national flower?", f"Yes, it is the {c[3]}.")])]
        if g.chance(0.5):
            t.append((g.pick(["Which country were we talking about?", "Remind me which country this is."]), f"We were talking about {c[0]}."))
    elif kind == 3:
        o, c, b = g.pick(en.OBJECTS), *g.sample(en.COLOURS, 2)
        t = [(tidy_en(f"{p} has a(n) {c} {o} and {q} has a(n) {b} {o}."), g.pick(["I see.", "All right.", f"So there are two {o}s." if not o.endswith(
              ("y", "s", "x", "h", "f", "fe")) else "Good to know."])),
             (f"What colour is {p}'s {o}?", f"{p}'s {o} is {c}."), (g.pick([f"And {q}'s?", f"And what about {q}?"]), f"{q}'s {o} is {b}.")]
    else:
        prompt, answer = _context(g, "en", 0)
        t = [(prompt, answer), g.pick([("Thank you.", "You are welcome."), ("Are you sure?", f"Yes. The text says so: {answer}")])]
        if g.chance(0.5):
            t.append(g.pick([_compare, _series])(g, "en", 0))
    return t


def _dialogue_zh(g):
    p, q = zh.people(g, 2)
    place = g.pick(zh.PLACES)
    kind = g.num(0, 4)
    if kind == 0:
        t = [g.pick([(f"你好，我是{place}的{p}。", f"你好，{p}，有什么可以帮你？"), (f"我叫{p}，住在{place}。", f"很高兴认识你，{p}。"),
                     (f"早上好，我是{p}，家在{place}。", f"早上好，{p}，{place}今天天气好吗？")]),
             g.pick([("我住在哪里？", f"你住在{place}。"), ("我叫什么名字？", f"你叫{p}。"), ("你还记得我是谁吗？", f"记得，你是{place}的{p}。")])]
        if g.chance(0.6):
            t.append(g.pick([_arithmetic, _opposite, _count])(g, "zh", 0))
    elif kind == 1:
        fruit = g.pick(zh.FRUIT)
        a, b, c = g.num(6, 20), g.num(2, 5), g.num(1, 9)
        t = [g.pick([(f"我有{a}个{fruit}。", f"{fruit}真不少。"), (f"我的篮子里有{a}个{fruit}。", f"也就是说你有{a}个{fruit}。")]),
             g.pick([(f"我给了{q}{b}个，还剩几个？", f"你还剩{a - b}个{fruit}。"), (f"要是我吃掉{b}个，还有几个？", f"那你还有{a - b}个{fruit}。")])]
        if g.chance(0.7):
            t.append((f"现在又来了{c}个，一共多少？", f"一共{a - b + c}个{fruit}。"))
    elif kind == 2:
        c = g.pick(zh.COUNTRIES)
        t = [g.pick([(f"{c[0]}的首都是哪里？", f"{c[0]}的首都是{c[1]}。"), (f"我要去{c[0]}旅行，应该看哪座城市？", f"你应该看看{c[1]}，那是{c[0]}的首都。")]),
             g.pick([("那里有什么大河？", f"{c[2]}流过{c[0]}。"), ("那里用什么钱？", f"那里用{c[4]}。"), ("那里有什么好吃的？", f"你可以尝尝{c[6]}。"),
                     ("那里的国花是什么？", f"国花是{c[3]}。")])]
        if g.chance(0.5):
            t.append((g.pick(["我们说的是哪个国家？", "这是哪个国家来着？"]), f"我们说的是{c[0]}。"))
    elif kind == 3:
        (o, m), (c, b) = g.pick(zh.THINGS), g.sample(zh.COLOURS, 2)
        t = [(f"{p}有一{m}{c}的{o}，{q}有一{m}{b}的{o}。", g.pick(["知道了。", "好的。", f"一共有两{m}{o}。"])),
             (f"{p}的{o}是什么颜色的？", f"{p}的{o}是{c}的。"), (g.pick([f"{q}的呢？", f"那{q}的呢？"]), f"{q}的{o}是{b}的。")]
    else:
        prompt, answer = _context(g, "zh", 0)
        t = [(prompt, answer), g.pick([("谢谢。", "不客气。"), ("你确定吗？", f"确定，文中是这样说的：{answer}")])]
        if g.chance(0.5):
            t.append(g.pick([_compare, _series])(g, "zh", 0))
    return t
