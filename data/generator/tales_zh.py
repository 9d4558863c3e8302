"""Chinese corpus documents, second part: news, reports, stories, instructions."""

from .core import lines_zh
from .docs_zh import (BAD, FINE, GLAD, SADLY, animal, diary, gift, journey, lesson, letter, lost, market, park, room, routine, sums,
                      talk)
from .words_zh import *


def weather(g):
    a, b, c = places(g, 3)
    d = g.num(0, 6)
    t, up = g.num(-4, 28), g.num(2, 6)
    warm = g.chance(0.5)
    k = dict(a=a, b=b, c=c, t=t, t2=t + up if warm else t - up, up=up, day=WEEKDAYS[d], nxt=WEEKDAYS[(d + 1) % 7],
             cmp="升高" if warm else "下降", warm="暖和" if warm else "冷", mm=g.num(3, 40), wind=g.pick("东南西北"), lv=g.num(2, 8),
             sky=g.pick(["多云", "晴", "有雾", "阴", "有风"]))
    s = [g.x("[下面是{day}的天气情况。|{a}和附近地区{day}的天气：|天气预报，{day}：]{a}[白天{sky}，最高气温{t}度|{sky}，中午{t}度左右]。", **k),
         g.x("{wind}风{lv}级，[小船不要出海|请把窗户关好|早晚有点凉|骑车的人要小心]。", **k),
         g.x("[{b}的情况不同|再往山里走，到了{b}]，[会下雨，雨量大约{mm}毫米|预计有{mm}毫米的雨][，因为山上的云正在移过来|]。", **k),
         g.x("[{b}的朋友出门要带伞，{a}的朋友就不用了|从{b}到{c}的路可能很滑，开车要小心]。", **k),
         g.x("{nxt}{a}会更{warm}一些，气温{cmp}{up}度，到{t2}度。", **k)]
    if g.chance(0.6):
        s.append(g.x("{c}[两天都没有雨|变化不大，也不下雨|傍晚以前能见到太阳]。", **k))
    if g.chance(0.4):
        s.append(g.x("[总的来说|一句话]：{b}有雨，{a}{sky}，{nxt}{t2}度。", **k))
    return lines_zh(g, s)


HOWTO = [
    ("泡一壶茶", ["烧开一壶水", "用一点热水把茶壶烫热", "按每杯一勺的量放入茶叶", "倒入热水", "等{n}分钟", "把茶倒进杯子"], "茶叶泡得太久", "茶会发苦"),
    ("在花盆里种{fl}", ["找一个底下有洞的花盆", "在洞上放几块小石头", "装满黑土", "把种子埋进{n}厘米深的土里", "轻轻浇水", "把花盆放到明亮的窗台上"],
     "水流不出去", "根会烂掉"),
    ("蒸馒头", ["把面粉、酵母和温水混在一起", "揉{n}分钟", "盖上布，让面团休息", "把面团分成小块", "再等一会儿，让它们变大", "水开以后放进锅里蒸"],
     "面团没有休息够", "馒头会又硬又小"),
    ("补自行车轮胎", ["把自行车翻过来", "把轮子拆下来", "取出里面的内胎", "把内胎放进水里，找到漏气的地方", "擦干，贴上补片，等{n}分钟", "装回去，打足气"],
     "内胎没有擦干", "补片会掉下来"),
    ("写一封信", ["在上面写好对方的名字", "先问候对方", "用一句话说明为什么写信", "用{n}小段说说自己的近况", "提一个问题，让对方有话可回", "最后写上自己的名字和日期"],
     "信里只说“我很好”", "对方不知道回什么"),
    ("擦窗户", ["用干刷子扫掉窗框上的灰", "在{n}杯水里加一点醋", "从上到下擦洗玻璃", "用刮板把水刮掉", "擦干四边", "用旧报纸再擦一遍"],
     "太阳直接照在湿玻璃上", "玻璃上会留下印子"),
    ("给{n}个人煮米饭", ["每个人量一小杯米", "把米洗到水变清", "加入合适的水", "用大火烧开", "盖上盖子，换成小火", "等水干了再打开"], "一直搅动", "米饭会粘锅"),
    ("做风筝", ["把两根细竹条绑成十字", "用线把四个头连起来", "剪一张比框大一点的纸", "把纸边折过来粘好", "在下面加一条有{n}个纸结的尾巴", "在中间系上长线"],
     "尾巴太短", "风筝会打转掉下来"),
    ("包饺子", ["把肉和白菜切碎", "加盐和酱油拌匀", "把面团揉好，放{n}分钟", "擀成圆圆的皮", "包上馅，把边捏紧", "水开后下锅煮"], "边没有捏紧", "饺子会在锅里破掉"),
    ("做一个小本子", ["把{n}张纸对折", "把它们套在一起", "用厚纸折一个封面", "沿着折线扎三个洞", "用结实的线缝好", "打结，剪掉多余的线"], "洞离边太近", "纸会裂开")]


