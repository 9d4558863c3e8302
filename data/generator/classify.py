"""Labelled texts: sentiment, news topic and spam, in both languages."""

from . import words_en as en
from . import words_zh as zh
from .core import lines_en, lines_zh

# ---------------------------------------------------------------- sentiment

# For every subject: things said when content, things said when not. Praise and
# blame share most of their words; negation and context decide.
OPINIONS_EN = {
    "hotel": (["the bed was soft and the room quiet", "the staff could not have been kinder", "nothing was dirty", "the view was anything but dull",
               "breakfast was not bad at all", "we never had to wait", "it was cheaper than we feared", "there was no noise at night",
               "the room was larger than expected", "every lamp and tap worked"],
              ["the bed was hard and the room loud", "the staff could not have been ruder", "nothing was clean", "the view was anything but nice",
               "breakfast was not good at all", "we always had to wait", "it was dearer than we hoped", "there was no quiet at night",
               "the room was smaller than expected", "not one lamp or tap worked"]),
    "phone": (["the battery lasts for days", "the screen is not hard to read", "it has never let me down", "the camera is better than I thought",
               "it starts without any delay", "calls are never cut off", "I found no fault with it", "it feels anything but cheap"],
              ["the battery hardly lasts a day", "the screen is not easy to read", "it has often let me down", "the camera is worse than I thought",
               "it starts only after a long delay", "calls are always cut off", "I found one fault after another", "it feels anything but solid"]),
    "book": (["I could not put it down", "no page is too long", "the people in it are not dull for a moment", "the ending surprised me in a good way",
              "I would read it again", "it is far from boring", "the language is clear", "I was sorry when it was over"],
             ["I could not get into it", "every page is too long", "the people in it are not interesting for a moment",
              "the ending annoyed me", "I would not read it again", "it is far from exciting", "the language is clumsy",
              "I was glad when it was over"]),
    "café": (["the soup was hot and the beer was cold", "the waiter was not in a hurry and never rude", "the cake tasted as if my aunt had made it",
              "there is nothing to complain about", "the prices are not high", "one can hardly find better coffee", "the tables were clean",
              "our order came sooner than expected"],
             ["the soup was cold and the beer was warm", "the waiter was in a hurry and not polite", "the cake tasted as if it were a week old",
              "there is a lot to complain about", "the prices are not low", "one can hardly find worse coffee", "the tables were sticky",
              "our order came later than expected"]),
    "course": (["the teacher explained everything twice if needed", "I have learned more than I hoped", "no question was too silly",
                "the hours passed quickly", "the exercises were not too hard", "the group was never too large", "I did not regret the fee"],
               ["the teacher explained nothing twice", "I have learned less than I hoped", "every question was too much for him",
                "the hours passed slowly", "the exercises were not much use", "the group was always too large", "I did regret the fee"]),
    "bicycle": (["the brakes have never failed", "it is lighter than my old one", "the saddle is not hard", "it arrived without a scratch",
                 "everything was easy to put together", "I ride it every day", "the chain runs without a sound"],
                ["the brakes have failed twice", "it is heavier than my old one", "the saddle is not soft", "it arrived with a scratch",
                 "nothing was easy to put together", "I hardly ride it any more", "the chain never runs without a noise"]),
}
END_EN = (["in the end I am glad I chose it", "all in all I would choose it again", "I can recommend it without hesitation",
           "so it was worth every crown", "taken together, this was money well spent", "I would not want anything else",
           "on the whole I have no regrets", "I will tell my friends to try it"],
          ["in the end I am sorry I chose it", "all in all I would not choose it again", "I cannot recommend it to anyone",
           "so it was not worth the money", "taken together, this was money badly spent", "I would want anything else",
           "on the whole I do regret it", "I will tell my friends to keep away"])
