"""Marian models whose encoder and decoder have embeddings of their own: logits, loss and gradients by
transformers. pip install torch transformers; run in this folder; writes tied/ and untied/."""
import json
import pathlib

import torch
from safetensors.torch import save_file
from transformers import MarianConfig, MarianMTModel

HERE = pathlib.Path(__file__).resolve().parent
torch.set_num_threads(1)
for tied in (True, False):
    config = MarianConfig(
        vocab_size=31, decoder_vocab_size=23, share_encoder_decoder_embeddings=False, tie_word_embeddings=tied,
        d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=4,
        encoder_ffn_dim=24, decoder_ffn_dim=20, max_position_embeddings=24, activation_function="relu", dropout=0.0,
        scale_embedding=True, pad_token_id=2, eos_token_id=0, bos_token_id=None, forced_eos_token_id=0,
        decoder_start_token_id=2)
    model = MarianMTModel(config).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "embed_positions" in name:
                continue
            parameter.copy_(0.4 * torch.randn(parameter.shape, generator=generator) +
                            (1 if name.endswith("norm.weight") else 0))
        model.final_logits_bias.copy_(0.3 * torch.randn(model.final_logits_bias.shape, generator=generator))
    folder = HERE / ("tied" if tied else "untied")
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids = torch.tensor([[30, 7, 19, 4, 28, 0], [12, 29, 0, 2, 2, 2]])
    mask = ids.ne(2).long()
    labels = torch.tensor([[22, 3, 9, 0], [17, 0, -100, -100]])
    out = model(input_ids=ids, attention_mask=mask, labels=labels)
    out.loss.backward()
    tensors = {"input_ids": ids, "attention_mask": mask, "labels": labels, "logits": out.logits.detach(),
               "loss": out.loss.detach().reshape(1)}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and ("embed_tokens" in name or "lm_head" in name):
            tensors["grad." + name] = parameter.grad
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps({"class": type(model).__name__}) + "\n")