def howto(g):
    title, steps, cause, effect = g.pick(HOWTO)
    n, fl, p = g.num(3, 12), g.pick(FLOWERS), people(g, 1)[0]
    k = dict(t=title.format(n=n, fl=fl), p=p, cause=cause, effect=effect)
    st = [x.format(n=n, fl=fl) for x in steps]
    if g.chance(0.4):
        st.pop(g.num(1, 4))
    head = g.x("[怎样{t}？|{p.name}教我{t}，方法是这样的。|想{t}吗？其实不难。|下面说说{t}的步骤。|{p.name}教孩子们{t}。]", **k)
    warn = g.x("[注意：如果{cause}，{effect}。|为什么要这样小心？因为{cause}的话，{effect}。|{p.name}常说，要是{cause}，{effect}，[所以一步也不能少|"
               "所以不要着急]。]", **k)
    if g.chance(0.35):
        return head + "\n" + "\n".join(f"{i + 1}. {x}。" for i, x in enumerate(st)) + "\n" + warn
    conn = g.pick([["首先，", "然后", "接着，", "之后", "再往后，"], ["第一步，", "第二步，", "第三步，", "第四步，", "第五步，"],
                   ["先", "再", "接下来，", "这时", "下一步，"]])
    s = [head] + [f"{conn[i]}{x}。" for i, x in enumerate(st[:-1])] + [f"最后，{st[-1]}。", warn]
    if g.chance(0.5):
        s.append(g.x("[多练几次，谁都能学会{t}。|试过两三次以后，{t}就很容易了。]", **k))
    return lines_zh(g, s)


