"""PyTorch: a module, a fused optimizer, and a Python loop over slices of tensors."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from benchmarks import contenders
from benchmarks.workloads import EPSILON, Arrays, Workload, initial_weights

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
