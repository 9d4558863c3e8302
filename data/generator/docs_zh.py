"""Chinese corpus documents, first part: daily life, in the first or third person."""

from .core import lines_zh
from .words_zh import *

FINE = ["天气很好", "阳光明媚", "天空很蓝", "雨刚刚停", "微风轻轻地吹着", "天上一朵云也没有", "天气不冷也不热"]
BAD = ["外面下着大雨", "田野上起了大雾", "刮着冷风", "夜里下了一场雪", "乌云压得很低", "天气热得厉害"]
GLAD = ["高兴", "快乐", "满足", "自豪", "开心"]
SADLY = ["难过", "生气", "着急", "孤单", "失望"]


def _who(g):
    return ME if g.chance(0.6) else people(g, 1)[0]


def park(g):
    p = _who(g)
    f = people(g, 1)[0]
    a, b, c = g.sample(FLOWERS, 3)
    ca, cb = g.sample(["红色", "黄色", "白色", "粉色", "紫色", "橙色"], 2)
    na, nb = g.num(3, 30), g.num(3, 30)
    k = dict(p=p, f=f, a=a, b=b, c=c, ca=ca, cb=cb, na=na, nb=nb, s=na + nb, place=g.pick(PLACES), tree=g.pick(TREES),
             fine=g.pick(FINE), glad=g.pick(GLAD), day=g.pick(WEEKDAYS), season=g.pick(SEASONS[:2]), sub=g.pick(SUBJECTS),
             adj=g.pick(["美丽", "漂亮", "鲜艳", "好看", "盛开"]))
    s = [g.x("[{p.name}今天|今天{p.name}|今天早上{p.name}|今天下午，{p.name}|昨天{p.name}|{day}，{p.name}|上个{day}，{p.name}|吃过早饭，"
             "{p.name}|{season}来了，{p.name}]{go}了{park}，{see}[。|，心里很{glad}。]",
             go=g.x("[去|[和|跟]{f.name}一起去|一个人去|又去|骑车去|坐车去]", f=f),
             park=g.x("[公园|{place}的公园|植物园|{place}的植物园|河边的公园|城外的花园]", place=k["place"]),
             see=g.x("[看到了[许多|很多|不少|各种各样|一大片]{adj}的{a}|看到{a}和{b}都开了|在那里看了一上午的花|想看看{a}开了没有"
                     "|那里开满了{adj}的花|看见满园的{a}正在开放]", **k), **k)]
    s.append(g.x("[{fine}，[来看花的人很多|很多人带着孩子来玩|湖边坐满了人|公园里只有几个人]。"
                 "|[走进大门|沿着小路往前走|在湖的旁边|在一棵老{tree}下面]，[先看到|可以看到|开着]{ca}的{a}和{cb}的{b}[，蜜蜂在花丛中飞来飞去|"
                 "，远远看去像一幅画|，香味飘得很远|]。|[一进门就能闻到{a}的香味|风一吹，{a}的香味就飘了过来]，再往前走是一片{cb}的{b}。]", **k))
    if g.chance(0.5):
        s.append(g.x("{p.ta}[数了数|好奇地数了数]，[小路边|花坛里|湖边]有{na}朵{a}和{nb}朵{b}，[一共|加起来是|总共]{s}朵[花|]。", **k))
        if na != nb:
            s.append(g.x("[{more}比{less}多{d}朵|{less}少一些，{more}多一些]。", more=a if na > nb else b, less=b if na > nb else a,
                         d=abs(na - nb)))
    else:
        s.append(g.x("[{f.name}[在这里当园丁|很懂植物|每个星期都来]，[告诉{p.ta}|对{p.ta}说]{c}[喜欢阳光|怕冷|需要很多水|要种在阴凉的地方]。"
                     "|一位叫{f.name}的园丁[告诉{p.ta}|对{p.ta}说]，{c}[喜欢阳光|怕冷|需要很多水|要种在阴凉的地方]。]", **k))
    s.append(g.x("[{p.ta}最喜欢的还是{a}，因为[它的颜色最亮|它的香味最好闻|它像小小的太阳|它让人想起家乡]。"
                 "|在所有的花里，{cb}的{b}最让{p.ta}喜欢。|{p.ta}在{tree}下坐下来，[画了一朵{a}|给{b}拍了几张照片|写了几句关于{a}的话]。]", **k))
    s.append(g.x("[回家的路上|到了傍晚|晚上]，{p.ta}[买了一盆{c}|给{f.name}打电话，说起了那些{a}|又看了一遍{b}的照片][。|，觉得很{glad}。]", **k))
    if g.chance(0.6):
        s.append(g.x("[下次|下个星期|等到{day}]，{p.ta}[想带{f.name}一起来|要带上相机再来|还想来看{c}|打算早一点来]。", **k))
    return lines_zh(g, s)


