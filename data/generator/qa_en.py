"""English question answering passages: facts told in one wording, asked in another.

Answer conventions: names, places and objects without article; ages, distances
and durations with their unit ("37 years"); prices in "14 coins"; counts as the
bare number; dates as "4 May"; places of finding with their preposition; reasons
as the clause after "because".
"""

from .core import mark, lines_en, unmark
from .words_en import *

QUESTIONS = {
    "job": ["What is {n}'s job?", "What does {n} do for a living?", "What is {n}'s profession?",
            "What kind of work does {n} do?", "Which trade does {n} follow?"],
    "home": ["Where does {n} live?", "In which town does {n} live?", "Which town is {n}'s home?",
             "Where is {n}'s house?"],
    "birth": ["Where was {n} born?", "What is {n}'s birthplace?", "In which town was {n} born?",
              "Which place does {n} come from originally?"],
    "age": ["How old is {n}?", "What is {n}'s age?", "What age is {n}?", "How many years has {n} lived?"],
    "petname": ["What is {n}'s {o} called?", "What is the name of {n}'s {o}?", "Which name did {n} give the {o}?"],
    "food": ["What is {n}'s favourite food?", "Which dish does {n} like most?", "What does {n} love to eat?",
             "What would {n} choose to eat?"],
    "instrument": ["Which instrument does {n} play?", "What instrument can {n} play?",
                   "On which instrument does {n} make music?"],
    "colour": ["What colour is {n}'s {o}?", "Which colour does {n}'s {o} have?", "What is the colour of {n}'s {o}?"],
    "buyer": ["Who bought the {o}?", "Who is the new owner of the {o}?", "Who paid for the {o}?",
              "By whom was the {o} bought?"],
    "seller": ["Who sold the {o}?", "Who was the seller of the {o}?", "Who owned the {o} before?",
               "From whom did the {o} come?"],
    "bought": ["What did {n} buy?", "Which thing did {n} pay for?", "What did {n} take home from the market?",
               "What does {n} own now?"],
    "price": ["How much did the {o} cost?", "What was the price of the {o}?", "How much was paid for the {o}?",
              "How much money did the {o} bring?"],
    "giver": ["Who gave {n} the {o}?", "From whom did {n} get the {o}?", "Whose present was the {o}?",
              "Who was the {o} from?"],
    "got": ["What did {n} get as a present?", "Which present was {n} given?", "What was {n}'s present?",
            "What did {n} receive?"],
    "date": ["When did {e} take place?", "On which date was {e}?", "What was the date of {e}?",
             "On what day was {e} held?"],
    "dest": ["Where did {n} go?", "What was {n}'s destination?", "Which town did {n} travel to?",
             "Where did {n}'s journey end?"],
    "mode": ["How did {n} travel?", "How did {n} get there?", "What means of transport did {n} use?",
             "In which way did {n} make the journey?"],
    "time": ["At what time did {n} leave?", "When did {n} set off?", "At which hour did {n}'s journey begin?",
             "What time was it when {n} started?"],
    "duration": ["How long did {n}'s journey take?", "How long was {n} on the way?",
                 "How much time did {n} need for the journey?"],
    "winner": ["Who won {e}?", "Who was the winner of {e}?", "Who came first in {e}?", "Who took first place in {e}?"],
    "second": ["Who came second in {e}?", "Who took second place in {e}?", "Who finished right behind the winner of {e}?"],
    "prize": ["What was the prize?", "What did the winner receive?", "What was given to the winner?",
              "Which prize could be won?"],
    "venue": ["Where did {e} take place?", "In which town was {e} held?", "Which town was the scene of {e}?"],
    "year": ["When was the {o} built?", "In which year was the {o} put up?", "What is the year of construction of the {o}?",
             "How far back does the {o} date?"],
    "builder": ["Who built the {o}?", "By whom was the {o} built?", "Who was the builder of the {o}?",
                "Whose work is the {o}?"],
    "material": ["What is the {o} made of?", "Of which material is the {o}?", "Which material was used for the {o}?"],
    "where": ["Where was the {o}?", "Where was the {o} found?", "In which place did the {o} turn up?",
              "Where had the {o} been lying?"],
    "finder": ["Who found the {o}?", "By whom was the {o} found?", "Who was the finder of the {o}?",
               "Who came upon the {o}?"],
    "owner": ["Whose {o} was it?", "Who had lost the {o}?", "To whom did the {o} belong?", "Who was the owner of the {o}?"],
    "count": ["How many {o} did {n} pick?", "How many {o} did {n} bring home?", "What number of {o} did {n} gather?",
              "How many {o} were in {n}'s basket?"],
    "reason": ["Why {aux} {n} {vp}?", "For what reason {aux} {n} {vp}?", "What was the reason why {n} {past}?",
               "Can you say why {n} {past}?"],
}


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


