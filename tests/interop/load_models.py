"""Loads model directories with transformers and compares what they compute with expected.safetensors beside them.

Arguments: directories. Prints one line per directory; exit status 1 when one of them differs.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file

AUTO = {
    "ForCausalLM": transformers.AutoModelForCausalLM,
    "ForMaskedLM": transformers.AutoModelForMaskedLM,
    "ForQuestionAnswering": transformers.AutoModelForQuestionAnswering,
    "ForSequenceClassification": transformers.AutoModelForSequenceClassification,
    "ForTokenClassification": transformers.AutoModelForTokenClassification,
}


def check(directory):
    """What is wrong with one directory, or an empty string."""
    architecture = json.loads((directory / "config.json").read_text())["architectures"][0]
    auto = next(cls for suffix, cls in AUTO.items() if architecture.endswith(suffix))
    model, info = auto.from_pretrained(directory, output_loading_info=True)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[kind]:
            return f"{kind}: {sorted(info[kind])}"
    if type(model).__name__ != architecture:
        return f"loaded as {type(model).__name__}"
    expected = load_file(directory / "expected.safetensors")
    inputs = {key: expected[key] for key in ("input_ids", "attention_mask", "token_type_ids") if key in expected}
    with torch.no_grad():
        output = model.eval()(**inputs)
    if architecture.endswith("ForQuestionAnswering"):
        logits = torch.stack([output.start_logits, output.end_logits], -1)
    else:
        logits = output.logits
    if "ForSequence" not in architecture:
        real = inputs["attention_mask"].unsqueeze(-1)
        logits, wanted = logits * real, expected["logits"] * real
    else:
        wanted = expected["logits"]
    if logits.shape != wanted.shape:
        return f"logits have shape {tuple(logits.shape)}, expected {tuple(wanted.shape)}"
    worst = (logits - wanted).abs().max().item()
    return "" if worst <= 1e-4 else f"logits differ by {worst}"


def main():
    failed = False
    for name in sys.argv[1:]:
        problem = check(pathlib.Path(name))
        failed |= bool(problem)
        print(f"{name}: {problem or 'ok'}")
    sys.exit(failed)


main()