OPINIONS_ZH = {
    "旅馆": (["床很软，房间很安静", "服务员再热情不过了", "没有一处是脏的", "早餐一点也不差", "从来不用等", "比我们担心的便宜", "晚上没有噪音", "房间比想象的大",
            "灯和水龙头都好用"],
           ["床很硬，房间很吵", "服务员再冷淡不过了", "没有一处是干净的", "早餐一点也不好", "每次都要等", "比我们希望的贵", "晚上没有安静的时候", "房间比想象的小",
            "灯和水龙头都不好用"]),
    "手机": (["电池能用好几天", "屏幕不难看清", "从来没有让我失望", "拍照比想象的好", "开机一点也不慢", "打电话从来不断", "找不出什么毛病", "拿在手里不觉得廉价"],
           ["电池连一天都用不了", "屏幕不容易看清", "常常让我失望", "拍照没有想象中那么好", "开机一点也不快", "打电话总是断", "毛病一个接一个", "拿在手里不觉得结实"]),
    "小说": (["我一口气读完了", "没有一页是多余的", "人物一点也不单调", "结局让人惊喜", "我还想再读一遍", "并不无聊", "文字很清楚", "读完的时候真舍不得"],
           ["我怎么也读不下去", "没有一页是精彩的", "人物一点也不生动", "结局让人扫兴", "我不想再读一遍", "并不好看", "文字很啰嗦", "读完的时候松了口气"]),
    "饭馆": (["汤是热的，啤酒是冰的", "服务员不慌不忙，很有礼貌", "菜的味道像家里做的", "没有什么可抱怨的", "价钱不贵", "很难找到更好的面条", "桌子擦得很干净", "上菜比想象的快"],
           ["汤是凉的，啤酒是温的", "服务员慌慌张张，没有礼貌", "菜的味道像隔夜的", "可抱怨的地方不少", "价钱不便宜", "很难找到更差的面条", "桌子没有擦干净", "上菜比想象的慢"]),
    "课程": (["老师讲得很耐心", "学到的比期望的多", "什么问题都可以问", "时间过得很快", "练习不算太难", "人数从来不多", "学费没有白花"],
           ["老师讲得没有耐心", "学到的没有期望的多", "什么问题都不让问", "时间过得很慢", "练习没有什么用", "人数总是太多", "学费算是白花了"]),
    "自行车": (["刹车从来没有出过问题", "比我原来那辆轻", "座位不硬", "送来的时候没有一点划痕", "安装一点也不麻烦", "我每天都骑它", "链条没有声音"],
            ["刹车已经出过两次问题", "比我原来那辆重", "座位不舒服", "送来的时候就有划痕", "安装一点也不容易", "我现在很少骑它", "链条没有不响的时候"]),
}
END_ZH = (["总的来说，我没有选错", "要是再选一次，我还会选它", "我可以放心地推荐给别人", "这笔钱花得值", "我不想换别的", "说到底，我并不后悔", "我会让朋友们也试试"],
          ["总的来说，我选错了", "要是再选一次，我不会选它", "我没办法推荐给别人", "这笔钱花得不值", "我只想换别的", "说到底，我还是后悔了", "我会劝朋友们别试了"])


# Short reviews: what a place or thing has, with words for and against it. Their words are many, so that a review in other
# words than these lists' sentences is judged by the words it has.
PARTS_EN = {
    "hotel": [("room", "quiet clean bright warm large cosy", "loud dirty dark cold tiny noisy"), ("bed", "soft comfortable clean", "hard uncomfortable broken"),
              ("staff", "kind friendly helpful polite", "rude unfriendly slow unhelpful"), ("breakfast", "good delicious fresh tasty", "cold awful poor tasteless"),
              ("shower", "hot clean new", "cold dirty broken"), ("view", "beautiful lovely wonderful", "ugly sad dull"), ("lift", "fast quiet", "slow loud broken")],
    "restaurant": [("soup", "hot delicious tasty wonderful", "cold salty tasteless awful"), ("food", "delicious good fresh excellent", "terrible bad cold awful"),
                   ("waiter", "polite friendly quick kind", "rude slow unfriendly"), ("coffee", "strong good excellent", "weak bitter cold"),
                   ("table", "clean large nice", "dirty sticky small"), ("cake", "fresh sweet lovely", "dry old hard"), ("price", "fair low good", "high unfair")],
    "shop": [("staff", "kind helpful friendly patient", "rude lazy unhelpful impatient"), ("choice", "large good excellent", "small poor bad"),
             ("price", "fair low good", "high unfair"), ("shop", "clean bright tidy", "dirty dark untidy"), ("delivery", "fast free punctual", "slow late expensive")],
    "phone": [("screen", "bright sharp large", "dark blurred small scratched"), ("battery", "strong good excellent", "weak bad dead"),
              ("camera", "excellent sharp good", "poor bad blurred"), ("sound", "clear good loud", "bad poor unclear")],
    "film": [("story", "exciting moving funny clever", "boring silly dull confusing"), ("music", "beautiful lovely wonderful", "loud awful annoying"),
             ("ending", "surprising beautiful happy", "stupid weak disappointing"), ("actors", "excellent brilliant good", "bad poor wooden")],
    "train": [("seat", "comfortable soft clean", "hard dirty broken"), ("train", "punctual fast clean quiet", "late slow dirty noisy"),
              ("conductor", "friendly polite helpful", "rude unfriendly impatient"), ("ticket", "cheap", "expensive")],
}
# What happens at a place, and what can be said of a thing as well.
EVENTS_EN = (["everybody greeted us with a smile", "somebody helped us with the bags", "they answered every question at once", "we felt at home",
              "nobody was in a hurry", "they even gave us a small present", "we stayed longer than planned", "they put a small mistake right at once"],
             ["nobody answered the phone", "nobody helped us with the bags", "nobody answered our questions", "nobody was there when we arrived",
              "we waited for an hour", "nobody opened the door", "nobody said sorry", "they forgot our order", "nobody cared", "we left early",
              "nobody came when we rang"])