PROFILE = {
    "job": ["{S} works as a(n) {v}.", "{S} earns {h} living as a(n) {v}.", "{S} is a(n) {v} by trade.",
            "{S} has been a(n) {v} for many years.", "{S} makes {h} money as a(n) {v}."],
    "home": ["{S} lives in {v}.", "{S} has a small house in {v}.", "{S} has settled in {v}.", "{S} can be found in {v} these days.",
             "{S} has made {h} home in {v}."],
    "birth": ["{S} was born in {v}.", "{S} came into the world in {v}.", "{S} is a native of {v}.", "{S} first saw the light of day in "
              "{v}."],
    "age": ["{S} is {v} old.", "{S} turned {v} old last week.", "{S} has reached the age of {v}.", "{S} does not look {h} {v}."],
    "petname": ["{S} has a(n) {o} called {v}.", "{S} keeps a(n) {o} by the name of {v}.", "{S} shares the house with a(n) {o}, {v}."],
    "food": ["{S} likes {v} best of all.", "{S} could eat {v} every day.", "{S} prefers {v} to everything else.",
             "{S} never says no to {v}."],
    "instrument": ["{S} plays the {v}.", "{S} practises the {v} every evening.", "{S} has been learning the {v} since childhood.",
                   "{S} is good at the {v}."],
    "colour": ["{S} owns a(n) {v} {o}.", "{S} has painted {h} {o} {v}.", "{S} is proud of {h} {v} {o}.", "{S} uses a(n) {v} {o}."],
}


def profile(st):
    g = st.g
    ps = st.people(2 if st.times == 1 else g.pick([2, 2, 3]))
    rels = g.sample(PROFILE, 5)
    shared = rels[:g.num(1, 2)]
    towns = st.places(8)
    pools = {"job": g.sample(JOBS, 3), "home": towns[:3], "birth": towns[3:6], "food": g.sample(FOODS, 3),
             "age": [f"{n} years" for n in g.sample(range(19, 85), 3)], "petname": g.sample(PET_NAMES, 3),
             "instrument": g.sample(INSTRUMENTS, 3), "colour": g.sample(COLOURS, 3)}
    things = g.sample(OBJECTS, 3) if g.chance(0.5) else [g.pick(OBJECTS)] * 3
    pets = g.sample(PETS, 3)
    if g.chance(0.5):
        st.say("[{a} and {b} are [neighbours|cousins|old friends]|{a} and {b} have known each other for years]." if len(ps) == 2 else
               "{a}, {b} and {c} [are good friends|went to school together|meet every week].", a=ps[0], b=ps[1], c=ps[-1])
    other = [r for r in rels if r not in shared]
    apart = [rels[:2], rels[2:4]]
    for i, p in enumerate(ps):
        mine = g.shuffled(apart[i] if st.times == 1 else shared + g.sample(other, g.num(1, 2) if len(ps) == 3 else 2))
        for j, rel in enumerate(mine):
            key = f"{rel}{i}"
            obj = pets[i] if rel == "petname" else things[i]
            s = p.name if j == 0 or g.chance(0.35) else p.he
            t = g.x(g.pick(PROFILE[rel]), S=s, h=p.his, o=obj, v=mark(key, pools[rel][i]))
            if j == 0 and i > 0 and g.chance(0.4):
                t = g.pick(["On the other hand, ", "As for the others, "] if len(ps) == 3 else ["By contrast, ", "Quite differently, "]) + t \
                    if g.chance(0.3) else t
            if j == 1 and g.chance(0.3) and s == p.he:
                t = g.pick(["Besides, ", "Also, ", "As everyone knows, "]) + t
            st.sents.append(t)
            st.ask(rel, key, n=p.name, o=obj)
    if g.chance(0.4):
        st.say("[They meet on {d} and talk about old times|On {d} they often eat together|They write to each other every {m}].",
               d=g.pick(WEEKDAYS), m=g.pick(MONTHS))


