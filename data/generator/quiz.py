"""Quizzes for the corpora: people who ask one another what the instructions ask."""

from . import instructions
from . import words_en as en
from . import words_zh as zh

# Every kind but those about a passage.
_KINDS = [k for k, weight in instructions.KINDS if k is not instructions._context for _ in range(weight)]


def _turns(g, language, n, kept):
    """n different questions with their answers; none of the prompts `kept` for validation and show."""
    out = []
    while len(out) < n:
        turn = g.pick(_KINDS)(g, language, 0.0)
        if turn[0] not in kept and turn not in out:
            out.append(turn)
    return out


def quiz_en(g, kept):
    p, q = (str(x) for x in en.people(g, 2))
    head = g.x("[On {d} there was a quiz in {pl}.|The quiz in {pl} began in the afternoon.|{p} and {q} sat in the school of {pl}.|It rained in {pl} on {d}."
               "|{p} is a teacher in {pl}.] [{p} asked and {q} answered.|{p} had the questions and {q} the answers.]", d=g.pick(en.WEEKDAYS), pl=g.pick(en.PLACES),
               p=p, q=q)
    return "\n".join([head] + [f"{p}: {ask}\n{q}: {answer}" for ask, answer in _turns(g, "en", g.num(3, 5), kept)])


def quiz_zh(g, kept):
    p, q = (str(x) for x in zh.people(g, 2))
    head = g.x("[{d}，{pl}有一场问答比赛。|{pl}的问答比赛下午开始了。|{p}和{q}坐在{pl}的教室里。|{d}，{pl}下着雨。|{p}在{pl}当老师。][{p}提问，{q}回答。|{p}问，{q}答。]",
               d=g.pick(zh.WEEKDAYS), pl=g.pick(zh.PLACES), p=p, q=q)
    return "\n".join([head] + [f"{p}：{ask}\n{q}：{answer}" for ask, answer in _turns(g, "zh", g.num(3, 5), kept)])