FACTS_EN = (["everything worked", "nothing was missing", "the time flew by", "I would not change a thing", "my friends liked it too"],
            ["nothing worked", "half of it was missing", "it was a waste of time", "I would change everything", "my friends did not like it either"])
CLOSE_EN = (["We will come again", "I would come back at any time", "A real pleasure to be there", "Thank you for everything"],
            ["We will not come again", "Never again", "I would not come back at any price", "I want my money back"])
VERDICT_EN = (["Highly recommended", "A real pleasure", "I loved it", "We were very happy with it", "Worth every crown", "Simply wonderful", "I am very pleased"],
              ["I do not recommend it", "A waste of money", "I hated it", "We were very unhappy with it", "Not worth the money", "Simply terrible",
               "I am very disappointed"])
PLACES_EN = ("hotel", "restaurant", "shop")
PARTS_ZH = {
    "旅馆": [("房间", "安静 干净 明亮 宽敞 暖和", "吵 脏 暗 小 冷"), ("床", "软 舒服 干净", "硬 脏 不舒服"), ("服务员", "热情 友好 有礼貌 耐心", "冷淡 没礼貌 不耐烦 慢"),
           ("早餐", "丰富 好吃 新鲜", "简单 难吃 凉"), ("位置", "方便 好", "偏 不方便"), ("环境", "优美 舒服 安静", "差 嘈杂 乱"), ("价格", "便宜 合理", "贵 不合理")],
    "饭馆": [("菜", "好吃 新鲜 可口 香", "难吃 咸 油 不新鲜"), ("汤", "鲜 热 香", "凉 咸 淡"), ("面条", "好吃 香 筋道", "难吃 硬 糊"), ("服务员", "热情 周到 有礼貌", "冷淡 粗心 没礼貌"),
           ("环境", "干净 安静 舒服", "脏 吵 乱"), ("价格", "便宜 公道", "贵 离谱"), ("上菜", "快 及时", "慢 晚")],
    "商店": [("店员", "热情 耐心 友好", "冷淡 不耐烦 没礼貌"), ("东西", "多 好 便宜 齐全", "少 差 贵 旧"), ("价格", "便宜 公道 合理", "贵 离谱"), ("送货", "快 准时", "慢 晚")],
    "手机": [("屏幕", "清楚 亮 大", "模糊 暗 小"), ("电池", "耐用 好", "不耐用 差"), ("声音", "清楚 好", "小 不清楚"), ("速度", "快 流畅", "慢 卡")],
    "电影": [("故事", "精彩 感人 有趣", "无聊 老套 乱"), ("音乐", "好听 动人", "难听 吵"), ("结局", "感人 巧妙", "扫兴 莫名其妙"), ("演员", "出色 优秀", "差 呆板")],
    "火车": [("座位", "舒服 宽敞 干净", "硬 挤 脏"), ("车厢", "干净 安静", "脏 吵"), ("列车员", "热情 有礼貌", "冷淡 没礼貌"), ("车票", "便宜", "贵")],
}
MEASURE_ZH = {"旅馆": "家", "饭馆": "家", "商店": "家", "手机": "部", "电影": "部", "火车": "趟"}
EVENTS_ZH = (["大家都笑着打招呼", "有人帮我们拿行李", "问什么都马上回答", "像在家里一样", "还送了小礼物", "出了点小错，马上就改了"],
             ["打电话没有人接", "没有人帮忙", "问什么都没人回答", "等了一个小时", "没有人道歉", "把我们点的忘了", "门也没人开", "按铃也没人来"])
FACTS_ZH = (["什么都好用", "时间过得真快", "找不出缺点", "朋友们也说好"], ["什么都不好用", "浪费时间", "到处是缺点", "朋友们也说不好"])
CLOSE_ZH = (["以后还会再来", "下次还会来", "下次还来这里", "还想再来"], ["以后不会再来", "下次不会来了", "再也不来这里", "不想再来", "千万别来"])
VERDICT_ZH = (["很满意", "非常喜欢", "值得推荐", "大家都喜欢", "物有所值", "真是太好了", "强烈推荐"],
              ["很失望", "非常后悔", "不推荐", "大家都不喜欢", "白花了钱", "真是太差了"])
PLACES_ZH = ("旅馆", "饭馆", "商店")


_SHORT = {"en": (PARTS_EN, PLACES_EN, EVENTS_EN, FACTS_EN, CLOSE_EN, VERDICT_EN), "zh": (PARTS_ZH, PLACES_ZH, EVENTS_ZH, FACTS_ZH, CLOSE_ZH, VERDICT_ZH)}


