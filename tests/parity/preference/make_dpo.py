"""Losses and gradients of TRL's DPOTrainer: the policy is models/llama, the reference the same with
every parameter times 0.9. pip install trl; run in this folder; writes dpo.json."""
import json
import pathlib

import torch
import trl
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

MODEL = pathlib.Path(__file__).resolve().parent.parent / "models/llama"
ROWS = [dict(prompt="The man", chosen=" went home.", rejected=" is a tree with four legs"),
        dict(prompt="今天天气", chosen="很好", rejected="不"),
        dict(prompt="What is it? ", chosen="A small dog", rejected="I do not know")]
RULES = [("sigmoid", 0.1, 0.0), ("sigmoid", 0.3, 0.0), ("hinge", 0.1, 0.0), ("ipo", 0.2, 0.0)]
WHOLE = ("model.norm.weight", "model.layers.0.input_layernorm.weight")


def model():
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)


def short(values):
    return [float(f"{v:.7g}") for v in values]


tokenizer = AutoTokenizer.from_pretrained(MODEL)
tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
out = {"trl": trl.__version__, "torch": torch.__version__, "cases": []}
for rule, beta, smoothing in RULES:
    policy, reference = model(), model()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.mul_(0.9)
    args = DPOConfig(output_dir="unused", loss_type=[rule], beta=beta, label_smoothing=smoothing,
                     per_device_train_batch_size=len(ROWS), report_to="none", use_cpu=True, bf16=False,
                     gradient_checkpointing=False, max_length=64)
    trainer = DPOTrainer(model=policy, ref_model=reference, args=args, processing_class=tokenizer,
                         train_dataset=Dataset.from_list(ROWS))
    batch = next(iter(trainer.get_train_dataloader()))
    loss = trainer.compute_loss(trainer.model.train(), batch)
    loss.backward()
    gradients = {name: p.grad for name, p in trainer.model.named_parameters()}
    accuracies = trainer._metrics["train"]["rewards/accuracies"]
    out["batch"] = {k: batch[k].tolist() for k in ("input_ids", "attention_mask", "completion_mask")}
    out["cases"].append({
        "loss_type": rule, "beta": beta, "label_smoothing": smoothing, "loss": loss.item(),
        "reward_accuracy": sum(accuracies) / len(accuracies),
        "norms": dict(zip(gradients, short(g.norm().item() for g in gradients.values()))),
        "gradients": {name: short(gradients[name].flatten().tolist()) for name in WHOLE}})
pathlib.Path("dpo.json").write_text(json.dumps(out) + "\n")
