"""The report in two languages: Chinese for the English sentences of a build."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Both:
    """A text in English and in Chinese."""

    en: str
    zh: str


# Sentences of builds. A sentence that is not here is shown in English in both languages.
_sentences = [
    (
        r"(\d+)x(\d+) convolution, (\d+) to (\d+) channels: as a depthwise-separable one",
        r"\1x\2 卷积，\3 到 \4 通道：可改为深度可分离卷积",
    ),
    (
        r"1x1 convolution, (\d+) to (\d+) channels: as (\d+) convolutions of a quarter of the channels",
        r"1x1 卷积，\1 到 \2 通道：可改为 \3 组分组卷积",
    ),
    (
        r"(\d+) tensors repeat earlier ones and are stored once: share the layers, and they are computed once as well",
        r"\1 个张量与前面的重复，只存储了一份：如果共用这些层，计算也只需一次",
    ),
    (
        r"hardly quantizable: (\d+) levels a channel change the answers, so it stays exact",
        r"难以量化：每通道 \1 级会改变结果，因此保留原精度",
    ),
    (
        r"hardly quantizable: it needs all of the (\d+) levels that a byte tells",
        r"难以量化：需要用满一个字节的全部 \1 级",
    ),
    (
        r"hardly quantizable by (\d+) even levels: its largest value is about (\S+) times the typical one (\(.*\))",
        r"难以用 \1 级均匀量化：最大值约为典型值的 \2 倍",
    ),
    (r"as coarse as its distance allows", "在允许误差内的最大步长"),
    (r"as fine as a byte can tell", "已用到单字节的最小步长"),
    (r"(\w+): a byte is too coarse", r"\1：单字节精度不够"),
    (r"(\S+): picture is decoded and fitted", r"\1：图片的解码与缩放"),
    (r"(\S+): text is decoded and fitted", r"\1：文本的解码"),
    (r"(\S+): (\S+) is decoded and fitted", r"\1：\2 的解码"),
    (r"(\S+): (\S+) is encoded", r"\1：\2 的编码"),
    (r"not run on (\w+): it takes too long here", r"未在 \1 上运行：在本机上耗时过长"),
    (
        r"(\d+) inputs are few to judge precision by: the agreement of its first stage is between (\S+) and (\S+)",
        r"用于评估精度的输入只有 \1 个，偏少：第一阶段的一致率在 \2 到 \3 之间",
    ),
    (
        r"The optimiser's state in the source is left out: pages only need the model",
        "已去掉源文件中的优化器状态：网页只需要模型",
    ),
    (
        r"the weight (\S+) holds NaN or infinities; they are kept as they are",
        r"权重 \1 含有 NaN 或无穷大，已原样保留",
    ),
    (
        r"no layer could be measured: its weights are stored as those of lossless or balanced models are",
        "没有可以测量的层：权重按 exact 或 balanced 的方式存储",
    ),
]
_patterns = [(re.compile(english), chinese) for english, chinese in _sentences]


def both(sentence: str) -> Both:
    """Return a sentence of a build in both languages, in English twice if there is no Chinese for it."""
    for pattern, chinese in _patterns:
        if found := pattern.fullmatch(sentence):
            return Both(sentence, found.expand(chinese))
    return Both(sentence, sentence)


_words = {
    "head": "结构",
    "loader": "加载器",
    "base": "基础",
    "refine": "精化",
    "rest": "其余",
    "full": "完整",
    "graph-model": "图模型",
    "layers-model": "层模型",
    "vectors": "词向量",
    "now": "立即",
    "idle": "页面空闲时",
    "visible": "进入视野时",
    "interaction": "首次交互时",
    "manual": "手动",
    "high": "高",
    "normal": "中",
    "low": "低",
}


def word(english: str) -> Both:
    """Return a word of the bundle's vocabulary, such as a stage or a policy, in both languages."""
    return Both(english, _words.get(english, english))