def _subject(g, language, good):
    """What is judged, some of its parts, and what can be said of it as a whole: facts and verdicts."""
    parts, places, events, facts, close, verdict = _SHORT[language]
    what = g.pick(list(parts))
    own = g.sample(parts[what], g.num(1, 2))
    if what in places:
        return what, own, events[good] + facts[good], close[good] + verdict[good]
    return what, own, facts[good], verdict[good]


def _short_en(g, good):
    what, own, facts, verdicts = _subject(g, "en", good)

    def said(part):
        noun, words = part[0], [w.split() for w in part[1:]]
        verb = "were" if noun in ("staff", "actors") else "was"
        if g.chance(0.2):
            return g.x("the {n} {v} [not {w} at all|anything but {w}|not {w}]", n=noun, v=verb, w=g.pick(words[1 - good]))
        return g.x("the {n} {v} [|||very |really |so ]{w}", n=noun, v=verb, w=g.pick(words[good]))

    s = [" and ".join([said(p) for p in own] + ([g.pick(facts)] if len(own) == 1 or g.chance(0.3) else []))]
    if what in PLACES_EN and g.chance(0.3):
        s[0] += g.x("[ in this {w}| at the {w} in {p}]", w=what, p=g.pick(en.PLACES))
    if g.chance(0.4):
        s.append(g.pick(facts))
    if g.chance(0.5):
        s.append(g.pick(verdicts))
    return lines_en(g, [x + g.x("[.|.|.|!]") for x in s], 0)


def _short_zh(g, good):
    what, own, facts, verdicts = _subject(g, "zh", good)

    def said(part):
        noun, words = part[0], [w.split() for w in part[1:]]
        if g.chance(0.2):
            plain = [w for w in words[1 - good] if not w.startswith(("不", "没", "有"))]
            return noun + g.pick(["一点也不", "并不"]) + g.pick(plain)
        word = g.pick(words[good])
        return noun + ("" if word.startswith(("不", "没")) and g.chance(0.6) else g.pick(["很", "很", "非常", "真", "特别", "太"])) + word

    lead = g.x("[|这{m}{w}的|这{m}{w}的|{p}的这{m}{w}，|这{m}{w}，]", m=MEASURE_ZH[what], w=what, p=g.pick(zh.PLACES))
    s = [lead + said(own[0])] + [said(p) for p in own[1:]]
    if g.chance(0.4):
        s.append(g.pick(facts))
    if g.chance(0.6) or len(s) == 1:
        s.append(g.pick(verdicts))
    return "，".join(s) + g.x("[。|。|！]")


def sentiment(g, language, label):
    good = 0 if label == "positive" else 1
    if g.chance(0.55):
        return _short_en(g, good) if language == "en" else _short_zh(g, good)
    table, ends = (OPINIONS_EN, END_EN) if language == "en" else (OPINIONS_ZH, END_ZH)
    what = g.pick(list(table))
    own, other = table[what][good], table[what][1 - good]
    mixed = g.chance(0.4)
    against = g.sample(range(min(len(own), len(other))), g.num(1, 2))
    # what is said against it must not be taken back by the same point
    rest = [x for i, x in enumerate(own) if i not in against]
    against = [other[i] for i in against]
    if language == "en":
        lead = g.x("[The {w}|This {w}|My opinion of this {w}|A friend told me about this {w}|" +
                   ("The {w} in {p}|We tried the {w} in {p} on {d}|Our {n} days at this {w}" if what in ("hotel", "café", "course") else
                    "I have had this {w} for {n} weeks|After {n} days with this {w}|A {w} bought in {p}") + "]: ",
                   w=what, p=g.pick(en.PLACES), d=g.pick(en.WEEKDAYS), n=g.num(2, 12))
        if mixed:
            s = [lead + g.x("[it is true that |]") + " and ".join(against) + ".",
                 g.x("[Still|But|Even so|For all that|However], {a}, and {e}.", a=g.pick(rest), e=g.pick(ends[good])) if g.chance(0.6) else
                 g.x("[Still|But|Even so|For all that|However], {e}.", e=g.pick(ends[good]))]
        else:
            a = g.sample(own, g.num(2, 3))
            s = [lead + a[0] + ", and " + a[1] + "."] + [x + "." for x in a[2:]]
            if g.chance(0.6):
                s.append(g.pick(ends[good]) + ".")
            if g.chance(0.3):
                s.insert(1, g.x("[My {r} thought so too|{c} and I talked about it on {d}|That was on a {d}|I paid {n} crowns in all].",
                                r=g.pick(["sister", "brother", "neighbour", "colleague"]), n=g.num(8, 90), c=en.people(g, 1)[0], d=g.pick(en.WEEKDAYS)))
        return lines_en(g, s, 0)
    lead = g.x("[这{w}|关于{p}的这{w}|朋友介绍了这{w}|我们{d}试了这{w}|说说这{w}|用过{n}个星期的感受，这{w}]：", w={"旅馆": "家旅馆", "手机": "部手机", "小说":
               "本小说", "饭馆": "家饭馆", "课程": "门课程", "自行车": "辆自行车"}[what], p=g.pick(zh.PLACES), d=g.pick(zh.WEEKDAYS), n=zh.liang(g.num(2, 9)))
    if mixed:
        tail = (g.pick(rest) + "，" if g.chance(0.6) else "") + g.pick(ends[good])
        said = "，".join(against)
        s = [lead + g.x("[虽然{s}，但是|的确，{s}，不过|{s}，可是|{s}。然而]", s=said) + tail + "。"]
    else:
        a = g.sample(own, g.num(2, 3))
        s = [lead + "，".join(a) + "。"]
        if g.chance(0.6):
            s.append(g.pick(ends[good]) + "。")
        if g.chance(0.3):
            s.insert(1, g.x("[我{r}也这么说|{c}和我{d}说起过|那天是{d}|一共花了{m}元]。", r=g.pick(["妹妹", "弟弟", "邻居", "同事"]), c=zh.people(g, 1)[0],
                            d=g.pick(zh.WEEKDAYS), m=g.num(15, 90)))
    return lines_zh(g, s, 0)