def market(g):
    p, q = people(g, 2)
    (o, m), (o2, m2) = g.sample(THINGS, 2)
    have = g.num(40, 120)
    price = g.num(10, have - 12)
    k = dict(p=p, q=q, o=o, m=m, o2=o2, m2=m2, c=g.pick(COLOURS), place=g.pick(PLACES), day=g.pick(WEEKDAYS), have=have,
             price=price, first=price + g.num(2, 9), left=have - price, more=have - price - 5)
    s = [g.x("[每到{day}，{place}都有集市。|{day}是{place}赶集的日子。|那天{place}的集市上人山人海。]", **k),
         g.x("{p.name}[带了|身上有|口袋里装着]{have}元钱，[想买|要找|打算买]一{m}{o}。", **k),
         g.x("[在第三个摊位上|在水井旁边|在卖面包的摊子后面]，{q.name}[正在卖|摆出了]一{m}{c}的{o}[，还有一{m2}旧{o2}|和一{m2}{o2}]。", **k),
         g.x("[“这{m}{o}多少钱？”{p.name}问。“{first}元。”{q.name}[回答|说]。|{q.name}开价{first}元。|{p.name}问价钱，{q.name}说要{first}元。]", **k),
         g.x("[{p.name}觉得太贵|{p.name}摇了摇头|{p.name}想了一会儿]，[商量了半天|最后]，两人说定{price}元。", **k),
         g.x("[{p.ta}付了{price}元，还剩{left}元。|{have}元减去{price}元，{p.name}还有{left}元。]", **k)]
    if g.chance(0.6):
        s.append(g.x("{p.ta}又花5元买了[几个馒头|一把青菜|一束花]，[最后剩下|这样就只剩]{more}元。", **k))
    s.append(g.x("[现在那{m}{c}的{o}就放在{p.ta}家里|{p.ta}把{o}送给了{p.ta}的{p.sib}|回到家，大家都夸这{m}{o}好看]，[而那{m2}{o2}不知道被谁买走了"
                 "|至于那{m2}{o2}，{q.name}又带回了家]。", **k))
    return lines_zh(g, s)


SPOTS = ["床底下", "抽屉里", "沙发后面", "书架上", "大衣口袋里", "炉子旁边", "地毯下面", "菜园里", "窗台上", "米缸后面"]


def lost(g):
    p, q = people(g, 2)
    o, m = g.pick(SMALL)
    a, b, c, d = g.sample(SPOTS, 4)
    k = dict(p=p, q=q, o=o, m=m, c=g.pick(COLOURS), s1=a, s2=b, s3=c, wrong=d, place=g.pick(PLACES), day=g.pick(WEEKDAYS))
    s = [g.x("[{day}早上|一天晚上|正要出门的时候]，{p.name}[发现自己的{c}{o}不见了|怎么也找不到那{m}{c}的{o}]。", **k),
         g.x("{p.ta}[先|首先]去{s1}找，[可是那里只有灰尘|可是没有|什么也没找到]。", **k),
         g.x("[然后|接着]{p.ta}又看了看{s2}，[还是没有|也没有{o}的影子]。", **k),
         g.x("{p.ta}[去问邻居{q.name}|打电话给{q.name}|请{q.name}来帮忙]。“你最后一次用它是在[哪里|什么地方]？”{q.name}问。", **k),
         g.x("[{p.name}想了想，说：“在{place}，不过回家的时候还在。”|“昨天在{place}用过，”{p.name}说，“可是我记得带回来了。”]", **k),
         g.x("[两个人一起找|他们又找了一会儿]，[最后在{s3}找到了{o}|终于在{s3}看见了它]。".replace("他们", "她们" if p.sex == q.sex == "f"
                                                                              else "他们"), **k),
         g.x("[原来它不在{s1}，也不在{s2}，而是在{s3}|{o}根本不在{wrong}，一直在{s3}]。{p.name}[谢了{q.name}|请{q.name}喝了茶|松了一口气]。", **k)]
    if g.chance(0.5):
        s.append(g.x("[从那以后|从此]，{p.ta}总是把{o}[挂在门边|放在一个小盒子里|系在绳子上]。", **k))
    return lines_zh(g, s)


