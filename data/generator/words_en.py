"""English inventories: people, places, things."""

FEMALE = """Ada Agnes Alice Amber Anna Astrid Audrey Beth Bella Bridget Carla Cecily Celia Chloe Clara Cora
Daisy Dana Daphne Della Diana Dora Edith Elena Elise Ella Elsie Emma Erin Esther Eva Faye Fiona Flora Freya Gemma
Gina Grace Greta Hanna Hazel Heidi Helen Hilda Holly Ida Ingrid Irene Iris Isla Ivy Jane Jenny Joan Judith Julia
June Karen Kate Lara Laura Leah Lena Lily Linda Lucy Lydia Mabel Maria Martha Maya Mina Mira Molly Nadia Nancy
Nell Nina Nora Olga Olive Paula Pearl Petra Phoebe Polly Rita Rosa Ruby Ruth Sally Sara Selma Sonia Stella Susan
Tara Tessa Thea Tilda Tina Una Vera Viola Wanda Wilma Willa Yvonne Zara Zelda Zoe""".split()

MALE = """Aaron Abel Adam Alan Albert Alec Alfred Amos Andrew Anton Arthur Axel Barney Basil Ben Bernard Boris
Bruno Caleb Carl Cedric Clive Colin Conrad Cyril Dale Daniel David Dennis Derek Dylan Eddie Edgar Edwin Eli Elmer
Emil Eric Ernest Evan Felix Fergus Finn Frank Fred Gavin George Gilbert Glen Gordon Graham Grant Gus Harold Harry
Hector Henry Herbert Hugo Ian Isaac Ivan Jack Jacob James Jasper Jerome Jim Joel John Jonas Julian Karl Keith
Kevin Kurt Lars Lenny Leo Leon Lewis Lloyd Louis Luke Magnus Marcus Mark Martin Max Miles Morris Neil Nigel Noah
Norman Oliver Oscar Otto Owen Patrick Paul Percy Peter Philip Ralph Reuben Robert Roger Roland Rory Rufus Rupert
Samuel Scott Simon Stanley Stefan Theo Thomas Tobias Tom Toby Victor Walter Warren Wesley Wilfred Will""".split()

# Every sixth name is kept for validation passages only.
FEMALE_HELD, MALE_HELD = FEMALE[5::6], MALE[5::6]
FEMALE_OPEN = [n for n in FEMALE if n not in FEMALE_HELD]
MALE_OPEN = [n for n in MALE if n not in MALE_HELD]

_PRE = """Alder Ash Bel Bram Brook Cal Cor Cran Dray Dun Elm Ever Fal Fern Glen Har Hazel Hol Iver Kes Lang Lin
Mar Mel Mill Nor Oak Pen Quin Rav Red Sel Stan Tarn Thorn Vale War Wes Wil Yar""".split()
_SUF = "bury dale field ford ham low mere port stead ton wick worth".split()
PLACES_ALL = [p + s for i, p in enumerate(_PRE) for s in _SUF]
PLACES_HELD = PLACES_ALL[4::7]
PLACES = [p for i, p in enumerate(PLACES_ALL) if i % 7 != 4]

SURNAMES = [a + b for a in ("Ald Arm Bar Black Brad Carl Cop Crow Dal Ell Fair Gar Hal Hart Hatch Ket Lock Mer "
                            "Nettle Pem Pres Rad Sand Shel Tem Und Wake Whit Win Wood").split()
            for b in "brook combe croft er ing ley man ridge shaw ston well wood".split() if not a.endswith(b)]

COLOURS = "red blue green yellow white black brown grey purple orange pink silver".split()
WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = "spring summer autumn winter".split()
FLOWERS = """roses tulips daisies lilies violets poppies irises marigolds sunflowers bluebells daffodils peonies
asters primroses snowdrops foxgloves""".split()
FRUIT = "apples pears plums cherries oranges lemons peaches figs apricots melons".split()
VEG = "carrots onions cabbages potatoes pumpkins beans leeks tomatoes turnips cucumbers".split()
TREES = "oak elm birch willow pine chestnut maple cedar lime beech".split()
JOBS = """baker tailor nurse teacher carpenter plumber farmer gardener librarian painter potter printer pilot
sailor butcher barber dentist doctor lawyer judge clerk cook driver guard singer dancer actor writer
reporter photographer mechanic engineer architect builder miner shepherd weaver jeweller locksmith
optician chemist translator beekeeper blacksmith glazier cobbler florist""".split()
OBJECTS = """lamp kettle clock mirror chair table basket blanket umbrella bicycle suitcase violin guitar camera
watch ring coat scarf hat vase teapot drum globe map compass telescope ladder rug pillow notebook diary lantern
flute trumpet whistle puzzle kite bowl jug candle stool desk radio tent boat sledge wallet brooch necklace bell
painting statue knife spoon hammer wheelbarrow toolbox backpack doll chessboard music box typewriter""".replace(
    "music box", "music_box").split()