# ------------------------------------------------------------------ aspects

# What a part of a hotel or restaurant belongs to: reviews have the labels of what they speak of, and stars by how much of it
# is praised.
ASPECTS = {"service": "staff waiter 服务员 上菜", "price": "price 价格", "food": "breakfast soup food coffee cake 早餐 菜 汤 面条",
           "place": "room bed shower view lift table 房间 床 位置 环境"}
_ASPECT = {noun: aspect for aspect, nouns in ASPECTS.items() for noun in nouns.split()}


def aspects(g, language):
    """A review of several things: {text, labels, stars}."""
    table, verdict = (PARTS_EN, VERDICT_EN) if language == "en" else (PARTS_ZH, VERDICT_ZH)
    what = g.pick(["hotel", "restaurant"] if language == "en" else ["旅馆", "饭馆"])
    parts = g.sample(table[what], g.pick([0, 1, 1, 2, 2, 2, 3, 3]))
    good, said, labels = 0, [], set()
    for noun, praise, blame in parts:
        content = g.chance(0.5)
        good += content
        labels.add(_ASPECT[noun])
        word = g.pick((praise if content else blame).split())
        if language == "en":
            said.append(g.x("the {n} {v} [||very |really ]{w}", n=noun, v="were" if noun == "staff" else "was", w=word))
        else:
            said.append(noun + ("" if word.startswith(("不", "没")) else g.pick(["很", "很", "非常", "太"])) + word)
    share = good / len(parts) if parts else float(g.chance(0.5))
    if not parts or (share in (0, 1) and g.chance(0.4)):
        said.append(g.pick(verdict[0 if share == 1 else 1]))
    text = lines_en(g, [x + "." for x in said], 0) if language == "en" else "，".join(said) + "。"
    return {"text": text, "labels": sorted(labels), "stars": round(1 + 4 * share)}


def aspect_rows(g, count, seen):
    """`count` reviews, half English, half Chinese; texts are unique among all calls that share `seen`."""
    rows = []
    while len(rows) < count:
        row = aspects(g, "en" if len(rows) % 2 == 0 else "zh")
        if row["text"] not in seen:
            seen.add(row["text"])
            rows.append(row)
    return g.shuffled(rows)


# -------------------------------------------------------------------- topic

