"""Texts in many languages, tokenizers trained on them, and what the module for pages makes of texts under Node."""

from __future__ import annotations

import functools
import json
import random
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from builder.bundle.render import render_module
from builder.tokens.read import parse_tokenizer

root = Path(__file__).parents[2]
Text = str | tuple[str, str]
names_script = """
const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
const pairs = letters.flatMap((a) => letters.map((b) => a + b));
const codes = {
  region: pairs,
  language: pairs.flatMap((pair) => [pair, ...letters.map((c) => pair + c)]).map((code) => code.toLowerCase()),
  currency: Intl.supportedValuesOf("currency"),
};
const found = {};
for (const locale of ["ar", "hi", "th", "he", "fa", "bn", "ta", "am", "my"]) {
  found[locale] = Object.entries(codes).flatMap(([type, list]) => {
    const names = new Intl.DisplayNames(locale, { type, fallback: "none" });
    return list.flatMap((code) => { try { return names.of(code) ?? []; } catch { return []; } });
  });
}
process.stdout.write(JSON.stringify(found));
"""


@functools.cache
def texts() -> Mapping[str, Sequence[str]]:
    """Lines by language: TypeScript's messages, names of Unicode's locales, this project's documents, emoji."""
    found: dict[str, Sequence[str]] = {}
    for path in sorted((root / "node_modules/typescript-5.6/lib").glob("*/diagnosticMessages.generated.json")):
        found[path.parent.name] = list(json.loads(path.read_bytes()).values())
    done = subprocess.run(["node", "-e", names_script], capture_output=True, check=True, timeout=60)
    chance = random.Random(5)
    for language, names in json.loads(done.stdout).items():
        found[language] = [" ".join(chance.sample(names, chance.randint(1, 6))) for _ in names]
    documents = sorted(path for path in (root / "docs").rglob("*.md") if not path.name.endswith(".zh.md"))
    found["en"] = [line.strip() for path in documents for line in path.read_text().splitlines() if line.strip()]
    found["emoji"] = [_emoji(chance) for _ in range(700)]
    return found


def _emoji(chance: random.Random) -> str:
    marks = "👍👋🏳🐈👩🧑❤☕🇩🇪🇯🇵✊🤝🎉🫠🥹🪿💡①½…€"
    joins = (
        "",
        "",
        " ",
        "\u200d",
        "\ufe0f",
        "\U0001f3fd",
        "\u200d♂️",
        " ok ",
        "\r\n",
        "é",
        "e\u0301",
        "ﬁ",
        "ｱﾞ",
        "\uff21",
        "\u00ad",
    )
    return "".join(chance.choice(marks) + chance.choice(joins) for _ in range(chance.randint(1, 12)))


def lines(count: int, seed: int = 0) -> list[str]:
    """Return so many lines, equally many of each language, in an order that a seed gives."""
    chance = random.Random(seed)
    each = -(-count // len(texts()))
    found = [line for some in texts().values() for line in chance.sample(some, min(each, len(some)))]
    chance.shuffle(found)
    return found[:count]


odd = [
    "",
    " ",
    "   \t\n  ",
    "a",
    "\x00\x01\x7f\ufffd\u200b\ufeff",
    "Straße ΣΊΣΥΦΟΣ ΑΣ İstanbul ŉ ǅ ﬀﬁ",
    "e\u0301\u0323 q\u0307\u0323 \u1e9b\u0323 Å\u030a 각 각\u11ab 한글",
    "\u0301start of marks",
    "٠١٢٣٤ ½ ² Ⅷ ㈠ ① १२३",
    "don't DON'T we'LL they'Re I'\u017f \u212a'k \u2019s",
    "foo\r\nbar\n\n\n  baz \u3000\u00a0\u2003x\u0085y\u2028z",
    "https://example.com/a?b=c&d=%20#e_f-g.h",
    "if (a<=b) { return $x[0]->{'y'} ~ `z` | ^w; }",
    "中文和English混排，数字123。日本語カタカナひらがな",
    "ไทยไม่มีช่องว่าง ภาษาลาว ລາວ မြန်မာ ភាសាខ្មែរ",
    "हिन्दी क्षत्रिय ज्ञान র্যা தமிழ்",
    "العَرَبِيَّة ﷽ ﷺ \u0644\u0627\u0640\u0644",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪🇯🇵 👍🏽 ☺️ #️⃣",
    "\U00020000\U0002a6df\U0001f600\U000e0001\U0010fffd",
    "㋿ ꟲ 𞀰 \U000105d2\u0307 \u08ca\u0301 \u16d67",
    "[CLS] [MASK] <s></s> <unk> [UNK] <mask> <|endoftext|>x<|endoftext|> new_word newword xnew_wordy",
    "<0x41> ▁▁ ▁a ▁ ##a ##",
    "a" * 300,
    "ab " * 200,
    "supercalifragilisticexpialidocious" * 5,
    "\u1e9e\u0345\u0334\u05bc\u0591",
]
"""Texts that once were wrong somewhere, or that somebody will send."""

specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def _train(tokenizer: Tokenizer, trainer: Any) -> Tokenizer:
    tokenizer.train_from_iterator((line for line in lines(6000, 1)), trainer)
    return tokenizer


def _bert(lowercase: bool = True, size: int = 8000, **more: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase, **more)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    _train(tokenizer, trainers.WordPieceTrainer(vocab_size=size, special_tokens=specials, show_progress=False))
    return tokenizer


def bert() -> Tokenizer:
    tokenizer = _bert()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_tokens([AddedToken("new_word", single_word=True), AddedToken("New Word", lstrip=True, rstrip=True)])
    return tokenizer


def bert_cased() -> Tokenizer:
    tokenizer = _bert(lowercase=False, strip_accents=False, size=12000)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(40)
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", pad_to_multiple_of=8)
    return tokenizer


def gpt2() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    options = {"special_tokens": ["<|endoftext|>"], "initial_alphabet": alphabet, "show_progress": False}
    return _train(tokenizer, trainers.BpeTrainer(vocab_size=9000, **options))


def roberta() -> Tokenizer:
    tokenizer = gpt2()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True)])
    ids = [(word, tokenizer.token_to_id(word)) for word in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ids)
    tokenizer.enable_truncation(30, direction="left", strategy="longest_first")
    return tokenizer


