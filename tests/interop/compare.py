"""Loads a model directory of llmctl's with transformers and compares; prints one JSON object.

compare.py logits AUTO-CLASS DIR FILE.safetensors   FILE: input_ids, attention_mask, token_type_ids [B, T] and the outputs of
                                               llmctl under transformers' names (logits, start_logits, end_logits);
                                               gives its class there and the largest difference where attention_mask is 1
compare.py ids DIR FILE.json                   FILE: [{"text", "ids", "ids_with_special", "decoded"}]; gives what differs
"""
import json
import sys

import torch
import transformers
from safetensors.torch import load_file


def compare_logits(class_name, directory, file):
    ours = load_file(file)
    model, report = getattr(transformers, class_name).from_pretrained(directory, output_loading_info=True, attn_implementation="eager")
    model.eval()
    inputs = {k: ours.pop(k) for k in ("input_ids", "attention_mask", "token_type_ids") if k in ours}
    with torch.no_grad():
        outputs = model(**inputs)
    mask = inputs["attention_mask"].bool()
    differences = {}
    for name, value in ours.items():
        difference = (outputs[name].float() - value).abs()
        differences[name] = (difference if difference.shape[:2] != mask.shape else difference[mask]).max().item()
    return {"class": type(model).__name__, "differences": differences, "missing": sorted(report["missing_keys"]), "unexpected": sorted(report["unexpected_keys"])}


def compare_ids(directory, file):
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    wrong = []
    with open(file, encoding="utf-8") as stream:
        rows = json.load(stream)
    for row in rows:
        theirs = {
            "ids": tokenizer(row["text"], add_special_tokens=False)["input_ids"],
            "ids_with_special": tokenizer(row["text"])["input_ids"],
            "decoded": tokenizer.decode(row["ids"], clean_up_tokenization_spaces=False),
        }
        wrong += [{"text": row["text"], "what": k, "llmctl": row[k], "transformers": v} for k, v in theirs.items() if row[k] != v]
    return {"compared": len(rows), "wrong": wrong[:5], "wrong_count": len(wrong), "class": type(tokenizer).__name__}


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    result = {"logits": compare_logits, "ids": compare_ids}[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(result, ensure_ascii=False))
