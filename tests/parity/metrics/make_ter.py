"""TER by sacreBLEU under every choice of its options, of each sentence and of all together.
pip install sacrebleu; run in this folder; writes ter_options.json."""
import itertools
import json
import pathlib

import sacrebleu
from sacrebleu.metrics import TER

PAIRS = [
    ("The dog's bone is here.", "The dogs' bone's here!"),
    ("It costs 1,000.50 dollars, or less", "It costs 1,000.50 dollars - or less."),
    ("He said: \"Hello (again), world!\"", "he said \"hello again world\""),
    ("a &lt; b &amp;&amp; c &quot;x&quot;", "a < b && c \"x\" &gt;"),
    ("5-year plan; part-time work/leave", "5 - year plan: part-time work / leave"),
    ("It's Anna's. It's 'so'", "It is Anna 's . It 's 'so'"),
    ("line\n-break and\nmore", "line break and more"),
    ("今天天气很好,我们去公园。", "今天 天气很好，我们去了公园 。"),
    ("「你好」，她说（笑）！", "“你好”她说：笑!"),
    ("猫は黒いです。カタカナ・ひらがな", "猫は白いです、カタカナひらがな"),
    ("ひらがな", "ひらがな"),
    ("㈱㌔豈︰々〇", "㈱ ㌔ 豈 ︰ 々 〇"),
    ("DER Straße, ΣΑΣ İ", "der STRASSE σας i̇"),
    ("한국어 문장입니다。", "한국어 문장 입니다 ."),
    ("", "nothing here"),
    ("  spaces\u3000and\u00a0more  ", "spaces and more"),
    ("v1.2.3, x.y and .5 or 5.", "v1 . 2.3 , x . y and . 5 or 5 ."),
    ("！？：；（）．，＂", "! ? : ; ( ) . ,"),
]
out = {"sacrebleu": sacrebleu.__version__, "pairs": PAIRS, "cases": []}
for normalized, no_punct, asian, cased in itertools.product((False, True), repeat=4):
    options = dict(normalized=normalized, no_punct=no_punct, asian_support=asian, case_sensitive=cased)
    ter = TER(**options)
    hypotheses, references = [h for h, _ in PAIRS], [r for _, r in PAIRS]
    total = ter.corpus_score(hypotheses, [references])
    out["cases"].append({**options, "ter": total.score, "signature": str(ter.get_signature()),
                         "sentences": [ter.sentence_score(h, [r]).score for h, r in PAIRS]})
path = pathlib.Path(__file__).resolve().parent / "ter_options.json"
path.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