cl100k = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def llama3() -> Tokenizer:
    """Byte-level BPE with a pattern of its own, whole words first, and normal form C."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.normalizer = normalizers.NFC()
    cut = pre_tokenizers.Split(Regex(cl100k), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    _train(tokenizer, trainers.BpeTrainer(vocab_size=7000, initial_alphabet=alphabet, show_progress=False))
    tokenizer.add_special_tokens(["<|begin|>"])
    begin = tokenizer.token_to_id("<|begin|>")
    template = processors.TemplateProcessing(
        single="<|begin|> $A", pair="<|begin|> $A <|begin|>:1 $B:1", special_tokens=[("<|begin|>", begin)]
    )
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer


def llama2() -> Tokenizer:
    """BPE on whole texts, with bytes for what is unknown."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=5000, special_tokens=["<unk>", "<s>", "</s>", *alphabet], limit_alphabet=400, show_progress=False
    )
    _train(tokenizer, trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = content["added_tokens"][:3]
    content["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(content))


def bpe_suffix() -> Tokenizer:
    """BPE as CLIP has it, with unknown letters one by one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="@@"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), digits, pre_tokenizers.Punctuation("contiguous")]
    )
    options = {"end_of_word_suffix": "</w>", "continuing_subword_prefix": "@@", "limit_alphabet": 300}
    return _train(
        tokenizer, trainers.BpeTrainer(vocab_size=6000, special_tokens=["<unk>"], show_progress=False, **options)
    )


def unigram(scheme: str = "always", split: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    spaces = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=6000, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    _train(tokenizer, trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=split)
    tokenizer.add_special_tokens(["<mask>"])
    ids = [(word, tokenizer.token_to_id(word)) for word in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=ids
    )
    return tokenizer


def unigram_whole() -> Tokenizer:
    tokenizer = unigram("first", split=False)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Strip(), normalizers.NFKD(), normalizers.StripAccents()])
    tokenizer.enable_truncation(24)
    tokenizer.enable_padding(length=24, direction="left", pad_id=1, pad_token="<pad>")
    return tokenizer


def wordlevel() -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Strip(left=True, right=False)])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return _train(tokenizer, trainers.WordLevelTrainer(vocab_size=5000, special_tokens=specials, show_progress=False))


kinds: Mapping[str, Callable[[], Tokenizer]] = {
    "bert": bert,
    "bert_cased": bert_cased,
    "bpe_suffix": bpe_suffix,
    "gpt2": gpt2,
    "llama2": llama2,
    "llama3": llama3,
    "roberta": roberta,
    "unigram": unigram,
    "unigram_whole": unigram_whole,
    "wordlevel": wordlevel,
}

runner = """
import { readFileSync, writeFileSync } from "node:fs";
const [module, job, out] = process.argv.slice(2);
const { openTokenizer } = await import(module);
const { spec, vocabulary, batches, length } = JSON.parse(readFileSync(job, "utf8"));
const start = performance.now();
const tokenizer = openTokenizer(spec, new Uint8Array(readFileSync(vocabulary)));
const opened = performance.now();
const attempt = (texts) => { try { return tokenizer(texts, length); } catch (error) { return String(error); } };
const found = batches.map(attempt);
writeFileSync(out, JSON.stringify({ found, opening: opened - start, encoding: performance.now() - opened }));
"""


def in_node(
    content: str, batches: Sequence[Sequence[Text]], folder: Path, length: int | None = None
) -> tuple[list[Any], float, float]:
    """Encode batches of texts with the module for pages.

    Returns:
        ``[{ids, mask, types}, …]`` of each batch, or the words of its error; milliseconds of opening and of encoding.
    """
    tokenizer = parse_tokenizer(content.encode(), "tokenizer.json")
    module, script, job, vocabulary, out = (
        folder / name for name in ("tokens.mjs", "run.mjs", "job", "vocabulary", "out")
    )
    module.write_bytes(render_module("tokens"))
    script.write_text(runner)
    vocabulary.write_bytes(tokenizer.vocabulary)
    plain = [
        [text if isinstance(text, str) else {"text": text[0], "pair": text[1]} for text in texts] for texts in batches
    ]
    job.write_text(
        json.dumps({"spec": tokenizer.spec, "vocabulary": str(vocabulary), "batches": plain, "length": length})
    )
    done = subprocess.run(
        ["node", str(script), str(module), str(job), str(out)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_bytes())
    return result["found"], result["opening"], result["encoding"]


def reference(tokenizer: Tokenizer, texts: Sequence[Text]) -> list[dict[str, list[int]]]:
    """Encode a batch with the reference."""
    whole = [
        text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(text, str) else text
        for text in texts
    ]
    return [
        {"ids": found.ids, "mask": found.attention_mask, "types": found.type_ids}
        for found in tokenizer.encode_batch(whole)
    ]
