"""Recognises models that take sound."""

from __future__ import annotations

from .clues import Clues, Proposal, Settings, most_labels

yamnet_samples, yamnet_hop, yamnet_classes = 15_600, 7680, 521


def silero(clues: Clues) -> Proposal | None:
    """Recognise Silero's speech detector: its names, and a state of 2 x 128 numbers."""
    names = {spec.name: spec for spec in clues.inputs}
    shape = names["state"].shape if "state" in names else None
    outputs = {spec.name for spec in clues.outputs}
    if not {"input", "state"} <= set(names) <= {"input", "state", "sr"} or not {"output", "stateN"} <= outputs:
        return None
    if shape is None or len(shape) != 3 or (shape[0], shape[2]) != (2, 128):
        return None
    inputs: Settings = {"input": {"shape": [1, 576]}, "state": {"shape": [2, 1, 128]}}
    audio = {"samples": 576, "hop": 512, "lead": 64, "state": {"state": "stateN"}}
    return Proposal(
        "its inputs and its state of 2 x 128 numbers are those of Silero's speech detector, from version 5 on",
        {"kind": "classes", "output": "output"},
        labels=("silence", "speech"),
        audio=audio,
        inputs=inputs | ({"sr": {"value": 16_000}} if "sr" in names else {}),
    )


def yamnet(clues: Clues) -> Proposal | None:
    """Recognise YAMNet: a row of samples in, the scores of AudioSet's 521 classes out."""
    if len(clues.inputs) != 1:
        return None
    shape = [length for length in clues.inputs[0].shape or (0,) if length != 1]
    scores = [name for name, lengths in clues.shapes().items() if lengths[-1:] == (yamnet_classes,)]
    if len(scores) != 1 or shape not in ([yamnet_samples], [None]):
        return None
    answer = {"kind": "classes", "output": scores[0]}
    reason = f"a row of samples in and {yamnet_classes} scores out are YAMNet's"
    return Proposal(reason, answer, labels=clues.brought, audio={"samples": yamnet_samples, "hop": yamnet_hop})


def speech_commands(clues: Clues) -> Proposal | None:
    """Recognise what @tensorflow-models/speech-commands trains, as the sound projects of Teachable Machine.

    A page's AnalyserNode makes their spectrogram: 1024 samples under a Blackman window, decibels, the lowest
    frequencies; then the library takes mean and deviation out.
    """
    words = clues.notes.get("wordLabels")
    if not isinstance(words, list) or len(clues.inputs) != 1:
        return None
    shape = clues.inputs[0].shape or ()
    if len(shape) != 4 or shape[1] is None or shape[2] is None or shape[3] != 1:
        return None
    mel = {"fft": 1024, "hop": 1024, "window": "blackman", "scale": "linear", "mels": shape[2], "power": 1,
           "log": "db", "offset": 0.0, "least": 1e-7, "normalise": True, "layout": "frames"}  # fmt: skip
    return Proposal(
        "metadata.json lists words, as @tensorflow-models/speech-commands and Teachable Machine write it",
        {"kind": "classes"},
        labels=tuple(map(str, words[:most_labels])),
        audio={"rate": 44_100, "hop": shape[1] * 512, "mel": mel},
    )
