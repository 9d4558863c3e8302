"""Loads adapters that llmctl wrote with peft, and compares what they compute with expected.safetensors beside them.

Arguments: directories. Prints one line per directory; exit status 1 when one of them differs.
"""
import json

import peft
import torch
import transformers
from directories import main
from safetensors.torch import load_file

AUTO = {
    "CAUSAL_LM": transformers.AutoModelForCausalLM,
    "SEQ_2_SEQ_LM": transformers.AutoModelForSeq2SeqLM,
    "SEQ_CLS": transformers.AutoModelForSequenceClassification,
    None: transformers.AutoModelForMaskedLM,
}


def check(directory):
    """What is wrong with one directory, or an empty string."""
    config = json.loads((directory / "adapter_config.json").read_text())
    expected = load_file(directory / "expected.safetensors")
    options = {"num_labels": expected["logits"].shape[-1]} if config["task_type"] == "SEQ_CLS" else {}
    base = AUTO[config["task_type"]].from_pretrained(config["base_model_name_or_path"], **options)
    model = peft.PeftModel.from_pretrained(base, directory).eval()
    inputs = {key: value for key, value in expected.items() if key != "logits"}
    with torch.no_grad():
        logits = model(**inputs).logits
        wanted = expected["logits"]
        if wanted.dim() == 3:
            real = inputs["attention_mask"].unsqueeze(-1)
            logits, wanted = logits * real, wanted * real
        worst = (logits - wanted).abs().max().item()
    return "" if worst <= 1e-4 * (1 + wanted.abs().max().item()) else f"logits differ by {worst}"


main(check)
