"""Makes, saves, converts and answers the models of the matrix in one process; run as a program.

Usage: python -m tests.matrix.run FOLDER [--libraries keras tf_keras] [--forms FORM …] [--only ITEM …] [--alone]
       [--sample | --applications]

Writes ``outcomes.json``: the layer classes that each library has, and for each model what became of it; beside it lie
inputs of two batch sizes with Keras' own answers, for ``judge``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.matrix.items import Item, batches, class_items, classes, option_items
from tests.matrix.models import arrays, forms, forms_of_options, groups, input_name, make_model, sample, save, shake

libraries = ("keras", "tf_keras")


@dataclass(frozen=True, slots=True)
class Run:
    """What all models of a run share."""

    library: Any
    folder: Path
    random: Any

    def one(self, group: Sequence[Item], form: str, name: str) -> dict[str, Any]:
        """Make, save, convert and answer one model; gives its outcome."""
        start = time.monotonic()
        outcome: dict[str, Any] = {
            "library": self.library.__name__,
            "name": name,
            "form": form,
            "items": [item.name for item in group],
            "kinds": [item.kind for item in group],
            "wanted": group[0].wanted(form),
        }
        self.library.backend.clear_session()
        try:
            model = make_model(self.library, group, form)
            shake(model, self.random)
            path = save(self.library, model, form, self.folder / name)
        except Exception as error:  # Keras itself cannot make or write it: no fault of a conversion
            return outcome | {"unmade": f"{type(error).__name__}: {error}"[:600]}
        found = convert_source(path, self.folder / name / "out")
        if "error" in found:
            return outcome | found
        pairs = [self._case(group, form, rows) for rows in batches if group[0].batch in {None, rows}]
        found |= write_answers(model, pairs, Path(found["model"]), is_single=form.startswith("sequential"))
        return outcome | found | {"seconds": round(time.monotonic() - start, 2)}

    def application(self, family: str, function: Any, form: str) -> dict[str, Any]:
        """Do the same with a member of ``keras.applications``."""
        import tf_keras

        from tests.matrix.applications import make_application

        start = time.monotonic()
        for library in (self.library, tf_keras):
            library.backend.clear_session()
        name = function.__name__
        outcome: dict[str, Any] = {
            "library": self.library.__name__,
            "name": family,
            "form": form,
            "items": [name],
            "kinds": [family],
            "wanted": "built",
        }
        model = make_application(function, self.random)
        found = convert_source(save(self.library, model, form, self.folder / family), self.folder / family / "out")
        if "error" not in found:
            shape = tuple(model.inputs[0].shape[1:])
            cases = [{"x": self.random.uniform(0, 255, (rows, *shape)).astype("float32").round()} for rows in batches]
            found |= write_answers(model, cases, Path(found["model"]), is_single=True)
        return outcome | found | {"seconds": round(time.monotonic() - start, 2)}

    def _case(self, group: Sequence[Item], form: str, rows: int) -> dict[str, Any]:
        names = [input_name(item, place) for item in group for place in range(len(item.inputs))]
        return dict(zip(names, arrays(group, rows, self.random), strict=True))


def convert_source(path: Path, out: Path) -> dict[str, Any]:
    """Convert a source as a conversion worker does; gives where it is, or how it was refused."""
    from builder.convert.requests import ConvertRequest, SourceOptions
    from builder.convert.serve import answer
    from builder.sources.detect import detect

    out.parent.mkdir(parents=True, exist_ok=True)
    reply = answer("convert", ConvertRequest(SourceOptions(path, detect(path)), out))
    if reply.failure is not None:
        failure = reply.failure
        return {
            "error": str(failure),
            "type": type(failure).__name__,
            "hint": failure.hint,
            "trace": [note[-1500:] for note in reply.notes],
        }
    return {"model": str(reply.result.model_json)}


def write_answers(model: Any, cases: Sequence[dict[str, Any]], model_json: Path, *, is_single: bool) -> dict[str, Any]:
    """Write cases under the names of the converted model, and what Keras itself answers to them.

    Args:
        model: of Keras.
        cases: arrays by input; text is fed as ids where the conversion cut it off, as a page would do it.
        model_json: what became of it.
        is_single: it has one input, whose name is the library's to choose.

    Returns:
        ``cases``: their number, ``cut``: inputs that take ids in place of text, ``constant``: all answers are the same.
    """
    import numpy as np
    import tensorflow as tf

    from builder.convert.side_files import read_vocabulary
    from builder.sources.tfjs import read_model

    converted = read_model(model_json)
    specs = {spec.name: spec for spec in converted.inputs}
    vocabulary = read_vocabulary(model_json) or {}
    folder = model_json.parent.parent
    varies = False
    for number, case in enumerate(cases):
        tensors = {name: tf.constant(array) for name, array in case.items()}
        answers = model(next(iter(tensors.values())) if is_single else tensors, training=False)
        if not isinstance(answers, dict):
            answers = {converted.outputs[0].name: answers}
        fed = dict(zip(specs, case.values(), strict=True)) if is_single else case
        fed = {name: array for name, array in fed.items() if name in specs}
        fed = {name: as_ids(array, vocabulary.get(name), specs[name].shape) for name, array in fed.items()}
        found = {name: _array(value) for name, value in answers.items()}
        varies = varies or any(np.unique(array).size > 1 for array in found.values())
        np.savez(folder / f"inputs{number}.npz", **fed)
        np.savez(folder / f"outputs{number}.npz", **found)
    return {"cases": len(cases), "cut": sorted(vocabulary), "constant": not varies}


def as_ids(array: Any, entry: dict[str, Any] | None, shape: Sequence[int]) -> Any:
    """Give text as a page feeds it: words by their place in the vocabulary, filled up with zeros."""
    import numpy as np

    if entry is None:
        return array
    numbers = {word: number for number, word in enumerate(entry["words"])}
    ids = np.vectorize(lambda word: numbers.get(word, entry.get("unknown", 0)), otypes=[np.int32])(array)
    width = shape[1] if len(shape) > 1 and shape[1] > 0 else ids.shape[1]
    return np.pad(ids, ((0, 0), (0, width - ids.shape[1])))


def _array(answer: Any) -> Any:
    import numpy as np

    array = np.asarray(answer)
    return array.astype("S") if array.dtype == object else array


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--libraries", nargs="*", default=libraries, choices=libraries)
    parser.add_argument("--forms", nargs="*", default=forms, choices=forms)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--applications", action="store_true")
    options = parser.parse_args()
    from builder.convert import worker

    worker.versions()  # imports all, as a worker does
    import numpy as np

    options.folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[dict[str, Any]] = []
    present: dict[str, list[str]] = {}
    for name in options.libraries:
        library = importlib.import_module(name)
        library.utils.set_random_seed(3)
        run = Run(library, options.folder.resolve() / name, np.random.Generator(np.random.PCG64(5)))
        shutil.rmtree(run.folder, ignore_errors=True)
        run.folder.mkdir()
        present[name] = sorted(classes(library))
        if options.applications:
            for number, (family, function) in enumerate(_families(library, options.only)):
                form = options.forms[number % len(options.forms)].replace("sequential", "functional")
                _note([run.application(family, function, form)], outcomes, present, options.folder)
            continue
        of_classes, of_options = (
            [item for item in found if options.only is None or item.name in options.only]
            for found in (class_items(library), option_items(library))
        )
        models = sample(of_classes) if options.sample else []
        for form in () if options.sample else options.forms:
            found = [*of_classes, *(of_options if form in forms_of_options else ())]
            models += [(form, group) for group in groups(found, form, alone=options.alone)]
        for done in _all(run, models):
            _note(done, outcomes, present, options.folder)


def _families(library: Any, only: Sequence[str] | None) -> list[tuple[str, Any]]:
    from tests.matrix.applications import members

    return [item for item in members(library).items() if only is None or item[0] in only]


def _note(
    done: list[dict[str, Any]], outcomes: list[dict[str, Any]], present: dict[str, list[str]], folder: Path
) -> None:
    """Say what became of some models, and keep it, so that a run that is ended early was not for nothing."""
    for outcome in done:
        said = outcome.get("error", outcome.get("unmade", ""))[:200] or f"{outcome['seconds']} s"
        print(outcome["library"], outcome["form"], outcome["items"], said, flush=True)  # noqa: T201
    outcomes += done
    (folder / "outcomes.json").write_text(json.dumps({"classes": present, "models": outcomes}, indent=1))


def _all(run: Run, models: Sequence[tuple[str, list[Item]]]) -> Iterator[list[dict[str, Any]]]:
    for number, (form, group) in enumerate(models):
        name = f"{form}-{number}"
        found = [run.one(group, form, name)]
        if len(group) > 1 and ("error" in found[0] or "unmade" in found[0]):  # which of them is it?
            found = [run.one([item], form, f"{name}-{place}") for place, item in enumerate(group)]
        yield found


if __name__ == "__main__":
    main()