TOPIC_EN = {
    "sports": ["{a} won the {s} final in {p} by a narrow margin", "the {s} team of {p} lost its captain to an injury", "after {n} minutes {a} took the lead",
               "{a} trained all winter for the {s} season", "the coach praised {a} for a calm second half", "the {s} club of {p} signs {a} for two years",
               "{a} broke the old record by {n} seconds", "rain stopped the {s} match between {p} and {q}", "{p} drew with {q} in front of {n} hundred fans",
               "{a} was not chosen for the national side"],
    "business": ["the company from {p} sold {n} percent more {o}s this year", "the bank in {p} raised its interest rate", "{a} will lead the board of the factory in {p}",
                 "the price of {o}s fell by {n} percent", "{n} workers in {p} fear for their jobs after the loss", "the firm wants to buy its rival in {q}",
                 "{a} opened a second shop in {q} with a loan", "exports of {o}s reached a new record", "shares of the {p} mill lost ground",
                 "the owner, {a}, reports a profit of {n} million crowns"],
    "science": ["researchers in {p} found a new kind of {x}", "a study with {n} volunteers shows how sleep helps memory", "{a} measured the light of a distant star",
                "the team of {a} published its results on {x}", "a telescope near {p} took pictures of a comet", "in the laboratory {x} lived {n} days longer",
                "the experiment in {p} could not be repeated", "{a} explains why {x} change their colour", "old bones from {q} are {n} thousand years old",
                "chemists made a glass that does not break"],
    "weather": ["heavy rain is expected in {p} until {d}", "temperatures in {q} fall to {n} degrees at night", "a storm from the west reaches {p} on {d}",
                "fog made the roads around {p} slippery", "{q} had its driest month for {n} years", "sunshine and a light wind are forecast for {p}",
                "snow fell on the hills near {q}", "the heat in {p} will not end before {d}", "clouds clear in the evening, says {a} of the weather office",
                "the river near {p} may flood after {n} hours of showers"],
    "culture": ["the museum in {p} shows {n} paintings by {a}", "{a} read from a new novel in the library of {q}", "the theatre in {p} opens the season with a comedy",
                "{a} will conduct the orchestra of {q}", "a film about {p} won the first prize", "the choir sang old songs in the chapel of {q}",
                "{a} received an award for {n} poems", "the exhibition of {o}s by local artists closes on {d}", "dancers from {q} toured with {a}",
                "the play was a success, although {a} forgot a line"],
}
TOPIC_ZH = {
    "sports": ["{a}在{p}的{s}决赛中险胜", "{p}{s}队的队长受伤了", "第{n}分钟，{a}取得领先", "为了新的{s}赛季，{a}练了一个冬天", "教练称赞{a}下半场很冷静", "{p}{s}俱乐部和{a}签了两年",
               "{a}把原来的纪录提高了{n}秒", "{p}和{q}的{s}比赛因为下雨中断", "{p}队和{q}队打成平局，现场有{n}百名观众", "{a}没有入选国家队"],
    "business": ["{p}的一家公司今年多卖出百分之{n}的{o}", "{p}的银行提高了利率", "{a}将担任{p}工厂的董事长", "{o}的价格下降了百分之{n}", "{p}有{n}名工人担心失去工作", "这家公司想收购{q}的对手",
                 "{a}贷款在{q}开了第二家店", "{o}的出口创了新纪录", "{p}面粉厂的股票下跌", "老板{a}说，利润有{n}百万元"],
    "science": ["{p}的研究人员发现了一种新的{x}", "{n}名志愿者参加的研究表明，睡眠对记忆有帮助", "{a}测量了一颗遥远星星的光", "{a}的团队发表了关于{x}的结果", "{p}附近的望远镜拍到了彗星",
                "在实验室里，{x}多活了{n}天", "{p}的实验没有能够重复", "{a}解释了{x}为什么会变色", "{q}出土的骨头有{n}千年历史", "化学家做出了不会碎的玻璃"],
    "weather": ["{p}的大雨要下到{d}", "{q}夜里气温降到{n}度", "{d}大风将从西边到达{p}", "大雾使{p}附近的道路很滑", "{q}经历了{n}年来最干的一个月", "预计{p}晴，有微风", "{q}附近的山上下了雪",
                "{p}的高温{d}以前不会结束", "气象台的{a}说，傍晚云会散开", "连下{n}小时的雨，{p}的河水可能上涨"],
    "culture": ["{p}的博物馆展出{a}的{n}幅画", "{a}在{q}图书馆朗读了新小说", "{p}剧院用一部喜剧开始新的演出季", "{a}将指挥{q}的乐团", "一部关于{p}的电影得了一等奖", "合唱团在{q}的礼堂唱了老歌",
                "{a}因为{n}首诗获奖", "本地艺术家的{o}展览{d}结束", "{q}的舞蹈演员和{a}一起巡演", "话剧很成功，虽然{a}忘了一句台词"],
}
SHARED_EN = ["The news reached {q} on {d}.", "\"It came as a surprise,\" said {b}.", "More is to be announced on {d}.", "{b} did not want to comment.",
             "Many people in {q} had waited for this.", "It is the second time in {n} years.", "Visitors from {q} were present."]
SHARED_ZH = ["{q}{d}得到了这个消息。", "“真没想到。”{b}说。", "{d}还会公布更多情况。", "{b}不愿意发表意见。", "{q}有很多人等着这一天。", "这在{n}年里是第二次。", "也有人从{q}赶来。"]