def letter(g):
    p, q, r = people(g, 3)
    place, old = places(g, 2)
    o, m = g.pick(THINGS)
    pet, pm = g.pick(PETS)
    k = dict(p=p, q=q, r=r, place=place, old=old, o=o, m=m, job=g.pick(JOBS), pet=pet, pm=pm, pn=g.pick(PET_NAMES), n=liang(g.num(2, 9)),
             day=g.pick(WEEKDAYS), mon=cn(g.num(1, 12)), d=cn(g.num(1, 28)), fl=g.pick(FLOWERS), food=g.pick(FOODS), bad=g.pick(BAD),
             glad=g.pick(["高兴", "开心"]))
    s = [g.x("[谢谢你的来信|你的信{day}收到了|收到你的信我很{glad}]，[这么久才回信，真对不起|现在终于有时间给你回信了]。", **k),
         g.x("[{mon}月以来我一直住在{place}|我们现在住在{place}]，[离河边只有{n}条街|房子有{n}个房间|楼下是一家小店]，[不太想念{old}|有时候会想起{old}]。", **k),
         g.x("[隔壁的{r.name}是{job}|我的邻居{r.name}是一位{job}]，[帮了我很多忙|人很好|会讲很多故事]。{r.ta}[还借给我一{m}{o}|第一天晚上就送来了{food}|"
             "养了一{pm}{pet}，叫{pn}]。", **k),
         g.x("[上个{day}{bad}，我和{r.name}就在屋里[下棋|聊天|修那{m}{o}]。|院子里的{fl}开了，我不在家的时候{r.name}帮我浇水。]", **k)]
    if g.chance(0.7):
        s.append(g.x("[你那{m}{o}还在吗|我们的那{m}旧{o}还在你那里吗]？[我常常想起它|我很想再看看它|在{place}正好用得上]。", **k))
    s.append(g.x("[请你{mon}月{d}日来玩|你{day}能来{place}吗|{mon}月{d}日我会回{old}]", **k))
    s[-1] += "？" if "吗" in s[-1] else "。"
    s.append(g.x("[{r.name}也很想认识你|我跟{r.name}常常说起你|家里地方够大]，[房间已经准备好了|来之前告诉我一声]。", **k))
    return f"{g.pick(['亲爱的', ''])}{p.name}：\n{lines_zh(g, s, 0)}\n{g.pick(['祝好！', '祝你一切顺利！', '盼望你的回信。'])}{g.pick(['', '你的朋友'])}{q.name}"


