"""English corpus documents. Every function writes one passage of a small world."""

from .core import lines_en
from .words_en import *


def _who(g):
    return ME if g.chance(0.5) else people(g, 1)[0]


def _friend(g, p, k=1):
    out = [q for q in people(g, k + 1) if q.name != p.name]
    return out[0] if k == 1 else out[:k]


WEATHER_FINE = ["the sun was shining", "the sky was clear", "it was warm and still", "the rain had stopped",
                "a light wind was blowing", "the air was mild", "not a cloud was to be seen"]
WEATHER_BAD = ["it was raining hard", "thick fog lay over the fields", "a cold wind was blowing",
               "snow had fallen all night", "the clouds hung low", "it was far too hot"]
FEEL_GOOD = ["happy", "glad", "cheerful", "proud", "content", "calm", "delighted"]
FEEL_BAD = ["sad", "tired", "angry", "worried", "cross", "lonely", "upset"]


def park(g):
    p = _who(g)
    f = _friend(g, p)
    a, b, c = g.sample(FLOWERS, 3)
    ca, cb = g.sample(["red", "yellow", "white", "pink", "purple", "orange", "blue"], 2)
    na, nb = g.num(3, 30), g.num(3, 30)
    place, tree = g.pick(PLACES), g.pick(TREES)
    k = dict(p=p, f=f, a=a, b=b, c=c, ca=ca, cb=cb, na=na, nb=nb, sum=na + nb, place=place, tree=tree,
             wx=g.pick(WEATHER_FINE), good=g.pick(FEEL_GOOD), day=g.pick(WEEKDAYS), a1=singular(a), b1=singular(b))
    s = [g.x("[Today|This morning|On {day}|Last {day}|Yesterday afternoon|After breakfast|Early in the morning] "
             "{p.name} [went to|walked to|visited|took a slow walk through|spent two hours in] the "
             "[park|public garden|botanical garden|flower garden] [in|of] {place}"
             "[| with {f.name}| because {wx}| to look at the {a}].", **k)]
    s.append(g.x("[{wx}, and [the paths were full of people|many families had come out|only a few people were about]."
                 "|[Near the gate|Beside the pond|Along the main path|Under the old {tree}] there were {ca} {a} and "
                 "{cb} {b}[| as far as the eye could see|, and bees went from one to the next]."
                 "|There [p|p]eople were [sitting on the grass|feeding the ducks|drinking tea by the pond]."
                 "]".replace("There [p|p]eople", "Many people"), **k))
    if g.chance(0.6):
        s += [g.x("[{p.name} counted|Out of curiosity {p.he} counted] the flowers [along one path|in one bed|by the "
                  "pond]: there were {na} {a} and {nb} {b}.", **k),
              g.x("[That made {sum} flowers in all|Together that was {sum} flowers|So {p.he} had counted {sum} flowers]"
                  ", and [the {more} were the larger group|there were more {more} than {less}].",
                  more=a if na > nb else b, less=b if na > nb else a, **k) if na != nb else
              g.x("So there were just as many {a} as {b}, {sum} flowers in all.", **k)]
    else:
        s += [g.x("[The {ca} of the {a} was as bright as fresh paint, while the {b} had only just opened|The {b} had opened late this {season}, "
                  "but the {a} were already at their best].",
                  season=g.pick(SEASONS[:2]), **k),
              g.x("[{f.name}, who [knows a lot about plants|works there as a gardener|comes every week],|A gardener "
                  "named {f.name}] [told|explained to] {p.him} that {c} [need|like] "
                  "[a lot of water|plenty of sun|a little shade|rich soil].", **k)]
    s.append(g.x("[{p.name} liked the {a} best because they [smelled so sweet|were so bright|looked like small suns]."
                 "|Of all the flowers, the {cb} {b} pleased {p.him} most."
                 "|{p.he} sat down under a(n) {tree} and [drew one of the {a}|wrote a few lines about the {b}].]", **k))
    s.append(g.x("[On the way home|Later|In the evening] {p.he} [bought a small pot of {c}|told {f.name} about the {a}"
                 "|looked at the photographs of the {b} again][| and felt {good}].", **k))
    if g.chance(0.5):
        s.append(g.x("[Next time|Next week|Next {day}] {p.he} [wanted|hoped|planned] to [bring {f.name} along|come back "
                     "with a camera|see the {c} as well]. ", **k))
    return lines_en(g, s)


def market(g):
    p, q = people(g, 2)
    o, o2 = g.sample(OBJECTS, 2)
    c = g.pick(COLOURS)
    place, day = g.pick(PLACES), g.pick(WEEKDAYS)
    have = g.num(20, 60)
    price = g.num(6, have - 8)
    first = price + g.num(2, 6)
    k = dict(p=p, q=q, o=o, o2=o2, c=c, place=place, day=day, have=have, price=price, first=first, left=have - price,
             more=have - price - 3)
    s = [g.x("[Every {day} there is a market in {place}.|The market of {place} was crowded that {day}."
             "|On {day} the square of {place} was full of stalls.]", **k),
         g.x("{p.name} [had|came with|carried] {have} coins in {p.his} [pocket|purse|bag] and [was looking for|needed|"
             "wanted] a(n) {o}.", **k),
         g.x("[At the third stall|Near the fountain|Behind the bread stall] {q.name} [was selling|offered] a(n) {c} {o} "
             "[and an old {o2}|, but also a(n) {o2}].", **k),
         g.x("[\"How much is the {o}?\" asked {p.name}. \"{first} coins,\" {q.he} [answered|said|replied]"
             "|{q.name} asked {first} coins for the {o}].", **k),
         g.x("[That seemed too much|{p.name} shook {p.his} head|{p.name} thought it over], and [in the end|after some "
             "talk] they agreed on {price} coins.", **k),
         g.x("[{p.he} paid {price} coins and had {left} coins left.|So {p.name} paid {price} of {p.his} {have} coins and "
             "kept {left}.]", **k)]
    if g.chance(0.6):
        s.append(g.x("With three of these {p.he} bought [bread|cheese|apples|a bunch of flowers], which left {p.him} "
                     "{more} coins.", **k))
    s.append(g.x("[Now the {c} {o} stands in {p.his} kitchen|{p.name} still uses the {c} {o} every day|{p.he} gave the "
                 "{o} to {p.his} {p.sib}, who was delighted|At home everyone admired the {c} {o}], "
                 "[and|but] nobody knows [what became of the {o2}|who bought the {o2}].", **k))
    return lines_en(g, s)


def lost(g):
    p, q = people(g, 2)
    o = g.pick(SMALL)
    c = g.pick(COLOURS)
    spots = g.sample(["under the bed", "in the drawer", "behind the sofa", "on the shelf", "in the coat pocket",
                      "beside the stove", "under the carpet", "in the garden shed", "on the window sill",
                      "in the bread bin"], 4)
    k = dict(p=p, q=q, o=o, c=c, s1=spots[0], s2=spots[1], s3=spots[2], wrong=spots[3], place=g.pick(PLACES),
             day=g.pick(WEEKDAYS))
    s = [g.x("[On {day} morning|One evening|Just before lunch|When it was time to leave] {p.name} [could not find|was "
             "missing|noticed that {p.he} had lost] {p.his} {c} {o}.", **k),
         g.x("[First|To begin with] {p.he} looked {s1}, but [there was only dust|it was not there|{p.he} found nothing].", **k),
         g.x("[Then|Next] {p.he} searched {s2}; [that was no use either|no {o} there|again there was nothing].", **k),
         g.x("{p.he} [asked|called|rang up] {q.name}, [who lives next door|{p.his} neighbour|an old friend][|, for help]. "
             "\"[When did you last have it|Where were you when you last used it]?\" {q.he} asked.", **k),
         g.x("[{p.name} thought for a while. \"[Yesterday|Last night], when I came back from {place},\" {p.he} said."
             "|\"In {place}, I think,\" said {p.name}, \"but I had it when I came home.\"]", **k),
         g.x("[Together they looked|Both of them looked|A little later they looked] {s3}, and there [it was|lay the {c} "
             "{o}|was the {o}].", **k),
         g.x("[It had never been {wrong} at all|So it was neither {s1} nor {s2}, but {s3}], and {p.name} [thanked {q.name}|"
             "was grateful to {q.name}|invited {q.name} to tea].", **k)]
    if g.chance(0.5):
        s.append(g.x("[Since then|From that day on] {p.he} [keeps|has kept] the {o} [on a hook by the door|in a small box|"
                     "on a string].", **k))
    return lines_en(g, s)


