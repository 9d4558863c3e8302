"""Chinese question answering passages.

Answer conventions: names, places and objects without measure word; numbers with
their unit or measure word (37岁, 14元, 23个, 3小时); colours as 红色; dates as
5月4日; places of finding without 在; reasons as the bare clause.
"""

from .core import lines_zh, mark, unmark
from .words_zh import *

QUESTIONS = {
    "job": ["{n}是做什么工作的？", "{n}的职业是什么？", "{n}靠什么谋生？", "{n}从事哪一行？"],
    "home": ["{n}住在哪里？", "{n}的家在什么地方？", "{n}现在在哪里居住？", "哪里是{n}的家？"],
    "birth": ["{n}出生在哪里？", "{n}的出生地是哪里？", "{n}是哪里人？", "{n}的老家在什么地方？"],
    "age": ["{n}多大了？", "{n}今年几岁？", "{n}的年龄是多少？", "{n}有多大年纪？"],
    "petname": ["{n}的{o}叫什么名字？", "{n}给{o}起了什么名字？", "{n}的{o}叫什么？"],
    "food": ["{n}最喜欢吃什么？", "{n}爱吃什么？", "什么最合{n}的胃口？", "{n}最喜欢的食物是什么？"],
    "instrument": ["{n}会什么乐器？", "{n}演奏哪种乐器？", "{n}擅长什么乐器？"],
    "colour": ["{n}的{o}是什么颜色的？", "{n}的{o}是哪种颜色？", "{n}那{m}{o}的颜色是什么？"],
    "buyer": ["谁买了{o}？", "{o}被谁买走了？", "{o}的新主人是谁？", "是谁为{o}付了钱？"],
    "seller": ["谁卖了{o}？", "{o}是从谁那里买的？", "{o}原来是谁的？", "{o}的卖家是谁？"],
    "bought": ["{n}买了什么？", "{n}买到了什么东西？", "{n}从集市带回了什么？", "{n}花钱得到了什么？"],
    "price": ["{o}多少钱？", "{o}的价格是多少？", "买{o}花了多少钱？", "{o}卖了多少钱？"],
    "giver": ["{n}的{o}是谁送的？", "谁给{n}送了{o}？", "送{n}礼物的人是谁？"],
    "got": ["{n}收到了什么？", "{n}的礼物是什么？", "{n}得到了什么礼物？", "别人给{n}送了什么？"],
    "date": ["{e}是哪一天举行的？", "{e}在什么时候举行？", "{e}的日期是什么？", "{e}是几月几日？"],
    "dest": ["{n}去了哪里？", "{n}的目的地是哪里？", "{n}到什么地方去？", "{n}这次去哪儿？"],
    "mode": ["{n}怎么去的？", "{n}用什么方式去的？", "{n}的交通方式是什么？", "{n}是怎样到那里的？"],
    "time": ["{n}几点出发？", "{n}什么时候动身？", "{n}的出发时间是几点？", "{n}几点上路？"],
    "duration": ["{n}路上花了多长时间？", "{n}用了多久才到？", "{n}这一路走了多久？"],
    "winner": ["{e}的冠军是谁？", "谁赢了{e}？", "谁得了{e}的第一名？", "{e}的胜者是谁？"],
    "second": ["{e}的第二名是谁？", "谁得了{e}的亚军？", "{e}中仅次于冠军的是谁？"],
    "prize": ["奖品是什么？", "冠军得到了什么？", "胜者拿到了什么？", "第一名的奖励是什么？"],
    "venue": ["{e}在哪里举行？", "{e}是在什么地方办的？", "哪里举办了{e}？"],
    "year": ["{o}是哪一年建的？", "{o}建于哪年？", "{o}什么时候建成的？", "{o}的建造年份是哪年？"],
    "builder": ["{o}是谁建的？", "谁修建了{o}？", "{o}的建造者是谁？", "{o}是谁的作品？"],
    "material": ["{o}是用什么建的？", "{o}用了什么材料？", "{o}的材料是什么？"],
    "where": ["{o}在哪里？", "{o}是在哪里找到的？", "{o}是在什么地方发现的？", "{o}掉在了哪里？"],
    "finder": ["谁找到了{o}？", "{o}是谁发现的？", "是谁看见了{o}？", "{o}被谁找到了？"],
    "owner": ["{o}是谁的？", "谁丢了{o}？", "{o}的主人是谁？", "{o}属于谁？"],
    "count": ["{n}摘了多少{o}？", "{n}的{o}有多少？", "{n}收了多少{o}？", "{n}的篮子里有多少{o}？"],
    "reason": ["{n}为什么{vp}？", "{n}{vp}的原因是什么？", "是什么让{n}{vp}？", "{n}为何{vp}？"],
}

