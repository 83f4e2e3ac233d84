"""A Llama forward pass in NumPy, to check the Java example against: llama_reference.py DIRECTORY COUNT TOKEN...

Reads config.json and the .safetensors files with nothing but NumPy, computes in float64, and does the whole sequence at
once, without a cache. Prints one line `logits ...` for each token of the prompt, and one line `tokens ...` with the
COUNT likeliest continuations.
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np


def read(directory):
    tensors = {}
    for path in sorted(directory.glob("*.safetensors")):
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        for name, entry in json.loads(data[8 : 8 + length]).items():
            if name == "__metadata__":
                continue
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            if entry["dtype"] == "F32":
                values = np.frombuffer(data[begin:end], "<f4")
            elif entry["dtype"] == "BF16":
                values = (np.frombuffer(data[begin:end], "<u2").astype("<u4") << 16).view("<f4")
            else:
                raise ValueError(entry["dtype"])
            tensors[name] = values.astype(np.float64).reshape(entry["shape"])
    return tensors


def rms_norm(x, weight, eps):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rotate(x, theta):
    """x is [position, head, element]; pairs of elements are complex numbers, turned by multiplication."""
    half = x.shape[-1] // 2
    angles = np.outer(np.arange(x.shape[0]), theta ** (-np.arange(half) / half))
    turned = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * angles)[:, None, :]
    return np.concatenate([turned.real, turned.imag], axis=-1)


def logits(tensors, config, tokens):
    heads, kv_heads, width = (config[k] for k in ("num_attention_heads", "num_key_value_heads", "head_dim"))
    eps, theta, length = config["rms_norm_eps"], config["rope_theta"], len(tokens)
    x = tensors["model.embed_tokens.weight"][tokens]
    for i in range(config["num_hidden_layers"]):
        w = {n.removeprefix(f"model.layers.{i}."): t for n, t in tensors.items() if n.startswith(f"model.layers.{i}.")}
        h = rms_norm(x, w["input_layernorm.weight"], eps)
        q = rotate((h @ w["self_attn.q_proj.weight"].T).reshape(length, heads, width), theta)
        k = rotate((h @ w["self_attn.k_proj.weight"].T).reshape(length, kv_heads, width), theta)
        v = (h @ w["self_attn.v_proj.weight"].T).reshape(length, kv_heads, width)
        k, v = (np.repeat(t, heads // kv_heads, axis=1) for t in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(width)
        scores[:, np.triu(np.ones((length, length), bool), 1)] = -np.inf
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        seen = np.einsum("hqk,khd->qhd", shares, v).reshape(length, heads * width)
        x = x + seen @ w["self_attn.o_proj.weight"].T
        h = rms_norm(x, w["post_attention_layernorm.weight"], eps)
        gate = h @ w["mlp.gate_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["mlp.up_proj.weight"].T)) @ w["mlp.down_proj.weight"].T
    head = tensors["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"]
    return rms_norm(x, tensors["model.norm.weight"], eps) @ head.T


def main():
    directory, count, tokens = Path(sys.argv[1]), int(sys.argv[2]), [int(t) for t in sys.argv[3:]]
    config = json.loads((directory / "config.json").read_text())
    tensors = read(directory)
    for row in logits(tensors, config, tokens):
        print("logits", *(repr(float(value)) for value in row))
    for _ in range(count):
        tokens.append(int(np.argmax(logits(tensors, config, tokens)[-1])))
    print("tokens", *tokens[-count:])


if __name__ == "__main__":
    main()