def weather(g):
    a, b, c = places(g, 3)
    t = g.num(-4, 28)
    d1 = g.num(0, 6)
    day, nxt = WEEKDAYS[d1], WEEKDAYS[(d1 + 1) % 7]
    up = g.num(2, 6)
    warm = g.chance(0.5)
    t2 = t + up if warm else t - up
    k = dict(a=a, b=b, c=c, t=t, t2=t2, up=up, day=day, nxt=nxt, warmer="warmer" if warm else "colder",
             rise="rise" if warm else "fall", mm=g.num(3, 40), wind=g.pick(["north", "south", "east", "west"]),
             speed=g.num(10, 80), sky=g.pick(["cloudy", "clear", "dry", "foggy", "windy", "wet"]))
    s = [g.x("[The weather for {a} and the country around it:|Weather report for {a}, {day}.|Here is the weather for "
             "{day}.] [In {a} it will be {sky} with {t} degrees at noon|{a} expects a {sky} day and {t} degrees].", **k),
         g.x("[A wind from the {wind} blows at {speed} kilometres an hour|The wind comes from the {wind} and reaches {speed} "
             "kilometres an hour], so [small boats should stay in the harbour|hold on to your hat|the evening will feel "
             "cool].", **k),
         g.x("[In {b}, on the other hand,|Further up the valley, in {b},] [up to {mm} millimetres of rain may fall|rain is "
             "likely, about {mm} millimetres|{mm} millimetres of rain are expected]"
             "[| because of the clouds that come over the hills].", **k),
         g.x("[People in {b} should take an umbrella, while those in {a} [will not need one|may leave theirs at home]."
             "|The road between {b} and {c} may be wet, so drive with care.]", **k),
         g.x("On {nxt} it will be {warmer} in {a}: temperatures {rise} by {up} degrees to {t2}[|, says the weather office].",
             **k)]
    if g.chance(0.6):
        s.append(g.x("[{c} stays dry on both days.|In {c} there is little change, and no rain at all.|Only {c} will see "
                     "some sun[| before evening].]", **k))
    if g.chance(0.4):
        s.append(g.x("[In short|To sum up]: rain in {b}, {sky} weather in {a}, and {t2} degrees there by {nxt}.", **k))
    return lines_en(g, s)


HOWTO = [
    ("make a pot of tea", ["boil fresh water", "warm the pot with a little of the water",
                           "put one spoon of leaves for each cup into the pot", "pour the hot water over the leaves",
                           "wait for {n} minutes", "pour the tea through a strainer"],
     "the leaves stay in the water too long", "tea turns bitter"),
    ("plant {fl} in a pot", ["choose a pot with a hole in the bottom", "lay a few stones over the hole",
                             "fill the pot with dark soil", "press the seeds {n} centimetres deep into the soil",
                             "water them gently", "set the pot on a bright window sill"],
     "the water cannot run off", "roots begin to rot"),
    ("bake a plain loaf", ["mix flour, salt and yeast in a bowl", "add warm water little by little",
                           "knead the dough for {n} minutes", "cover the bowl with a cloth and let it rest",
                           "shape the dough into a loaf", "bake it until the crust sounds hollow"],
     "the dough has not rested", "bread stays flat and hard"),
    ("mend a flat tyre", ["turn the bicycle upside down", "take the wheel out of the frame",
                          "pull the tube out from under the tyre", "find the hole by holding the tube in water",
                          "glue a patch over the hole and wait {n} minutes", "put everything back and pump it up"],
     "the patch is put on a wet tube", "glue does not hold"),
    ("write a good letter", ["write the date at the top", "greet the reader by name",
                             "say in one sentence why you are writing", "tell your news in {n} short paragraphs",
                             "ask a question, so that there is something to answer", "sign your name"],
     "the letter says nothing but \"I am fine\"", "reader has nothing to answer"),
    ("clean a window", ["dust the frame with a dry brush", "mix a little vinegar with {n} cups of water",
                        "wash the glass from top to bottom", "wipe off the water with a rubber blade",
                        "dry the edges with a cloth", "polish the glass with old newspaper"],
     "the sun shines on the wet glass", "window dries with stripes"),
    ("cook rice for {n} people", ["measure one small cup of rice for each person", "wash the rice until the water is clear",
                                  "add twice as much water as rice", "bring it to the boil",
                                  "put on the lid and turn down the heat", "leave it alone until the water is gone"],
     "you stir the rice all the time", "grains break and stick"),
    ("make a kite", ["tie two thin sticks into a cross", "run a string around the four ends",
                     "cut paper a little larger than the frame", "fold the edges over the string and glue them",
                     "add a tail of {n} paper bows", "fasten a long line to the middle"],
     "the tail is too short", "kite spins and falls"),
    ("light a camp fire safely", ["look for a bare patch of ground", "lay a ring of stones around it",
                                  "put dry grass and thin twigs in the middle", "build a small tent of sticks over them",
                                  "light the grass on the side of the wind", "keep {n} buckets of water within reach"],
     "the wood is damp", "fire gives more smoke than heat"),
    ("bind a small notebook", ["fold {n} sheets of paper in the middle", "lay them inside one another",
                               "fold a piece of card for the cover", "pierce three holes along the fold",
                               "sew through the holes with strong thread", "tie the thread and cut the ends"],
     "the holes are too near the edge", "paper tears"),
]


def howto(g):
    title, steps, cause, effect = g.pick(HOWTO)
    n = g.num(2, 12)
    p = people(g, 1)[0]
    fl = g.pick(FLOWERS)
    k = dict(t=title.format(n=n, fl=fl), n=n, p=p, cause=cause, effect=effect, fl=fl)
    st = [x.format(n=n, fl=fl) for x in steps]
    if g.chance(0.4):
        st.pop(g.num(1, 4))
    style = g.num(0, 2)
    s = [g.x("[How to {t}.|This is how {p.name} taught me to {t}.|Do you want to {t}? It is not difficult."
             "|{p.name} showed the children how to {t}.]", **k)]
    if style == 0:
        conn = ["First,", "Then", "Next,", "After that,", "Now", "Finally,"]
        for i, x in enumerate(st):
            s.append(f"{conn[i] if i < len(st) - 1 else 'Finally,'} {x}.")
    elif style == 1:
        return lines_en(g, s, 0) + "\n" + "\n".join(
            f"{i + 1}. {x[0].upper()}{x[1:]}." for i, x in enumerate(st)) + "\n" + lines_en(g, [g.x(
                "[Be careful|Remember]: if {cause}, the {effect}.", **k)], 0)
    else:
        s += [f"Begin like this: {st[0]}.", f"When that is done, {st[1]} and {st[2]}.",
              f"{g.pick(['Do not hurry', 'Take your time', 'This part needs patience'])}: {st[3]}."]
        s.append("In the end, " + ", and then ".join(st[4:]) + ".")
    s.append(g.x("[Be careful: if {cause}, the {effect}.|Why all this care? Because the {effect} when {cause}."
                 "|{p.name} says that the {effect} if {cause}, so [do not skip a step|take your time].]", **k))
    if g.chance(0.5):
        s.append(g.x("[With a little practice|After the second or third time], [anyone can {t}|it is easy to {t}].", **k))
    return lines_en(g, s)


