"""Loads model directories with transformers and compares what they compute with expected.safetensors beside them.

Arguments: directories. Prints one line per directory; exit status 1 when one of them differs.
"""
import json

import torch
import transformers
from directories import main
from safetensors.torch import load_file, save_file

AUTO = {
    "ForConditionalGeneration": transformers.AutoModelForSeq2SeqLM,
    "MarianMTModel": transformers.AutoModelForSeq2SeqLM,
    "LMHeadModel": transformers.AutoModelForCausalLM,
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
    inputs = {key: expected[key] for key in ("input_ids", "attention_mask", "token_type_ids", "decoder_input_ids") if key in expected}
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
    if worst > 1e-4 * (1 + wanted.abs().max().item()):
        return f"logits differ by {worst}"
    return train_on(model, inputs, directory)


def train_on(model, inputs, directory):
    """Trains a step and saves it twice, by save_pretrained (trained) and by torch.save (pickled): what is wrong, or nothing."""
    output = model.train()(**inputs)
    sum(value.float().square().mean() for key, value in output.items() if "logits" in key).backward()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Marian's sinusoids come to life trainable, but are not saved.
            sinusoids = model.config.model_type == "marian" and "embed_positions" in name
            if parameter.grad is not None and not sinusoids:
                parameter -= 1e-3 * parameter.grad.sign()
    again, pickled = directory / "trained", directory / "pickled"
    model.eval().save_pretrained(again)
    model.config.save_pretrained(pickled)
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    with torch.no_grad():
        output = model(**inputs)
    logits = output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], -1)
    save_file({"logits": logits.contiguous()}, again / "expected.safetensors")
    return "" if (again / "model.safetensors").exists() else "nothing saved"


main(check)