def news(g):
    place, town = places(g, 2)
    p, q = people(g, 2)
    o, m = g.pick(THINGS)
    k = dict(place=place, town=town, p=p, q=q, b=g.pick(BUILDINGS), yr=g.num(1850, 1990), cost=g.num(12, 95), n=g.num(40, 900), o=o, m=m,
             day=g.pick(WEEKDAYS), mon=g.num(1, 12), d=g.num(1, 28), age=g.num(20, 78), hr=g.num(3, 11), mi=g.num(5, 44), job=g.pick(JOBS),
             g1=g.num(2, 6), g2=g.num(0, 1))
    kind = g.num(0, 4)
    if kind == 0:
        s = ["[{place}消息：|本报{place}{mon}月{d}日消息，|][经过多年的修理|在关闭{hr}年以后]，{place}的{b}[{day}重新开放|又打开了大门]。",
             "[这座{b}建于{yr}年|{b}是{yr}年建成的]，[因为屋顶漏水|因为墙壁已经不安全|因为没有钱修理]才关闭的。",
             "修理一共花了{cost}万元，[其中一半是居民捐的|比原来的计划多了一些|全部由镇上负担]。",
             "“[我们等这一天等了很久|我就是在这里学会认字的|对我们来说，它不只是一座{b}]。”{age}岁的{p.name}说，{p.ta}[负责这次修理|带着全家来参观]。",
             "第一天就来了{n}人，[有的是从{town}来的|比想象的还要多]。",
             "[{p.name}希望这座{b}能再用一百年|今后{p.name}将继续看管这座{b}|除了{day}，{b}每天都开放]。"]
    elif kind == 1:
        s = ["{day}[晚上|夜里]，[一场大风|一场暴雨]袭击了{place}，{b}受到了损坏。",
             "[一部分屋顶掉到了街上|两棵老树倒了|去{town}的路断了|{n}户人家停了电]，好在没有人受伤。",
             "住在对面的{p.name}听到声音，[马上报了警|跑出门去|叫醒了邻居]。", "[消防员|工人们]花了{hr}个小时才把[路|现场]清理干净。",
             "“[我从来没见过这么大的风|我还以为{b}要倒了]。”{p.name}说。",
             "{b}要到{mon}月才能重新开放，因为[损坏比看上去严重|墙上有了裂缝]，修理要花{cost}万元。", "[{town}的居民也来帮忙了|{q.name}带头捐了款]。"]
    elif kind == 2:
        s = ["{day}，{place}队以{g1}比{g2}[战胜了|赢了]{town}队。", "[共有{n}人看了比赛|这是本赛季的第{hr}场比赛][，虽然下着雨，大家还是很热情|]。",
             "第{mi}分钟，{p.name}先进了一个球，[后来{q.name}又进了一个|不久{q.name}也进了球]。", "{town}队[踢得很努力|也有机会]，[可是没能把握住|可惜最好的队员受了伤]。",
             "“[我们应该赢|{q.name}和我从小就在一起踢球|今天大家都尽了力]。”{p.name}[赛后|笑着]说。",
             "[这样一来，{place}队排到了第一位|赢了这场以后，{place}队进入了决赛]，{p.name}今年已经进了{hr}个球。"]
    elif kind == 3:
        s = ["[一{m}失踪了{hr}年的{o}|一{m}很久没人见过的{o}]在{place}被找到了。", "{p.name}是{town}的{job}，{p.ta}在[修理{b}的时候|打扫{b}的时候]，"
             "[在墙的夹层里|在阁楼上|在井底]发现了它。", "[据说它是{yr}年做的|上面刻着“{yr}年”几个字]，[比这座{b}还要早|值{cost}万元]。",
             "博物馆的{q.name}[简直不敢相信|说这是一个小小的奇迹|希望能多一些时间研究]。", "{p.name}[不想卖掉{o}|把{o}交给了博物馆|得到了{cost}元奖金]，"
             "[第二天照常去上班|说换了谁都会这样做]。", "从{mon}月{d}日起，大家可以在{place}看到这{m}{o}。"]
    else:
        s = ["{place}[新开了一家|有了第一家]{b2}，[店主|老板]是{age}岁的{p.name}。", "{p.name}以前是{job}，[在{town}工作了{hr}年|去年才从{town}搬来]。",
             "[开门第一天来了{n}位客人|第一天就卖出了{n}件东西]，[忙得{p.ta}连饭都没吃|{q.name}也来帮忙]。", "“[我一直想有一家自己的店|钱不多，但是我很高兴]。”{p.ta}说。",
             "{q.name}是[这里的第一位客人|{p.ta}的老同学]，[在店里买了一{m}{o}|花{cost}元买了一{m}{o}]。",
             "[这家{b2}{day}休息|如果一切顺利，{mon}月{p.name}还要在{town}开第二家]。"]
        k["b2"] = g.pick(["书店", "花店", "杂货店", "旧货店", "玩具店"])
    return lines_zh(g, [g.x(x, **k) for x in s])