def letter(g):
    p, q, r = people(g, 3)
    place, old = places(g, 2)
    o = g.pick(OBJECTS)
    k = dict(p=p, q=q, r=r, place=place, old=old, o=o, job=g.pick(JOBS), pet=g.pick(PETS), pn=g.pick(PET_NAMES),
             n=g.num(2, 12), day=g.pick(WEEKDAYS), month=g.pick(MONTHS), fl=g.pick(FLOWERS), food=g.pick(FOODS),
             d=g.num(1, 28), feel=g.pick(["happy", "glad", "delighted", "pleased"]), bad=g.pick(WEATHER_BAD))
    head = f"{g.pick(['Dear', 'My dear', 'Dear old'])} {p.name},"
    s = [g.x("[Thank you for your letter|Your letter came on {day}|I was {feel} to hear from you], and [I am sorry that I "
             "did not answer sooner|now I have time to answer it].", **k),
         g.x("[Since {month} I have lived|We have now lived] in {place}, [{n} streets from the river|in a house with {n} "
             "rooms|above a small shop], and I [hardly miss|sometimes miss] {old}.", **k),
         g.x("[My neighbour {r.name} is a(n) {job} and|{r.name}, the {job} next door,] [has helped me a great deal|is very "
             "kind|tells the best stories]. {r.he} [even lent me a(n) {o}|brought me {food} on the first evening|has a "
             "{pet} called {pn}].", **k),
         g.x("[Last {day} {bad}, so {r.name} and I stayed inside and [played cards|talked until late|mended the {o}]."
             "|The {fl} in the garden are out now, and {r.name} waters them when I am away.]", **k)]
    if g.chance(0.7):
        s.append(g.x("[Do you still have the {o}|Have you still got that {o} of ours|What became of the old {o}]? I [often "
                     "think of it|would like to see it again|need it here in {place}].", **k))
    s.append(g.x("[Please come and visit me on {d} {month}|Could you come to {place} on {day}|I shall be in {old} again on "
                 "{d} {month}]" + ("" if g.chance(0.5) else "[, and bring {q.name} along|, and give my love to {q.name}]"),
                 **k))
    s[-1] += "?" if s[-1].startswith("Could") else "."
    s.append(g.x("[{r.name} would like to meet you too|I have told {r.name} all about you|There is room enough for you].",
                 **k))
    tail = g.pick(["Yours,", "With love,", "Your friend,", "Best wishes,"]) + " " + q.name
    if any(q.name in x for x in s):
        tail = tail.replace(q.name, people(g, 1)[0].name)
    return head + "\n" + lines_en(g, s, 0) + "\n" + tail


def news(g):
    place, town = places(g, 2)
    p, q = people(g, 2)
    sur = g.pick(SURNAMES)
    b = g.pick(BUILDINGS)
    yr = g.num(1820, 1990)
    cost, n = g.num(12, 95), g.num(40, 900)
    k = dict(place=place, town=town, p=p, q=q, sur=sur, b=b, yr=yr, cost=cost, n=n, day=g.pick(WEEKDAYS),
             month=g.pick(MONTHS), d=g.num(1, 28), mat=g.pick(MATERIALS), age=g.num(19, 80), hr=g.num(2, 11),
             age_b=2020 - yr, mins=g.pick([10, 15, 20, 25, 30, 40, 45, 50]))
    kind = g.num(0, 3)
    if kind == 0:
        s = [g.x("{place}, {d} {month}. [After [long|years of] repairs the old {b} [opened its doors again|was opened again] "
                 "on {day}|The {b} of {place} is open again].", **k),
             g.x("[It was built of {mat} in {yr}|The {mat} building dates from {yr}] and had been [closed|empty] for {hr} "
                 "years because [the roof leaked|the walls were no longer safe|nobody could pay for the repairs].", **k),
             g.x("The work cost {cost} thousand crowns, [half of which was given by the people of {place}|paid by the "
                 "town|more than was planned].", **k),
             g.x("\"[We have waited a long time for this day|I learned to [read|dance|sing] in this house|It is more than a "
                 "{b} to us],\" said {p.name} {sur}, {age}, [who led the work|who came with {p.his} whole family].", **k),
             g.x("About {n} visitors came on the first day, [some of them from {town}|many more than expected].", **k),
             g.x("[{sur} hopes that the {b} will stand for another hundred years.|The {b} is open every day but {day}, and "
                 "{sur} shows visitors around.|From now on {p.name} {sur} will look after the {b}.]", **k)]
    elif kind == 1:
        s = [g.x("[A storm|A heavy storm|Strong wind] [damaged|hit] the {b} [in|of] {place} on {day} [night|evening].", **k),
             g.x("[Part of the roof fell into the street|Two old trees came down|The road to {town} was blocked|{n} houses "
                 "were without light], but nobody was hurt.", **k),
             g.x("{p.name} {sur}, [who lives opposite|the {age}-year-old keeper of the {b}], heard the noise and [called "
                 "the fire brigade|ran outside|woke the neighbours].", **k),
             g.x("The firemen needed {hr} hours to clear the [road|square]. ", **k),
             g.x("[\"I have never seen anything like it,\" {p.he} said.|\"I thought the {b} would fall,\" said {sur}.|Without "
                 "{sur} it would have been worse, the firemen said.]", **k),
             g.x("[The {b} will stay closed until {month}|Repairs will cost about {cost} thousand crowns|The people of "
                 "{town} have offered their help], because [the damage is greater than it looked|the {mat} walls have "
                 "cracks].", **k)]
    elif kind == 2:
        team1, team2 = place, town
        g1, g2 = g.num(2, 6), g.num(0, 1)
        k.update(g1=g1, g2=g2, dif=g1 - g2)
        s = [g.x("[{place} beat {town} by {g1} to {g2} on {day}|The team of {place} won {g1} to {g2} against {town}].", **k),
             g.x("[It was match number {hr} of the season|{n} people watched the match] [in spite of the rain|in bright "
                 "sunshine|on a cold afternoon].", **k),
             g.x("{p.name} {sur} scored the first goal after {mins} minutes, and [{q.name} added another|the second came "
                 "from {q.name}] [soon after|before the break].", **k),
             g.x("{town} [tried hard|had its chances too], [but could not get past the goalkeeper|yet the ball would not go "
                 "in|but its best player was hurt].", **k),
             g.x("\"[We deserved it|{q.name} and I have played together since school|The wind helped us],\" said {sur} [after "
                 "the match|with a smile].", **k),
             g.x("With this win {place} [is first in the table|moves past {town}|goes to the final in {month}][|, and {sur} has "
                 "now scored {hr} goals this year].", **k)]
    else:
        k.update(o=g.pick(OBJECTS), o2=g.pick(SMALL))
        s = [g.x("[A(n) {o} that had been missing for {hr} years|A long lost {o}] [was found|has turned up] in {place}.", **k),
             g.x("{p.name} {sur}, a(n) {job} from {town}, [discovered it|came upon it] [behind a wall|in an attic|at the "
                 "bottom of a well|under the floor] of the {b} [while {p.he} was looking for a {o2}|during repairs].",
                 job=g.pick(JOBS), **k),
             g.x("[It is thought to have been made in {yr}|A date on it says {yr}], [so it is older than the {b} itself|and "
                 "it is worth {cost} thousand crowns|when {place} was only a village].", **k),
             g.x("[{q.name}, who runs the museum,|The keeper of the museum, {q.name},] [could hardly believe it|called it a "
                 "small miracle|asked for time to study it].", **k),
             g.x("{sur} [does not want to sell the {o}|gave the {o} to the museum|was given {cost} crowns as a reward] and "
                 "[went straight back to work|says that anyone would have done the same].", **k),
             g.x("[From {d} {month} the {o} can be seen in {place}|{q.name} will show the {o} to the public in {month}].", **k)]
    return lines_en(g, s)


def sums(g):
    p, q = people(g, 2)
    thing = g.pick(FRUIT + ["marbles", "stamps", "shells", "buttons", "eggs", "pencils", "biscuits", "coins"])
    a = g.num(6, 20)
    b = g.num(2, a - 2)
    c = g.num(2, 10)
    w = words if g.chance(0.5) else str
    left, total = a - b, a - b + c
    k = dict(p=p, q=q, t=thing, a=w(a), b=w(b), c=w(c), left=w(left), total=w(total), back=w(b),
             place=g.pick(PLACES), sum=w(b + c))
    s = [g.x("[{p.name} had {a} {t}|In the morning there were {a} {t} in {p.poss} basket|{p.name} brought {a} {t} home from "
             "{place}].", p=p, **{i: v for i, v in k.items() if i != "p"})]
    if g.chance(0.5):
        s += [g.x("{p.he} gave {b} of them to {q.name}[, who had none|, because {q.he} had asked for them|].", **k),
              g.x("[Now {p.name} had {left} {t} and {q.name} had {b}.|{a} less {b} is {left}, so {p.he} kept {left} {t}.]", **k),
              g.x("[Later|In the afternoon] {p.he} [found|bought|was given] {c} more[|, and was glad of it].", **k),
              g.x("[{left} and {c} make {total}, so [in the evening|at the end] {p.name} had {total} {t}.|How many {t} did "
                  "{p.name} have then? {left} and {c} make {total}.]", **k),
              g.x("{q.name} still had {b}[, for {q.he} had not touched them|][; that is {cmp} than {p.name}].",
                  cmp="fewer" if b < total else "more" if b > total else "neither more nor fewer", **k)]
    else:
        k["cq"] = w(b + c)
        s += [g.x("{q.name} had only {b}, but {p.poss} [aunt|neighbour|father] gave {q.him} {c} more.", **k),
              g.x("[{b} and {c} make {cq}, so {q.name} now had {cq} {t}.|That made {cq} {t} for {q.name}.]", **k)]
        d = a - b - c
        if d > 0:
            s.append(g.x("{p.name} [still had more|was still ahead]: {a} against {cq}, a difference of {d}.", d=w(d), **k))
        elif d < 0:
            s.append(g.x("[Now {q.name} had more|{q.name} was now ahead]: {cq} against {a}, a difference of {d}.", d=w(-d), **k))
        else:
            s.append(g.x("Now both had the same number: {a} each.", **k))
        s.append(g.x("Together they had {sum2} {t}[|, enough for the whole street|, more than they could carry].",
                     sum2=w(a + b + c), **k))
    return lines_en(g, s)


