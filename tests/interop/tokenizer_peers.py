"""Compares a tokenizer directory, as AutoTokenizer and sentencepiece read it, with what llmctl made of texts.

Usage: tokenizer_peers.py DIRECTORY CASES [--merged-unknown] [--list-autotokenizer]

CASES has one JSON object a line: text, ids (encode), with_special, recognised (special tokens in the text
become ids), decoded. Prints what differs and a closing line; exit status 1 when anything does.
--merged-unknown: unknown words in a row are one token in sentencepiece, so it is not asked for ids.
--list-autotokenizer: what AutoTokenizer alone makes differently is listed and no failure.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import sentencepiece
from transformers import AutoTokenizer


def main():
    directory, cases = sys.argv[1:3]
    merged_unknown = "--merged-unknown" in sys.argv
    listed = "--list-autotokenizer" in sys.argv
    peer = AutoTokenizer.from_pretrained(directory)
    model = sentencepiece.SentencePieceProcessor(model_file=os.path.join(directory, "tokenizer.model"))
    names = {model.id_to_piece(i) for i in range(model.get_piece_size()) if model.is_control(i) or model.is_unknown(i)}
    unknown = model.unk_id()
    with open(os.path.join(directory, "tokenizer.json"), encoding="utf-8") as file:
        unigram = json.load(file)["model"]["type"] == "Unigram"
    differences = {}
    count = 0

    def equally_good(ours, theirs):
        """Two segmentations of a unigram model whose scores differ by the rounding of a sum."""
        total = lambda ids: sum(model.get_score(i) for i in ids)
        return unigram and model.decode(ours) == model.decode(theirs) and abs(total(ours) - total(theirs)) < 1e-3

    def check(what, text, ours, theirs):
        if ours == theirs or (what.startswith("AutoTokenizer") and what.endswith("ids") and equally_good(ours, theirs)):
            return
        differences[what] = differences.get(what, 0) + 1
        if differences[what] <= 3 or (listed and what == "AutoTokenizer ids"):
            print(f"{what} of {text!r}: llmctl {ours}, peer {theirs}")

    assert len(peer) == model.get_piece_size(), (len(peer), model.get_piece_size())
    with open(cases, encoding="utf-8", newline="\n") as file:
        for line in file:
            case = json.loads(line)
            text, ids = case["text"], case["ids"]
            count += 1
            if not merged_unknown:
                check("sentencepiece ids", text, ids, model.encode(text))
            check("sentencepiece decoding", text, case["decoded"], model.decode(ids))
            check("AutoTokenizer ids", text, case["recognised"], peer.encode(text, add_special_tokens=False))
            if any(name in text for name in names):
                continue
            check("AutoTokenizer ids", text, ids, peer.encode(text, add_special_tokens=False))
            check("AutoTokenizer special ids", text, case["with_special"], peer.encode(text))
            if unknown not in ids:
                check("AutoTokenizer decoding", text, case["decoded"],
                      peer.decode(case["with_special"], skip_special_tokens=True))
    special = {key: peer.convert_tokens_to_ids(value) for key, value in peer.special_tokens_map.items()}
    print(json.dumps({"texts": count, "differences": differences, "special": special}))
    failures = {what for what in differences if not (listed and what.startswith("AutoTokenizer"))}
    return 1 if failures or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