def review(g):
    p, q = people(g, 2)
    good = g.chance(0.5)
    o, m = g.pick(THINGS)
    k = dict(p=p, q=q, place=g.pick(PLACES), n=g.num(15, 60), price=g.num(30, 200), f=g.pick(FOODS), d=g.pick(DRINKS), day=g.pick(WEEKDAYS),
             job=g.pick(JOBS), o=o, m=m, name="“" + g.pick("老红金小青") + g.pick(["灯笼", "茶壶", "石桥", "花园", "天鹅", "竹林", "渔船"]) + "”",
             kind=g.pick(["饭馆", "茶馆", "旅馆", "小吃店"]), book="《" + g.pick(["沉默的", "最后的", "失落的", "金色的", "第二", "远方的"]) +
             g.pick([o, g.pick(BUILDINGS), g.pick(TREES)]) + "》", w=g.pick(["小说", "电影"]))
    if g.chance(0.55):
        s = [g.x("{name}是{place}的一家{kind}，[老板叫{p.name}|离集市不远|由{p.name}一家人经营]。", **k),
             g.x("我们{day}[去了那里，两个人花了{price}元|路过，就进去坐了一会儿]。", **k)]
        s += g.some(["{f}[又热又香|做得比家里还好|味道刚刚好]。", "[店里很干净|座位很舒服]，{d}很快就端上来了。", "{p.name}[像招待老朋友一样招待我们|特意给我们找了安静的座位]。"]
                    if good else ["{f}[是凉的|太咸了|一点也不新鲜]。", "[桌子很油|店里又吵又冷]，{d}等了{n}分钟才来。", "{p.name}[几乎没有看我们一眼|两次忘了我们点的菜]。"], 2, **k)
        s.append(g.x("[{price}元，不算贵|为了这样的{f}，再远也值得来]。[{name}值得推荐|下次还来{name}]。" if good else
                     "[{price}元，实在不值|这样的{f}，在家里也能做]。[{name}我们不会再去了|希望{name}好好改一改]。", **k))
    else:
        s = [g.x("{book}是{p.name}的[新|最新一部]{w}。", **k), g.x("[讲的是{job}{q.name}丢了一{m}{o}，到处去找的故事|主人公{q.name}是一位{job}，身边只有一{m}{o}]。", **k)]
        s += g.some(["[开头有点慢，但是越往后越精彩|从第一分钟起就吸引了我]。", "{q.name}这个人物[让人又哭又笑|让人难忘]。", "{p.name}[从来没有这么好过|知道什么时候该沉默]。"]
                    if good else ["[开头很慢，后面更慢|过了{n}分钟我就开始看表]。", "{q.name}这个人物[没有一点生气|很快就让人忘了]。", "{p.name}[又在重复自己|以前的作品好得多]。"], 2, **k)
        s.append(g.x("[结束的时候，我真想再来一遍|到了最后，我舍不得结束]。[{book}值得推荐给每一个人|{price}元花得值]。" if good else
                     "[结束的时候，我只觉得松了一口气|到了最后，我只想把钱要回来]。[{book}不值{price}元|还是别看{book}了]。", **k))
    return lines_zh(g, s)


def country(g):
    c = g.pick(COUNTRIES)
    d = g.pick([x for x in COUNTRIES if x is not c])
    k = dict(c=c[0], cap=c[1], riv=c[2], fl=c[3], coin=c[4], an=c[5], dish=c[6], d=d[0], dcap=d[1], dcoin=d[4], dan=d[5],
             p=people(g, 1)[0], n=g.num(3, 30), job=g.pick(JOBS))
    facts = ["[{c}的首都是{cap}|{cap}是{c}的首都]。", "[{c}最长的河是{riv}|{riv}从{c}流过|流过{cap}的{riv}是{c}最长的河]。",
             "[{c}的国花是{fl}|{c}的国旗上有一朵{fl}，那是这个国家的国花]。", "[{c}的钱叫{coin}|在{c}买东西用{coin}|{c}人用{coin}付钱]。",
             "[{an}是{c}的象征|代表{c}的动物是{an}|{c}的孩子都喜欢听{an}的故事]。", "[{c}人爱吃{dish}|{dish}是{c}有名的菜|到{c}去的人应该尝尝{dish}]。"]
    s = []
    if g.chance(0.4):
        s.append(g.x("[{p.name}是一位{job}，刚从{c}回来。|去年{p.name}在{c}住了{n}天。|{p.name}在学校里介绍了{c}。]", **k))
    s += [g.x(f, **k) for f in g.shuffled(facts)[:g.num(3, 5)]]
    if g.chance(0.6):
        s.append(g.x("[邻国{d}就不同了，首都是{dcap}，钱叫{dcoin}|而在{d}，代表国家的动物是{dan}|从{c}到{d}去，要把{coin}换成{dcoin}，首都在{dcap}]。", **k))
    if len(s) < 5 or g.chance(0.4):
        s.append(g.x("[请记住：{c}，{cap}，{riv}|所以，说到{c}，人们就会想到{cap}和{fl}|去过{c}的人，都忘不了{cap}和{dish}]。", **k))
    return lines_zh(g, s)