def talk(g):
    p, q = people(g, 2)
    place, other = places(g, 2)
    o = g.pick(OBJECTS)
    h = g.num(1, 10)
    k = dict(p=p, q=q, place=place, other=other, o=o, c=g.pick(COLOURS), c2=g.pick(COLOURS), h=words(h), h2=words(h + 1),
             day=g.pick(WEEKDAYS), food=g.pick(FOODS), drink=g.pick(DRINKS), r=_friend(g, p), bad=g.pick(WEATHER_BAD),
             n=g.num(3, 40), job=g.pick(JOBS))
    if k["r"].name == q.name:
        k["r"] = [x for x in people(g, 3) if x.name not in (p.name, q.name)][0]
    kind = g.num(0, 3)
    if kind == 0:
        t = [("p", "[Good morning|Hello], {q.name}. [Where are you going|Are you going out]?"),
             ("q", "To {place}. [I want to buy a(n) {o}|My {o} is broken and I need a new one]."),
             ("p", "[The shop in {place} is closed on {day}s|There is no shop for that in {place}]. [You had better go|Try "
                   "your luck|Why don't you go] to {other}."),
             ("q", "[To {other}|All the way to {other}]? [That is {n} kilometres|How do I get there]!"),
             ("p", "[There is a bus at {h} o'clock|The bus leaves at {h}]. {r.name} is going too, [so you will have "
                   "company|ask {r.him} to help you]."),
             ("q", "[Then I shall take the bus at {h}|At {h}, then]. [Thank you, {p.name}|Thanks]. [Shall I bring you "
                   "anything from {other}|I hope {r.name} does not mind]?")]
    elif kind == 1:
        t = [("p", "[Have you seen|Do you know where I left] my {c} {o}?"),
             ("q", "[Was it not {c2}|I thought it was {c2}]?" if k["c"] != k["c2"] else "[The {c} one|The big {c} one]?"),
             ("p", "[No, {c}|It is {c}, I am sure]. I [had it in|took it to] {place} on {day}."),
             ("q", "[Then ask {r.name}|{r.name} may know]. {r.he} was in {place} [as well|on {day} too]."),
             ("p", "[I did ask {r.name}|{r.name} says no]. {r.he} saw [nothing|only a cat]."),
             ("q", "[Look under your chair|Turn round], {p.name}. [What is that|Is that not it]?"),
             ("p", "[Oh|Well], [there it is|my {o}]! [I must need glasses|How could I miss it]?")]
    elif kind == 2:
        t = [("p", "[What would you like|What may I bring you], {q.name}? We have {food} [today|and bread]."),
             ("q", "[I had {food} yesterday|{food} again]? [Just|Only] a cup of {drink}, please."),
             ("p", "[{drink} and nothing else|Only {drink}]? [You look tired.|Is anything wrong?]"),
             ("q", "[I walked here from {place}|I came all the way from {place} on foot], and {bad}."),
             ("p", "[From {place}|On such a day]! [Sit by the stove|Take off your coat] [then|first]."),
             ("q", "[You are kind, {p.name}|Thank you, {p.name}]. [And some {food} after all|Well, perhaps a little {food}].")]
    else:
        t = [("p", "[What did you do at the weekend|How was your weekend], {q.name}?"),
             ("q", "I [visited|went to see] {r.name} in {place}. {r.he} [works there as a(n) {job}|has become a(n) {job}]."),
             ("p", "[A(n) {job}|Really, a(n) {job}]? I thought {r.he} [was a(n) {j2}|wanted to be a(n) {j2}]."),
             ("q", "[That was before {r.he} moved to {place}|Not any more]. [Now {r.he} earns|{r.he} earns] {n} crowns a day."),
             ("p", "[{n} crowns|That much]? [Then I shall move to {place} too|Does {place} need another {job}]?"),
             ("q", "[Ask {r.name}|{r.name} can tell you]. [{r.he} comes here on {day}|You can write to {r.him}].")]
        k["j2"] = g.pick([j for j in JOBS if j != k["job"]])
    if g.chance(0.5):
        return "\n".join(f"{(p if w == 'p' else q).name}: " + lines_en(g, [g.x(x, **k)], 0) for w, x in t)
    said = ["said", "answered", "asked", "replied"]
    out = []
    for i, (w, x) in enumerate(t):
        who = p if w == "p" else q
        line = g.x(x, **k)
        line = line[0].upper() + line[1:]
        verb = "asked" if line.endswith("?") else g.pick(["said", "answered"] if i else ["said"])
        if line.endswith("."):
            out.append(f"\"{line[:-1]},\" {verb} {who.name}.")
        else:
            out.append(f"\"{line}\" {verb} {who.name}.")
    return "\n".join(lines_en(g, [x], 0) for x in out) if g.chance(0.5) else lines_en(g, out, 0)


def review(g):
    what = g.pick(["café", "hotel", "book", "film", "restaurant", "concert"])
    place = g.pick(PLACES)
    p = people(g, 1)[0]
    sur = g.pick(SURNAMES)
    good = g.chance(0.5)
    k = dict(w=what, place=place, p=p, sur=sur, n=g.num(2, 12), price=g.num(5, 60), food=g.pick(FOODS),
             drink=g.pick(DRINKS), day=g.pick(WEEKDAYS), job=g.pick(JOBS), o=g.pick(OBJECTS))
    if what in ("café", "hotel", "restaurant"):
        name = g.x("[The [Old|Blue|Golden|Little|Red] [Anchor|Lamp|Goose|Garden|Bridge|Swan|Kettle]]")
        k["name"] = name
        s = [g.x("{name} is a [small|new|quiet] {w} in {place}[, run by {p.name} {sur}|, near the market].", **k),
             g.x("We [came|stopped] there on {day} and [stayed for {n} hours|paid {price} crowns for two].", **k)]
        s += g.some(["The {food} was [fresh and warm|better than at home|well seasoned].", "{p.name}, who runs the place, "
                     "[greeted us like old friends|found a quiet table for us].", "[Everything was clean|The rooms "
                     "were bright], and the {drink} [came quickly|was served hot]."], 2, **k) if good else g.some(
            ["The {food} was [cold|far too salty|old].", "{p.name}, who runs the place, [hardly looked at us|forgot us "
             "twice].", "[The table was sticky|It was noisy and draughty], and the {drink} [came after {n} more "
             "minutes|tasted of soap]."], 2, **k)
        s.append(g.x("[{price} crowns is [little|a fair price] for that.|For {food} like this I would walk to {place} "
                     "again.]" if good else "[{price} crowns is too much for that.|For such {food} nobody needs to travel "
                     "to {place}.]", **k))
        s.append(g.x("[{name} deserves every praise|We shall come back to {name}|Thank you, {p.name}]." if good else
                     "[{name} will not see us again|I am sorry to say it, but avoid {name}|{name} could learn from its "
                     "neighbours].", **k))
    else:
        q = _friend(g, p)
        k.update(q=q, title=g.x("\"The [Silent|Last|Lost|Golden|Second|Broken] [{a}|{b}]\"",
                                a=g.pick(OBJECTS).title(), b=g.pick(BUILDINGS).title()))
        noun = {"book": "book", "film": "film", "concert": "concert"}[what]
        k["noun"] = noun
        s = [g.x("{title} is [a new|the latest] [book|novel] by {p.name} {sur}." if what == "book" else
                 "{title} is [a new|the latest] film by {p.name} {sur}." if what == "film" else
                 "On {day} {p.name} {sur} played {title} in {place}.", **k)]
        s.append(g.x("[It tells of {q.name}, a(n) {job} who loses a(n) {o} and sets out to find it."
                     "|At the centre stands a(n) {job} called {q.name}, who lives alone with a(n) {o}.]" if what !=
                     "concert" else "[With {p.him} was {q.name}, who [sang|turned the pages].|{q.name}, {p.his} old teacher, "
                     "[conducted|sat in the first row].]", **k))
        s += g.some(["[The beginning is slow, but it pays to wait|From the first minute it held me].",
                     "{q.name} [is someone one does not forget|made me laugh and cry].", "{sur} [knows when to be silent|"
                     "has never been better]."], 2, **k) if good else g.some(
            ["[The beginning is slow, and it never gets faster|After {n} minutes I looked at the clock].",
             "{q.name} [remains pale|hardly seems alive].", "{sur} [repeats what we have heard before|has done much "
             "better work]."], 2, **k)
        s.append(g.x("[In the end|When the last word was spoken|When it was over] I [was sorry that it was over|wanted to begin again]."
                     if good else "[In the end|When it was over] I [was only relieved|wanted my money back].", **k))
        s.append(g.x("[{title} is well worth {price} crowns|I recommend {title} to everyone]." if good else
                     "[Save your {price} crowns|{title} is not worth {price} crowns].", **k))
    return lines_en(g, s)


