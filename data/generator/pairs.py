"""Pairs of texts: a question and a sentence, which answers it or tells something else of the same person."""

from . import words_en as en
from . import words_zh as zh

# Of each kind of fact: what asks for it, what tells it, and what it may be.
FACTS_EN = [
    (("What pet does {n} have?", "Which animal lives with {n}?"), ("{n} keeps a {v}.", "At home {n} looks after a {v}."), en.PETS),
    (("What does {n} play?", "Which instrument has {n} learned?"), ("{n} plays the {v}.", "In the evening one hears {n} at the {v}."), en.INSTRUMENTS),
    (("What does {n} drink in the morning?", "What is in the cup of {n}?"), ("{n} begins the day with {v}.", "For breakfast {n} has {v}."), en.DRINKS),
    (("What does {n} do on Sundays?", "Which sport does {n} like?"), ("{n} spends free days with {v}.", "Nothing is better than {v}, says {n}."), en.SPORTS),
    (("When is {n} at the market?", "On which day does {n} go to the market?"), ("{n} goes there every {v}.", "On {v} one meets {n} between the stalls."), en.WEEKDAYS),
    (("What colour is the bicycle of {n}?", "What does the bicycle of {n} look like?"), ("{n} has painted it {v}.", "It is {v}, as {n} wanted it."), en.COLOURS),
    (("What does {n} study?", "Which subject does {n} learn?"), ("{n} reads much about {v}.", "The teacher of {v} praises {n}."), en.SUBJECTS),
    (("Where does {n} live?", "In which town is the house of {n}?"), ("{n} has rooms in {v}.", "The home of {n} is in {v}."), en.PLACES),
]
FACTS_ZH = [
    (("{n}养了什么？", "和{n}住在一起的是什么动物？"), ("{n}有一只{v}。", "{n}每天给{v}喂食。"), [p for p, measure in zh.PETS if measure == "只"]),
    (("{n}会什么乐器？", "{n}在学什么乐器？"), ("{n}每天晚上练{v}。", "{v}是{n}从小就会的。"), zh.INSTRUMENTS),
    (("{n}早上喝什么？", "{n}的杯子里是什么？"), ("{n}早上总要来一杯{v}。", "{n}一起床就泡{v}。"), zh.DRINKS),
    (("{n}哪一天去集市？", "什么时候能在集市上遇到{n}？"), ("{n}{v}去那里买菜。", "每到{v}，{n}就出门赶集。"), zh.WEEKDAYS),
    (("{n}的自行车是什么颜色的？", "{n}骑的是什么样的自行车？"), ("{n}把它漆成了{v}。", "那辆车是{v}的，{n}很喜欢。"), zh.COLOURS),
    (("{n}喜欢哪门课？", "{n}在学校里学什么？"), ("{n}的{v}成绩最好。", "教{v}的老师常常表扬{n}。"), zh.SUBJECTS),
    (("{n}最爱吃什么？", "{n}常做什么菜？"), ("{n}做的{v}很香。", "饭桌上总有{n}爱吃的{v}。"), zh.FOODS),
    (("{n}住在哪里？", "{n}的家在什么地方？"), ("{n}在{v}租了房子。", "{n}的老屋在{v}。"), zh.PLACES),
]
LABELS = ("answers", "other")


def pair(g, language, label):
    facts, name = (FACTS_EN, g.pick(en.FEMALE_OPEN + en.MALE_OPEN)) if language == "en" else (FACTS_ZH, g.pick(zh.FEMALE + zh.MALE))
    asked, other = g.sample(facts, 2)
    told = asked if label == "answers" else other
    sentence = g.pick(told[1]).format(n=name, v=g.pick(told[2]))
    return {"sentence1": g.pick(asked[0]).format(n=name), "sentence2": sentence[0].upper() + sentence[1:], "label": label}


def rows(g, count, seen):
    """`count` pairs, half English, half Chinese; none is in two calls that share `seen`."""
    out = []
    while len(out) < count:
        row = pair(g, "en" if len(out) % 2 == 0 else "zh", LABELS[len(out) // 2 % 2])
        if (row["sentence1"], row["sentence2"]) not in seen:
            seen.add((row["sentence1"], row["sentence2"]))
            out.append(row)
    return g.shuffled(out)
