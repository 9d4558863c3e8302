"""Golden beam searches of the models beside this folder: `python make_search.py` with transformers 5 writes plain ones,
with transformers 4 (below 4.50, before diverse beam search left the library) diverse ones, each into its own file."""
import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

HERE = pathlib.Path(__file__).parent
NEW = 20
OLD = transformers.__version__.startswith("4.")
CASES = {"gpt2": AutoModelForCausalLM, "marian": AutoModelForSeq2SeqLM, "t5": AutoModelForSeq2SeqLM}
if OLD:
    del CASES["t5"]  # version 4 takes this config.json for a tied head and scales the logits
PLAIN = [dict(num_beams=4, length_penalty=lp, early_stopping=es) for es in ("never", False, True) for lp in (1.0, 2.0, -0.5)] + [
    dict(num_beams=3, repetition_penalty=1.3, no_repeat_ngram_size=2),
    dict(num_beams=3, min_new_tokens=8, suppress_tokens=[5, 6, 7], begin_suppress_tokens=[9]),
    dict(num_beams=2, renormalize_logits=True, repetition_penalty=0.8)]
DIVERSE = [dict(num_beams=n, num_beam_groups=g, diversity_penalty=d, length_penalty=lp, early_stopping=es)
           for n, g, d in ((4, 2, 0.5), (4, 4, 1.5), (6, 2, 3.0)) for lp, es in ((1.0, False), (0.6, True), (1.0, "never"))]


@torch.no_grad()
def searches(name, kind):
    model = kind.from_pretrained(HERE.parent / "models" / name).eval()
    expected = load_file(HERE.parent / "models" / name / "expected.safetensors")
    stop = model.generation_config.eos_token_id
    stop = stop if isinstance(stop, list) else [stop]
    for p in range(2):
        prompt = expected[f"greedy.{p}.prompt"][None]
        skip = 1 if model.config.is_encoder_decoder else prompt.shape[1]
        run = lambda **kw: model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                                          return_dict_in_generate=True, output_scores=True, **kw)
        greedy = run(max_new_tokens=24, num_beams=1).sequences[0, skip:].tolist()
        assert greedy == expected[f"greedy.{p}.ids"].tolist(), name
        for options in DIVERSE if OLD else PLAIN:
            out = run(max_new_tokens=NEW, num_return_sequences=options["num_beams"], **options)
            texts = []
            for ids in out.sequences[:, skip:].tolist():  # up to the stop token, without it
                end = next((i for i, x in enumerate(ids) if x in stop), len(ids))
                texts.append(ids[:end])
            yield {"model": name, "prompt": p, "options": options, "ids": texts,
                   "scores": [round(x, 6) for x in out.sequences_scores.tolist()]}


rows = [row for name, kind in CASES.items() for row in searches(name, kind)]
text = ",\n".join(json.dumps(row) for row in rows)
(HERE / ("diverse.json" if OLD else "plain.json")).write_text(
    f'{{"transformers": "{transformers.__version__}", "max_new_tokens": {NEW}, "searches": [\n{text}\n]}}\n')
print(len(rows), "searches")