def country(g):
    c = g.pick(COUNTRIES)
    d = g.pick([x for x in COUNTRIES if x is not c])
    k = dict(c=c[0], cap=c[1], riv=c[2], fl=c[3], coin=c[4], an=c[5], dish=c[6], d=d[0], dcap=d[1], dcoin=d[4],
             dan=d[5], p=people(g, 1)[0], o=g.pick(OBJECTS), n=g.num(3, 30), job=g.pick(JOBS))
    facts = ["[The capital of {c} is {cap}|{cap} is the capital of {c}|{c} is governed from {cap}, its capital].",
             "[The longest river of {c} is the {riv}|The river {riv} runs through {c}|Through {cap} flows the {riv}, the "
             "great river of {c}].",
             "[The national flower of {c} is the {fl}|On the flag of {c} one sees a(n) {fl}, the flower of the country].",
             "[People in {c} pay with the {coin}|The money of {c} is the {coin}|In {c} prices are given in the {coin}].",
             "[The animal of {c} is the {an}|The {an} is the animal that stands for {c}|Children in {c} love stories about "
             "the {an}].",
             "[A favourite dish in {c} is {dish}|Visitors to {c} should try the {dish}|On feast days the people of {c} eat "
             "{dish}]."]
    s = []
    if g.chance(0.4):
        s.append(g.x("[{p.name}, a(n) {job} by trade, has just come back from {c}.|Last year {p.name} spent {n} days in {c}."
                     "|In school {p.name} gave a short talk about {c}.]", **k))
    s += [g.x(f, **k) for f in g.shuffled(facts)[:g.num(3, 5)]]
    if g.chance(0.6):
        s.append(g.x("[In {d}, by contrast, the capital is {dcap} and people pay with the {dcoin}|Its neighbour {d} has "
                     "another animal, the {dan}|Who travels on to {d} must change {coin} for {dcoin} and will find the capital "
                     "in {dcap}].", **k))
    if g.chance(0.5):
        s.append(g.x("[So remember: {c}, {cap}, {riv}|In {cap} {p.name} bought a(n) {o} and paid {n} in {coin} money|{p.name} "
                     "liked {cap} best, and the {dish} most of all].", **k))
    return lines_en(g, s)


def lesson(g):
    p, q, r = people(g, 3)
    subj, other = g.sample(SUBJECTS, 2)
    k = dict(p=p, q=q, r=r, subj=subj, other=other, place=g.pick(PLACES), n=g.num(8, 30), absent=g.num(2, 6),
             day=g.pick(WEEKDAYS[:5]), h=words(g.num(8, 11)), o=g.pick(OBJECTS), feel=g.pick(FEEL_GOOD))
    k["present"] = k["n"] - k["absent"]
    s = [g.x("{p.name} teaches {subj} at the school of {place}[| and has done so for many years].", **k),
         g.x("[There are {n} pupils in {p.his} class|{p.his} class has {n} pupils], but on {day} {absent} of them were ill, "
             "so only {present} came.", **k),
         g.x("At {h} o'clock {p.he} [asked|wanted to know], \"Who can [explain|tell us] [what we did last week|the last "
             "lesson]?\"", **k),
         g.x("[Nobody answered but {q.name}|Only {q.name} put up {q.his} hand|{q.name} knew it], [though|and] {q.he} is "
             "usually [better at {other}|very quiet|half asleep at this hour].", **k),
         g.x("{r.name}, who sits beside {q.him}, [was drawing a(n) {o}|was looking out of the window|had forgotten {r.his} "
             "book] and [heard nothing|turned red].", **k),
         g.x("[\"Well done, {q.name},\" said {p.name}. \"And you, {r.name}, will read page {n} at home.\"|{p.name} praised "
             "{q.name} and asked {r.name} to stay behind.]", **k),
         g.x("[After the lesson {r.name} asked {q.name} to help {r.him} with {subj}, and {q.he} agreed.|In the end {r.name} "
             "was {feel} too, for {q.name} had shown {r.him} {q.his} notes.|Next {day} it was {r.name} who knew the answer, "
             "and {q.name} who was absent.]", **k)]
    if g.chance(0.3):
        s.pop(4)
        s[-1] = g.x("{q.name} was {feel}, for {p.name} does not praise anyone lightly.", **k)
        s[-2] = g.x("\"Well done, {q.name},\" said {p.name}.", **k)
    return lines_en(g, s)


def journey(g):
    p, q = people(g, 2)
    a, b, c = places(g, 3)
    h, m = g.num(6, 10), g.pick(["05", "10", "15", "20", "30", "40", "45"])
    dur, late = g.num(2, 5), g.num(10, 55)
    k = dict(p=p, q=q, a=a, b=b, c=c, t=f"{h}:{m}", arr=f"{h + dur}:{m}", dur=words(dur), late=late,
             veh=g.pick(["train", "bus", "boat"]), day=g.pick(WEEKDAYS), o=g.pick(OBJECTS), col=g.pick(COLOURS),
             why=g.pick(["a tyre was flat", "the driver had overslept", "the bridge was being repaired",
                         "there was thick fog", "a tree had fallen in the night", "the engine was cold"]),
             reason=g.x("[to see {p.his} {aunt}|to sell a(n) {o}|to look for work|to visit the fair]", p=p,
                        aunt=g.pick(["aunt", "uncle", "cousin", "old teacher"]), o=g.pick(OBJECTS)))
    if k["veh"] == "train" and k["why"] == "a tyre was flat":
        k["why"] = "a cow stood on the line"
    if k["veh"] == "boat":
        k["why"] = g.pick(["there was thick fog", "the tide was too low", "the captain had overslept"])
    s = [g.x("On {day} {p.name} [wanted to travel|travelled|set out] from {a} to {b} {reason}.", **k),
         g.x("The {veh} was to leave {a} at {t}, [and the journey takes {dur} hours, so {p.he} should have been in {b} at "
             "{arr}|with a stop in {c}, and arrive at {arr}].", **k),
         g.x("But {why}, and [so the {veh} was {late} minutes late|they left {late} minutes after {t}].", **k),
         g.x("[On the way|During the journey] {p.he} met {q.name}, who [was carrying a(n) {col} {o}|shared {q.his} bread with "
             "{p.him}|had lived in {c} as a child].", **k),
         g.x("[They talked about {c} until the {veh} stopped.|{q.name} knew {b} well and told {p.him} where to stay.|\"{c} is "
             "nicer than {b},\" said {q.name}, \"but do not tell anyone.\"]", **k),
         g.x("{p.name} [arrived|reached {b}] {late} minutes late, [but {p.he} did not mind|and nobody was waiting any "
             "more|and {q.name} carried {p.his} bag].", **k),
         g.x("[Without the delay {p.he} would never have met {q.name}|Since then {p.name} and {q.name} write to each "
             "other|In {b} {p.he} and {q.name} said goodbye].", **k)]
    return lines_en(g, s)