def trade(st):
    g = st.g
    ps = st.people(4)
    objs = g.sample(OBJECTS, 2)
    cols = g.sample(COLOURS, 2)
    prices = g.sample(range(5, 95), 2)
    st.say("[The market in {t} was full on {d}.|It was market day in {t}.|On {d} many people came to the market of {t}.]",
           t=st.places(1)[0], d=g.pick(WEEKDAYS))
    for i in range(st.times):
        b, s = ps[2 * i], ps[2 * i + 1]
        k = dict(b=mark(f"buyer{i}", b.name), s=mark(f"seller{i}", s.name), o=mark(f"bought{i}", objs[i]), c=mark(f"colour{i}", cols[i]),
                 p=mark(f"price{i}", f"{prices[i]} coins"), bo=b, so=s, plain=objs[i])
        st.say("[{b} bought a(n) {c} {o} from {s} for {p}."
               "|{s} had a(n) {c} {o} for sale. {b} gave {so.him} {p} for it."
               "|{s} handed a(n) {c} {o} to {b}, who put down {p}."
               "|A(n) {c} {o} changed hands: {b} got it from {s} for {p}."
               "|{b} had long looked for a(n) {o}. {s} let {bo.him} have a(n) {c} one for {p}."
               "|After some talk {s} parted with a(n) {c} {o}, and {b} was {p} poorer.]", **k)
        if g.chance(0.5):
            st.say("[{n} was very pleased with it|{m} had asked for more at first|{n} wanted to put it in the kitchen"
                   "|{m} wrapped it in paper].", n=b.name, m=s.name)
        st.ask("buyer", f"buyer{i}", o=objs[i])
        st.ask("seller", f"seller{i}", o=objs[i])
        st.ask("bought", f"bought{i}", n=b.name)
        st.ask("price", f"price{i}", o=objs[i])
        st.ask("colour", f"colour{i}", n=b.name, o=objs[i])
    if g.chance(0.4):
        st.say("[In the evening the stalls were empty|By noon it began to rain|Both sellers went home content].")


MODES = ["by bus", "by train", "by boat", "on foot", "by bicycle", "on horseback", "by car", "by tram"]


def journey(st):
    g = st.g
    ps = st.people(2)
    t = st.places(3)
    modes = g.sample(MODES, 2)
    hours = g.sample(range(5, 20), 2)
    durs = g.sample([f"{n} hours" for n in range(2, 12)] + [f"{n} minutes" for n in (15, 20, 25, 30, 35, 40, 45, 50)], 2)
    st.say("[{a} and {b} both live in {t}.|In {t} {a} and {b} share a house.|{a} and {b} left {t} on the same day.]",
           a=ps[0], b=ps[1], t=t[2])
    for i, p in enumerate(ps[:st.times]):
        k = dict(n=p.name, p=p, d=mark(f"dest{i}", t[i]), m=mark(f"mode{i}", modes[i]),
                 h=mark(f"time{i}", f"{hours[i]}:{g.pick(['00', '10', '15', '20', '30', '40', '45'])}"), u=mark(f"duration{i}", durs[i]))
        st.say("[{n} took the road to {d} at {h}.|At {h} {n} closed the door and made for {d}.|{n} wanted to see {d} and was out of the house "
               "at {h}.|{n} said goodbye at {h}; {p.he} had business in {d}.]", **k)
        st.say("[{p.he} went {m} and arrived after {u}.|It took {p.him} {u} {m}.|{n} did the whole way {m}, which meant {u}."
               "|{u} later {p.he}, who had come {m}, was there.]", **k)
        if g.chance(0.35):
            st.say("[{n} met nobody on the road|{n} carried only a(n) {o}|{p.he} slept a little before the end].", o=g.pick(OBJECTS), **k)
        for rel in ("dest", "mode", "time", "duration"):
            st.ask(rel, f"{rel}{i}", n=p.name)
    if g.chance(0.4):
        st.say("[Both came back the next day|{a} was home again first|They told each other everything in the evening].", a=ps[0])


