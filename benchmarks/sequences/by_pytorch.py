"""PyTorch: ``nn.LSTM``, ``nn.GRU``, ``scaled_dot_product_attention``, and the fused Adam."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks import sequences as data


class Recurrent(nn.Module):
    def __init__(self, network: str, weights: data.Weights) -> None:
        super().__init__()
        kind = nn.LSTM if network == "lstm" else nn.GRU
        self.inner = kind(data.FEATURES, data.UNITS, batch_first=True)
        self.out = nn.Linear(data.UNITS, data.CLASSES)
        bias = weights["bias"] if network == "gru" else [weights["bias"], 0 * weights["bias"]]
        given = [weights["kernel"].T, weights["recurrent"].T, *bias]
        for value, parameter in zip(given, self.inner.parameters(), strict=True):
            parts = np.split(value, 4 if network == "lstm" else 3)
            if network == "gru":  # its gates are r, z, n
                parts = [parts[1], parts[0], parts[2]]
            _set(parameter, np.concatenate(parts))
        if network == "lstm":  # one bias is enough, as for everyone
            self.inner.bias_hh_l0.requires_grad_(False)
        _set(self.out.weight, weights["out"].T)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.inner(x)
        return self.out(y[:, -1])


class Block(nn.Module):
    def __init__(self, weights: data.Weights, number: int) -> None:
        super().__init__()
        dim = data.DIM
        self.first, self.second = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.joined = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.wide, self.narrow = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        for name in ("qkv", "joined", "wide", "narrow"):
            _set(getattr(self, name).weight, weights[f"{name}{number}"].T)
            nn.init.zeros_(getattr(self, name).bias)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        rows, tokens, dim = h.shape
        parts = self.qkv(self.first(h)).split(dim, dim=2)
        q, k, v = (p.view(rows, tokens, data.HEADS, -1).transpose(1, 2) for p in parts)
        found = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.joined(found.transpose(1, 2).reshape(rows, tokens, dim))
        return h + self.narrow(functional.relu(self.wide(self.second(h))))


class Transformer(nn.Module):
    def __init__(self, weights: data.Weights) -> None:
        super().__init__()
        self.tokens = nn.Embedding(data.VOCABULARY, data.DIM)
        self.places = nn.Parameter(torch.from_numpy(weights["places"]))
        self.blocks = nn.ModuleList([Block(weights, n) for n in range(data.LAYERS)])
        self.normal = nn.LayerNorm(data.DIM)
        self.out = nn.Linear(data.DIM, data.VOCABULARY)
        _set(self.tokens.weight, weights["tokens"])
        _set(self.out.weight, weights["out"].T)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.tokens(x) + self.places
        for block in self.blocks:
            h = block(h)
        return self.out(self.normal(h))


def _set(parameter: torch.Tensor, value: np.ndarray) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


class Network:
    def __init__(self, network: str) -> None:
        weights = data.weights(network)
        recurrent = network != "transformer"
        self.model = Recurrent(network, weights) if recurrent else Transformer(weights)
        if recurrent:
            nn.init.zeros_(self.model.out.bias)
        chosen = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(chosen, lr=data.RATE, eps=data.EPSILON, fused=True)
        self.batch = [torch.from_numpy(array) for array in data.batch(network)]

    def step(self) -> None:
        x, t = self.batch
        self.optimizer.zero_grad(set_to_none=True)
        z = self.model(x)
        self.value = functional.cross_entropy(z.reshape(-1, z.shape[-1]), t.reshape(-1))
        self.value.backward()
        self.optimizer.step()

    def finish(self) -> None:
        pass

    def loss(self) -> float:
        return float(self.value)
