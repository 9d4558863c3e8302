#!/usr/bin/env python3
"""Makes every data file beside it from a seed; see README.md.

    python3 data/generate.py --seed 1 --out data            write the files
    python3 data/generate.py --seed 1 --out data --check    compare with the files
"""

import argparse
import csv
import io
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from generator import classify, docs_en, entities, instructions, pairs, qa_en, qa_zh, tales_zh, translation  # noqa: E402
from generator import quiz as quizzes  # noqa: E402
from generator.core import Grammar  # noqa: E402

CORPUS_BYTES = {"en": 1_500_000, "zh": 1_250_000}
QA_TRAIN, QA_VALID = 3000, 150
QUIZZES = 25  # their weight among the other kinds of documents, which have some 120
CORPUS_QA = 1500  # passages of the questions that are in the corpus too

# What apps/quickstart asks of the models that it has trained: in none of the files below.
SHOWN_PROMPTS = ("你好，我叫王芳。", "“大”的反义词是什么？", "Hello, my name is Nora.", 'What is the opposite of "loud"?')
SHOWN_REVIEWS = ("The room was loud and nobody answered the bell.", "这家饭馆的菜很好吃，下次还来。")

PROMPTS = """我今天去了公园，看到了很多美丽的花朵。
从前，有一只叫豆豆的松鼠，住在一棵银杏下面。
星期六，青溪镇的集市上人很多。
谢谢你的来信，这么久才回信，真对不起。
怎样泡一壶茶？
Today I went to the park and saw many beautiful flowers.
Once a fox named Biscuit lived at the edge of the wood.
Every Saturday there is a market in Oakford.
Thank you for your letter, and I am sorry that I did not answer sooner.
When Clara came home on Monday, the blue vase was broken.
"""


def questions(seed, language):
    """(train, valid) passages: (scene, context, questions)."""
    module = qa_en if language == "en" else qa_zh
    scenes = [s for s, weight in module.SCENES for _ in range(weight)]
    seen, parts = set(), []
    for part, count, held, per in (("train", QA_TRAIN, 0.0, (4, 5, 5)), ("valid", QA_VALID, 0.1, (3,))):
        g = Grammar(f"{seed}/qa/{language}/{part}")
        out = []
        while len(out) < count:
            scene, context, qas = module.passage(g, scenes[len(out) % len(scenes)], held, g.pick(per))
            if context not in seen:
                seen.add(context)
                out.append((scene, context, qas))
        parts.append(out)
    return parts


def squad(name, passages):
    """SQuAD 1.1 text; passages of one scene form one article."""
    data = {}
    for i, (scene, context, qas) in enumerate(passages):
        data.setdefault(scene, []).append({"context": context, "qas": [
            {"id": f"{name}-{i}-{j}", "question": q, "answers": [{"text": a, "answer_start": s}]} for j, (_, q, a, s) in enumerate(qas)]})
    doc = {"version": "1.1", "data": [{"title": title, "paragraphs": p} for title, p in data.items()]}
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":")) + "\n"


def corpus(seed, language, passages, kept):
    """Documents; no quiz in it asks a prompt that is `kept` for validation and show."""
    module, quiz = (docs_en, quizzes.quiz_en) if language == "en" else (tales_zh, quizzes.quiz_zh)
    g = Grammar(f"{seed}/corpus/{language}")
    kinds = [f for f, weight in module.DOCS for _ in range(weight)] + [lambda g: quiz(g, kept)] * QUIZZES
    docs = [context for _, context, _ in passages]
    seen = set(docs)
    size = sum(len(d.encode()) + 2 for d in docs)
    while size < CORPUS_BYTES[language]:
        d = g.pick(kinds)(g)
        if d not in seen:
            seen.add(d)
            docs.append(d)
            size += len(d.encode()) + 2
    return "\n\n".join(g.shuffled(docs)) + "\n"


def jsonl(items):
    return "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in items)