def contest(st):
    g = st.g
    a, b, c = st.people(3)
    ev = g.pick(["race", "chess game", "singing contest", "baking contest", "swimming race", "quiz", "boat race", "drawing contest"])
    e = "the " + ev
    v = st.places(1)[0]
    date, prize = f"{g.num(1, 28)} {g.pick(MONTHS)}", g.pick(OBJECTS)
    k = dict(e=e, v=mark("venue", v), d=mark("date", date), a=mark("winner", a.name), b=mark("second", b.name), z=mark("prize", prize),
             an=a, bn=b, cn=c)
    st.say("[On {d} {v} saw {e} of the year.|{v} was full of guests on {d}, for {e} was about to begin.|For {e}, people came to {v} on {d}."
           "|{d} was the day of {e}, and all of {v} was there.]", **k)
    if g.chance(0.5):
        st.say("[{cn}, {bn} and {an} all [took part|had practised for weeks].|{bn}, {cn} and {an} were the favourites.]", **k)
    st.say("[{a} was better than all others, and {b} had to be content with the next best result."
           "|Nobody could beat {a}, not even {b}, who was only a little weaker."
           "|In the end {b} had to bow to {a} alone."
           "|{a} left everyone behind, with {b} close at {an.his} heels.]", **k)
    st.say("[{n} came last|{n} gave up after a while|{n}, who had hoped for more, went home early].", n=c.name)
    st.say("[{n} went home with a(n) {z}|A(n) {z} was the reward|Everybody clapped when {n} was handed a(n) {z}|For this there was a(n) {z}].",
           n=a.name, **{x: y for x, y in k.items() if x != "n"})
    for rel in ("winner", "second", "venue", "date"):
        st.ask(rel, rel, e=e)
    st.ask("prize", "prize")


def building(st):
    g = st.g
    blds = g.sample(BUILDINGS, 2)
    ps = st.people(2)
    mats = g.sample(["wood", "stone", "brick", "glass", "iron", "marble", "granite", "clay"], 2)
    years = [str(y) for y in g.sample(range(1650, 1990), 2)]
    st.say("[Two buildings in {t} are worth a visit.|Visitors to {t} like to see the {x} and the {y}.|{t} is known for its {x} and its {y}.]",
           t=st.places(1)[0], x=blds[0], y=blds[1])
    for i in range(st.times):
        p = ps[i]
        k = dict(o=blds[i], p=mark(f"builder{i}", p.name), y=mark(f"year{i}", years[i]), m=mark(f"material{i}", mats[i]), n=p.name, P=p)
        st.say("[The {o} is the creation of {p}, who finished it in {y}.|In {y} {p} completed the {o}.|{p} laid the last piece of the {o} "
               "in {y}.|The {o} has stood since {y}, when {p} raised it.|It was {p} who set up the {o} in {y}.]", **k)
        st.say("[Its walls are of {m}.|{n} chose {m} for it.|It is all {m}[, from the ground to the roof|].|{m} was the only thing {P.he} worked "
               "with.|{n} had the {m} brought from far away.]", **k)
        if g.chance(0.3):
            st.say("[Today the {o} stands empty|The {o} is open on {d}|Children like to play beside the {o}].", d=g.pick(WEEKDAYS), **k)
        for rel in ("year", "builder", "material"):
            st.ask(rel, f"{rel}{i}", o=blds[i])


SPOTS = ["under the old stove", "behind the sofa", "in the blue box", "on the top shelf", "under the carpet", "in the bread bin",
         "beside the well", "in a coat pocket", "between two books", "under the pillow", "behind the mirror", "in the garden shed",
         "at the bus stop", "on the cellar stairs", "in the hay", "under a park bench", "inside the piano", "next to the gate",
         "on the window sill", "in the flower bed"]


def finding(st):
    g = st.g
    ps = st.people(4)
    objs = g.sample(SMALL, 2)
    spots = g.sample(SPOTS, 2)
    st.say("[Two things were missing in the house.|It had been a bad week for anyone who owned something small.|In the inn of {t} things "
           "often disappear.]", t=st.places(1)[0])
    for i in range(st.times):
        a, b = ps[2 * i], ps[2 * i + 1]
        k = dict(a=mark(f"owner{i}", a.name), b=mark(f"finder{i}", b.name), o=objs[i], w=mark(f"where{i}", spots[i]), an=a, bn=b)
        st.say("[{a} could not find {an.his} {o}.|{a}'s {o} was gone.|{a} missed {an.his} {o}.|The {o} which {a} had always carried was nowhere to "
               "be seen.]", **k)
        st.say("[{b} discovered it {w}.|It was {b} who saw it {w}.|{w} {b} spotted it at last.|At last it was discovered {w}, and it was {b} who "
               "had the sharp eyes.|{b} looked {w}, and there it was.]", **k)
        if g.chance(0.4):
            st.say("[{an.name} was very grateful to {bn.name}|\"What luck,\" said {an.name}|{an.name} promised to be more careful with the {o}].",
                   **k)
        for rel in ("owner", "finder", "where"):
            st.ask(rel, f"{rel}{i}", o=objs[i])


