"""English-Chinese sentence pairs from one paired grammar."""

from .core import tidy_en

NAMES = [("Tom", "汤姆"), ("Anna", "安娜"), ("Peter", "彼得"), ("Lucy", "露西"), ("Emma", "艾玛"), ("Jack", "杰克"), ("Maria", "玛丽亚"), ("David", "大卫"),
         ("Laura", "劳拉"), ("Henry", "亨利"), ("Nina", "尼娜"), ("Paul", "保罗"), ("Sara", "萨拉"), ("Oscar", "奥斯卡"), ("Helen", "海伦"), ("Leo", "利奥")]
THINGS = [("lamp", "台灯", "盏"), ("chair", "椅子", "把"), ("table", "桌子", "张"), ("umbrella", "雨伞", "把"), ("bicycle", "自行车", "辆"), ("violin", "小提琴", "把"),
          ("camera", "相机", "台"), ("watch", "手表", "块"), ("coat", "大衣", "件"), ("scarf", "围巾", "条"), ("hat", "帽子", "顶"), ("vase", "花瓶", "个"),
          ("map", "地图", "张"), ("ladder", "梯子", "架"), ("pillow", "枕头", "个"), ("kite", "风筝", "只"), ("bowl", "碗", "只"), ("book", "书", "本"),
          ("pen", "钢笔", "支"), ("key", "钥匙", "把"), ("letter", "信", "封"), ("basket", "篮子", "个"), ("mirror", "镜子", "面"), ("box", "盒子", "个")]
COLOURS = [("red", "红色"), ("blue", "蓝色"), ("green", "绿色"), ("yellow", "黄色"), ("white", "白色"), ("black", "黑色"), ("brown", "棕色"), ("grey", "灰色")]
PLACES = [("the park", "公园"), ("the library", "图书馆"), ("the school", "学校"), ("the market", "市场"), ("the museum", "博物馆"), ("the hospital", "医院"),
          ("the station", "车站"), ("the river", "河边"), ("the garden", "花园"), ("the post office", "邮局")]
SPOTS = [("on the table", "桌子上"), ("under the bed", "床底下"), ("in the kitchen", "厨房里"), ("behind the door", "门后面"), ("in the drawer", "抽屉里"),
         ("on the shelf", "书架上"), ("beside the window", "窗户旁边"), ("in front of the house", "房子前面")]
DAYS = [("Monday", "星期一"), ("Tuesday", "星期二"), ("Wednesday", "星期三"), ("Thursday", "星期四"), ("Friday", "星期五"), ("Saturday", "星期六"), ("Sunday", "星期日")]
TIMES = [("yesterday", "昨天"), ("this morning", "今天早上"), ("last week", "上个星期"), ("last night", "昨天晚上"), ("in the afternoon", "下午")]
JOBS = [("a teacher", "老师"), ("a doctor", "医生"), ("a nurse", "护士"), ("a driver", "司机"), ("a cook", "厨师"), ("a writer", "作家"), ("an engineer", "工程师"),
        ("a painter", "画家"), ("a farmer", "农民"), ("a singer", "歌手")]