def sums(g):
    p, q = people(g, 2)
    t, m = g.pick([(x, "个") for x in FRUIT] + [("鸡蛋", "个"), ("邮票", "张"), ("铅笔", "支"), ("饼干", "块"), ("贝壳", "个"), ("弹珠", "颗")])
    a = g.num(6, 20)
    b = g.num(2, a - 2)
    c = g.num(2, 10)
    w = cn if g.chance(0.5) else str
    v = (lambda n: liang(n)) if w is cn else str
    k = dict(p=p, q=q, t=t, m=m, a=v(a), b=v(b), c=v(c), left=v(a - b), total=v(a - b + c), na=w(a), nb=w(b), nc=w(c), nl=w(a - b),
             nt=w(a - b + c), place=g.pick(PLACES))
    s = [g.x("[{p.name}有{a}{m}{t}|早上，{p.name}的篮子里有{a}{m}{t}|{p.name}从{place}带回来{a}{m}{t}]。", **k)]
    if g.chance(0.5):
        s += [g.x("{p.ta}给了{q.name}{b}{m}[，因为{q.name}一{m}也没有|，因为{q.name}很想要|]。", **k),
              g.x("[现在{p.name}还有{left}{m}，{q.name}有{b}{m}。|{na}减{nb}等于{nl}，所以{p.name}剩下{left}{m}。]", **k),
              g.x("[后来|下午]，{p.name}又[买了|得到了|找到了]{c}{m}。", **k),
              g.x("[{nl}加{nc}等于{nt}，所以最后{p.name}有{total}{m}{t}。|这样，{p.name}一共有几{m}{t}呢？{nl}加{nc}，是{total}{m}。]".replace("几", "几" if
                  a - b + c <= 10 else "多少"), **k),
              g.x("{q.name}[没有动自己的{t}，|]还是{b}{m}[，比{p.name}{cmp}|]。", cmp="少" if b < a - b + c else "多" if b > a - b + c else "不多也不少", **k)]
    else:
        d = a - b - c
        k.update(cq=v(b + c), ncq=w(b + c), d=v(abs(d)), sum=v(a + b + c))
        s += [g.x("{q.name}只有{b}{m}，不过[邻居|妈妈|姑姑]又给了{q.ta}{c}{m}。", **k),
              g.x("[{nb}加{nc}等于{ncq}，所以{q.name}现在有{cq}{m}。|这样{q.name}就有{cq}{m}{t}了。]", **k),
              g.x("{p.name}比{q.name}[还|]多{d}{m}。" if d > 0 else "现在{q.name}比{p.name}多{d}{m}。" if d < 0 else "现在两个人一样多，都是{a}{m}。", **k),
              g.x("两个人[合起来|一共]有{sum}{m}{t}[，够大家吃的了|，一个人拿不动|，正好装满一个篮子]。" if m == "个" else "两个人[合起来|一共]有{sum}{m}{t}。", **k)]
    return lines_zh(g, s)


