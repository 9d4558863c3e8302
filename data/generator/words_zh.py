"""Chinese inventories: people, places, things with their measure words."""

_SUR = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡"
_F1, _F2 = "小晓雨秀美玉文慧思若佳春月雪梦静", "芳兰梅霞娟莲琳婷燕菊珍云颖瑶莉萍怡岚"
_M1, _M2 = "建志国大小晓文明子浩俊海立永天少", "强军伟勇峰刚平林辉涛龙波斌宇杰亮山诚"

FEMALE = [a + b for a in _F1 for b in _F2 if a != b]
MALE = [a + b for a in _M1 for b in _M2 if a != b]
# Given names whose second character is one of these are kept for validation passages.
_HELD = set("颖瑶怡岚宇杰诚斌")


# Combinations that are also the names of well-known people.
AVOID = set("邓小平 刘晓波 李小龙 马云 马龙 王立军 胡海峰 李刚 朱军 周杰 徐静 董洁 张静 陈晓 刘涛 周涛 李静 朱婷 李文亮 马建 梁文道 王小波 林志颖".split())


def _split(names):
    return [n for n in names if n[-1] not in _HELD], [n for n in names if n[-1] in _HELD]


FEMALE_OPEN, FEMALE_HELD = _split(FEMALE)
MALE_OPEN, MALE_HELD = _split(MALE)

_P1 = "青白金石柳竹松梅桃杏荷龙云月星清长平安和永新双古"
_P2 = "溪河山桥湖岭田湾林泉坪塘"
PLACES_ALL = [a + b + "镇村县镇城"[(i * 5 + j * 3) % 5] for i, a in enumerate(_P1) for j, b in enumerate(_P2)]
PLACES_HELD = PLACES_ALL[4::7]
PLACES = [p for i, p in enumerate(PLACES_ALL) if i % 7 != 4]

COLOURS = "红色 蓝色 绿色 黄色 白色 黑色 棕色 灰色 紫色 橙色 粉色 银色".split()
WEEKDAYS = "星期一 星期二 星期三 星期四 星期五 星期六 星期日".split()
SEASONS = "春天 夏天 秋天 冬天".split()
# flower, measure word is always 朵 (or 株 for the plant)
FLOWERS = "玫瑰 牡丹 郁金香 百合 菊花 荷花 桃花 樱花 月季 茉莉 向日葵 兰花 梅花 海棠 杜鹃 紫藤".split()
TREES = "柳树 松树 槐树 银杏 桂花树 梧桐 榕树 枫树 杨树 樟树".split()
FRUIT = "苹果 梨 桃子 李子 橘子 柠檬 杏 石榴 柿子 芒果".split()
VEG = "萝卜 白菜 南瓜 土豆 茄子 冬瓜 红薯 黄瓜".split()
JOBS = """面包师 裁缝 护士 教师 木匠 水管工 农民 园丁 图书管理员 画家 陶艺师 印刷工 飞行员 水手 渔民 屠夫 理发师 牙医 医生 律师
法官 会计 厨师 司机 保安 歌手 舞蹈演员 作家 记者 摄影师 修理工 工程师 建筑师 矿工 邮递员 牧羊人 织布工 锁匠 配镜师 药剂师 翻译 养蜂人
铁匠 鞋匠 花匠 服务员""".split()
# noun, measure word
THINGS = [("台灯", "盏"), ("水壶", "把"), ("闹钟", "个"), ("镜子", "面"), ("椅子", "把"), ("桌子", "张"), ("篮子", "个"),
          ("毯子", "条"), ("雨伞", "把"), ("自行车", "辆"), ("手提箱", "个"), ("小提琴", "把"), ("吉他", "把"), ("相机", "台"),
          ("大衣", "件"), ("围巾", "条"), ("帽子", "顶"), ("花瓶", "个"), ("茶壶", "把"), ("鼓", "面"), ("地球仪", "个"),
          ("指南针", "个"), ("望远镜", "架"), ("梯子", "架"), ("地毯", "块"), ("枕头", "个"), ("灯笼", "盏"), ("笛子", "支"),
          ("口琴", "个"), ("拼图", "幅"), ("风筝", "只"), ("凳子", "张"), ("书桌", "张"), ("收音机", "台"), ("项链", "条"),
          ("油画", "幅"), ("木雕", "座"), ("背包", "个"), ("布娃娃", "个"), ("棋盘", "个"), ("沙发", "张"), ("火炉", "个"),
          ("衬衫", "件"), ("毛衣", "件"), ("书架", "个"), ("皮箱", "个"), ("木马", "匹"), ("竹椅", "把"), ("屏风", "扇"),
          ("瓷碗", "只"), ("砚台", "方"), ("折扇", "把")]
SMALL = [("钥匙", "把"), ("戒指", "枚"), ("钱包", "个"), ("手表", "块"), ("信", "封"), ("车票", "张"), ("硬币", "枚"),
         ("手套", "只"), ("钢笔", "支"), ("哨子", "个"), ("纽扣", "颗"), ("照片", "张"), ("笔记本", "本"), ("地图", "张")]