FRUIT = [("apples", "苹果"), ("pears", "梨"), ("lemons", "柠檬"), ("oranges", "橘子"), ("peaches", "桃子"), ("plums", "李子")]
FOODS = [("soup", "汤"), ("rice", "米饭"), ("noodles", "面条"), ("bread", "面包"), ("fish", "鱼"), ("cheese", "奶酪"), ("cake", "蛋糕")]
DRINKS = [("tea", "茶"), ("coffee", "咖啡"), ("milk", "牛奶"), ("water", "水")]
FLOWERS = [("roses", "玫瑰"), ("tulips", "郁金香"), ("lilies", "百合"), ("sunflowers", "向日葵"), ("peonies", "牡丹")]
WEATHER = [("it rained", "下雨了"), ("it snowed", "下雪了"), ("it was too cold", "太冷了"), ("it was late", "太晚了"), ("the bus did not come", "公共汽车没来")]
KIN = [("mother", "妈妈"), ("father", "爸爸"), ("friend", "朋友"), ("neighbour", "邻居"), ("teacher", "老师")]
DO = [("stayed at home", "待在家里"), ("went home", "回家了"), ("read a book", "看了一本书"), ("made tea", "泡了茶"), ("took the train", "坐了火车")]
NUM = ["零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]
ONES = "zero one two three four five six seven eight nine ten eleven twelve".split()

# {slot0} is the English side of a drawn pair, {slot1} the Chinese, {slot2} a measure word.
PATTERNS = [
    ("{n0} bought a(n) {c0} {o0} {t0}.", "{n1}{t1}买了一{o2}{c1}的{o1}。"),
    ("{n0} lost a(n) {c0} {o0} near {p0}.", "{n1}在{p1}附近丢了一{o2}{c1}的{o1}。"),
    ("The {c0} {o0} is {s0}.", "那{o2}{c1}的{o1}在{s1}。"),
    ("{n0} gave {m0} a(n) {o0}.", "{n1}给了{m1}一{o2}{o1}。"),
    ("{n0} gave {m0} {k} {f0}.", "{n1}给了{m1}{kz}个{f1}。"),
    ("{n0} is {j0}.", "{n1}是{j1}。"),
    ("{n0} is {j0}, and {m0} is {i0}.", "{n1}是{j1}，{m1}是{i1}。"),
    ("{n0} is {a} years old.", "{n1}{a}岁。"),
    ("{n0} is older than {m0}.", "{n1}比{m1}大。"),
    ("{n0} is {k} years younger than {m0}.", "{n1}比{m1}小{kz}岁。"),
    ("{n0} went to {p0} {t0}.", "{n1}{t1}去了{p1}。"),
    ("{n0} and {m0} met at {p0} on {d0}.", "{n1}和{m1}{d1}在{p1}见面了。"),
    ("On {d0} {n0} will go to {p0}.", "{d1}{n1}要去{p1}。"),
    ("{n0} did not go to {p0} because {w0}.", "因为{w1}，{n1}没有去{p1}。"),
    ("Because {w0}, {n0} {x0}.", "因为{w1}，所以{n1}{x1}。"),
    ("There are {k} {f0} on the table.", "桌子上有{kz}个{f1}。"),
    ("There are {k} {f0} in the {c0} basket.", "{c1}的篮子里有{kz}个{f1}。"),
    ("{n0} ate {k} {f0} {t0}.", "{n1}{t1}吃了{kz}个{f1}。"),
    ("{n0} likes {e0}, but {m0} likes {g0}.", "{n1}喜欢{e1}，但是{m1}喜欢{g1}。"),
    ("{n0} does not like {e0}.", "{n1}不喜欢{e1}。"),
    ("Does {n0} like {e0}?", "{n1}喜欢{e1}吗？"),
    ("Where is {n0}'s {o0}?", "{n1}的{o1}在哪里？"),
    ("Whose {c0} {o0} is this?", "这{o2}{c1}的{o1}是谁的？"),
    ("How much is this {c0} {o0}?", "这{o2}{c1}的{o1}多少钱？"),
    ("This {o0} costs {a} coins.", "这{o2}{o1}要{a}个硬币。"),
    ("My {q0} drinks {r0} every day.", "我{q1}每天喝{r1}。"),
    ("{n0} would like a cup of {r0}.", "{n1}想要一杯{r1}。"),
    ("I saw many beautiful {v0} in the park {t0}.", "我{t1}在公园里看到了很多美丽的{v1}。"),
    ("The {v0} in {n0}'s garden are {c0}.", "{n1}花园里的{v1}是{c1}的。"),
    ("{n0} planted {v0} {s0}.", "{n1}在{s1}种了{v1}。"),
    ("{n0} put the {o0} {s0}.", "{n1}把{o1}放在了{s1}。"),
    ("{n0} found the {o0} {s0}.", "{n1}在{s1}找到了那{o2}{o1}。"),
    ("Please bring me the {c0} {o0}.", "请把那{o2}{c1}的{o1}拿给我。"),
    ("I cannot find my {c0} {o0}.", "我找不到我那{o2}{c1}的{o1}了。"),
    ("{n0} wrote a letter to {m0} {t0}.", "{n1}{t1}给{m1}写了一封信。"),
    ("{n0}'s {q0} works at {p0}.", "{n1}的{q1}在{p1}工作。"),
    ("If the weather is good on {d0}, we will go to {p0}.", "如果{d1}天气好，我们就去{p1}。"),
    ("{n0} has a(n) {c0} {o0}; {m0} has a(n) {b0} one.", "{n1}有一{o2}{c1}的{o1}，{m1}有一{o2}{b1}的。"),
    ("{n0} waited for {m0} for {k} hours.", "{n1}等了{m1}{kz}个小时。"),
    ("The train leaves at {k} o'clock.", "火车{kz}点开。"),
    ("{n0} comes home at {k} o'clock every day.", "{n1}每天{kz}点回家。"),
    ("\"I have no time,\" said {n0}.", "“我没有时间。”{n1}说。"),
    ("{n0} asked {m0} to come to {p0}.", "{n1}请{m1}到{p1}来。"),
    ("The {o0} that {n0} bought is {c0}.", "{n1}买的那{o2}{o1}是{c1}的。"),
]


def pair(g):
    en, zh = g.pick(PATTERNS)
    n, m = g.sample(NAMES, 2)
    o = g.pick(THINGS)
    c, b = g.sample(COLOURS, 2)
    j, i = g.sample(JOBS, 2)
    e, f = g.sample(FOODS, 2)
    k = g.num(2, 12)
    d = {}
    for key, value in (("n", n), ("m", m), ("o", o), ("c", c), ("b", b), ("j", j), ("i", i), ("e", e), ("g", f), ("p", g.pick(PLACES)), ("s", g.pick(SPOTS)),
                       ("d", g.pick(DAYS)), ("t", g.pick(TIMES)), ("f", g.pick(FRUIT)), ("r", g.pick(DRINKS)), ("v", g.pick(FLOWERS)),
                       ("w", g.pick(WEATHER)), ("q", g.pick(KIN)), ("x", g.pick(DO))):
        for index, part in enumerate(value):
            d[f"{key}{index}"] = part
    d.update(k=ONES[k], kz=NUM[k], a=g.num(13, 80))
    return tidy_en(en.format(**d)), zh.format(**d)


def pairs(g, n, seen):
    out = []
    while len(out) < n:
        p = pair(g)
        if p[0] not in seen and p[1] not in seen:
            seen.update(p)
            out.append(p)
    return out
