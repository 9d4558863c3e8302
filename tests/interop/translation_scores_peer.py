"""Scores of translations by sacreBLEU: reads JSON lines {"language", "hypothesis", "references"}, prints for each language
{"language", "bleu": {TOKENIZER: score}, "chrf", "chrf++", "ter", "signature"}."""
import json
import logging
import sys

from sacrebleu.metrics import BLEU, CHRF, TER

logging.disable(logging.WARNING)
corpora = {}
for line in open(sys.argv[1], encoding="utf-8"):
    row = json.loads(line)
    corpora.setdefault(row["language"], []).append((row["hypothesis"], row["references"]))
for language, rows in corpora.items():
    hypotheses = [h for h, _ in rows]
    streams = [list(stream) for stream in zip(*(r for _, r in rows))]
    bleu = {name: BLEU(tokenize=name) for name in ("13a", "intl", "zh", "char", "none")}
    scores = {name: metric.corpus_score(hypotheses, streams).score for name, metric in bleu.items()}
    print(json.dumps({"language": language, "bleu": scores, "signature": str(bleu["13a"].get_signature()),
                      "chrf": CHRF().corpus_score(hypotheses, streams).score,
                      "chrf++": CHRF(word_order=2).corpus_score(hypotheses, streams).score,
                      "ter": TER().corpus_score(hypotheses, streams).score}))