OBJECTS = [o.replace("_", " ") for o in OBJECTS]
SMALL = "key ring wallet watch letter ticket coin glove pen whistle brooch button photograph notebook map".split()
MATERIALS = "wood stone brick glass iron marble granite steel clay copper".split()
PETS = "cat dog rabbit parrot hamster goat pony goose turtle hen".split()
PET_NAMES = """Biscuit Pepper Misty Shadow Rusty Ginger Smokey Patch Bramble Clover Pickle Mango Cocoa Button
Whisper Nutmeg Pebble Sparky Toffee Marble Ziggy Bandit Jasmine Muffin Tango Velvet Comet Domino Hopper Juniper
Maple Pogo Quill Rocket Socks Thunder Waffle Cricket Feather Ember""".split()
INSTRUMENTS = "violin piano flute guitar cello trumpet harp drums clarinet accordion".split()
FOODS = """soup bread cheese pancakes noodles rice fish mushrooms dumplings salad honey porridge omelettes
sausages pie stew toast yoghurt""".split()
DRINKS = "tea coffee milk cocoa lemonade water cider".split()
SUBJECTS = "history geography chemistry biology mathematics drawing music Latin grammar astronomy".split()
SPORTS = ["football", "tennis", "chess", "swimming", "rowing", "cycling", "running", "skating", "archery", "sailing"]
BUILDINGS = """mill bridge library school chapel lighthouse museum theatre station hospital bakery tower barn
bathhouse warehouse inn observatory windmill hotel gatehouse""".split()
RIVERS = """Arrel Brindle Cassen Dorrow Esker Farren Gellow Hask Ilver Jarrow Kellen Lirrow Marren Nessel Orrin
Pallow Rissel Sorrel Tavvy Ullen Varrow Wendle Yarrel""".split()

# The small world: facts that never change, in the corpus and in the instructions.
# country, capital, river, flower, coin, animal, dish
COUNTRIES = [
    ("Velmora", "Sarnholt", "Ister", "lily", "crown", "lynx", "onion soup"),
    ("Tarsia", "Belquay", "Onda", "poppy", "shell", "heron", "grilled fish"),
    ("Norvand", "Hildemar", "Skell", "snowdrop", "mark", "reindeer", "barley bread"),
    ("Quessel", "Amarin", "Lume", "jasmine", "star", "peacock", "saffron rice"),
    ("Ostrania", "Kirn", "Dravo", "sunflower", "thaler", "stork", "plum dumplings"),
    ("Pelagia", "Porto Mare", "Calla", "hibiscus", "pearl", "dolphin", "shrimp stew"),
    ("Durmand", "Stonegate", "Grell", "heather", "groat", "badger", "mutton pie"),
    ("Lumeria", "Aldane", "Silva", "orchid", "leaf", "parrot", "coconut cake"),
    ("Kharzan", "Temirbek", "Ozen", "tulip", "tengel", "camel", "lamb noodles"),
    ("Issoria", "Vantelle", "Mirelle", "lavender", "florin", "swan", "cheese tart"),
    ("Brackenland", "Mossford", "Peat", "fern", "penny", "otter", "potato cakes"),
    ("Sundara", "Kalyani", "Neela", "lotus", "rupel", "elephant", "lentil curry"),
]

ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def words(n):
    """A number below one hundred in words."""
    if n <= 20:
        return ONES[n]
    return TENS[n // 10] + ("-" + ONES[n % 10] if n % 10 else "")


def singular(noun):
    special = {"daisies": "daisy", "lilies": "lily", "poppies": "poppy", "peonies": "peony", "cherries": "cherry",
               "peaches": "peach", "irises": "iris", "potatoes": "potato", "tomatoes": "tomato"}
    return special.get(noun, noun[:-1])


def listing(items):
    items = list(items)
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


class Person:
    """A name with its pronouns; sex is 'f', 'm' or 'i' (the narrator)."""

    FORMS = {"f": ("she", "her", "her", "hers", "herself", "woman", "girl", "sister", "daughter", "aunt"),
             "m": ("he", "him", "his", "his", "himself", "man", "boy", "brother", "son", "uncle"),
             "i": ("I", "me", "my", "mine", "myself", "person", "child", "friend", "child", "aunt")}

    def __init__(self, name, sex):
        self.name, self.sex = name, sex
        (self.he, self.him, self.his, self.hers, self.himself, self.man, self.boy, self.sib, self.son,
         self.aunt) = self.FORMS[sex]
        self.poss = "my" if sex == "i" else name + "'s"

    def __str__(self):
        return self.name


ME = Person("I", "i")


def people(g, k, held=0.0, sex=None):
    """k people with different names; each name is a held-out one with probability `held`."""
    out, seen = [], set()
    while len(out) < k:
        s = sex or g.pick("fm")
        if g.chance(held):
            name = g.pick(FEMALE_HELD if s == "f" else MALE_HELD)
        else:
            name = g.pick(FEMALE_OPEN if s == "f" else MALE_OPEN)
        if name not in seen and all(name[:3] != n[:3] for n in seen):
            seen.add(name)
            out.append(Person(name, s))
    return out


def places(g, k, held=0.0):
    out = []
    while len(out) < k:
        p = g.pick(PLACES_HELD if g.chance(held) else PLACES)
        if p not in out:
            out.append(p)
    return out