def harvest(st):
    g = st.g
    ps = st.people(g.pick([2, 3]))
    same = g.chance(0.5)
    crops = [g.pick(FRUIT)] * 3 if same else g.sample(FRUIT, 3)
    nums = [str(n) for n in g.sample(range(12, 99), 3)]
    days = g.sample(WEEKDAYS, 3)
    st.say("[In {t} the harvest had begun.|It was {m}, and the trees of {t} were heavy with fruit.|The orchard in {t} needed many hands.]",
           t=st.places(1)[0], m=g.pick(["August", "September", "October"]))
    for i, p in enumerate(ps[:st.times]):
        k = dict(n=p.name, p=p, c=crops[i], v=mark(f"count{i}", nums[i]), day=days[i])
        st.say("[{n} took {v} {c} from the trees on {day}.|On {day} {n} filled a basket with {v} {c}.|{n} came back with {v} {c} on {day}."
               "|With {v} {c} {n} was satisfied on {day}.]", **k)
        st.ask("count", f"count{i}", n=p.name, o=crops[i])
        for rel in g.sample(["job", "age", "home"], 1 if st.times == 2 else 2):
            val = {"job": g.pick(JOBS), "age": f"{g.num(19, 85)} years", "home": st.places(1)[0]}[rel]
            st.sents.append(g.x(g.pick(PROFILE[rel]), S=g.pick([p.name, p.he]), h=p.his, o="", v=mark(f"{rel}{i}", val)))
            st.ask(rel, f"{rel}{i}", n=p.name)
    if g.chance(0.4):
        st.say("[In the evening all the fruit was stored in the barn|Nobody went home with empty hands].")


def gift(st):
    g = st.g
    r1, r2, a, b = st.people(4)
    objs = g.sample(OBJECTS, 2)
    cols = g.sample(COLOURS, 2)
    ev = g.pick(["the party", "the wedding", "the feast", "the dance", "the concert"])
    v = st.places(1)[0]
    st.say("[{e} was celebrated in {v} on {d}.|On {d} {e} brought everyone to {v}.|All friends were in {v} on {d} because of {e}.]", e=ev,
           v=mark("venue", v), d=mark("date", f"{g.num(1, 28)} {g.pick(MONTHS)}"))
    for i, (r, q) in enumerate([(r1, a), (r2, b)][:st.times]):
        k = dict(r=r.name, R=r, q=mark(f"giver{i}", q.name), o=mark(f"got{i}", objs[i]), c=mark(f"colour{i}", cols[i]), plain=objs[i], qn=q)
        st.say("[{r} was handed a(n) {c} {o} by {q}.|{q} had brought a(n) {c} {o} for {r}.|{q} surprised {r} with a(n) {c} {o}."
               "|For {r} there was a(n) {c} {o}, which {q} had chosen.|{r} unwrapped a(n) {c} {o} that {q} had bought for {R.him}.]", **k)
        if g.chance(0.5):
            st.say("[{r} could hardly believe it|{r} thanked {qn.name} with a song|{r} put it beside {R.his} bed|{qn.name} had kept it secret for "
                   "weeks].", **k)
        st.ask("giver", f"giver{i}", n=r.name, o=objs[i])
        st.ask("got", f"got{i}", n=r.name)
        st.ask("colour", f"colour{i}", n=r.name, o=objs[i])
    st.ask("venue", "venue", e=ev)
    st.ask("date", "date", e=ev)


EVENTS = [("was late for work", "was", "late for work"), ("stayed at home", "did", "stay at home"),
          ("missed the train", "did", "miss the train"), ("closed the shop early", "did", "close the shop early"),
          ("put off the party", "did", "put off the party"), ("came home after dark", "did", "come home after dark"),
          ("walked the whole way", "did", "walk the whole way"), ("slept in the kitchen", "did", "sleep in the kitchen"),
          ("called the neighbours", "did", "call the neighbours"), ("was angry that day", "was", "angry that day"),
          ("cancelled the lesson", "did", "cancel the lesson"), ("wrote a long letter", "did", "write a long letter")]
