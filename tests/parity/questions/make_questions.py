"""Rows that transformers' question answering example (run_qa.py, prepare_train_features) makes of
questions.json with the tokenizers of this folder's neighbours. Run in this folder; writes
features.json."""
import json
import pathlib

import transformers
from transformers import BertTokenizerFast

HERE = pathlib.Path(__file__).resolve().parent
CASES = [("wordpiece_cased_zh", 48, 12), ("wordpiece_uncased", 40, 8), ("wordpiece_uncased", 384, 128)]


def features(tokenizer, items, length, stride):
    rows = tokenizer([item["question"].lstrip() for item in items], [item["context"] for item in items],
                     truncation="only_second", max_length=length, stride=stride,
                     return_overflowing_tokens=True, return_offsets_mapping=True)
    out = []
    for i, offsets in enumerate(rows["offset_mapping"]):
        ids, parts = rows["input_ids"][i], rows.sequence_ids(i)
        item = items[rows["overflow_to_sample_mapping"][i]]
        start = end = ids.index(tokenizer.cls_token_id)
        if item["answers"]:
            begin = item["answers"][0]["answer_start"]
            stop = begin + len(item["answers"][0]["text"])
            first = parts.index(1)
            last = len(parts) - 1 - parts[::-1].index(1)
            if offsets[first][0] <= begin and offsets[last][1] >= stop:
                while first < len(offsets) and offsets[first][0] <= begin:
                    first += 1
                while offsets[last][1] >= stop:
                    last -= 1
                start, end = first - 1, last + 1
        spans = [bound for o, part in zip(offsets, parts) if part == 1 for bound in o]  # of the passage's tokens
        out.append(dict(id=item["id"], ids=ids, second=rows["token_type_ids"][i].index(1), spans=spans, start=start,
                        end=end))
    return out


items = [dict(qa, context=passage["context"])
         for passage in json.load(open(HERE / "questions.json"))["data"][0]["paragraphs"] for qa in passage["qas"]]
cases = []
for name, length, stride in CASES:
    tokenizer = BertTokenizerFast.from_pretrained(HERE.parent / "tokenizers" / name)
    cases.append(dict(tokenizer=name, sequence_length=length, stride=stride,
                      rows=features(tokenizer, items, length, stride)))
with open(HERE / "features.json", "w") as file:
    json.dump(dict(transformers=transformers.__version__, cases=cases), file, ensure_ascii=False, separators=(",", ":"))
    file.write("\n")
