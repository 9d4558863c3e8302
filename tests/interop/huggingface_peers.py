"""Compares a tokenizer directory that llmctl saved, as AutoTokenizer reads it, with what llmctl made of texts.

Usage: huggingface_peers.py DIRECTORY CASES

CASES has one JSON object a line: text, recognised (ids), offsets (characters), with_special, decoded (of recognised).
Prints what differs and a closing line; exit status 1 when anything does.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from transformers import AutoTokenizer


def main():
    directory, cases = sys.argv[1:3]
    peer = AutoTokenizer.from_pretrained(directory)
    differences = {}
    count = 0

    def check(what, text, ours, theirs):
        if ours == theirs:
            return
        differences[what] = differences.get(what, 0) + 1
        if differences[what] <= 3:
            print(f"{what} of {text!r}: llmctl {ours}, AutoTokenizer {theirs}")

    with open(cases, encoding="utf-8", newline="\n") as file:
        for line in file:
            case = json.loads(line)
            text = case["text"]
            count += 1
            theirs = peer(text, add_special_tokens=False, return_offsets_mapping=True)
            check("ids", text, case["recognised"], theirs["input_ids"])
            check("offsets", text, case["offsets"], [list(span) for span in theirs["offset_mapping"]])
            check("special ids", text, case["with_special"], peer(text)["input_ids"])
            check("text", text, case["decoded"],
                  peer.decode(case["recognised"], clean_up_tokenization_spaces=False))
    print(json.dumps({"texts": count, "differences": differences}))
    return 1 if differences or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