REASONS = ["the bridge was closed", "the clock had stopped", "a tree had fallen on the road", "the snow was too deep",
           "the bus had broken down", "the roof was leaking", "the baby was ill", "the lights had gone out", "the river had risen",
           "a guest had come", "the stove was smoking", "the key was lost", "the horse was lame", "the fog was too thick",
           "the water was cold", "the door would not open", "the dog had run away", "the road was icy", "the letter had not come",
           "a window was broken"]


def trouble(st):
    g = st.g
    ps = st.people(2)
    evs, why = g.sample(EVENTS, 2), g.sample(REASONS, 2)
    jobs = g.sample(JOBS, 2)
    ages = [f"{n} years" for n in g.sample(range(19, 85), 2)]
    towns = st.places(2)
    st.say("[{d} was not a good day for {a} and {b}.|On {d} nothing went as planned.|{a} and {b} will not forget that {d}.]",
           d=g.pick(WEEKDAYS), a=ps[0], b=ps[1])
    for i, p in enumerate(ps[:st.times]):
        past, aux, vp = evs[i]
        k = dict(n=p.name, past=past, w=mark(f"reason{i}", why[i]), p=p)
        extra = g.pick(["job", "age", "home"])
        val = {"job": jobs[i], "age": ages[i], "home": towns[i]}[extra]
        bio = g.x(g.pick(PROFILE[extra]), S=p.name, h=p.his, o="", v=mark(f"{extra}{i}", val))
        st.sents.append(bio)
        st.say("[{p.he} {past} because {w}.|Because {w}, {n} {past}.|{n} {past}, since {w}.|As {w}, {n} {past}.|{n} {past}; the trouble was that "
               "{w}.]", **k)
        if g.chance(0.5):
            st.say("[{n} was not amused|Nobody blamed {p.him}|\"Such things happen,\" {p.he} said].", **k)
        st.ask("reason", f"reason{i}", n=p.name, aux=aux, vp=vp, past=past)
        st.ask(extra, f"{extra}{i}", n=p.name)
    if g.chance(0.5):
        st.say("[The next day all was well again|In the evening they laughed about it].")


def bystander(st, skip):
    """One more person with two facts, so that short passages hold another distractor."""
    g = st.g
    p = next(q for q in st.people(8) if q.name not in skip)
    free = [r for r in ("job", "home", "birth", "age", "food", "instrument") if r not in st.relations()]
    for i, rel in enumerate(g.sample(free, 2)):
        val = {"job": g.pick(JOBS), "home": g.pick(PLACES), "birth": g.pick(PLACES), "age": f"{g.num(19, 85)} years",
               "food": g.pick(FOODS), "instrument": g.pick(INSTRUMENTS)}[rel]
        lead = g.pick(["{x} saw all this. ", "{x} was there too. ", "Among the others was {x}. ", ""]).format(x=p.name) if i == 0 else ""
        key = rel + "_by"
        st.sents.append(lead + g.x(g.pick(PROFILE[rel]), S=p.name if i == 0 and not lead else p.he, h=p.his, o="", v=mark(key, val))
                        .replace(". she", ". She").replace(". he", ". He"))
        st.ask(rel, key, n=p.name)


SCENES = [(profile, 7), (trade, 3), (journey, 3), (contest, 3), (building, 3), (finding, 3), (harvest, 2), (gift, 3), (trouble, 3)]


# Passages in which each relation has a rival of its own kind, so that names must be matched too.
RIVALS = 0.12


def passage(g, scene, held, n_questions):
    """One passage: (title, context, [(relation, question, answer, start)])."""
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
    if len(" ".join(st.sents).split()) < g.num(30, 45):
        bystander(st, " ".join(st.sents))
    text, spans = unmark(lines_en(g, st.sents, 0))
    qas, used, count = [], set(), {}
    for rel, key, slots in g.shuffled(st.qs):
        if len(qas) == n_questions:
            break
        if count.get(rel, 0) >= 2:
            continue
        q = g.pick(QUESTIONS[rel]).format(**slots)
        answer, start = spans[key]
        if q in used:
            continue
        used.add(q)
        count[rel] = count.get(rel, 0) + 1
        qas.append((rel, q, answer, start))
    return scene.__name__, text, qas