MATERIALS = "木头 石头 青砖 玻璃 钢铁 大理石 花岗岩 红砖 竹子 铜".split()
PETS = [("猫", "只"), ("狗", "条"), ("兔子", "只"), ("鹦鹉", "只"), ("山羊", "只"), ("鹅", "只"), ("乌龟", "只"), ("小马", "匹")]
PET_NAMES = """豆豆 毛毛 小黑 花花 团团 圆圆 乐乐 糖糖 球球 点点 阿福 旺财 雪球 芝麻 汤圆 饺子 布丁 可可 奇奇 米粒 小灰 栗子 橘子皮
土豆泥 年糕 冬冬 闪电 虎子 大福 泡泡 核桃 花生 铃铛 云朵 星星""".split()
INSTRUMENTS = "小提琴 钢琴 笛子 吉他 大提琴 小号 竖琴 二胡 古筝 琵琶".split()
PLAY = {"小提琴": "拉", "大提琴": "拉", "二胡": "拉", "笛子": "吹", "小号": "吹"}
FOODS = "米饭 面条 饺子 馒头 豆腐 包子 煎饼 鱼汤 蘑菇汤 春卷 馄饨 汤圆 红烧肉 炒鸡蛋 蛋糕 烤鸭 凉拌黄瓜 粽子".split()
DRINKS = "绿茶 红茶 咖啡 牛奶 豆浆 柠檬水 花茶".split()
SUBJECTS = "历史 地理 化学 生物 数学 美术 音乐 语文 天文 物理".split()
BUILDINGS = """磨坊 石桥 图书馆 学校 教堂 灯塔 博物馆 剧院 火车站 医院 面包房 钟楼 粮仓 澡堂 仓库 客栈 天文台 风车 旅馆 邮局""".split()
RIVERS = "青溪河 白沙河 柳河 长青河 月牙河 金水河 石门河 桃花河 云河 双龙河 清水河 芦苇河 枫河 银河湾".split()[:-1]
ANIMALS = "狐狸 乌鸦 野兔 乌龟 熊 老鼠 猫头鹰 狼 刺猬 青蛙 白鹭 松鼠 獾 水獭 麻雀 驴".split()
MEASURE_ANIMAL = {"熊": "头", "狼": "匹", "驴": "头"}
DIGITS = "零一二三四五六七八九十"

# The same small world as in the English inventories.
COUNTRIES = [
    ("维尔莫拉", "萨恩霍特", "伊斯特河", "百合", "克朗", "猞猁", "洋葱汤"),
    ("塔尔西亚", "贝尔奎", "翁达河", "罂粟花", "贝币", "白鹭", "烤鱼"),
    ("诺凡德", "希尔德马", "斯凯尔河", "雪花莲", "马克", "驯鹿", "大麦面包"),
    ("奎塞尔", "阿马林", "卢姆河", "茉莉", "星元", "孔雀", "藏红花米饭"),
    ("奥斯特兰", "基恩", "德拉沃河", "向日葵", "塔勒", "白鹳", "李子饺子"),
    ("佩拉吉亚", "马雷港", "卡拉河", "木槿", "珠币", "海豚", "虾汤"),
    ("杜曼德", "石门城", "格雷尔河", "石楠", "格罗特", "獾", "羊肉馅饼"),
    ("卢梅里亚", "阿尔丹", "西尔瓦河", "兰花", "叶币", "鹦鹉", "椰子糕"),
    ("哈尔赞", "特米别克", "奥曾河", "郁金香", "腾格", "骆驼", "羊肉面"),
    ("伊索里亚", "万泰尔", "米雷尔河", "薰衣草", "弗罗林", "天鹅", "奶酪挞"),
    ("布拉肯", "莫斯福德", "皮特河", "蕨草", "便士", "水獭", "土豆饼"),
    ("孙达拉", "卡利亚尼", "尼拉河", "莲花", "鲁佩", "大象", "扁豆咖喱"),
]


def cn(n):
    """A number below one hundred in Chinese numerals."""
    if n <= 10:
        return DIGITS[n]
    tens, one = divmod(n, 10)
    return ("" if tens == 1 else DIGITS[tens]) + "十" + (DIGITS[one] if one else "")


def liang(n):
    """The same before a measure word (两 instead of 二)."""
    return "两" if n == 2 else cn(n)


def listing(items):
    items = list(items)
    return items[0] if len(items) == 1 else "、".join(items[:-1]) + "和" + items[-1]


class Person:
    def __init__(self, name, sex):
        self.name, self.sex = name, sex
        self.ta = {"f": "她", "m": "他", "i": "我"}[sex]
        self.sib = "妹妹" if sex == "f" else "弟弟"
        self.given = name[1:] if len(name) == 3 else name

    def __str__(self):
        return self.name


ME = Person("我", "i")


def people(g, k, held=0.0, sex=None):
    """k people with different surnames and given names."""
    out, seen = [], set()
    while len(out) < k:
        s = sex or g.pick("fm")
        if g.chance(held):
            given = g.pick(FEMALE_HELD if s == "f" else MALE_HELD)
        else:
            given = g.pick(FEMALE_OPEN if s == "f" else MALE_OPEN)
        sur = g.pick(_SUR)
        if sur in seen or given in seen:
            continue
        seen.update((sur, given))
        name = sur + (given[-1] if g.chance(0.2) else given)
        if name not in AVOID and not any(name in o.name or o.name in name for o in out):
            out.append(Person(name, s))
    return out


def places(g, k, held=0.0):
    out = []
    while len(out) < k:
        p = g.pick(PLACES_HELD if g.chance(held) else PLACES)
        if p not in out:
            out.append(p)
    return out