def boxes(g):
    p, q = people(g, 2)
    (o, m), (o2, m2) = g.sample(SMALL, 2)
    c = g.sample(COLOURS, 3)
    x1, x2 = g.sample(["盒子", "袋子", "抽屉", "篮子", "罐子", "箱子"], 2)
    b1, b2, b3 = f"{c[0]}的{x1}", f"{c[1]}的{x1}", f"{c[2]}的{x2}"
    k = dict(p=p, q=q, o=o, m=m, o2=o2, m2=m2, b1=b1, b2=b2, b3=b3)
    s = [g.x("[屋里有|桌子旁边有]三样东西：{b1}、{b2}和{b3}。", **k),
         g.x("{p.name}把一{m}{o}放进了{b1}，把一{m2}{o2}放进了{b2}。", **k)]
    loc, loc2 = b1, b2
    if g.chance(0.7):
        s.append(g.x("[后来|{p.name}出去以后]，{q.name}把{o}从{b1}里拿出来，[藏到|放到]了{b3}里。", **k))
        loc = b3
    if g.chance(0.6):
        loc2 = b1 if loc == b3 else b3
        s.append(g.x("[过了一会儿|晚上]，{q.name}又把{o2}从{b2}移到了{l}里。" if loc == b3 else "[过了一会儿|晚上]，{q.name}把{o2}从{b2}移到了{l}里。", l=loc2, **k))
    k.update(loc=loc, loc2=loc2)
    if loc != b1:
        s.append(g.x("{p.name}[回来以后|第二天早上]打开{b1}，[因为{p.ta}记得{o}在那里|想拿{o}]，可是[{o}不见了|里面没有{o}]。", **k))
        s.append(g.x("[“在{loc}里。”{q.name}笑着说。|“我的{o}在哪里？”{p.ta}问。“在{loc}里。”{q.name}回答。]", **k))
    empty = [b for b in (b1, b2, b3) if b not in (loc, loc2)]
    s.append(g.x("[所以现在|最后]，{o}在{loc}里，{o2}在{loc2}里" + ("[，{e}是空的|]。" if empty else "。"), e=empty[0] if empty else "", **k))
    if g.chance(0.5):
        s.append(g.x("[两个人都笑了|{q.name}答应下次先问一声|{p.name}小心地把{loc}关好]。", **k))
    return lines_zh(g, s)


def compare(g):
    ps = people(g, 3)
    a, b, c = g.shuffled(ps)
    w, most, least = g.pick([("大", "年纪最大", "年纪最小"), ("高", "最高", "最矮"), ("快", "跑得最快", "跑得最慢"), ("重", "最重", "最轻")])
    n, m, base = g.num(2, 9), g.num(2, 9), g.num(20, 40)
    k = dict(a=a, b=b, c=c, most=most, least=least, place=g.pick(PLACES), n=n, m=m, s=n + m, base=base, bb=base + m, aa=base + n + m,
             w={"大": "大", "高": "高", "快": "跑得快", "重": "重"}[w], all=listing([x.name for x in ps]))
    s = [g.x("{all}[都住在{place}|是{place}的邻居|在{place}上过同一所学校]。", **k)]
    if w == "大":
        s += [g.x("{a.name}比{b.name}大{n}岁，{b.name}又比{c.name}大{m}岁。", **k),
              g.x("[因为{c.name}今年{base}岁，所以{b.name}{bb}岁，{a.name}{aa}岁|{c.name}{base}岁，那么{b.name}就是{bb}岁，{a.name}是{aa}岁]。", **k),
              g.x("[也就是说，{a.name}比{c.name}大{s}岁|{a.name}和{c.name}相差{s}岁]。", **k)]
    else:
        s += g.shuffled([g.x("{a.name}比{b.name}{w}。", **k), g.x("{b.name}[又|]比{c.name}{w}。", **k)])
        s.append(g.x("[由此可知|这样看来]，{a.name}[也|一定]比{c.name}{w}。", **k))
    s.append(g.x("[三个人里，{a.name}{most}，{c.name}{least}|所以{most}的是{a.name}，{least}的是{c.name}，{b.name}在中间]。", **k))
    s.append(g.x("[{b.name}在中间，对这件事[不在意|从来不说什么]|{c.name}说，{least}也没有什么不好|在{place}，这件事人人都知道]。", **k))
    return lines_zh(g, s)


