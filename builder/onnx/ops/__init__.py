"""The operators of ONNX, a module a family; importing this imports them all, which fills the table of ``registry``."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f".{_module.name}", __name__)