PROFILE = {
    "job": ["{S}是一位{v}", "{S}当{v}已经很多年了", "{S}以做{v}为生", "{S}在镇上当{v}"],
    "home": ["{S}住在{v}", "{S}在{v}有一间小屋", "{S}把家安在了{v}", "{S}搬到了{v}", "{S}如今在{v}生活"],
    "birth": ["{S}生在{v}", "{S}是{v}人", "{S}小时候在{v}长大", "{S}来自{v}"],
    "age": ["{S}今年{v}", "{S}上个月刚满{v}", "{S}已经{v}了", "{S}看上去不像{v}的人"],
    "petname": ["{S}养了一{m}叫{v}的{o}", "{S}有一{m}{o}，名叫{v}", "{S}家里的{o}叫{v}"],
    "food": ["{S}最爱吃{v}", "{S}每天都要吃{v}", "{S}觉得{v}比什么都好吃", "{S}从来不拒绝{v}"],
    "instrument": ["{S}会{play}{v}", "{S}每天晚上都练{v}", "{S}从小就学{v}", "{S}的{v}{play}得很好"],
    "colour": ["{S}有一{m}{v}的{o}", "{S}把{o}漆成了{v}", "{S}非常喜欢自己那{m}{v}的{o}", "{S}用的是一{m}{v}的{o}"],
}
PAINTABLE = [t for t in THINGS if t[0] in ("自行车", "桌子", "椅子", "书架", "凳子", "书桌", "木马", "竹椅", "梯子", "手提箱", "火炉", "灯笼", "木雕")]


class Story:
    def __init__(self, g, held, times=2):
        """`times`: how many instances of its event a scene tells (2: every relation has a rival in the passage)."""
        self.g, self.held, self.times, self.sents, self.qs = g, held, times, [], []

    def relations(self):
        return {rel for rel, _, _ in self.qs}

    def people(self, k):
        return people(self.g, k, self.held)

    def places(self, k):
        return places(self.g, k, self.held)

    def say(self, template, **slots):
        self.sents.append(self.g.x(template, **slots))

    def ask(self, rel, key, **slots):
        self.qs.append((rel, key, slots))


def _value(g, st, rel):
    return {"job": lambda: g.pick(JOBS), "home": lambda: st.places(1)[0], "birth": lambda: st.places(1)[0],
            "age": lambda: f"{g.num(19, 85)}岁", "food": lambda: g.pick(FOODS), "instrument": lambda: g.pick(INSTRUMENTS)}[rel]()


def _fact(g, rel, subject, key, value, thing=("", "")):
    return g.x(g.pick(PROFILE[rel]), S=subject, o=thing[0], m=thing[1], play=PLAY.get(value, "弹"), v=mark(key, value))


def profile(st):
    g = st.g
    ps = st.people(2 if st.times == 1 else g.pick([2, 2, 3]))
    rels = g.sample(PROFILE, 5)
    shared, other, apart = rels[:g.num(1, 2)], rels[2:], [rels[:2], rels[2:4]]
    towns = st.places(6)
    pools = {"job": g.sample(JOBS, 3), "home": towns[:3], "birth": towns[3:6], "food": g.sample(FOODS, 3),
             "age": [f"{n}岁" for n in g.sample(range(19, 85), 3)], "petname": g.sample(PET_NAMES, 3),
             "instrument": g.sample(INSTRUMENTS, 3), "colour": g.sample(COLOURS, 3)}
    things = g.sample(PAINTABLE, 3) if g.chance(0.5) else [g.pick(PAINTABLE)] * 3
    pets = g.sample(PETS, 3)
    if g.chance(0.5):
        st.say("[{a}是{r}|{a}认识很多年了|{a}常常见面]。", a=listing([p.name for p in ps]), r=g.pick(["邻居", "老同学", "好朋友"]))
    for i, p in enumerate(ps):
        mine = g.shuffled(apart[i] if st.times == 1 else shared + g.sample(other, g.num(1, 2) if len(ps) == 3 else 2))
        clauses = []
        for j, rel in enumerate(mine):
            key = f"{rel}{i}"
            thing = pets[i] if rel == "petname" else things[i]
            subject = p.name if j == 0 or g.chance(0.25) else p.ta
            clauses.append(_fact(g, rel, subject, key, pools[rel][i], thing))
            st.ask(rel, key, n=p.name, o=thing[0], m=thing[1])
        text = clauses[0]
        for x in clauses[1:]:
            text += ("，" + x) if g.chance(0.35) and x.startswith((START_TA)) else ("。" + x)
        st.sents.append((g.pick(["另一边，", "说到{}，".format(p.name)]) if i and g.chance(0.2) else "") + text + "。")
    if g.chance(0.4):
        st.say("[他们{d}常常一起吃饭|每到{d}，大家就坐在一起聊天|{s}的时候，大家常一起出门]。", d=g.pick(WEEKDAYS), s=g.pick(SEASONS))