def topic(g, language, label):
    n = g.num(3, 18 if label == "weather" else 60)
    if language == "en":
        p, q = en.places(g, 2)
        a, b = en.people(g, 2)
        k = dict(p=p, q=q, a=f"{a} {g.pick(en.SURNAMES)}", b=b, n=n, d=g.pick(en.WEEKDAYS), s=g.pick(["football", "tennis", "chess", "rowing", "skating"]),
                 o=g.pick(["clock", "carpet", "chair", "bicycle", "lamp"]), x=g.pick(["ants", "ferns", "frogs", "beetles", "mushrooms", "fish"]))
        main = g.sample(TOPIC_EN[label], g.pick([1, 2, 2]))
        s = [main[0].format(**k) + "."] + [x.format(**k) + "." for x in main[1:]]
        s += [g.pick(SHARED_EN).format(**k)]
        return lines_en(g, s if g.chance(0.6) else s[:-1] if len(s) > 2 else s, 0)
    p, q = zh.places(g, 2)
    a, b = zh.people(g, 2)
    k = dict(p=p, q=q, a=a, b=b, n=n, d=g.pick(zh.WEEKDAYS), s=g.pick(["足球", "网球", "象棋", "划船", "滑冰"]),
             o=g.pick(["钟表", "地毯", "椅子", "自行车", "台灯"]), x=g.pick(["蚂蚁", "蕨类", "青蛙", "甲虫", "蘑菇", "鱼"]))
    main = g.sample(TOPIC_ZH[label], g.pick([1, 2, 2]))
    s = [x.format(**k) + "。" for x in main] + [g.pick(SHARED_ZH).format(**k)]
    return lines_zh(g, s if g.chance(0.6) else s[:-1] if len(s) > 2 else s, 0)


# --------------------------------------------------------------------- spam

SPAM_EN = ["[Congratulations|Good news|Hello winner]! [Your number {n} was drawn|You have been chosen out of {n} thousand people] and [a free {o}|{m} "
           "thousand crowns] [is|are] waiting. [Reply with your bank details|Open {u} and confirm your name|Act before midnight].",
           "[Last warning|Important notice]: your account [will be closed|has been limited]. [Enter your password at {u}|Confirm your card number at {u}] "
           "[today|within {m} hours][| to keep your money].",
           "[Earn {m} crowns a day|Make {n} crowns a week] from home, [no experience needed|no boss, no risk]! [Only {m} places left|Offer ends tonight]. "
           "[Write YES to {u}|Join at {u} now].",
           "[Dear friend|Dear sir or madam], I am {a}, [a lawyer|the widow of a banker] in {p}. {n} thousand crowns [lie in a bank|belong to no one], and I "
           "need your help to move them. [Send a small fee of {m} crowns first|You keep half of it, but tell nobody].",
           "[Lose {m} kilos in one week|Sleep like a child, look ten years younger] with our new tea! [Doctors are amazed|It works for everyone]. [Order "
           "today and get a second box free|Only {m} crowns at {u}].",
           "Your parcel number {n} [could not be delivered|is being held]. [Pay {m} crowns at {u} to release it|Give us your card number at {u}], or it [will "
           "be destroyed|goes back today].",
           "[Cheap|Brand new] {o}s for {m} crowns, [ninety percent off|the lowest price ever]! [Everybody in {p} is buying|Stock is running out]. Click {u} "
           "[now|before it is too late].",
           "[You can have|We give you] a loan of {n} thousand crowns [at once|without any questions]. [No papers|Bad credit is no problem]. [Just send {m} "
           "crowns as a deposit|Call now] [and we pay out|and the money is yours] in {m} minutes."]
HAM_EN = ["[Congratulations|Good news], {a}! [You passed the exam in {s} with {m} points|The job in {p} is yours]. [Shall we celebrate on {d}|Mother is so "
          "proud]?",
          "[Dear customer|Dear {a}], your account statement for the month is ready. [You can collect it at our office in {p}|It is enclosed on paper]. We "
          "never ask for your password.",
          "[Hello|Hi] {a}, the {o} you [ordered|asked for] [has arrived|is ready] and costs {m} crowns as agreed. [You can pick it up on {d}|We are open until "
          "six].",
          "[Hi|Dear] {a}, [could you lend me {m} crowns until {d}? I forgot my purse at home.|I still owe you {m} crowns for the {o}. I will bring it on {d}.] "
          "[Thanks|Love], {b}",
          "[Your parcel|The parcel from {p}] [was left with your neighbour {b}|will come on {d} between {h} and {h2}]. [Nothing to pay|You need not be at "
          "home]. [Parcel number {n}|The post office in {p}].",
          "[The doctor's office in {p}|Dr {a}]: your appointment is on {d} at {h} o'clock. [Please bring your card|If you cannot come, please call us].",
          "[Our club|The {s} class] meets on {d} at {h}. [Entry is free for members|Bring {m} crowns for tea], and {b} [will win again, I fear|brings the "
          "cake].",
          "[Reminder|A small reminder]: the [library book|{o}] you borrowed is due on {d}. [There is no fee|The fee is {m} crowns] [if you are late|after "
          "that]. [The library of {p}|Regards, {b}]",
          "{a}, [have you seen the offer in the shop in {p}? I might buy a(n) {o} on {d}.|the shop in {p} sells {o}s at half price. Do we need one?] Tell me [before "
          "{h} o'clock|tonight]. {b}"]