def build(seed):
    """{relative path: text}"""
    files = {"prompts.txt": PROMPTS}
    g, seen = Grammar(f"{seed}/instructions"), set(SHOWN_PROMPTS)
    # Validation first: of the kinds with few prompts, training then takes what is left.
    for part, count, held in (("valid", 200, 0.5), ("train", 6000, 0.0)):
        rows = instructions.rows(g, count, seen, held)
        files[f"instructions/{part}.jsonl"] = jsonl(rows)
        if part == "valid":
            kept = set(SHOWN_PROMPTS) | {row["prompt"] for row in rows}
    for language in ("en", "zh"):
        train, valid = questions(seed, language)
        files[f"qa/{language}-train.json"] = squad(f"{language}-train", train)
        files[f"qa/{language}-valid.json"] = squad(f"{language}-valid", valid)
        files[f"corpus/{language}.txt"] = corpus(seed, language, train[:CORPUS_QA], kept)
    for task in classify.TASKS:
        g, seen = Grammar(f"{seed}/classify/{task}"), set(SHOWN_REVIEWS)
        for part, count in (("train", 2000), ("valid", 300)):
            rows = classify.rows(g, task, count, seen)
            files[f"classification/{task}-{part}.jsonl"] = jsonl(rows)
            if (task, part) == ("sentiment", "valid"):
                out = io.StringIO()
                writer = csv.writer(out, lineterminator="\r\n")
                writer.writerow(["text", "label"])
                writer.writerows([r["text"], r["label"]] for r in rows)
                files["classification/sentiment-valid.csv"] = out.getvalue()
    g, seen = Grammar(f"{seed}/classify/aspects"), set(SHOWN_REVIEWS)
    for part, count in (("train", 1200), ("valid", 200)):
        files[f"classification/aspects-{part}.jsonl"] = jsonl(classify.aspect_rows(g, count, seen))
    g, seen = Grammar(f"{seed}/pairs"), set()
    for part, count in (("train", 2000), ("valid", 200)):
        files[f"classification/pairs-{part}.jsonl"] = jsonl(pairs.rows(g, count, seen))
    g, seen = Grammar(f"{seed}/translation"), set()
    for part, count in (("train", 3000), ("valid", 200)):
        files[f"translation/en-zh-{part}.tsv"] = "en\tzh\n" + "".join(f"{e}\t{z}\n" for e, z in translation.pairs(g, count, seen))
    seen = {"en": set(), "zh": set()}
    # Validation has names that training has not.
    for part, count, held in (("train", 1500, 0.0), ("valid", 200, 0.3)):
        g = Grammar(f"{seed}/entities/{part}")
        files[f"entities/en-{part}.conll"] = entities.conll(g, count, held, seen["en"])
        files[f"entities/zh-{part}.jsonl"] = jsonl(entities.spans(entities.sentences_zh(g, count, held, seen["zh"])))
        g = Grammar(f"{seed}/segmentation/{part}")
        files[f"segmentation/zh-{part}.txt"] = entities.segmented(entities.sentences_zh(g, count, held, seen["zh"]))
    g, seen = Grammar(f"{seed}/preferences"), set(SHOWN_PROMPTS)
    for part, count, held in (("valid", 100, 0.5), ("train", 1000, 0.0)):
        files[f"instructions/preferences-{part}.jsonl"] = jsonl(instructions.preferences(g, count, seen, held))
    files["instructions/dialogues.jsonl"] = jsonl(instructions.dialogues(Grammar(f"{seed}/dialogues"), 500))
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.dirname(os.path.abspath(__file__)))
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file differs")
    args = parser.parse_args()
    bad = []
    for name, text in build(args.seed).items():
        path = os.path.join(args.out, name)
        data = text.encode("utf-8")
        if args.check:
            try:
                with open(path, "rb") as f:
                    same = f.read() == data
            except FileNotFoundError:
                same = False
            if not same:
                bad.append(name)
            continue
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
        print(f"{len(data):>9}  {name}")
    if args.check:
        print("differs: " + ", ".join(bad) if bad else "all files as generated")
        return 1 if bad else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