START_TA = ("他", "她")


def bystander(st, skip):
    """One more person with two facts: another distractor in a short passage."""
    g = st.g
    p = next(q for q in st.people(6) if q.name not in skip)
    lead = g.pick(["{}也在场。", "在场的还有{}。", "{}把这些都看在眼里。", ""]).format(p.name)
    free = [r for r in ("job", "home", "birth", "age", "food", "instrument") if r not in st.relations()]
    for i, rel in enumerate(g.sample(free, 2)):
        key = rel + "_by"
        subject = p.name if i == 0 and not lead else p.ta
        st.sents.append((lead if i == 0 else "") + _fact(g, rel, subject, key, _value(g, st, rel)) + "。")
        st.ask(rel, key, n=p.name)


def trade(st):
    g = st.g
    ps = st.people(4)
    objs = g.sample(THINGS, 2)
    cols = g.sample(COLOURS, 2)
    prices = g.sample(range(5, 95), 2)
    st.say("[{d}，{t}的集市上人很多。|那天{t}正好赶集。|{d}，很多人来到{t}的集市。]", t=st.places(1)[0], d=g.pick(WEEKDAYS))
    for i in range(st.times):
        b, s, (o, m) = ps[2 * i], ps[2 * i + 1], objs[i]
        k = dict(b=mark(f"buyer{i}", b.name), s=mark(f"seller{i}", s.name), o=mark(f"bought{i}", o), m=m, c=mark(f"colour{i}", cols[i]),
                 p=mark(f"price{i}", f"{prices[i]}元"), bo=b, so=s)
        st.say("[{b}用{p}从{s}手里买下一{m}{c}的{o}。"
               "|{s}在卖一{m}{c}的{o}，{b}给了{so.ta}{p}，把它拿走了。"
               "|{s}把一{m}{c}的{o}交给{b}，收了{p}。"
               "|一{m}{c}的{o}以{p}成交，从{s}手里到了{b}手里。"
               "|{b}早就想要一{m}{o}，{s}那{m}{c}的只要{p}。"
               "|商量了半天，{s}终于把一{m}{c}的{o}让给了{b}，只收了{p}。]", **k)
        if g.chance(0.5):
            st.say("[{n}非常满意|{x}本来想多要一些|{n}打算把它放在厨房里|{x}用纸把它包好]。", n=b.name, x=s.name)
        for rel, sl in (("buyer", {"o": o}), ("seller", {"o": o}), ("bought", {"n": b.name}), ("price", {"o": o}),
                        ("colour", {"n": b.name, "o": o, "m": m})):
            st.ask(rel, f"{rel}{i}", **sl)
    if g.chance(0.4):
        st.say("[到了傍晚，摊子都空了|中午下起了雨|两个卖东西的人都高高兴兴地回家了]。")


MODES = ["坐火车", "坐汽车", "坐船", "走路", "骑自行车", "骑马", "开车", "坐电车"]


