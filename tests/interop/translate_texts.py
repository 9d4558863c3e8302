"""Translates with a model directory that llmctl trained, by transformers and the directory's own tokenizer.

Usage: translate_texts.py DIRECTORY TEXTS BEAMS

TEXTS has one text a line. Prints a JSON list: the translation and the ids of each text.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer


def main():
    directory, texts, beams = sys.argv[1:4]
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSeq2SeqLM.from_pretrained(directory).eval()
    answers = []
    with open(texts, encoding="utf-8", newline="\n") as file:
        for line in file:
            inputs = tokenizer(line.rstrip("\n"), return_tensors="pt")
            with torch.no_grad():
                ids = model.generate(**inputs, num_beams=int(beams), do_sample=False, max_new_tokens=40)[0]
            answers.append({"ids": inputs["input_ids"][0].tolist(),
                            "text": tokenizer.decode(ids, skip_special_tokens=True)})
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