def boxes(g):
    p, q = people(g, 2)
    o, o2 = g.sample(SMALL, 2)
    c = g.sample(COLOURS, 3)
    box = g.sample(["box", "bag", "drawer", "basket", "tin", "jar", "chest"], 2)
    b1, b2, b3 = f"{c[0]} {box[0]}", f"{c[1]} {box[0]}", f"{c[2]} {box[1]}"
    k = dict(p=p, q=q, o=o, o2=o2, b1=b1, b2=b2, b3=b3)
    s = [g.x("[On the table stood|In the room there were] a(n) {b1}, a(n) {b2} and a(n) {b3}.", **k),
         g.x("{p.name} [put|laid|placed] the {o} in the {b1} and the {o2} in the {b2}.", **k)]
    loc, loc2 = b1, b2
    k["loc"] = b1
    if g.chance(0.7):
        s.append(g.x("[Then|A little later|When {p.name} had left the room,] {q.name} [came and |]took the {o} out of the {b1} "
                     "and [hid|put] it in the {b3}.", **k))
        loc = b3
    if g.chance(0.6):
        s.append(g.x("[After that|In the evening] {q.he} moved the {o2} from the {b2} to the {b1}[ as well|]." if loc == b3 else
                     "{q.name} moved the {o2} from the {b2} to the {b3}.", **k))
        loc2 = b1 if loc == b3 else b3
    k.update(loc=loc, loc2=loc2)
    empty = [b for b in (b1, b2, b3) if b not in (loc, loc2)]
    if loc != b1:
        s.append(g.x("[When {p.name} came back, {p.he}|The next morning {p.name}] [looked in|opened] the {b1}, [because {p.he} had left "
                     "the {o} there|thinking of the {o}], but [the {o} was gone|it was not there any more|{p.he} found no {o}].",
                     **k))
        s.append(g.x("[\"Look in the {loc},\" said {q.name}[ with a smile|].|\"Where is my {o}?\" {p.he} asked. \"In the {loc},\" "
                     "{q.name} [answered|said].]", **k))
    s.append(g.x("So [in the end|now] the {o} was in the {loc} and the {o2} in the {loc2}[, and the {e} was empty|].",
                 e=empty[0], **k) if empty else g.x("So now the {o} was in the {loc} and the {o2} in the {loc2}.", **k))
    if g.chance(0.5):
        s.append(g.x("[{p.name} and {q.name} both laughed|{q.name} promised to ask next time|{p.name} closed the {loc} with "
                     "care].", **k))
    return lines_en(g, s)


def compare(g):
    names = people(g, 3)
    a, b, c = g.shuffled(names)
    adj, adv, most, least = g.pick([("older", "old", "oldest", "youngest"), ("taller", "tall", "tallest", "shortest"),
                                    ("faster", "fast", "fastest", "slowest"), ("stronger", "strong", "strongest", "weakest"),
                                    ("richer", "rich", "richest", "poorest")])
    n, m = g.num(2, 9), g.num(2, 9)
    base = g.num(20, 40)
    k = dict(a=a, b=b, c=c, adj=adj, adv=adv, most=most, least=least, place=g.pick(PLACES), n=n, m=m, o=g.pick(OBJECTS),
             base=base, bb=base + m, aa=base + m + n, sum=n + m)
    first = listing([x.name for x in names])
    s = [g.x("{first} [live in {place}|are neighbours in {place}|went to school together in {place}].", first=first, **k)]
    if adj == "older":
        s += [g.x("{a.name} is {n} years older than {b.name}, and {b.name} is {m} years older than {c.name}.", **k),
              g.x("[Since|As] {c.name} is {base}, {b.name} must be {bb} and {a.name} {aa}.", **k),
              g.x("[Between {a.name} and {c.name} there are {sum} years|So {a.name} is {sum} years older than {c.name}].", **k)]
    else:
        s += g.shuffled([g.x("{a.name} is {adj} than {b.name}.", **k),
                         g.x("{b.name} [in turn |]is {adj} than {c.name}.", **k)])
        s.append(g.x("[From this it follows|So it is clear] that {a.name} is [also |]{adj} than {c.name}.", **k))
    s.append(g.x("[Of the three, {a.name} is the {most} and {c.name} the {least}|{a.name} is therefore the {most} of them, "
                 "{c.name} the {least}, and {b.name} comes in between].", **k))
    s.append(g.x("[When they need a(n) {o}, {c.name} has to fetch it, because {c.he} is the {least}|{b.name}, in the "
                 "middle, does not [care|mind]|They do not [talk|quarrel] about it, but everyone in {place} knows it].", **k))
    return lines_en(g, s)


def room(g):
    p, q = people(g, 2)
    o = g.sample(OBJECTS, 5)
    c = g.sample(COLOURS, 3)
    place = g.pick(PLACES)
    k = dict(p=p, q=q, o1=o[0], o2=o[1], o3=o[2], o4=o[3], o5=o[4], c1=c[0], c2=c[1], c3=c[2], place=place, n=g.num(3, 9),
             b=g.pick(BUILDINGS), yr=g.num(1850, 1990), job=g.pick(JOBS))
    s = [g.x("{p.name} [lives|rents a room] [in|above] an old {b} in {place}.", **k),
         g.x("[The room is small but bright|It has only one window|One climbs {n} steps to reach it], and [on the left|in the "
             "corner] stands a(n) {c1} {o1}.", **k),
         g.x("[Beside the {o1}|On the other side|Next to the door] [there is|one sees] a(n) {c2} {o2} [and on the floor|and, on "
             "a nail,] a(n) {o3}.", **k),
         g.x("The {o3} [once belonged to {q.name}, a(n) {job}|was a present from {q.name}, who is a(n) {job}]"
             "[|, and {p.he} would never part with it|; it was made in {yr}].", **k),
         g.x("[{p.name} found the {o2} in the street|The {o2} came from a market|Nobody knows how old the {o2} is], "
             "[but the {o1} is new|while the {o1} was already there].", **k),
         g.x("[When {q.name} comes to visit, {q.he} always looks for the {o3} first|Under the window, on a shelf, lie a(n) {o4} "
             "and a(n) {c3} {o5}].", **k),
         g.x("[A(n) {c1} {o1}, a(n) {c2} {o2}, an old {o3}: {p.name} needs no more|{p.he} could do without the {o1}, {p.he} says, but "
             "not without the {o3}].", **k)]
    return lines_en(g, s)


FABLE = ["fox", "crow", "hare", "tortoise", "bear", "mouse", "owl", "wolf", "hedgehog", "frog", "heron", "squirrel",
         "badger", "otter", "sparrow", "donkey"]


def fable(g):
    a, b = g.sample(FABLE, 2)
    na, nb = g.sample(PET_NAMES, 2)
    t = g.pick(["a piece of cheese", "a basket of nuts", "a pot of honey", "a sack of corn", "a ripe pear"])
    short = t.split()[-1] if " of " in t else "pear"
    k = dict(a=a, b=b, na=na, nb=nb, t=t, sh=short, tree=g.pick(TREES), river=g.pick(RIVERS), season=g.pick(SEASONS))
    s = [g.x("[Once|Long ago] a(n) {a} [called|named] {na} lived [under a(n) {tree}|by the river {river}|at the edge of the "
             "wood].", **k),
         g.x("One {season} {na} found {t} and [hid it|wanted to keep it] [for the winter|from everyone else].", **k),
         g.x("[A(n) {b}, whose name was {nb}, saw this|But {nb} the {b} had watched everything] and said, \"[Share the {sh} with "
             "me|Give me half of the {sh}], and I will [show you the way across the {river}|warn you when danger comes|carry you "
             "when you are tired].\"", **k)]
    if g.chance(0.5):
        s += [g.x("{na} [laughed|shook its head]. \"I do not need a(n) {b},\" the {a} said, and [ate alone|went away].", **k),
              g.x("[Soon after|The next day] the {river} rose, and {na} [could not get away|sat alone on a stone], the {sh} floating "
                  "away on the water.", **k),
              g.x("Only {nb} came. \"[I have no {sh}|Nobody paid me],\" said the {b}, \"but [I can swim|I cannot leave you "
                  "here].\"", **k),
              g.x("[From that day on {na} shared everything with {nb}|Since then the {a} has never eaten alone]. [Who shares has "
                  "friends|A friend is worth more than {t}].", **k)]
    else:
        s += [g.x("{na} thought about it and [agreed|gave {nb} half of it].", **k),
              g.x("[In the cold months|When the {river} froze] the {b} kept its word[|, and more than once], while those who had "
                  "shared nothing went hungry.", **k),
              g.x("\"[You gave me half of the {sh}|Half was enough for both],\" said {nb}, \"and now we both [are alive|have "
                  "something].\"", **k),
              g.x("[So the {a} and the {b} stayed friends|{na} never forgot it], and [if they have not moved|if the {tree} still "
                  "stands], they [live there still|share {t} to this day].", **k)]
    return lines_en(g, s)


