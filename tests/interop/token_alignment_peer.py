"""Labels of sub-words as transformers' example for token classification (run_ner.py) aligns them: the first sub-word of a word
carries its tag, all others -100.

Usage: token_alignment_peer.py TOKENIZER CASES; CASES has a JSON object a line: words, tags (ids), and llmctl's ids and labels.
Prints what differs and the number of cases; exit status 1 when anything does.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import AutoTokenizer  # noqa: E402

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
count = different = 0
for line in open(sys.argv[2], encoding="utf-8"):
    case = json.loads(line)
    encoded = tokenizer(case["words"], is_split_into_words=True)
    labels, before = [], None
    for word in encoded.word_ids():
        labels.append(-100 if word is None or word == before else case["tags"][word])
        before = word
    count += 1
    if (encoded["input_ids"], labels) != (case["ids"], case["labels"]):
        different += 1
        print(case["words"], encoded["input_ids"], labels, case["ids"], case["labels"])
print(count)
sys.exit(1 if different else 0)