def journey(st):
    g = st.g
    ps, t = st.people(2), st.places(3)
    modes, hours = g.sample(MODES, 2), g.sample(range(5, 20), 2)
    durs = g.sample([f"{n}小时" for n in range(2, 12)] + [f"{n}分钟" for n in (15, 20, 25, 30, 35, 40, 45, 50)], 2)
    st.say("[{a}和{b}都住在{t}。|{a}和{b}同一天离开了{t}。|{t}的{a}和{b}都要出门。]", a=ps[0], b=ps[1], t=t[2])
    for i, p in enumerate(ps[:st.times]):
        k = dict(n=p.name, p=p, d=mark(f"dest{i}", t[i]), m=mark(f"mode{i}", modes[i]),
                 h=mark(f"time{i}", f"{hours[i]}:{g.pick(['00', '10', '15', '20', '30', '40', '45'])}"), u=mark(f"duration{i}", durs[i]))
        st.say("[{n}{h}离开家，前往{d}。|{h}，{n}关上门，往{d}的方向走了。|{n}想看看{d}，{h}就出了门。|{n}要到{d}办事，{h}和家人道别。]", **k)
        st.say("[{p.ta}{m}，过了{u}到达。|{p.ta}{m}，一共{u}。|{n}一路{m}，需要{u}。|{u}以后，{m}的{p.ta}到了那里。]", **k)
        if g.chance(0.35):
            st.say("[{n}路上没有碰到熟人|{n}只带了一{m}{o}|快到的时候，{p.ta}睡了一会儿]。", **{**k, **dict(zip("om", g.pick(SMALL)))})
        for rel in ("dest", "mode", "time", "duration"):
            st.ask(rel, f"{rel}{i}", n=p.name)
    if g.chance(0.4):
        st.say("[第二天两个人都回来了|{a}先回到家|晚上，他们把路上的事都讲了一遍]。", a=ps[0])


def contest(st):
    g = st.g
    a, b, c = st.people(3)
    e = g.pick(["长跑比赛", "象棋比赛", "歌唱比赛", "做饭比赛", "游泳比赛", "知识竞赛", "划船比赛", "绘画比赛"])
    (o, m) = g.pick(THINGS)
    k = dict(e=e, v=mark("venue", st.places(1)[0]), d=mark("date", f"{g.num(1, 12)}月{g.num(1, 28)}日"), a=mark("winner", a.name),
             b=mark("second", b.name), z=mark("prize", o), m=m, an=a, bn=b, cn=c)
    st.say("[{d}，{v}迎来了一年一度的{e}。|{d}，{v}来了很多客人，{e}就要开始了。|为了看{e}，大家{d}来到{v}。|{d}是{e}的日子，{v}十分热闹。]", **k)
    if g.chance(0.5):
        st.say("[{cn}、{bn}和{an}都报了名|大家最看好的是{bn}、{cn}和{an}]。", **k)
    st.say("[{a}比所有人都强，{b}只差一点点。|没有人能胜过{a}，连实力很强的{b}也排在{an.ta}后面。|最后{b}只输给了{a}。|{a}把大家甩在后面，紧跟着的是{b}。]", **k)
    st.say("[{n}是最后一名|{n}中途放弃了|{n}本来希望更好的成绩，早早回了家]。", n=c.name)
    st.say("[{an}带着一{m}{z}回了家|组织者把一{m}{z}交给了{an}|大家鼓掌，{an}接过了一{m}{z}|{an}为此领到了一{m}{z}]。", **k)
    for rel in ("winner", "second", "venue", "date", "prize"):
        st.ask(rel, rel, e=e)


def building(st):
    g = st.g
    blds, ps = g.sample(BUILDINGS, 2), st.people(2)
    mats, years = g.sample(["木头", "石头", "青砖", "玻璃", "钢铁", "大理石", "花岗岩", "红砖", "竹子"], 2), g.sample(range(1650, 1990), 2)
    st.say("[{t}有两座建筑值得一看。|来{t}的客人都爱看{x}和{y}。|{t}的{x}和{y}很有名。]", t=st.places(1)[0], x=blds[0], y=blds[1])
    for i, p in enumerate(ps[:st.times]):
        k = dict(o=blds[i], p=mark(f"builder{i}", p.name), y=mark(f"year{i}", f"{years[i]}年"), m=mark(f"material{i}", mats[i]), n=p.name, P=p)
        st.say("[{y}，{p}完成了{o}。|{o}出自{p}之手，{y}完工。|{p}在{y}给{o}放上了最后一块料。|{y}起就有了{o}，那是{p}的心血。|把{o}盖起来的是{p}，时间是{y}。]", **k)
        st.say("[它的墙都是{m}的。|{n}选的是{m}。|从上到下全是{m}。|{P.ta}只用{m}。|{n}让人从远处运来了{m}。]", **k)
        if g.chance(0.3):
            st.say("[现在{o}空着|{o}{d}开放|孩子们喜欢在{o}旁边玩]。", d=g.pick(WEEKDAYS), **k)
        for rel in ("year", "builder", "material"):
            st.ask(rel, f"{rel}{i}", o=blds[i])


