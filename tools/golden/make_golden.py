"""Golden values for libs/model: a tiny grouped-query Llama in PyTorch.

    python3 tools/golden/make_golden.py && npx prettier --write libs/model/src/golden      # needs only torch

Everything is computed in f64 from f32 weights and then rounded to f32, so that a test sees the rounding of the engine
under test and not PyTorch's. What PyTorch itself deviates by in f32 is stored beside it: the measure for tolerances.
The model is written out here, not imported: Llama as in transformers' modeling_llama.py (half-split rotary embedding,
repeat_interleave of key/value heads, RMSNorm in full precision, weights [out, in]).
Conventions of the optimizer: steps from 0, decoupled decay on matrices only. eps is 1e-5 (Llama 2) and not 1e-8, so that
its place in the formula shows, and rounding does not decide where a gradient is almost nothing.
"""

import array
import base64
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

CONFIG = dict(hiddenSize=32, intermediateSize=48, layers=2, heads=4, kvHeads=2, vocabSize=97, maxPositions=32,
              ropeTheta=10000, rmsNormEps=1e-6, initStd=0.02)
OPTIMIZER = dict(peakLr=0.01, minLr=0.001, warmupSteps=2, schedule="cosine", betas=[0.9, 0.95], eps=1e-5,
                 weightDecay=0.1, gradClip=0.5)
BUDGET_STEPS = 10
STEPS = 3
SEQUENCES = 3
LENGTH = 16
OUT = pathlib.Path(__file__).resolve().parents[2] / "libs" / "model" / "src" / "golden"


def shapes(tied):
    c = CONFIG
    kv = c["hiddenSize"] // c["heads"] * c["kvHeads"]
    yield "model.embed_tokens.weight", (c["vocabSize"], c["hiddenSize"])
    for i in range(c["layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (c["hiddenSize"],)
        yield p + "self_attn.q_proj.weight", (c["hiddenSize"], c["hiddenSize"])
        yield p + "self_attn.k_proj.weight", (kv, c["hiddenSize"])
        yield p + "self_attn.v_proj.weight", (kv, c["hiddenSize"])
        yield p + "self_attn.o_proj.weight", (c["hiddenSize"], c["hiddenSize"])
        yield p + "post_attention_layernorm.weight", (c["hiddenSize"],)
        yield p + "mlp.gate_proj.weight", (c["intermediateSize"], c["hiddenSize"])
        yield p + "mlp.up_proj.weight", (c["intermediateSize"], c["hiddenSize"])
        yield p + "mlp.down_proj.weight", (c["hiddenSize"], c["intermediateSize"])
    yield "model.norm.weight", (c["hiddenSize"],)
    if not tied:
        yield "lm_head.weight", (c["vocabSize"], c["hiddenSize"])


def rotary_tables(length, dtype):
    """In f32 whatever the model's dtype, as transformers does: positions, frequencies and angles are not exact data."""
    size = CONFIG["hiddenSize"] // CONFIG["heads"]
    inverse = 1.0 / (CONFIG["ropeTheta"] ** (torch.arange(0, size, 2, dtype=torch.float32) / size))
    angles = torch.arange(length, dtype=torch.float32)[:, None] * inverse
    angles = torch.cat([angles, angles], dim=1)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin


def rms_norm(x, weight):
    return weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["rmsNormEps"]))