def talk(g):
    p, q, r = people(g, 3)
    place, other = places(g, 2)
    o, m = g.pick(THINGS)
    h = g.num(2, 10)
    c, c2 = g.sample(COLOURS, 2)
    j, j2 = g.sample(JOBS, 2)
    f, f2 = g.sample(FOODS, 2)
    k = dict(p=p, q=q, r=r, place=place, other=other, o=o, m=m, c=c, c2=c2, h=liang(h), day=g.pick(WEEKDAYS), f=f, f2=f2,
             dr=g.pick(DRINKS), bad=g.pick(BAD), n=g.num(3, 40), j=j, j2=j2)
    t = g.pick([
        [("p", "[早上好|你好]，{q.name}，[你要去哪里|要出门吗]？"), ("q", "去{place}，[我想买一{m}{o}|我的{o}坏了，要买一{m}新的]。"),
         ("p", "[{place}的店{day}不开门|{place}买不到{o}]，你[还是去|不如去]{other}吧。"),
         ("q", "[去{other}|{other}]？[那可有{n}公里呢|怎么去呢]？"),
         ("p", "[{h}点有一班车|你坐{h}点的车]，{r.name}也要去，[你们正好做伴|让{r.ta}带你去]。"),
         ("q", "[那我就坐{h}点的车|好，就{h}点]。谢谢你，{p.name}，[要我从{other}给你带点什么吗|也替我谢谢{r.name}]" + g.pick(["。"]))],
        [("p", "你看见我那{m}{c}的{o}了吗？"), ("q", "[不是{c2}的吗|我记得是{c2}的]？"), ("p", "[不是，是{c}的|是{c}的，我不会记错]。{day}我[把它带到|带着它去过]{place}。"),
         ("q", "那你问问{r.name}，{r.ta}{day}也在{place}。"), ("p", "[问过了|我问了{r.name}]，{r.ta}说没看见。"),
         ("q", "{p.name}，[你看看门后面|你回头看看]，[那是什么|那不是吗]？"), ("p", "[啊，就在这里|原来在这儿]！[我真该配一副眼镜了|我怎么没看见呢]。")],
        [("p", "{q.name}，[想吃点什么|今天吃什么]？[今天有{f}|我们有{f}]。"), ("q", "[昨天刚吃过{f}|又是{f}啊]？[只要一杯{dr}就好|给我一杯{dr}吧]。"),
         ("p", "[只喝{dr}|就一杯{dr}]？[你看起来很累。|出什么事了吗？]"), ("q", "我从{place}走过来的，[{bad}|走了{h}个小时]。"),
         ("p", "从{place}走来的？[快坐下休息|快到炉子边来]。"), ("q", "谢谢你，{p.name}。[那就再来一点{f}吧|我还是吃一点{f}吧]。")],
        [("p", "{q.name}，周末[做了什么|过得怎么样]？"), ("q", "我去{place}看了{r.name}，{r.ta}[在那里当{j}|现在是{j}了]。"),
         ("p", "{j}？{r.ta}以前不是[{j2}吗|想当{j2}吗]？"), ("q", "[那是搬到{place}以前的事了|早就不是了]，现在{r.ta}一天能挣{n}元。"),
         ("p", "[{n}元|这么多]？[那我也搬到{place}去|{place}还要人吗]" + g.pick(["？"])), ("q", "你[自己问|可以问]{r.name}吧，{r.ta}{day}会来这里。")],
        [("p", "请问，去{place}的火车站怎么走？"), ("q", "[一直往前走，过了桥|沿着这条路走]，在第{h2}个路口[往左|往右]拐。"),
         ("p", "[要走多久|远不远]？"), ("q", "[走路大约{n}分钟|不远，{n}分钟就到]。你[去{other}吗|要去哪里]？"), ("p", "是的，我去{other}[看{r.name}|找一个叫{r.name}的人]。"),
         ("q", "{r.name}？[我认识|真巧]，{r.ta}[是我的老同学|以前是我的邻居]，[请代我问好|告诉{r.ta}{q.name}向{r.ta}问好]。")]])
    k["h2"] = cn(g.num(1, 4))
    if g.chance(0.6):
        return "\n".join(f"{(p if w == 'p' else q).name}：" + g.x(x, **k) for w, x in t)
    out = []
    for i, (w, x) in enumerate(t):
        who = (p if w == "p" else q).name
        line = g.x(x, **k)
        out.append(f"{who}[问|说]：“{line}”" if i == 0 else f"“{line}”{who}{'问' if line.endswith('？') else g.pick(['说', '回答', '答道'])}。")
    return lines_zh(g, [out[0].replace("[问|说]", "问")] + out[1:], 0)


def lesson(g):
    p, q, r = people(g, 3)
    sub, oth = g.sample(SUBJECTS, 2)
    n, ab = g.num(18, 40), g.num(2, 6)
    k = dict(p=p, q=q, r=r, sub=sub, oth=oth, place=g.pick(PLACES), n=n, ab=ab, pr=n - ab, day=g.pick(WEEKDAYS[:5]), h=cn(g.num(8, 11)),
             o=g.pick(THINGS)[0], glad=g.pick(GLAD), page=g.num(10, 90))
    s = [g.x("{p.name}是{place}学校的{sub}老师[，已经教了很多年|，学生都很喜欢{p.ta}|]。", **k),
         g.x("[{p.ta}的班上有{n}个学生|班里一共{n}个人]，{day}有{ab}个人生病，[只来了{pr}个|所以教室里只有{pr}个人]。", **k),
         g.x("{h}点，{p.ta}问：“[谁能说说上一课讲了什么|上个星期我们学了什么]？”", **k),
         g.x("[只有{q.name}举了手|没有人回答，只有{q.name}站了起来]，[虽然{q.ta}平时更喜欢{oth}|其实{q.ta}的{oth}更好]。", **k),
         g.x("坐在旁边的{r.name}[正在画一{oo}|看着窗外|忘了带书]，[什么也没听见|脸一下子红了]。", oo="只小鸟", **k),
         g.x("[“很好，{q.name}。”{p.name}说，“{r.name}，你回家把第{page}页读一遍。”|{p.name}表扬了{q.name}，让{r.name}下课以后留下来。]", **k),
         g.x("[下课以后，{r.name}请{q.name}帮忙，{q.ta}答应了。|后来{q.name}把笔记借给了{r.name}，{r.ta}很{glad}。|到了下一个{day}，回答问题的是{r.name}，"
             "生病没来的却是{q.name}。]", **k)]
    return lines_zh(g, s)