SPOTS = ["旧炉子下面", "沙发后面", "蓝盒子里", "书架顶上", "地毯下面", "米缸里", "水井旁边", "大衣口袋里", "两本书中间", "枕头底下", "镜子后面",
         "柴房里", "汽车站", "楼梯上", "草堆里", "公园的长椅下", "钢琴里面", "院门旁边", "窗台上", "花坛里"]


def finding(st):
    g = st.g
    ps, objs, spots = st.people(4), g.sample(SMALL, 2), g.sample(SPOTS, 2)
    st.say("[屋里少了两样东西。|这个星期，丢东西的人真不少。|在{t}的客栈里，常常有东西不见。]", t=st.places(1)[0])
    for i in range(st.times):
        a, b, (o, m) = ps[2 * i], ps[2 * i + 1], objs[i]
        k = dict(a=mark(f"owner{i}", a.name), b=mark(f"finder{i}", b.name), o=o, m=m, w=mark(f"where{i}", spots[i]), an=a, bn=b)
        st.say("[{a}怎么也找不到自己的{o}。|{a}的{o}不见了。|{a}发现{o}没有了。|{a}一直带着的那{m}{o}忽然没了影子。]", **k)
        st.say("[{b}在{w}发现了它。|后来还是{b}在{w}看到的。|它躺在{w}，{b}一眼就看见了。|{b}看了看{w}，原来就在那儿。|最后在{w}找到了，还是{b}的眼睛尖。]", **k)
        if g.chance(0.4):
            st.say("[{an.name}非常感谢{bn.name}|“运气真好。”{an.name}说|{an.name}答应以后小心一点]。", **k)
        for rel in ("owner", "finder", "where"):
            st.ask(rel, f"{rel}{i}", o=o)


def harvest(st):
    g = st.g
    ps = st.people(g.pick([2, 3]))
    crops = [g.pick(FRUIT)] * 3 if g.chance(0.5) else g.sample(FRUIT, 3)
    nums, days = g.sample(range(12, 99), 3), g.sample(WEEKDAYS, 3)
    st.say("[{t}的果园开始忙了。|{s}，{t}的果树上挂满了果子。|{t}的果园需要人手。]", t=st.places(1)[0], s=g.pick(["八月", "九月", "十月"]))
    for i, p in enumerate(ps[:st.times]):
        k = dict(n=p.name, p=p, c=crops[i], v=mark(f"count{i}", f"{nums[i]}个"), day=days[i])
        st.say("[{day}，{n}从树上采下{v}{c}。|{n}{day}带回家{v}{c}。|{day}，{n}装好{v}{c}就回去了。|{v}{c}让{n}{day}忙了一上午。]", **k)
        st.ask("count", f"count{i}", n=p.name, o=crops[i])
        for rel in g.sample(["job", "age", "home"], 1 if st.times == 2 else 2):
            st.sents.append(_fact(g, rel, g.pick([p.name, p.ta]), f"{rel}{i}", _value(g, st, rel)) + "。")
            st.ask(rel, f"{rel}{i}", n=p.name)
    if g.chance(0.4):
        st.say("[晚上，果子都放进了仓库|没有一个人空着手回家]。")


