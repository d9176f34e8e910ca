"""PyTorch: a module, a fused optimizer, and a Python loop over slices of tensors."""

from __future__ import annotations

import itertools
import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from benchmarks import contenders
from benchmarks.workloads import (
    EPSILON,
    MOMENTUM,
    NORMAL_EPSILON,
    Arrays,
    Workload,
    initial_weights,
)

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
VARIANTS = ("eager", "`torch.compile`")


class Network(contenders.Network):
    CASES: ClassVar = {"fit": VARIANTS, "step": VARIANTS, "predict": VARIANTS}

    def __init__(self, workload: Workload, variant: str) -> None:
        super().__init__(workload, variant)
        values = [torch.from_numpy(w) for w in initial_weights(workload)]
        layers: list[nn.Module] = []
        for w, b in zip(values[::2], values[1::2], strict=True):
            linear = nn.Linear(*w.shape)
            with torch.no_grad():
                linear.weight.copy_(w.T)
                linear.bias.copy_(b)
            layers += [linear, ACTIVATIONS[workload.activation]()]
        self.model = nn.Sequential(*layers[:-1])
        rule = torch.optim.Adam if workload.optimizer == "adam" else torch.optim.SGD
        options: dict[str, Any] = {"eps": EPSILON} if workload.optimizer == "adam" else {}
        parameters = self.model.parameters()
        self.optimizer = rule(parameters, lr=workload.rate, fused=True, **options)
        criterion = nn.CrossEntropyLoss()

        def loss(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            return criterion(self.model(x), t)

        def outputs(x: torch.Tensor) -> torch.Tensor:
            return torch.softmax(self.model(x), dim=1)

        compiled = variant != "eager"
        self.loss = torch.compile(loss) if compiled else loss
        self.outputs = torch.compile(outputs) if compiled else outputs

    def place(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array)

    def step(self, x: torch.Tensor, t: torch.Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(x, t).backward()
        self.optimizer.step()

    def predict(self, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.outputs(torch.from_numpy(x)).numpy()

    def weights(self) -> Arrays:
        return [p.detach().numpy().T for p in self.model.parameters()]


LAYOUTS = {
    "eager, channels last": torch.channels_last,
    "eager, channels first": torch.contiguous_format,
}


class ConvNet(Network):
    """A module of layers as PyTorch has them, in both layouts of memory."""

    CASES: ClassVar = {"fit": tuple(LAYOUTS), "step": tuple(LAYOUTS)}

    def __init__(self, workload: Workload, variant: str) -> None:
        contenders.Network.__init__(self, workload, variant)
        self.layout = LAYOUTS[variant]
        layers: list[nn.Module] = []
        channels = 1
        for filters in workload.filters:
            layers.append(nn.Conv2d(channels, filters, 3))
            if workload.normalized:
                layers.append(nn.BatchNorm2d(filters, NORMAL_EPSILON, 1 - MOMENTUM))
            layers += [nn.ReLU(), nn.MaxPool2d(2)]
            channels = filters
        layers.append(nn.Flatten())
        for sizes in itertools.pairwise(workload.dense_sizes):
            layers += [nn.Linear(*sizes), nn.ReLU()]
        self.model = nn.Sequential(*layers[:-1])
        self.side = math.isqrt(workload.dense_sizes[0] // channels)
        with torch.no_grad():
            for parameter, value in zip(
                self.model.parameters(), initial_weights(workload), strict=True
            ):
                parameter.copy_(torch.from_numpy(self._turned(value)))
        self.model = self.model.to(memory_format=self.layout)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=workload.rate, fused=True, eps=EPSILON
        )
        criterion = nn.CrossEntropyLoss()
        self.loss = lambda x, t: criterion(self.model(x), t)

    def _turned(self, value: np.ndarray) -> np.ndarray:
        """Weights in the order in which PyTorch has their axes."""
        if value.ndim == 4:
            return value.transpose(3, 2, 0, 1)
        if value.ndim == 2 and len(value) == self.workload.dense_sizes[0]:
            image = value.reshape(self.side, self.side, -1, value.shape[1])
            return image.transpose(3, 2, 0, 1).reshape(value.shape[1], -1)
        return value.T

    def _turned_back(self, value: np.ndarray) -> np.ndarray:
        if value.ndim == 4:
            return value.transpose(2, 3, 1, 0)
        if value.ndim == 2 and value.shape[1] == self.workload.dense_sizes[0]:
            image = value.reshape(len(value), -1, self.side, self.side)
            return image.transpose(2, 3, 1, 0).reshape(-1, len(value))
        return value.T

    def place(self, array: np.ndarray) -> torch.Tensor:
        if array.ndim != 4:
            return torch.from_numpy(array)
        image = torch.from_numpy(array).permute(0, 3, 1, 2)
        return image.contiguous(memory_format=self.layout)

    def weights(self) -> Arrays:
        return [self._turned_back(p.detach().numpy()) for p in self.model.parameters()]
