"""What is known about ops: which TensorFlow.js has, which are cut or rewritten, and what to do about the others."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
from functools import cache
from pathlib import Path

from ..errors import ConversionError
from ..packages import to_convert

# Ops that begin a picture, and ops that end one; the browser does both.
decoding = frozenset(
    ("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeGif", "DecodeWebP", "DecodeAndCropJpeg")
)
encoding = frozenset(("EncodeJpeg", "EncodePng", "EncodeJpegVariableQuality"))
# What can be cut at any edge, because a page has it as data: bytes, text, rows of examples.
input_edges = (
    *sorted(decoding),
    "DecodeRaw",
    "DecodePaddedRaw",
    "DecodeBase64",
    "DecodeCSV",
    "DecodeCompressed",
    "DecodeWav",
    "DecodeJSONExample",
    "DecodeProtoV2",
    "ExtractJpegShape",
    "ParseExample",
    "ParseExampleV2",
    "ParseSingleExample",
    "ParseSequenceExample*",
    "ParseSingleSequenceExample",
    "ParseTensor",
    "EncodeBase64",
)
output_edges = (
    *sorted(encoding),
    "EncodeBase64",
    "EncodeWav",
    "EncodeProto",
    "SerializeTensor",
    "AsString",
)
text_edges = (
    "AsString",
    "ReduceJoin",
    "RegexFullMatch",
    "RegexReplace",
    "StaticRegexFullMatch",
    "String*",
    "Substr",
    "Unicode*",
    "UnsortedSegmentJoin",
    "MutableHashTable*",
    "MutableDenseHashTable*",
    "LookupTableExport*",
    "LookupTableInsert*",
    "LookupTableRemove*",
)
# What is cut together with a decoder or an encoder beside it, never alone.
picture_edges = (
    "ResizeBicubic",
    "ResizeArea",
    "QuantizedResizeBilinear",
    "ScaleAndTranslate",
    "DrawBoundingBoxes*",
    "ExtractGlimpse*",
)
# Nodes that compute with trained weights: what is cut must not hold any.
heavy = (
    "Conv*",
    "DepthwiseConv2dNative",
    "MatMul",
    "BatchMatMul*",
    "FusedBatchNorm*",
    "Einsum",
    "*LSTM*",
    "*GRU*",
    "_Fused*",
)
# Removed from inference graphs: they only watch, or stop gradients.
identities = frozenset(
    (
        "CheckNumerics",
        "CheckNumericsV2",
        "DebugIdentity",
        "DebugIdentityV2",
        "DebugIdentityV3",
        "InvertPermutationIdentity",
        "OptimizationBarrier",
        "PlaceholderWithDefault",
        "PreventGradient",
        "Print",
        "ReadVariableOp",
        "Snapshot",
        "StopGradient",
    )
) - {"InvertPermutationIdentity"}
watchers = frozenset(("Assert", "PrintV2", "NoOp"))
calls = frozenset(("PartitionedCall", "StatefulPartitionedCall"))
# On the converter's list, but TensorFlow.js gives their input as it is.
passed_through = frozenset(("FakeQuantWithMinMaxVars",))
random_ops = ("StatelessRandom*", "StatelessTruncated*", "StatelessMultinomial", "RandomGamma*", "RandomPoisson*",
              "RandomShuffle", "ParameterizedTruncatedNormal", "Stateful*Random*", "StatefulUniform*",
              "StatefulStandardNormal*", "StatefulTruncatedNormal", "RngReadAndSkip", "RngSkip", "StatelessSample*",
              "StatelessParameterized*", "StatelessShuffle", "StatelessCase")  # fmt: skip
advice_by_pattern = (
    ((*sorted(decoding),), "at an edge it is cut off and the browser decodes; here it is not at one"),
    ((*sorted(encoding),), "at an edge it is cut off and the browser encodes; here it is not at one"),
    (random_ops, (
     "TensorFlow.js draws other numbers: make the random tensor an input, or export without it "
     "(Keras' augmentation draws in SavedModels only: save a .keras file)")),
    (picture_edges, "do it in the page before the model, or export with ResizeBilinear"),
    (("RaggedBincount", "SparseBincount"),
     'it counts words: cut there and feed the counts, or save the model with output_mode="int"'),
    (("SparseCross*",),
     'it crosses columns: cut there and feed the numbers, or train with Hashing of the joined text ("a_x_b") instead'),
    (("Sparse*", "Ragged*"),
     "export with dense tensors (tf.sparse.to_dense, RaggedTensor.to_tensor), as the model's input or inside it"),
    (("AsString",), "cut there and feed the numbers as text"),
    (("AudioSpectrogram", "Mfcc"),
     "export with tf.signal.stft and tf.signal's mfccs, or cut there and make the features in the page"),
    (("SimpleML*",), "decision forests have JavaScript of their own: npm ydf-inference"),
    (("*Svd", "MatrixInverse", "Cholesky*", "*Eig*", "Qr", "MatrixSolve*", "MatrixDeterminant", "LogMatrix*"),
     "compute it beforehand if it does not depend on the input, else leave it to the page with cut"),
    (("Quantize*", "Dequantize*", "FakeQuant*", "Quantized*", "UniformQuantize*", "UniformDequantize*"),
     "export the model in float32; precision is the build's to choose"),
    (("*Dataset*", "Iterator*"), "export a signature without the input pipeline"),
    (("VarHandleOp", "Assign*", "Resource*"), "export for inference: pages cannot change weights"),
)  # fmt: skip


@cache
def supported_ops() -> frozenset[str]:
    """Return the ops that the installed converter knows TensorFlow.js to have; imports nothing of it.

    Raises:
        ConversionError: the converter is not installed.
    """
    found = importlib.util.find_spec("tensorflowjs")
    places = [Path(place) / "op_list" for place in (found.submodule_search_locations or ())] if found else []
    files = sorted(file for place in places for file in place.glob("*.json"))
    if not files:
        raise ConversionError(
            "tensorflowjs is not installed, so its list of ops cannot be read",
            code="SP-405",
            hint=to_convert,
        )
    return frozenset(entry["tfOpName"] for file in files for entry in json.loads(file.read_bytes())) - passed_through


def matches(op: str, patterns: tuple[str, ...]) -> bool:
    """Return whether an op is one of ``patterns``."""
    return any(fnmatch.fnmatchcase(op, pattern) for pattern in patterns)


def is_edge(op: str) -> bool:
    """Return whether an op may be cut off by itself."""
    return matches(op, input_edges) or matches(op, output_edges) or matches(op, text_edges)


def advice_for(op: str) -> str:
    """Say what can be done about an op that TensorFlow.js lacks."""
    for patterns, advice in advice_by_pattern:
        if matches(op, patterns):
            return advice
    return "leave it to the page with cut, export the model without it, or write the op yourself (custom_ops)"