def fable(g):
    a, b = g.sample(ANIMALS, 2)
    na, nb = g.sample(PET_NAMES, 2)
    t, sh = g.pick([("一块奶酪", "奶酪"), ("一篮子核桃", "核桃"), ("一罐蜂蜜", "蜂蜜"), ("一袋玉米", "玉米"), ("一个大梨", "梨")])
    k = dict(a=a, b=b, ma=MEASURE_ANIMAL.get(a, "只"), mb=MEASURE_ANIMAL.get(b, "只"), na=na, nb=nb, t=t, sh=sh, tree=g.pick(TREES),
             river=g.pick(RIVERS), season=g.pick(SEASONS[:3]))
    s = [g.x("[从前|很久以前]，有一{ma}叫{na}的{a}，住在[{river}边|一棵{tree}下面|森林边上]。", **k),
         g.x("一个{season}，{na}找到了{t}，[想一个人留着|打算藏起来过冬]。", **k),
         g.x("[一{mb}叫{nb}的{b}看见了|{b}{nb}在旁边都看见了]，说：“[分给我一半{sh}吧|把{sh}分我一半]，[我可以带你过{river}|有危险的时候我会告诉你|你累了我可以背你]。”"
             if b in ("熊", "驴", "狼", "狐狸") else
             "[一{mb}叫{nb}的{b}看见了|{b}{nb}在旁边都看见了]，说：“[分给我一半{sh}吧|把{sh}分我一半]，[我可以带你过{river}|有危险的时候我会告诉你]。”", **k)]
    if g.chance(0.5):
        s += [g.x("“我不需要{b}。”{na}[笑着|摇摇头]说，就[一个人吃了起来|走开了]。", **k),
              g.x("[不久|第二天]，{river}涨水了，{na}[跑不掉|一个人坐在石头上]，眼看着{sh}被水冲走了。", **k),
              g.x("这时只有{nb}来了。“[我没有{sh}|没有人给我什么]，”{b}说，“[可是我会游泳|可是我不能丢下你]。”", **k),
              g.x("[从那天起，{na}什么都和{nb}分着吃|从此这{ma}{a}再也不一个人吃东西了]。[愿意分享的人才有朋友|朋友比{t}更重要]。", **k)]
    else:
        s += [g.x("{na}想了想，[答应了|分给{nb}一半]。", **k),
              g.x("[到了冬天|{river}结冰的时候]，{nb}[没有忘记自己的话|真的来帮忙了]，而那些什么都不肯分的动物只好挨饿。", **k),
              g.x("“[当时你给了我一半{sh}|一半{sh}就够了]，”{nb}说，“所以[我们两个都好好的|现在我来帮你]。”", **k),
              g.x("[就这样，{a}和{b}一直是好朋友|{na}一直记着这件事]，[如果没有搬家|要是那棵{tree}还在]，它们现在还住在那里。", **k)]
    return lines_zh(g, s)


def mystery(g):
    a, b, c, d = people(g, 4)
    o, m = g.pick([("花瓶", "个"), ("镜子", "面"), ("茶壶", "把"), ("台灯", "盏"), ("瓷碗", "只"), ("闹钟", "个")])
    p1, p2 = g.sample(["在菜园里", "在集市上", "在牙医那里", "在地下室", "在学校", "在图书馆", "在车站"], 2)
    k = dict(a=a, b=b, c=c, d=d, o=o, m=m, p1=p1, p2=p2, h=liang(g.num(2, 6)), col=g.pick(COLOURS), day=g.pick(WEEKDAYS),
             clue=g.pick(["湿脚印", "一颗纽扣", "蛋糕渣", "一个泥球", "半只袖子"]))
    s = [g.x("{day}{d.name}回到家，发现那{m}{col}的{o}[碎了|摔坏了]。", **k),
         g.x("[有钥匙的只有三个人|能进屋的只有三个人]：{a.name}、{b.name}和{c.name}。", **k),
         g.x("“{h}点的时候我{p1}。”{a.name}说，[很多人都看见了|这是真的]。", **k),
         g.x("{b.name}说自己整个下午都{p2}，[邻居也和{b.ta}说过话|并且有人可以证明]。", **k),
         g.x("{c.name}[一开始什么也没说|低着头看地板|只问{o}值多少钱]。", **k),
         g.x("{d.name}在{o}旁边[看到了|发现了]{clue}。", **k),
         g.x("不是{a.name}，因为{a.ta}{p1}；也不是{b.name}，因为{b.ta}{p2}。[所以|这样看来]，[一定是|只能是]{c.name}。", **k),
         g.x("“对不起。”{c.ta}[终于|小声地]说，[后来买了一{m}新的{o}|然后用胶水把{o}粘好了|并且赔了钱]。", **k)]
    return lines_zh(g, s)


