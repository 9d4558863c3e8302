"""Golden scores of translations (sacreBLEU 2.6.0) and of entities (seqeval 1.2.2): `python make_metrics.py` writes
translation.json and seqeval.json beside it."""
import json
import pathlib
import random
import warnings

from sacrebleu.metrics import BLEU, CHRF, TER
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as entity_scores

HERE = pathlib.Path(__file__).parent
DATA = HERE.parents[2] / "data/translation"
GERMAN = """Der Mann mit dem Strohhut liest am 3. Mai eine Zeitung.
„Das kostet 1.250,50 € – oder etwa nicht?“, fragte sie.
Die Straße nach Groß-Umstadt ist z. B. im Winter gesperrt.
Zwei Kinder spielen im Garten; ein Hund (braun) sieht zu.
Er fährt um 8:30 Uhr mit dem Zug Nr. 12-A.
Sie sagte: "Ich komme morgen", und ging.
ÄRZTE UND ÜBUNGEN SIND HIER GROẞ GESCHRIEBEN
Das & das: <a> ist nicht &lt;b&gt; &amp; auch nicht &quot;c&quot;.""".splitlines()
OTHER = """Το σπίτι του Οδυσσέα ΕΙΝΑΙ ΜΕΓΑΛΟΣ ΔΡΟΜΟΣ.
İstanbul'da 3,5 milyon kişi… «evet» ¿qué? x² + y² = ½
今日はとても良い天気です。コーヒーを2杯ください。
हम कल 10:45 बजे मिलेंगे — ठीक है?
The U.S.-based firm's 5.5% (approx.) share... wasn't it?
a-b 1-2 3- -4 .5 5. ,6 7, ..8.. 9,.9
tabs\tand\u00a0spaces\u3000of every\u2009kind """.splitlines()


def perturbed(rng, text, characters):
    """A bad translation: units dropped, doubled, replaced, recased, moved."""
    units, glue = (list(text), "") if characters else (text.split(" "), " ")
    out = []
    for unit in units:
        r = rng.random()
        if r < 0.07:
            continue
        out.append(rng.choice(units) if r < 0.13 else unit.swapcase() if r < 0.16 else unit)
        if r > 0.96:
            out.append(unit)
    if len(out) > 3 and rng.random() < 0.7:
        i = rng.randrange(len(out) - 2)
        j = rng.randint(i + 1, min(len(out) - 1, i + 5))
        out[i:j], out[j:j + 2] = out[j:j + 2], out[i:j]
    return glue.join(out or units[:1])


def translation():
    rng = random.Random(7)
    pairs = [line.split("\t") for line in (DATA / "en-zh-valid.tsv").read_text(encoding="utf-8").splitlines()[1:41]]
    texts = {"en": [p[0] for p in pairs], "zh": [p[1] for p in pairs], "de": GERMAN, "other": OTHER}
    tokenizers = {"en": ("13a", "intl", "none", "char"), "zh": ("zh", "char", "13a", "intl"), "de": ("13a", "intl"), "other": ("13a", "intl", "zh", "char")}
    corpora, scores = {}, []
    for name, references in texts.items():
        hypotheses = [perturbed(rng, text, name == "zh") for text in references]
        streams = [references] + ([[perturbed(rng, text, False) for text in references]] if name in ("en", "de") else [])
        corpora[name] = {"hypotheses": hypotheses, "references": streams}
        own = [[stream[i] for stream in streams] for i in range(len(hypotheses))]
        for settings in [dict(tokenize=t) for t in tokenizers[name]] + [dict(tokenize=tokenizers[name][0], lowercase=True)]:
            metric = BLEU(**settings)
            score = metric.corpus_score(hypotheses, streams).score
            sentences = [BLEU(effective_order=True, **settings).sentence_score(h, r).score for h, r in zip(hypotheses, own)]
            scores.append({"name": f"{name}/{len(scores)}", "corpus": name, "metric": "BLEU", "settings": settings, "score": score,
                           "signature": str(metric.get_signature()), "sentence_effective_order": sentences})
        for settings in ({}, {"word_order": 2}, {"lowercase": True}):
            metric = CHRF(**settings)
            score = metric.corpus_score(hypotheses, streams).score
            scores.append({"corpus": name, "metric": "chrF++" if "word_order" in settings else "chrF", "settings": settings, "score": score,
                           "signature": str(metric.get_signature()), "sentence": [metric.sentence_score(h, r).score for h, r in zip(hypotheses, own)]})
        metric = TER()
        score = metric.corpus_score(hypotheses, streams).score
        scores.append({"corpus": name, "metric": "TER", "settings": {}, "score": score, "signature": str(metric.get_signature()),
                       "sentence": [metric.sentence_score(h, r).score for h, r in zip(hypotheses, own)]})
    pairs = [("", "a b c d"), ("a b c d", ""), ("the the the the", "the cat is on the mat"), ("a", "a"), ("a b c", "a b c"), ("A B", "a b"), ("x y z w", "a b"),
             ("b c d a " * 30, "a b c d " * 30), ("", ""), ("word", "word " * 80)]
    tricky = {"metric": "BLEU", "corpus": "tricky", "settings": {}, "pairs": pairs}
    for key, metric in (("sentence_effective_order", BLEU(effective_order=True)), ("sentence_plain", BLEU()), ("chrf", CHRF()), ("chrf++", CHRF(word_order=2)),
                        ("ter", TER())):
        tricky[key] = [metric.sentence_score(h, [r]).score for h, r in pairs]
    return {"versions": {"sacrebleu": "2.6.0"}, "corpora": corpora, "scores": scores + [tricky]}


def tags(rng, scheme, count):
    """Tags that follow their scheme, or any at all."""
    if scheme == "any":
        return [rng.choice(["O", "O", "B-PER", "I-PER", "E-PER", "S-PER", "B-LOC", "I-LOC", "I-ORG-X", "B", "I"]) for _ in range(count)]
    out = []
    while len(out) < count:
        n, kind = rng.randint(1, 3), rng.choice(["-PER", "-LOC", "-ORG"])
        if scheme == "words":
            out += ["S"] if n == 1 else ["B"] + ["I"] * (n - 2) + ["E"]
        elif rng.random() < 0.5:
            out += ["O"] * n
        elif scheme == "bio":
            out += ["B" + kind] + ["I" + kind] * (n - 1)
        else:
            out += ["S" + kind] if n == 1 else ["B" + kind] + ["I" + kind] * (n - 2) + ["E" + kind]
    return out[:count]


def seqeval():
    warnings.simplefilter("ignore")
    rng, sets = random.Random(11), []
    for scheme in ("bio", "bioes", "words", "any"):
        true = [tags(rng, scheme, rng.randint(1, 14)) for _ in range(20)]
        predicted = [[t if rng.random() < 0.85 else rng.choice(row) for t in row] for row in true]
        values = lambda average: dict(zip(("precision", "recall", "f1", "support"), map(float, entity_scores(true, predicted, average=average))))
        types = sorted({e[0] for e in get_entities(true)} | {e[0] for e in get_entities(predicted)})
        rows = zip(*entity_scores(true, predicted, average=None))
        sets.append({"name": scheme, "true": true, "predicted": predicted, "micro": values("micro"), "macro": values("macro"),
                     "types": {t: {"precision": float(p), "recall": float(r), "f1": float(f)} for t, (p, r, f, _) in zip(types, rows)}})
    return {"versions": {"seqeval": "1.2.2"}, "sets": sets}


for name, made in (("translation", translation()), ("seqeval", seqeval())):
    (HERE / f"{name}.json").write_text(json.dumps(made, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