SPAM_ZH = ["[恭喜您|好消息]！您的号码{n}[中奖了|被抽中了]，[免费{o}一件|奖金{m}万元]等您来领。[请回复银行卡号|请打开{u}填写姓名|今晚十二点前有效]。",
           "[最后通知|重要提醒]：您的账户[将被关闭|已被限制]，请[今天|{m}小时内]到{u}[输入密码|填写卡号]。",
           "在家工作，[一天赚{m}元|一周赚{n}元]，[不用经验|没有风险]！[只剩{m}个名额|今晚截止]，[请加{u}|马上登录{u}]。",
           "[亲爱的朋友|尊敬的先生女士]，我是{p}的{a}，[一名律师|一位银行家的家人]。有{n}万元[没有人认领|存在银行里]，需要您帮忙转出。[请先汇{m}元手续费|事成之后一人一半，请不要告诉别人]。",
           "[一周瘦{m}斤|睡得香，年轻十岁]，就靠我们的新茶！[医生都惊呆了|人人有效]。[今天下单，买一送一|只要{m}元，请点{u}]。",
           "您的包裹{n}[无法送达|被扣留]，[请到{u}支付{m}元|请在{u}提供卡号]，否则[将被销毁|今天退回]。",
           "{o}只要{m}元，[一折|史上最低价]！[{p}人人都在抢|库存不多]，[马上|现在就]点击{u}。",
           "[无需任何手续|不看信用]，{n}万元贷款[马上到账|当天可得]。[先交{m}元押金|立刻拨打电话]，{m}分钟放款。"]
HAM_ZH = ["[恭喜你|好消息]，{a}！[{s}考试你得了{m}分，通过了|{p}的那份工作定下来了]。[{d}一起庆祝吧|妈妈可高兴了]。",
          "[尊敬的客户|{a}您好]，您本月的账单已经出来了，[可以到{p}的营业所来取|随信附上]。我们不会向您要密码。",
          "{a}你好，你[订的|要的]{o}[到了|做好了]，还是说好的{m}元，[{d}可以来拿|我们六点关门]。",
          "{a}，[能借我{m}元吗？我把钱包忘在家里了，{d}还你|上次买{o}还欠你{m}元，{d}给你]。{b}",
          "[您的包裹|从{p}寄来的包裹]{n}[已放在邻居{b}那里|{d}{h}点左右送到]，[不用付钱|不必在家等]。",
          "[{p}诊所|{a}医生]提醒：您预约了{d}{h}点。[请带上卡|来不了请打电话]。",
          "[我们的小组|{s}班]{d}{h}点活动，[会员免费|请带{m}元茶钱]，{b}[大概又要赢了|会带蛋糕来]。",
          "[提醒一下|小提醒]：您借的[书|{o}]{d}到期，[晚了也不收费|过期一天{m}元]。[{p}图书馆|{b}]",
          "{a}，[你看到{p}那家店的广告了吗？我想{d}去买{o}。|{p}那家店的{o}半价，我们家需要吗？][{h}点前|今晚]告诉我。{b}"]


def spam(g, language, label):
    k = dict(n=g.num(120, 9800), m=g.num(2, 95), h=g.num(8, 12), h2=g.num(13, 18), u=g.pick(["win", "fast", "gold", "secure", "best", "lucky", "bonus", "top"])
             + "-" + g.pick(["prize", "bank", "parcel", "deal", "cash", "shop"]) + str(g.num(1, 99)) + ".example")
    if language == "en":
        a, b = en.people(g, 2)
        k.update(a=a, b=b, p=g.pick(en.PLACES), o=g.pick(["phone", "watch", "lamp", "camera", "bicycle", "coat", "radio"]), d=g.pick(en.WEEKDAYS),
                 s=g.pick(en.SUBJECTS))
        return lines_en(g, [g.x(g.pick(SPAM_EN if label == "spam" else HAM_EN), **k)], 0)
    a, b = zh.people(g, 2)
    k.update(a=a, b=b, p=g.pick(zh.PLACES), o=g.pick(["手机", "手表", "台灯", "相机", "自行车", "大衣", "收音机"]), d=g.pick(zh.WEEKDAYS), s=g.pick(zh.SUBJECTS))
    return lines_zh(g, [g.x(g.pick(SPAM_ZH if label == "spam" else HAM_ZH), **k)], 0)


TASKS = {"sentiment": (sentiment, ["positive", "negative"]),
         "topic": (topic, ["sports", "business", "science", "weather", "culture"]),
         "spam": (spam, ["spam", "ham"])}


def rows(g, task, n, seen):
    """n different rows, balanced over labels and languages."""
    make, labels = TASKS[task]
    out = []
    while len(out) < n:
        label = labels[len(out) // 2 % len(labels)]
        text = make(g, "en" if len(out) % 2 == 0 else "zh", label)
        if text not in seen:
            seen.add(text)
            out.append({"text": text, "label": label})
    return g.shuffled(out)