def festival(g):
    place, other = places(g, 2)
    p, q, r = people(g, 3)
    n1, n2, n3 = sorted(g.sample(range(5, 60), 3), reverse=True)
    o, m = g.pick(THINGS)
    k = dict(place=place, other=other, p=p, q=q, r=r, v=g.pick(VEG), n1=n1, n2=n2, n3=n3, dif=n1 - n2, mon=cn(g.num(1, 12)), d=cn(g.num(1, 28)),
             fl=g.pick(FLOWERS), o=o, m=m, c=g.pick(COLOURS), ins=g.pick(INSTRUMENTS))
    k["play"] = PLAY.get(k["ins"], "弹")
    s = [g.x("[每年{mon}月|{mon}月{d}日]，{place}的人们都要[过|庆祝]{v}节。", **k),
         g.x("[街上挂满了{fl}|到处都有音乐|连{other}的客人也来了]，谁带来的{v}最重，谁就能得奖。", **k),
         g.x("[今年|上一次]，{p.name}的{v}重{n1}斤，{q.name}的重{n2}斤，{r.name}的只有{n3}斤。", **k),
         g.x("[所以第一名是{p.name}，比{q.name}多{dif}斤|{p.name}比{q.name}多{dif}斤，得了第一名]，[奖品是|得到了]一{m}{c}的{o}。", **k),
         g.x("[{r.name}虽然是最后一名，却给大家{play}了一段{ins}|第二名{q.name}走过来和{p.ta}握手]。", **k),
         g.x("[后来|晚上]，{p.name}那个{n1}斤的{v}[做成了汤，全{place}的人都喝到了|被切开分给了大家]，[没有人饿着肚子回家|{other}来的客人也吃饱了]。".replace(
             "那个{n1}斤的{v}", "那些{v}" if k["v"] in ("土豆", "黄瓜", "红薯") else "那{mv}{n1}斤的{v}"), mv={"白菜": "棵", "萝卜": "个"}.get(k["v"], "个"), **k),
         g.x("[“明年我一定赢。”{q.name}说|{p.name}把{o}摆在了门口|{p.name}还没想好拿{o}做什么]。", **k)]
    return lines_zh(g, s)


def nature(g):
    a, b = places(g, 2)
    an, an2 = g.sample(["狐狸", "白鹭", "水獭", "刺猬", "松鼠", "猫头鹰", "野兔", "獾"], 2)
    t1, t2 = g.sample(TREES, 2)
    i = g.num(0, 2)
    k = dict(r=g.pick(RIVERS), a=a, b=b, t1=t1, t2=t2, an=an, an2=an2, s1=SEASONS[i], s2=SEASONS[i + 1], l=g.num(40, 300), n=g.num(2, 40),
             fl=g.pick(["野菊花", "蒲公英", "油菜花", "雏菊", "紫云英", "鸢尾", "三叶草"]), p=people(g, 1)[0], job=g.pick(JOBS))
    s = [g.x("{r}[发源于{a}附近的山里|从{a}流出]，[流了{l}公里以后，|一路向东，]在{b}[流进大海|汇入湖中]。", **k),
         g.x("[河的两岸|沿河]长着{t1}和{t2}，[到了{s1}|{s1}一到]，草地上开满了{fl}。", **k),
         g.x("[在那里可以看到{an}|{an}就生活在那里]，[这种动物胆子小，傍晚才出来|常常在水边喂自己的孩子]，而{an2}更喜欢{t1}林。", **k),
         g.x("[{s2}水很浅，人可以走过去|{s2}{r}常常涨水，所以没有人把房子盖在岸边|因为水很干净，河里有{n}种鱼]。", **k),
         g.x("{p.name}是{a}的{job}，{p.ta}沿着{r}从{a}走到{b}，已经走过{n}次[，每次都在{s1}|]。", **k),
         g.x("[“{s1}看{fl}，{s2}听水声。”{p.ta}说|{p.ta}认识岸边的每一棵{t2}|有人问{p.ta}更喜欢{a}还是{b}，{p.ta}说：“我喜欢中间的{r}。”]", **k)]
    if not s[-1].endswith(("。", "”")):
        s[-1] += "。"
    return lines_zh(g, s)


