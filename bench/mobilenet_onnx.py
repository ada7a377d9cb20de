"""Writes MobileNetV2 as PyTorch exports it to ONNX, from the state dict that torchvision published; needs no PyTorch.

    python bench/mobilenet_onnx.py FILE.onnx

A picture of [1, 3, 224, 224], normalised with ImageNet's means and deviations, becomes 1,000 logits. As
``torch.onnx.export`` does in evaluation, batch normalisation is folded into the convolutions, ReLU6 is Clip,
and Flatten stands before Gemm. Needs what ``python assets/fetch.py`` brings, and onnx.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

root = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root / "assets" / "recipes"))

from mobilenet import blocks, origin, read_torch  # noqa: E402

epsilon = 1e-5
opset = 17


class Writer:
    """Nodes and weights, in order."""

    def __init__(self, state: dict[str, Any]) -> None:
        import onnx

        self.helper, self.pack = onnx.helper, onnx.numpy_helper.from_array
        self.state = state
        self.nodes: list[Any] = []
        self.weights = [self.pack(np.array(value, np.float32), name) for name, value in (("low", 0), ("high", 6))]

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        name = f"/{op}_{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(op, list(inputs), [f"{name}_output_0"], name, **attributes))
        return f"{name}_output_0"

    def weight(self, name: str, array: Any) -> str:
        self.weights.append(self.pack(np.ascontiguousarray(array, np.float32), name))
        return name

    def convolution(
        self, x: str, place: str, norm: str, *, stride: int = 1, groups: int = 1, clips: bool = True
    ) -> str:
        kernel = self.state[f"{place}.weight"].astype(np.float64)
        scale, bias, mean, variance = (
            self.state[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + epsilon)
        edge = kernel.shape[-1]
        x = self.node(
            "Conv", x, self.weight(f"{place}.weight", kernel * factor[:, None, None, None]),
            self.weight(f"{place}.bias", bias - mean * factor),
            dilations=[1, 1], group=groups, kernel_shape=[edge] * 2, pads=[edge // 2] * 4, strides=[stride] * 2,
        )  # fmt: skip
        return self.node("Clip", x, "low", "high") if clips else x


def write_mobilenet(path: Path) -> None:
    """Write the file."""
    import onnx

    writer = Writer(read_torch((origin / "mobilenet_v2-b0353104.pth").read_bytes()))
    x = writer.convolution("input", "features.0.0", "features.0.1", stride=2)
    number, channels = 1, 32
    for expansion, wanted, count, stride in blocks:
        for index in range(count):
            first, step = x, stride if index == 0 else 1
            place = f"features.{number}.conv"
            inner, layer = channels * expansion, 0
            if expansion != 1:
                x, layer = writer.convolution(x, f"{place}.0.0", f"{place}.0.1"), 1
            x = writer.convolution(x, f"{place}.{layer}.0", f"{place}.{layer}.1", stride=step, groups=inner)
            x = writer.convolution(x, f"{place}.{layer + 1}", f"{place}.{layer + 2}", clips=False)
            x = writer.node("Add", first, x) if step == 1 and channels == wanted else x
            number, channels = number + 1, wanted
    x = writer.convolution(x, "features.18.0", "features.18.1")
    x = writer.node("Flatten", writer.node("GlobalAveragePool", x), axis=1)
    kernel, bias = (writer.weight(name, writer.state[name]) for name in ("classifier.1.weight", "classifier.1.bias"))
    writer.nodes.append(writer.helper.make_node("Gemm", [x, kernel, bias], ["output"], "/classifier/Gemm", transB=1))
    ends = [
        [writer.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)]
        for name, shape in (("input", ["batch", 3, 224, 224]), ("output", ["batch", 1000]))
    ]
    graph = writer.helper.make_graph(writer.nodes, "main_graph", *ends, writer.weights)
    model = writer.helper.make_model(
        graph, opset_imports=[writer.helper.make_opsetid("", opset)], producer_name="pytorch", ir_version=8
    )
    onnx.checker.check_model(model, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


if __name__ == "__main__":
    write_mobilenet(Path(sys.argv[1]))
