"""What a hostile source is, and what it aims at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Target:
    """What attacks aim at.

    Attributes:
        folder: a folder outside the model's; whatever appears or changes in it is an effect.
        port: of a listener on 127.0.0.1; a connection is an effect.
        secret: a file in another folder, to be read.
        library: a shared library whose constructor writes ``folder/library``.
    """

    folder: Path
    port: int
    secret: Path
    library: Path

    def file(self, name: str = "written") -> str:
        """Give the path of a file that an attack makes."""
        return str(self.folder / name)

    def url(self, name: str = "stolen") -> str:
        """Give a URL of the listener."""
        return f"http://127.0.0.1:{self.port}/{name}"


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile source.

    Attributes:
        name: of the case, usable as a file name.
        tries: what it tries, in a few words.
        write: makes the source in a folder, and gives what ``source`` in build.toml has to name.
        says: what the refusal has to say, a regular expression.
        settings: more lines for the model in build.toml.
        needs_tensorflow: writing it imports TensorFlow.
        dropped: it is not refused: the part that attacks is left out, and the rest builds.
        confined: ``trust = true`` does not let it through either, because it is no code but a way out of the folder.
    """

    name: str
    tries: str
    write: Callable[[Path, Target], Path]
    says: str
    settings: str = ""
    needs_tensorflow: bool = False
    dropped: bool = False
    confined: bool = False


def make_library(target: Target) -> None:
    """Compile the library that tells when it is loaded."""
    source = target.library.with_suffix(".c")
    marker = json.dumps(target.file("library"))
    action = f'FILE *f = fopen({marker}, "w"); if (f) fclose(f);'
    source.write_text(
        "#include <stdio.h>\n"
        f"__attribute__((constructor)) static void loaded(void) {{ {action} }}\n"
        "void TF_InitPlugin(void *unused) { (void)unused; }\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(target.library), str(source)], check=True)