def routine(g):
    p, q = people(g, 2)
    h = g.num(5, 7)
    place, other = places(g, 2)
    k = dict(p=p, q=q, place=place, other=other, job=g.pick(JOBS), h1=h, h2=h + 2, h3=h + 7, h4=h + 12, food=g.pick(FOODS),
             drink=g.pick(DRINKS), pet=g.pick(PETS), pn=g.pick(PET_NAMES), ins=g.pick(INSTRUMENTS), day=g.pick(WEEKDAYS[5:]),
             wk=g.pick(WEEKDAYS[:5]))
    s = [g.x("{p.name} is a(n) {job} in {place}, and {p.his} days [are much alike|follow a plan].", **k),
         g.x("{p.he} gets up at {h1}:00, feeds {pn}, {p.his} {pet}, and [makes a pot of {drink}|drinks a cup of {drink}|reads the newspaper with a "
             "cup of {drink}].", **k),
         g.x("[Work begins at {h2}:00|From {h2}:00 on {p.he} works], [two hours after {p.he} gets up|and {p.he} is never late].", **k),
         g.x("At {h3}:00 [there is {food}|{p.he} eats {food}][| with {q.name}, who works next door|, alone or with {q.name}].", **k),
         g.x("In the evening, at {h4}:00, {p.he} [plays the {ins}|practises the {ins}|goes for a walk with {pn}], [even when {p.he} "
             "is tired|while {q.name} listens].", **k),
         g.x("[Only {day} is different|On {day}s everything changes]: then {p.he} sleeps until {h2}:00 and goes to {other}.", **k),
         g.x("[Last {wk}, however, {q.name} rang at {h1}:00, before the {drink} was ready: {pn} had run off to {other}|\"A day without "
             "the {ins} is a lost day,\" {p.he} tells {q.name}|If you want to meet {p.him}, come to {place} before {h2}:00].", **k)]
    return lines_en(g, s)


def mystery(g):
    a, b, c, d = people(g, 4)
    o = g.pick(["vase", "window", "mirror", "teapot", "clock", "lamp", "bowl", "jug"])
    pl = g.sample(["in the garden", "at the market", "at the dentist's", "in the cellar", "on the roof", "at school",
                   "in the library", "at the station"], 2)
    k = dict(a=a, b=b, c=c, d=d, o=o, p1=pl[0], p2=pl[1], h=words(g.num(2, 6)), col=g.pick(COLOURS), day=g.pick(WEEKDAYS),
             clue=g.pick(["wet footprints", "a button", "crumbs of cake", "a muddy ball", "a torn sleeve"]))
    s = [g.x("When {d.name} came home on {day}, the {col} {o} [was broken|lay in pieces].", **k),
         g.x("[Three people had a key: {a.name}, {b.name} and {c.name}|Only {a.name}, {b.name} and {c.name} could have done "
             "it].", **k),
         g.x("\"At {h} o'clock I was {p1},\" said {a.name}, and [many people had seen {a.him} there|that was true].", **k),
         g.x("{b.name} [said that {b.he} had been|had spent the afternoon] {p2}, [and {d.name}'s neighbour had talked to {b.him} "
             "there|and could prove it].", **k),
         g.x("{c.name} [said nothing at first|looked at the floor|only asked what the {o} had cost].", **k),
         g.x("[Beside the {o} {d.name} had found {clue}|On the floor there lay {clue}].", **k),
         g.x("[It was not {a.name}, for {a.he} had been {p1}|{a.name} had been {p1}], and it was not {b.name}, [who had been {p2}|for "
             "{b.he} had been {p2}]. [So|Therefore] it [must have been|was] {c.name}.", **k),
         g.x("\"I am sorry,\" {c.he} said [at last|quietly], and [bought a new {o}|mended the {o} with glue|paid for the {o}].", **k)]
    return lines_en(g, s)


def festival(g):
    place, other = places(g, 2)
    p, q, r = people(g, 3)
    n1, n2, n3 = sorted(g.sample(range(5, 60, 2), 3), reverse=True)
    veg = g.pick(VEG)
    k = dict(place=place, other=other, p=p, q=q, r=r, veg=veg, v1=singular(veg), n1=n1, n2=n2, n3=n3, month=g.pick(MONTHS),
             d=g.num(1, 28), fl=g.pick(FLOWERS), prize=g.pick(OBJECTS), col=g.pick(COLOURS), ins=g.pick(INSTRUMENTS),
             dif=n1 - n2)
    s = [g.x("[Every year in {month}|On {d} {month}] the people of {place} [hold|celebrate] [the feast of the {v1}|their {v1} "
             "festival].", **k),
         g.x("[The streets are hung with {fl}|There is music in every street|Guests come from {other} and even further away], and "
             "[whoever brings the heaviest {v1} wins a prize|the largest {v1} is given a prize].", **k),
         g.x("[This year|Last time] {p.name}'s {v1} weighed {n1} kilos, {q.name}'s {n2} and {r.name}'s only {n3}.", **k),
         g.x("[So {p.name} won, {dif} kilos ahead of {q.name}|The winner was therefore {p.name}, with {dif} kilos more than "
             "{q.name}], and [was given|received] a(n) {col} {prize}.", **k),
         g.x("[{r.name}, who came last, [played the {ins} for everybody|laughed the loudest]|{q.name}, who came second, shook "
             "{p.name}'s hand].", **k),
         g.x("[Afterwards|In the evening] the {n1} kilos of {p.name}'s {v1} [became soup for the whole of {place}|were cut up and "
             "shared out], [and nobody went home hungry|and even the guests from {other} had enough].", **k),
         g.x("[\"Next year I shall win,\" said {q.name}|{p.name} hung the {prize} over the door|What {p.he} will do with the "
             "{prize}, {p.name} does not know yet].", **k)]
    return lines_en(g, s)


def gift(g):
    p, q, r = people(g, 3)
    o, o2 = g.sample(OBJECTS, 2)
    k = dict(p=p, q=q, r=r, o=o, o2=o2, col=g.pick(COLOURS), age=words(g.num(6, 60)), place=g.pick(PLACES), hobby=g.pick(SPORTS),
             why=g.pick(["the old one was broken", "{} had always wished for one".format(q.he), "{} was too shy to ask for one"
                         .format(q.he)]), d=g.num(1, 28), month=g.pick(MONTHS), feel=g.pick(["happy", "pleased", "delighted", "very content"]),
             bad=g.pick(["sad", "upset", "cross", "worried", "disappointed"]))
    s = [g.x("On {d} {month} {q.name} turned {age}.", **k),
         g.x("{p.name} gave {q.him} a(n) {col} {o}, because {why}.", **k),
         g.x("[From {r.name} {q.he} got|{r.name}, who had forgotten the day, quickly brought] a(n) {o2}[| wrapped in newspaper| from "
             "{place}].", **k),
         g.x("{q.name} was {feel} with the {o} and [used it at once|showed it to everyone|put it beside {q.his} bed].", **k),
         g.x("[The {o2}, however, {q.he} already had|But {q.he} could not do anything with the {o2}], so {r.name} was a little {bad}.",
             **k),
         g.x("\"[Never mind|Don't be {bad}], {r.name},\" [said|whispered] {p.name}, \"{q.he} can give the {o2} [to me|to someone who "
             "needs it].\"", **k),
         g.x("[In the end everyone had something: {q.name} the {o}, {p.name} the {o2}, and {r.name} the largest piece of cake|A year "
             "later the {o} was worn out, while the {o2} was still as good as new|{r.name} has written {d} {month} on the wall, "
             "so as not to forget it again].", **k)]
    return lines_en(g, s)


