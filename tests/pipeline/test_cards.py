"""Model cards: the same bytes for the same build, and no text of a model or its settings becomes markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from builder import __version__
from builder.bundle.files import File, ModelBundle
from builder.bundle.head import Head, HeadShard
from builder.cache.local import Blob
from builder.cli.main import main
from builder.config.models import ModelConfig
from builder.config.tokenizer import TokenizerConfig
from builder.convert.requests import SourceOptions
from builder.model import TensorSpec
from builder.packing.compress import Encoded
from builder.pipeline.assemble import Assembly
from builder.pipeline.make_model import Built
from builder.pipeline.report.cards import code_span, load_lines, write_cards
from builder.verify.types import Comparison, Verification
from tests.helpers import tiny

golden = Path(__file__).resolve().parents[1] / "golden"
verified = Verification(
    "tfjs 4.22.0 wasm, cpu",
    passed=True,
    stages=(Comparison("base", 0.0123, 0.96875, "scores"), Comparison("full", 0.0, 1.0, "scores")),
    notes=("not run on cpu: it takes too long here",),
    wrong=(("cpu", "it has no kernel of CTCGreedyDecoder"),),
    answers=(49, 50),
)
odd = "a`b``c|d *e* _f_ [g](javascript:alert(1)) <script>h</script>\n# i\u202e"


def file(url: str, nbytes: int, wire: int) -> File:
    return File(url, Blob(Path(), nbytes, "0" * 64), {"br": Encoded(Path(), wire)})


def built(**settings: object) -> Built:
    """Give a model of two stages that takes pictures and answers with classes."""
    head = Head(
        format=1, name="what", kind="graph-model", contract="0" * 16, artifacts={"modelTopology": {"node": []}},
        labels=("cat", "dog"), stages=("base", "refine"), weights=(),
        shards=tuple(HeadShard(stage, 1, 1, "0" * 64, ()) for stage in (0, 0, 1)),
        picture={"input": "image", "size": [224, 224]}, answer={"kind": "classes", "output": "scores", "top": 2},
        modules=("answers", "classes"),
    )  # fmt: skip
    shards = (file("a", 1000, 700), file("b", 500, 350), file("c", 2000, 1900))
    bundle = ModelBundle(
        "what", file("head", 900, 300), head, shards,
        (TensorSpec("image", "float32", (None, 224, 224, 3)),), (TensorSpec("scores", "float32", None),),
    )  # fmt: skip
    measured = {"stages": [{"stage": "base", "agreement": 0.9875, "low": 0.91, "high": 0.999, "inputs": 80}]}
    table = ModelConfig(source="models/what.onnx", **settings)  # type: ignore[arg-type]
    assembly = Assembly(
        bundle, ("The optimiser's state in the source is left out: pages only need the model",), {}, measured
    )
    return Built(
        assembly,
        table,
        SourceOptions(Path("what.onnx"), "onnx"),
        "",
        Path(),
        digests=(("what.onnx", "ab" * 32),),
        origin="onnx",
    )


def cards(model: Built, check: Verification | None = verified) -> tuple[str, str]:
    english, chinese = write_cards(model, check, own_runtime=False).values()
    return english.decode(), chinese.decode()


@pytest.mark.parametrize(("number", "name"), [(0, "card.md"), (1, "card.zh.md")])
def test_a_card_is_as_it_was(number: int, name: str) -> None:
    """Golden files: whoever changes the card looks at them and copies what the test shows."""
    model = built(precision="small", license="Apache-2.0", card="https://example.com/what")
    assert cards(model) == cards(model)
    assert (
        cards(model)[number].replace(f"shardpress {__version__}", "shardpress VERSION") == (golden / name).read_text()
    )


def test_what_is_not_known_is_said() -> None:
    english, chinese = cards(built(), None)
    assert "- Licence: not stated" in english
    assert "- 许可证：未说明" in chinese
    assert "Nothing has run it." in english
    failed = Verification(None, passed=False, problem="Node is missing_here")
    assert "Nothing has run it. Node is missing\\_here" in cards(built(), failed)[0]


def test_texts_of_models_and_settings_are_no_markup() -> None:
    model = built(license=odd, card=odd, precision={odd: "exact"})
    bundle = replace(model.bundle, inputs=(TensorSpec(odd, "float32", (1,)),))
    model = replace(model, assembly=replace(model.assembly, bundle=bundle, notes=(odd,)), digests=((odd, "0" * 64),))
    plain = MarkdownIt("commonmark").enable("table").parse(cards(built())[0])
    headings = [token.content for token in plain if token.type == "inline" and token.level == 1 and token.map]
    for card in cards(model):
        tokens = MarkdownIt("commonmark").enable("table").parse(card)
        inline = [part for token in tokens for part in token.children or ()]
        assert not [token for token in [*tokens, *inline] if token.type.startswith("html") or token.type == "em_open"]
        links = [part.attrs["href"] for part in inline if part.type == "link_open"]
        assert links in (["what.zh.md"], ["what.md"])
        assert sum(token.type == "heading_open" for token in tokens) == sum(t.type == "heading_open" for t in plain)
        # The name of the input is all there, but for what cannot be shown.
        shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in odd)
        assert shown in [part.content for part in inline if part.type == "code_inline"]
    assert headings


@pytest.mark.parametrize("text", ["", "`", "a`", " a", "``", "a|b", "x y"])
def test_any_text_is_code_on_one_line(text: str) -> None:
    (paragraph,) = [token for token in MarkdownIt("commonmark").parse(f"{code_span(text)} after") if token.children]
    code, after = paragraph.children or ()
    assert (code.type, code.content.strip(), after.content) == ("code_inline", text.strip(), " after")


def test_the_lines_that_load_a_model() -> None:
    model = built()
    assert load_lines(model, own_runtime=False)[1:] == [
        'configure({ tf: () => import("@tensorflow/tfjs") });',
        'const answer = await models.what.load().run(document.querySelector("img"));',
    ]
    head = replace_head(model, picture=None, audio=None, answer=None, tokenizer=None)
    assert load_lines(head, own_runtime=True) == [
        'import { models } from "./dist/cdn/loader.js";',
        "const model = await models.what.load().ready;",
    ]
    words = replace_head(model, kind="word-vectors", name="my-words")
    assert load_lines(words, own_runtime=False)[-1] == 'const words = await models["my-words"].load().ready;'
    text = replace_head(model, picture=None, tokenizer={"model": "bpe"})
    assert load_lines(text, own_runtime=True)[-1].endswith('.run("a text");')


def replace_head(model: Built, name: str = "what", **changes: object) -> Built:
    import msgspec

    content = msgspec.structs.replace(model.bundle.content, **changes)
    bundle = replace(model.bundle, content=content, name=name)
    return replace(model, assembly=replace(model.assembly, bundle=bundle))


def test_a_tokenizer_is_told_in_short() -> None:
    model = built(tokenizer=TokenizerConfig(file="tokenizer.json"))
    model = replace_head(
        model, tokenizer={"model": "unigram", "words": 9, "normalizer": [["charsmap"]], "charsmap": 6841}
    )
    assert '- `run()`, tokenizer: `{"model": "unigram", "words": 9}`' in cards(model)[0]


def test_builds_write_and_remove_cards_and_the_report_links_them(tmp_path: Path) -> None:
    for name in ("one", "two"):
        tiny.graph_model(tmp_path / name)
    config = tmp_path / "build.toml"
    table = '[models.{0}]\nsource = "{0}/model.json"\nlicense = "MIT"\n'
    config.write_text(table.format("one") + table.format("two"))
    build = ["--config", str(config), "--quiet"]
    assert main(build) == 0
    folder = tmp_path / "dist/cards"
    names = {f"{name}{ending}" for name in ("one", "two") for ending in (".md", ".zh.md")}
    assert {path.name for path in folder.iterdir()} == names
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert b"model.json" in before["one.md"]
    page = (tmp_path / "dist/report.html").read_text()
    for link in re.findall(r'href="(cards/[^"]+)"', page):
        assert (tmp_path / "dist" / link).is_file()
    assert len(re.findall(r'href="cards/', page)) == 4
    assert main([*build, "--only", "one"]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "what is left alone keeps its card"
    config.write_text(table.format("one") + table.format("two").replace("MIT", "BSD-2-Clause"))
    assert main([*build, "--only", "one"]) == 0
    assert (folder / "two.md").read_bytes() == before["two.md"].replace(b"Licence: MIT", b"Licence: BSD-2-Clause")
    (tmp_path / "dist/.shardpress.json").unlink()
    config.write_text(table.format("one"))
    assert main(build) == 0, "a folder whose record got lost is known by its manifest"
    config.write_text(table.format("two"))
    assert main(build) == 0
    assert {path.name for path in folder.iterdir()} >= {"two.md", "two.zh.md"}
    record = json.loads((tmp_path / "dist/.shardpress.json").read_bytes())["files"]
    assert "cards/two.md" in record
    assert "cards/one.md" not in record
    assert not (folder / "one.md").exists()
