"""The smallest member of every family of ``keras.applications``, with random weights."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from typing import Any

# A family is a module; which of its members is the smallest, Keras does not say.
smallest = {
    "convnext": "ConvNeXtTiny", "densenet": "DenseNet121", "efficientnet": "EfficientNetB0",
    "efficientnet_v2": "EfficientNetV2B0", "inception_resnet_v2": "InceptionResNetV2", "inception_v3": "InceptionV3",
    "mobilenet": "MobileNet", "mobilenet_v2": "MobileNetV2", "mobilenet_v3": "MobileNetV3Small",
    "nasnet": "NASNetMobile", "regnet": "RegNetX002", "resnet": "ResNet50", "resnet_rs": "ResNetRS50",
    "resnet_v2": "ResNet50V2", "vgg16": "VGG16", "vgg19": "VGG19", "xception": "Xception",
}  # fmt: skip
no_family = {"imagenet_utils", "resnet50"}  # helpers, and another name of resnet
sizes = (32, 64, 75, 96, 224)
classes = 5


def members(library: Any) -> dict[str, Any]:
    """Give for each family the function that makes its smallest member.

    Raises:
        LookupError: a family is not in the table.
    """
    found = {}
    for module in pkgutil.iter_modules(library.applications.__path__):
        name = module.name.removesuffix("_test")
        if name in no_family or module.name.endswith("_test"):
            continue
        family = importlib.import_module(f"{library.applications.__name__}.{module.name}")
        if name not in smallest:
            made = [key for key, value in vars(family).items() if inspect.isfunction(value) and key[:1].isupper()]
            raise LookupError(f"{library.__name__}.applications.{name} is new: put one of {made} into smallest")
        # Some stand beside their family's module rather than in it.
        found[name] = getattr(family, smallest[name], None) or getattr(library.applications, smallest[name])
    return found


def make_application(function: Any, random: Any) -> Any:
    """Make a member for the smallest pictures that it takes, with numbers in place of zeros and ones.

    Raises:
        LookupError: it takes none of the sizes.
    """
    for size in sizes:
        with contextlib.suppress(ValueError):
            model = function(weights=None, classes=classes, input_shape=(size, size, 3))
            break
    else:
        raise LookupError(f"{function.__name__} takes none of the sizes {sizes}")
    for variable in model.weights:
        if len(variable.shape) == 1 and "float" in str(variable.dtype):  # kernels are random already
            values = random.normal(scale=0.05, size=tuple(variable.shape)).astype("float32")
            start = variable.numpy()
            variable.assign(start + (abs(values) if "variance" in getattr(variable, "path", variable.name) else values))
    return model