def journey(g):
    p, q = people(g, 2)
    a, b, c = places(g, 3)
    h, dur, late = g.num(6, 10), g.num(2, 5), g.num(10, 55)
    mi = g.pick(["05", "10", "15", "20", "30", "40", "45"])
    veh = g.pick(["火车", "汽车", "船"])
    o, m = g.pick(THINGS)
    k = dict(p=p, q=q, a=a, b=b, c=c, t=f"{h}:{mi}", arr=f"{h + dur}:{mi}", dur=liang(dur), late=late, veh=veh, o=o, m=m,
             col=g.pick(COLOURS), day=g.pick(WEEKDAYS),
             why={"火车": g.pick(["一头牛站在铁轨上", "司机睡过了头", "前面的桥正在修", "雾太大"]),
                  "汽车": g.pick(["轮胎坏了", "司机睡过了头", "一棵树倒在路上", "雾太大"]),
                  "船": g.pick(["雾太大", "水位太低", "船长睡过了头"])}[veh],
             aim=g.pick(["看望舅舅", "找工作", "逛庙会", "看望老师", "卖掉一{}{}".format(m, o)]))
    s = [g.x("{day}，{p.name}[要从{a}去{b}{aim}|从{a}出发，到{b}去{aim}]。", **k),
         g.x("{veh}{t}从{a}开出，[路上要{dur}个小时，{arr}应该能到|中途在{c}停一次，{arr}到达]。", **k),
         g.x("可是{why}，[所以{veh}晚开了{late}分钟|大家等了{late}分钟才出发]。", **k),
         g.x("[在{veh}上|路上]，{p.ta}认识了{q.name}。{q.ta}[带着一{m}{col}的{o}|把带的饼分了一半给{p.name}|小时候住在{c}]。", **k),
         g.x("[两个人一路聊着{c}，不知不觉就到了|{q.name}对{b}很熟，告诉{p.ta}住在哪里好|“{c}比{b}漂亮，”{q.name}说，“不过别告诉别人”]。", **k),
         g.x("{p.name}晚到了{late}分钟，[不过{p.ta}并不在意|来接的人已经走了|{q.name}帮{p.ta}提着行李]。", **k),
         g.x("[要不是{veh}晚点，{p.ta}也不会认识{q.name}|从那以后，{p.name}和{q.name}常常写信|到了{b}，{p.ta}和{q.name}说了再见]。", **k)]
    return lines_zh(g, s)


def routine(g):
    p, q = people(g, 2)
    h = g.num(5, 7)
    pet, pm = g.pick(PETS)
    ins = g.pick(INSTRUMENTS)
    place, other = places(g, 2)
    k = dict(p=p, q=q, place=place, other=other, job=g.pick(JOBS), h1=h, h2=h + 2, h3=h + 7 if h > 5 else 12, h4=h + 13, f=g.pick(FOODS),
             d=g.pick(DRINKS), pet=pet, pm=pm, pn=g.pick(PET_NAMES), ins=PLAY.get(ins, "弹") + ins, day=g.pick(WEEKDAYS[5:]))
    s = [g.x("{p.name}是{place}的一位{job}，[每天的生活都差不多|日子过得很有规律]。", **k),
         g.x("{p.ta}早上{h1}点起床，[先给{pn}喂食，{pn}是{p.ta}养的{pet}|先喝一杯{d}，再喂养了多年的{pet}{pn}]。", **k),
         g.x("[{h2}点开始工作|从{h2}点起，{p.ta}就开始工作]，[从来不迟到|也就是起床两个小时以后]。", **k),
         g.x("{h3}点[吃午饭，常常是{f}|吃{f}][，和隔壁的{q.name}一起|，有时候{q.name}也来]。", **k),
         g.x("晚上{h4}点，{p.ta}[{ins}，{q.name}在旁边听|{ins}|带着{pn}去散步]，[再累也不例外|然后才睡觉]。", **k),
         g.x("只有{day}不一样：{p.ta}睡到{h2}点，[然后去{other}|再坐车去{other}看朋友]。", **k),
         g.x("[如果你想见{p.name}，最好{h2}点以前到{place}来|“没有{pn}的日子真难想象。”{p.ta}对{q.name}说]。", **k)]
    return lines_zh(g, s)