def forward(w, tokens):
    """tokens [B, T] -> logits [B, T, V]"""
    c = CONFIG
    batch, length = tokens.shape
    size = c["hiddenSize"] // c["heads"]
    x = w["model.embed_tokens.weight"][tokens]
    cos, sin = rotary_tables(length, x.dtype)
    hidden = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)
    for i in range(c["layers"]):
        p = f"model.layers.{i}."

        def heads(name, count, h):
            return (h @ w[p + f"self_attn.{name}_proj.weight"].T).view(batch, length, count, size).transpose(1, 2)

        h = rms_norm(x, w[p + "input_layernorm.weight"])
        q = rotate(heads("q", c["heads"], h), cos, sin)
        k = rotate(heads("k", c["kvHeads"], h), cos, sin).repeat_interleave(c["heads"] // c["kvHeads"], dim=1)
        v = heads("v", c["kvHeads"], h).repeat_interleave(c["heads"] // c["kvHeads"], dim=1)
        scores = q @ k.transpose(2, 3) / math.sqrt(size) + hidden
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, -1)
        x = x + mixed @ w[p + "self_attn.o_proj.weight"].T
        h = rms_norm(x, w[p + "post_attention_layernorm.weight"])
        gate = F.silu(h @ w[p + "mlp.gate_proj.weight"].T)
        x = x + (gate * (h @ w[p + "mlp.up_proj.weight"].T)) @ w[p + "mlp.down_proj.weight"].T
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return rms_norm(x, w["model.norm.weight"]) @ head.T


def sequence_losses(w, slot):
    """slot [B, T + 1] -> [B]"""
    logits = forward(w, slot[:, :-1])
    losses = F.cross_entropy(logits.flatten(0, 1), slot[:, 1:].flatten(), reduction="none")
    return losses.view(slot.shape[0], -1).mean(1)


def learning_rate(step):
    o = OPTIMIZER
    if step < o["warmupSteps"]:
        return o["peakLr"] * (step + 1) / o["warmupSteps"]
    progress = (step - o["warmupSteps"]) / (BUDGET_STEPS - o["warmupSteps"])
    return o["minLr"] + 0.5 * (1 + math.cos(math.pi * progress)) * (o["peakLr"] - o["minLr"])


def train(initial, slots, dtype):
    """Loss, norm and gradient of the first slot, and the weights after all of them."""
    w = {name: value.to(dtype).clone().requires_grad_() for name, value in initial.items()}
    matrices = [value for value in w.values() if value.dim() > 1]
    norms = [value for value in w.values() if value.dim() == 1]
    optimizer = torch.optim.AdamW(
        [dict(params=matrices, weight_decay=OPTIMIZER["weightDecay"]), dict(params=norms, weight_decay=0.0)],
        lr=OPTIMIZER["peakLr"], betas=tuple(OPTIMIZER["betas"]), eps=OPTIMIZER["eps"])
    steps, gradients = [], None
    for step, slot in enumerate(slots):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        loss = sequence_losses(w, slot).mean()
        loss.backward()
        if step == 0:
            gradients = {name: value.grad.clone() for name, value in w.items()}
        norm = torch.nn.utils.clip_grad_norm_(w.values(), OPTIMIZER["gradClip"])
        optimizer.step()
        steps.append(dict(loss=loss.item(), gradNorm=norm.item(), learningRate=learning_rate(step)))
    return steps, gradients, {name: value.detach() for name, value in w.items()}


def encode(tensor):
    return base64.b64encode(array.array("f", tensor.detach().double().flatten().tolist()).tobytes()).decode()


def encode_all(tensors):
    return {name: encode(value) for name, value in tensors.items()}


def deviation(single, double):
    """Largest difference of any tensor, relative to that tensor's largest value."""
    return max(((single[n].double() - double[n]).abs().max() / double[n].abs().max()).item() for n in double)


def make(tied):
    torch.manual_seed(20 + tied)
    initial = {}
    for name, shape in shapes(tied):
        # Larger than a real initialisation, so that attention and gates are far from linear.
        initial[name] = 1 + 0.2 * torch.randn(shape) if len(shape) == 1 else 0.2 * torch.randn(shape)
    slots = torch.randint(0, CONFIG["vocabSize"], (STEPS, SEQUENCES, LENGTH + 1))
    double = {name: value.double() for name, value in initial.items()}
    steps, gradients, weights = train(initial, slots, torch.float64)
    _, gradients32, weights32 = train(initial, slots, torch.float32)
    first = slots[0, :1, :-1]
    logits = forward(double, first)[0]
    logits32 = forward(initial, first)[0]
    return dict(
        source=f"tools/golden/make_golden.py with PyTorch {torch.__version__.split('+')[0]}, f64 rounded to f32",
        config=dict(CONFIG, tieEmbeddings=tied), optimizer=OPTIMIZER, budgetSteps=BUDGET_STEPS,
        sequences=SEQUENCES, sequenceLength=LENGTH, slots=[slot.flatten().tolist() for slot in slots],
        deviationOfPytorchF32=dict(logits=deviation(dict(l=logits32), dict(l=logits)),
                                   gradients=deviation(gradients32, gradients),
                                   weights=deviation(weights32, weights)),
        steps=steps, sequenceLosses=sequence_losses(double, slots[0]).tolist(), logits=encode(logits),
        initialWeights=encode_all(initial), gradients=encode_all(gradients), finalWeights=encode_all(weights))


def main():
    assert sys.byteorder == "little", "the files hold little-endian f32"
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for tied in (True, False):
        path = OUT / f"tiny-llama-{'tied' if tied else 'untied'}.json"
        golden = make(tied)
        path.write_text(json.dumps(golden, indent=1) + "\n")
        print(path.name, path.stat().st_size, "bytes", golden["deviationOfPytorchF32"], golden["steps"])


if __name__ == "__main__":
    main()
