"""Trains encoder-decoders that llmctl saved, with transformers and torch's AdamW, on batches that stand beside them.

Usage: train_pairs.py DIRECTORY...

batches.safetensors has input_ids.N, attention_mask.N and labels.N; train.json the label smoothing, the learning rate and the
optimiser's other numbers. Writes losses.json: the loss before each step.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from safetensors.torch import load_file
from transformers import AutoModelForSeq2SeqLM
from transformers.trainer_pt_utils import LabelSmoother


def train(directory):
    with open(os.path.join(directory, "train.json"), encoding="utf-8") as file:
        how = json.load(file)
    batches = load_file(os.path.join(directory, "batches.safetensors"))
    model = AutoModelForSeq2SeqLM.from_pretrained(directory, dtype=torch.float32).train()
    # Sinusoids are no parameters; loading leaves them trainable where a directory has none.
    parameters = [p for name, p in model.named_parameters() if "embed_positions" not in name]
    for name, p in model.named_parameters():
        p.requires_grad_("embed_positions" not in name)
    groups = [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": how["weight_decay"]},
              {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=how["lr"], betas=(how["beta1"], how["beta2"]), eps=how["eps"])
    smoother = LabelSmoother(epsilon=how["label_smoothing"])
    losses = []
    for step in range(how["steps"]):
        labels = batches[f"labels.{step}"]
        outputs = model(input_ids=batches[f"input_ids.{step}"], attention_mask=batches[f"attention_mask.{step}"],
                        labels=labels)
        loss = smoother(outputs, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, how["clip_norm"])
        optimizer.step()
        losses.append(loss.item())
    with open(os.path.join(directory, "losses.json"), "w", encoding="utf-8") as file:
        json.dump(losses, file)


def main():
    torch.set_num_threads(1)
    for directory in sys.argv[1:]:
        train(directory)


if __name__ == "__main__":
    main()