def room(g):
    p, q = people(g, 2)
    (o1, m1), (o2, m2), (o3, m3) = g.sample(THINGS, 3)
    c1, c2 = g.sample(COLOURS, 2)
    k = dict(p=p, q=q, o1=o1, m1=m1, o2=o2, m2=m2, o3=o3, m3=m3, c1=c1, c2=c2, place=g.pick(PLACES), b=g.pick(BUILDINGS), n=g.num(3, 9),
             job=g.pick(JOBS), yr=g.num(1900, 1990))
    s = [g.x("{p.name}住在{place}，[家就在老{b}旁边|房子对面是一座{b}|租了一间离{b}不远的屋子]。", **k),
         g.x("[屋子不大，但是很亮|屋里只有一扇窗|要爬{n}级台阶才能进门]，[左边|角落里|靠窗]放着一{m1}{c1}的{o1}。", **k),
         g.x("[{o1}旁边|另一边|门的后面]是一{m2}{c2}的{o2}，[再过去|不远处]还有一{m3}{o3}。", **k),
         g.x("那{m3}{o3}[原来是{q.name}的|是{q.name}送的]，{q.name}是{job}[，跟{p.name}认识很多年了|，住在同一条街上|，是{p.ta}的老朋友]。", **k),
         g.x("[{o2}是在集市上买的|没有人知道{o2}有多少年了|{o2}是{yr}年做的]，[而{o1}是新的|{o1}却是本来就有的]。", **k),
         g.x("[{q.name}每次来，总是先看看那{m3}{o3}|客人来了，{p.ta}总要讲{o3}的来历|{p.ta}每天都要把{o3}擦一遍]。", **k),
         g.x("[一{m1}{c1}的{o1}，一{m2}{c2}的{o2}，一{m3}{o3}，对{p.name}来说已经够了|{p.ta}说，没有{o1}可以，没有{o3}可不行]。", **k)]
    return lines_zh(g, s)


def diary(g):
    p, q = people(g, 2)
    o, m = g.pick(THINGS)
    k = dict(p=p, q=q, o=o, m=m, mon=g.num(1, 12), d=g.num(1, 28), w=g.pick(WEEKDAYS), wx=g.pick(["晴", "阴", "小雨", "多云", "有雾", "大风"]),
             place=g.pick(PLACES), f=g.pick(FOODS), dr=g.pick(DRINKS), fl=g.pick(FLOWERS), n=liang(g.num(2, 9)), tree=g.pick(TREES),
             glad=g.pick(GLAD), sad=g.pick(SADLY), ins=g.pick(INSTRUMENTS), col=g.pick(COLOURS))
    s = [g.x("{mon}月{d}日，{w}，{wx}。", **k)]
    parts = ["[今天我起得很早|今天醒来已经九点了]，[早饭只喝了一杯{dr}|早饭吃了{f}，喝了一杯{dr}]。",
                 "{p.name}[打来电话|一早就来了]，想借我的{o}，[可是我{n}天前借给了{q.name}|可是{o}还在{q.name}那里]。",
                 "[于是我去了{place}，{q.name}就住在那里|我到{place}去找{q.name}]，[我们聊了{n}个小时|半路上淋了雨]。",
                 "[路上看到一棵{tree}下开着{col}的{fl}|不知谁家的窗户里传来{ins}的声音]，我[站了很久|觉得很{glad}|停下来休息了一会儿]。",
                 "[{q.name}把{o}擦得干干净净|{q.name}把{o}还给我，说了声对不起]，[我也没有{sad}|我就没再问什么]。"]
    s += [g.x(x, **k) for i, x in enumerate(parts) if i not in (0, 3) or g.chance(0.6)]
    s += [g.x("[晚上{p.name}来拿{o}，我们一起吃了{f}|现在{o}已经到了{p.name}手里，大家都满意]。", **k),
          g.x("[今天过得不错|真是漫长的一天|明天要给{q.name}写信|明天我要[在家休息|去公园看{fl}|修屋顶|把{fl}种下去]]。", **k)]
    return lines_zh(g, s)