def cause(g):
    p, q = people(g, 2)
    a, b = places(g, 2)
    k = dict(p=p, q=q, a=a, b=b, fl=g.pick(FLOWERS), n=liang(g.num(2, 12)), m=g.num(3, 40), job=g.pick(JOBS), day=g.pick(WEEKDAYS),
             mon=cn(g.num(1, 12)), o=g.pick(["闹钟", "收音机", "手表", "打字机"]))
    e = [g.x(x, **k) for x in g.pick([
        ["{p.name}忘了关[窗户|院门]", "[猫|山羊]跑了出去", "{q.name}的{fl}被弄坏了", "{q.name}非常生气", "{p.name}给{q.name}重新种了{fl}", "两个人成了朋友"],
        ["{n}个星期没有下雨", "{a}的井干了", "大家只好到{b}去挑水", "{p.name}把自己的[车|驴]借了出来", "{q.name}一次就运回{m}桶水", "谁也没有渴着"],
        ["{p.name}把眼镜弄丢了", "{p.ta}看不清站牌", "本来要去{a}的{p.ta}坐上了去{b}的车", "{p.ta}在{b}碰到了{q.name}", "{q.name}请{p.ta}当{job}",
         "{p.ta}在{b}一住就是{n}年"],
        ["{a}的面包师病了", "{day}没有面包卖", "{p.name}给整条街的人烤了面包", "{q.name}说从来没吃过这么好的面包", "{p.name}开了一家小店", "{a}有了两家面包店"],
        ["{p.name}的{o}发出奇怪的声音", "{p.ta}把{o}拆开了", "{m}个小零件掉了一地", "{p.ta}只好请{q.name}来帮忙", "两个人把零件装了回去，只剩下一个",
         "{o}再也没有出过声"],
        ["大风吹断了{a}附近的桥", "大家都去不了{b}", "{p.name}做了一只木筏", "{q.name}付了{m}元请{p.ta}送过河", "别人也都来了", "到{mon}月，{p.name}攒够了买船的钱"]])]
    s = [g.x("[事情是这样开始的：|一切是这样开始的：|说来话长，]") + e[0] + "。", g.x("[因此|结果|这样一来|所以]，{e}。", e=e[1]),
         g.x("[因为{a}，所以{b}。|于是{b}。|接着{b}。]", a=e[1], b=e[2]), g.x("[这时候|然后|不用说]，{e}。", e=e[3]), g.x("[后来|过了几天|最后]，{e}。", e=e[4]),
         g.x("[就这样，{e}。|从此，{e}。]", e=e[5]),
         g.x("[这一切只是因为{e}。|要问为什么，答案很简单：{e}。|如果不是当初{e}，这些事都不会发生。]", e=e[0])]
    return lines_zh(g, s)


DOCS = [(park, 12), (market, 5), (lost, 4), (weather, 4), (howto, 4), (letter, 6), (news, 9), (sums, 6), (talk, 6), (review, 6), (country, 6),
        (lesson, 5), (journey, 5), (boxes, 4), (compare, 4), (room, 5), (fable, 5), (routine, 5), (mystery, 4), (festival, 5), (gift, 5), (nature, 5),
        (diary, 7), (cause, 5), (animal, 5)]