def gift(st):
    g = st.g
    r1, r2, a, b = st.people(4)
    objs, cols = g.sample(THINGS, 2), g.sample(COLOURS, 2)
    e = g.pick(["聚会", "婚礼", "庆功会", "舞会", "音乐会"])
    st.say("[{d}，{e}在{v}开始了。|{d}，大家到{v}参加{e}。|因为{e}，朋友们{d}都到了{v}。]", e=e, v=mark("venue", st.places(1)[0]),
           d=mark("date", f"{g.num(1, 12)}月{g.num(1, 28)}日"))
    for i, (r, q) in enumerate([(r1, a), (r2, b)][:st.times]):
        o, m = objs[i]
        k = dict(r=r.name, R=r, q=mark(f"giver{i}", q.name), o=mark(f"got{i}", o), m=m, c=mark(f"colour{i}", cols[i]), qn=q)
        st.say("[{q}把一{m}{c}的{o}交到{r}手里。|{q}为{r}准备了一{m}{c}的{o}。|{r}打开纸包，里面是{q}挑的一{m}{c}的{o}。"
               "|一{m}{c}的{o}是{q}给{r}的惊喜。|{q}带来一{m}{c}的{o}，说是给{r}的。]", **k)
        if g.chance(0.5):
            st.say("[{r}几乎不敢相信|{r}唱了一支歌来感谢{qn.name}|{r}把它放在床边|这件事{qn.name}瞒了好几个星期]。", **k)
        st.ask("giver", f"giver{i}", n=r.name, o=o)
        st.ask("got", f"got{i}", n=r.name)
        st.ask("colour", f"colour{i}", n=r.name, o=o, m=m)
    st.ask("venue", "venue", e=e)
    st.ask("date", "date", e=e)


EVENTS = ["上班迟到", "没有出门", "没赶上火车", "提早关了店门", "推迟了聚会", "天黑才回家", "走了一路", "睡在厨房里", "去叫邻居", "一整天不高兴",
          "取消了课", "写了一封长信"]
REASONS = ["桥被封了", "钟停了", "树倒在路上", "雪太深", "汽车坏了", "屋顶漏水", "孩子病了", "灯都灭了", "河水涨了", "家里来了客人", "炉子冒烟",
           "钥匙丢了", "马的腿受了伤", "雾太大", "水太冷", "门打不开", "狗跑丢了", "路上结了冰", "信没有送到", "窗户破了"]


def trouble(st):
    g = st.g
    ps, evs, why = st.people(2), g.sample(EVENTS, 2), g.sample(REASONS, 2)
    st.say("[{d}对{a}和{b}来说不是个好日子。|{d}，什么事都不顺利。|{a}和{b}忘不了那个{d}。]", d=g.pick(WEEKDAYS), a=ps[0], b=ps[1])
    for i, p in enumerate(ps[:st.times]):
        rel = g.pick(["job", "age", "home"])
        k = dict(n=p.name, e=evs[i], w=mark(f"reason{i}", why[i]), p=p)
        st.sents.append(_fact(g, rel, p.name, f"{rel}{i}", _value(g, st, rel)) + "。")
        st.say("[因为{w}，{p.ta}{e}。|{w}，所以{n}{e}。|{n}{e}，因为{w}。|由于{w}，{n}{e}。|{n}{e}，都怪{w}。]", **k)
        if g.chance(0.5):
            st.say("[{n}并不觉得好笑|没有人怪{p.ta}|“这样的事难免。”{p.ta}说]。", **k)
        st.ask("reason", f"reason{i}", n=p.name, vp=evs[i])
        st.ask(rel, f"{rel}{i}", n=p.name)
    if g.chance(0.5):
        st.say("[第二天一切又好了|晚上，大家说起这些都笑了]。")


SCENES = [(profile, 7), (trade, 3), (journey, 3), (contest, 3), (building, 3), (finding, 3), (harvest, 2), (gift, 3), (trouble, 3)]


# Passages in which each relation has a rival of its own kind, so that names must be matched too.
RIVALS = 0.12


def passage(g, scene, held, n_questions):
    if g.chance(RIVALS):
        st = Story(g, held, 2)
        scene(st)
    else:
        # Two scenes that share no relation.
        st = Story(g, held, 1)
        scene(st)
        for _ in range(20):
            more = Story(g, held, 1)
            g.pick([s for s, _ in SCENES if s is not scene])(more)
            if not more.relations() & st.relations():
                st.sents += more.sents
                st.qs += more.qs
                break
    if len(unmark("".join(st.sents))[0]) < g.num(60, 85):
        bystander(st, "".join(st.sents))
    text, spans = unmark(lines_zh(g, st.sents, 0))
    qas, used, count = [], set(), {}
    for rel, key, slots in g.shuffled(st.qs):
        if len(qas) == n_questions:
            break
        if count.get(rel, 0) >= 2:
            continue
        q = g.pick(QUESTIONS[rel]).format(**slots)
        if q in used:
            continue
        used.add(q)
        count[rel] = count.get(rel, 0) + 1
        qas.append((rel, q, *spans[key]))
    return scene.__name__, text, qas