def gift(g):
    p, q, r = people(g, 3)
    (o, m), (o2, m2) = g.sample(THINGS, 2)
    k = dict(p=p, q=q, r=r, o=o, m=m, o2=o2, m2=m2, c=g.pick(COLOURS), age=g.num(7, 60), mon=g.num(1, 12), d=g.num(1, 28), place=g.pick(PLACES),
             glad=g.pick(GLAD), sad=g.pick(["难过", "失望", "不好意思"]))
    s = [g.x("{mon}月{d}日是{q.name}{age}岁的生日。", **k),
         g.x("{p.name}送给{q.ta}一{m}{c}的{o}，因为[原来那{m}已经坏了|{q.ta}一直想要|{q.ta}不好意思开口]。", **k),
         g.x("{r.name}[忘了这件事，急忙买来|从{place}带来|用旧报纸包了]一{m2}{o2}。", **k),
         g.x("{q.name}[非常喜欢|拿到]{o}，[马上就用上了|给每个人都看了一遍|把它放在床边]。", **k),
         g.x("[可是{o2}{q.ta}已经有了|至于{o2}，{q.ta}却用不上]，{r.name}有点{sad}。", **k),
         g.x("“[没关系|别这样]，{r.name}，”{p.name}说，“{o2}[可以送给我|给需要的人就好]。”", **k),
         g.x("[最后人人都有收获：{q.name}得到了{o}，{p.name}得到了{o2}，{r.name}吃到了最大的一块蛋糕|一年以后，{o}用旧了，{o2}却还是新的|"
             "从此{r.name}把{mon}月{d}日写在了墙上，再也没有忘记过]。", **k)]
    return lines_zh(g, s)


def animal(g):
    p, q = people(g, 2)
    pet, m = g.pick(PETS)
    k = dict(p=p, q=q, pet=pet, m=m, pn=g.pick(PET_NAMES), c=g.pick(["棕色", "白色", "黑色", "灰色"]), n=liang(g.num(2, 9)), place=g.pick(PLACES),
             f=g.pick(["馒头", "奶酪", "菜叶", "苹果皮", "玉米"]), s=g.pick(["柴房里", "炉子后面", "邻居的院子里", "河边的草地上", "大树底下"]),
             day=g.pick(WEEKDAYS), sad=g.pick(["着急", "难过", "担心"]), o=g.pick(SMALL[:6])[0])
    s = [g.x("{p.name}[养了|有]一{m}{c}的{pet}，[名字叫|叫]{pn}。", **k),
         g.x("{pn}今年{n}岁，[最爱吃{f}|为了{f}什么都肯做|最怕打雷]。", **k),
         g.x("[有一个{day}|上个{day}]，{pn}[不见了|没有回家|跑了出去]，{p.name}很{sad}。", **k),
         g.x("{p.ta}去找{q.name}，{q.ta}[住在隔壁|对动物很了解]，两个人[找遍了整个{place}|每个角落都找了]。", **k),
         g.x("[最后|过了{n}个小时]，{q.name}在{s}找到了{pn}，它[睡得正香|嘴里还叼着一样东西|又湿又饿]。", **k),
         g.x("[{p.name}给{pn}吃了些{f}，又谢了{q.name}|“{pn}！”{p.name}叫着跑了过去]。", **k),
         g.x("[从那以后，{pn}的脖子上多了一个铃铛|从此{q.name}和{pn}成了好朋友|现在{p.ta}总是把门关好]，[那{m}{c}的{pet}再也没有走丢|{p.name}也放心多了]。", **k)]
    return lines_zh(g, s)
