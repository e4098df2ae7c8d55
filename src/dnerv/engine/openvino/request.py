"""A compiled OpenVINO graph whose inputs and outputs are torch tensors, without copies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from dnerv.engine.openvino.library import ov


class Request:
    """One graph, compiled for the CPU, and its tensors."""

    def __init__(
        self,
        model: Any,
        half: bool,
        *,
        first_input: Tensor | None = None,
        outputs: Sequence[Tensor] = (),
        observed: Sequence[str] = (),
    ) -> None:
        """Compile.

        Args:
            model: of static shapes; what `Graph.finished` gives.
            half: compute in bfloat16, else in float32.
            first_input: the tensor that the first parameter is read from; None for a new one.
            outputs: tensors for its first results; others are new.
            observed: names of its last results.
        """
        options = {"INFERENCE_PRECISION_HINT": "bf16" if half else "f32", "PERFORMANCE_HINT": "LATENCY"}
        compiled = _core().compile_model(model, "CPU", options | {"INFERENCE_NUM_THREADS": torch.get_num_threads()})
        self._request = compiled.create_infer_request()
        self.inputs = [_new(port) for port in compiled.inputs]
        if first_input is not None:
            assert first_input.numel() == self.inputs[0].numel()
            assert first_input.dtype == self.inputs[0].dtype
            self.inputs[0] = first_input.view(self.inputs[0].shape)
        results = [*outputs, *(_new(port) for port in compiled.outputs[len(outputs) :])]
        self.outputs = results[: len(results) - len(observed)]
        self.observed = dict(zip(observed, results[len(self.outputs) :], strict=True))
        for place, tensor in enumerate(self.inputs):
            self._request.set_input_tensor(place, _shared(tensor))
        for place, tensor in enumerate(results):
            self._request.set_output_tensor(place, _shared(tensor))

    def take(self, place: int, tensors: Sequence[Tensor]) -> None:
        """Read inputs number `place` and following from other tensors."""
        for number, tensor in enumerate(tensors, place):
            self.inputs[number] = tensor.view(self.inputs[number].shape)
            self._request.set_input_tensor(number, _shared(self.inputs[number]))

    def run(self) -> None:
        """From the inputs to the outputs."""
        self._request.start_async()
        self._request.wait()


def computes_bf16() -> bool:
    """Whether the processor does, in OpenVINO's eyes."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Any:
    return ov.Core()


def _new(port: Any) -> Tensor:
    dtype = torch.bfloat16 if port.element_type == ov.Type.bf16 else torch.float32
    return torch.empty(tuple(port.shape), dtype=dtype)


def _shared(tensor: Tensor) -> Any:
    assert tensor.is_contiguous()
    if tensor.dtype == torch.bfloat16:
        return ov.Tensor(tensor.view(torch.int16).numpy(), ov.Shape(tensor.shape), ov.Type.bf16)
    return ov.Tensor(tensor.numpy(), shared_memory=True)