def nature(g):
    riv = g.pick(RIVERS)
    a, b = places(g, 2)
    t1, t2 = g.sample(TREES, 2)
    an, an2 = g.sample(FABLE, 2)
    s1 = g.num(0, 2)
    length = g.num(40, 300)
    k = dict(r=riv, a=a, b=b, t1=t1, t2=t2, an=an, an2=an2, s1=SEASONS[s1], s2=SEASONS[(s1 + 1) % 4], l=length, half=length // 2,
             fl=g.pick(FLOWERS), fl2=g.pick(FLOWERS), n=g.num(2, 40), p=people(g, 1)[0], job=g.pick(JOBS))
    s = [g.x("The {r} [is a river|is a small river] [that rises near {a}|which begins in the hills above {a}] and [flows into the sea at "
             "{b}|ends, {l} kilometres later, at {b}].", **k),
         g.x("[Along its banks|On both sides] grow {t1} and {t2} trees, and [in {s1}|when {s1} comes] the meadows are full of {fl}.", **k),
         g.x("[There one can watch the {an}|The {an} is at home there], [a shy animal that comes out at dusk|which feeds its young by "
             "the water], while the {an2} [prefers|keeps to] the {t1} woods.", **k),
         g.x("[In {s2} the water falls so low that one can walk across it|In {s2} the {r} floods the fields, which is why nobody builds "
             "close to it|Because the water is so clean, {n} kinds of fish live in it].", **k),
         g.x("{p.name}, a(n) {job} from {a}, has [walked the whole way|followed the {r}] from {a} to {b} {n} times[|, always in {s1}].", **k),
         g.x("[\"In {s1} it is the {fl},\" {p.he} says, \"and in {s2} it is the silence.\"|{p.he} knows every {t2} and every bend.|Asked "
             "whether {p.he} prefers {a} or {b}, {p.he} answers: \"The {r} between them.\"]", **k)]
    return lines_en(g, s)


def diary(g):
    p, q = people(g, 2)
    d, m = g.num(1, 28), g.pick(MONTHS)
    o = g.pick(OBJECTS)
    k = dict(p=p, q=q, d=d, m=m, o=o, place=g.pick(PLACES), bad=g.pick(WEATHER_BAD), fine=g.pick(WEATHER_FINE), food=g.pick(FOODS),
             drink=g.pick(DRINKS), fl=g.pick(FLOWERS), fb=g.pick(FEEL_BAD), fg=g.pick(FEEL_GOOD), n=words(g.num(2, 9)),
             ins=g.pick(INSTRUMENTS), day=g.pick(WEEKDAYS), tree=g.pick(TREES), col=g.pick(COLOURS))
    s = [g.x("{d} {m}. [I woke up early because {bad}|In the morning {fine}|I slept badly and felt {fb}].", **k)]
    parts = ["[For breakfast there was {food} and {drink}|I had only a cup of {drink} for breakfast], [and {p.name} came by|but "
                 "no {food}, for {p.name} had eaten the last of it].",
                 "[{p.name} rang and asked for the {o}|{p.name} wanted to borrow my {o}], [which I had lent to {q.name} {n} days "
                 "ago|but {q.name} still has it].",
                 "[So I walked to {place}, where {q.name} lives|I met {q.name} in {place}] and [we talked for {n} hours|got caught in the "
                 "rain].",
                 "[On the way I saw {col} {fl} under a(n) {tree}|Somebody was playing the {ins} behind an open window], and [I stood "
                 "still for a while|for the first time that day I felt {fg}].",
                 "[{q.name} had not [cleaned|used] the {o}|{q.name} gave back the {o} and said sorry], [but I was not {fb}|and I did not "
                 "ask why]."]
    s += [g.x(x, **k) for i, x in enumerate(parts) if i not in (0, 3) or g.chance(0.6)]
    s += [g.x("[In the evening {p.name} came for the {o}|Now the {o} stands at {p.name}'s again], and [we ate {food} together|all is "
              "well].", **k),
          g.x("[It was not a bad day|A long day|I must write to {q.name} tomorrow|Tomorrow is {day}, and I shall {stay}].",
              stay=g.pick(["stay in bed", "go to the park", "plant flowers", "mend the roof"]), **k)]
    return lines_en(g, s)


def cause(g):
    p, q = people(g, 2)
    chain = g.pick([
        ["{p.name} forgot to close the [window|gate]", "the [cat|goat] got out", "it [ate|trampled] {q.name}'s {fl}",
         "{q.name} was very angry", "{p.name} planted new {fl} for {q.him}", "the two became friends"],
        ["it had not rained for {n} weeks", "the well in {place} was dry", "people had to fetch water from {other}",
         "{p.name} lent out {p.his} [cart|donkey]", "{q.name} could bring {m} buckets at once", "nobody went thirsty"],
        ["{p.name} lost {p.his} glasses", "{p.he} could not read the sign", "{p.he} got on the bus to {other} instead of {place}",
         "{p.he} met {q.name} there by chance", "{q.name} offered {p.him} work as a(n) {job}", "{p.he} stayed in {other} for {n} years"],
        ["the baker of {place} fell ill", "there was no bread on {day}", "{p.name} baked some for the whole street",
         "{q.name} said it was the best bread of all", "{p.name} opened a small shop", "there are two bakers in {place} today"],
        ["{p.name}'s {o} made a strange noise", "{p.he} took it apart", "{m} small wheels fell on the floor", "{q.name} had to help {p.him}",
         "together they put in every wheel but one", "the {o} has been silent ever since"],
        ["a storm broke the bridge near {place}", "nobody could get to {other}", "{p.name} built a raft", "{q.name} paid {m} coins to be "
         "taken across", "others came too", "{p.name} had enough money for a real boat by {month}"]])
    k = dict(p=p, q=q, fl=g.pick(FLOWERS), n=words(g.num(2, 12)), m=g.num(3, 40), job=g.pick(JOBS), day=g.pick(WEEKDAYS),
             o=g.pick(["clock", "radio", "watch", "typewriter"]), month=g.pick(MONTHS))
    k["place"], k["other"] = places(g, 2)
    e = [g.x(x, **k) for x in chain]
    s = [g.x("[It began like this:|This is how it happened:|It all began when] ") + e[0] + "."]
    s.append(g.x("[Because of that|As a result|That is why|So] {e}.", e=e[1]))
    s.append(g.x("[And because {e1}, {e2}.|Then {e2}.|This had another result: {e2}.]", e1=e[1], e2=e[2]))
    s.append(g.x("[After that|Now|Of course] {e}[.|, which was to be expected.|, as one can imagine.]", e=e[3]))
    s.append(g.x("[In the end|A few days later|Therefore] {e}.", e=e[4]))
    s.append(g.x("[Finally, {e5}.|And so {e5}.]", e5=e[5]))
    s.append(g.x("[All this [because|only because] {e0}.|If one asks why, the answer is simple: {e0}.|And if not for one thing, none of it "
                 "would have happened: {e0}.]", e0=e[0]))
    return lines_en(g, s)


def animal(g):
    p, q = people(g, 2)
    pet = g.pick(PETS)
    pn = g.pick(PET_NAMES)
    k = dict(p=p, q=q, pet=pet, pn=pn, col=g.pick(["brown", "white", "black", "grey", "spotted"]), n=words(g.num(2, 9)),
             place=g.pick(PLACES), o=g.pick(SMALL), food=g.pick(["bread", "cheese", "lettuce", "apple peel", "oats"]),
             spot=g.pick(["under the bed", "in the wood shed", "behind the stove", "in the neighbour's garden", "on the roof"]),
             day=g.pick(WEEKDAYS), fb=g.pick(FEEL_BAD))
    s = [g.x("{p.name} has a {col} {pet} [called|by the name of|whose name is] {pn}.", **k),
         g.x("{pn} is {n} years old and [likes {food} more than anything|will do anything for {food}|is afraid of thunder].", **k),
         g.x("[One {day}|Last {day}] {pn} [did not come when {p.name} called|was nowhere to be seen|ran off], and {p.name} was {fb}.", **k),
         g.x("{p.he} [asked {q.name}|went to {q.name}], [who lives two doors down|who knows a lot about animals], and they searched [the "
             "whole of {place}|every corner].", **k),
         g.x("[At last|After {n} hours] {q.name} found the {pet} {spot}, [fast asleep|with a {o} in its mouth|wet and hungry]."
             if pet not in ("pony", "goat") or "bed" not in k["spot"] else "At last {q.name} found the {pet} in a meadow.", **k),
         g.x("[{p.name} gave {pn} some {food} and thanked {q.name}|\"{pn}!\" cried {p.name} and ran to the {pet}].", **k),
         g.x("[Since then {pn} wears a small bell|From then on {q.name} and {pn} were good friends|Now {p.he} always closes the gate], and "
             "[the {col} {pet} has not run off again|{p.name} sleeps better].", **k)]
    return lines_en(g, s)


DOCS = [(park, 9), (market, 5), (lost, 4), (weather, 4), (howto, 3), (letter, 6), (news, 8), (sums, 5), (talk, 6), (review, 5),
        (country, 5), (lesson, 4), (journey, 4), (boxes, 4), (compare, 3), (room, 5), (fable, 4), (routine, 5), (mystery, 3),
        (festival, 5), (gift, 4), (nature, 5), (diary, 7), (cause, 4), (animal, 5)]
