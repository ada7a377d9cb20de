"""The Chinese words of ``docs/ops.zh.md``; ``table`` has the English ones and writes both pages."""

from __future__ import annotations

head = """# 算子

TensorFlow 计算图的每个算子会怎样处理。支持的算子以所安装的转换器的列表为准；\
本页由 `builder/graphs/table.py` 写出，并由测试检查。\
对你自己的模型，`python build.py check` 会给出同样的说明，连同节点和从输入到输出的路径。
"""
outcomes = {
    "cut": (
        "在两端切掉",
        (
            "位于模型的开头或结尾，在它之前（或之后）没有用权重进行的计算。"
            "图片由浏览器在 `handle.run(picture)` 中解码和编码；"
            "其余内容由页面输入或取得张量，构建的提示会说明是哪些。在模型中间的会被拒绝，除非 `cut` 写明在哪里切断。"
            "如果循环逐张处理图片（`tf.map_fn`），先解码再计算，就只取出解码器。"
        ),
    ),
    "beside": (
        "与解码器或编码器一起切掉",
        (
            "绝不单独切掉。缩放到固定尺寸的 ResizeBicubic 和 ResizeArea，由 `run` 按 TensorFlow 的方式完成；"
            "其余由页面完成。"
        ),
    ),
    "rewritten": (
        "改写",
        (
            "替换为能得到相同数值的受支持算子。Roll 需要常量的轴，FakeQuant… 需要常量的范围，ResizeBicubic、"
            "ResizeArea 和 ScaleAndTranslate 需要前后尺寸都是常量，Matrix…Diag… 需要主对角线；"
            "AdjustHue 和 AdjustSaturation 用于非负的颜色。"
            "由常量和已知长度算出的值视为常量；条件因此已知、从不会走到的分支会去掉。同样改写的，还有受支持、"
            "但 TensorFlow.js 或某个后端会算错的节点：分组卷积、带批次的 GatherV2、MatrixBandPart（因果掩码）、"
            "MaxPool3D、"
            "自带边界的 MaxPool、整数的 Mean、按向量选择行的 Select、使用批次自身统计量或通道在前的 FusedBatchNorm…，"
            "以及轴从后面数起的 Cumsum 和 Cumprod。"
        ),
    ),
    "removed": ("去掉", "它们只做观察、打印、检查或调用：页面里不会留下任何痕迹。"),
    "refused": (
        "拒绝",
        (
            "其余一切：构建失败，并写明节点以及可以设置 `cut` 的张量。"
            "涉及文件、网络或 Python 的算子，以及没有人审查过的算子，"
            "在运行任何内容之前就会拒绝。算子也可以用 JavaScript 编写，见 `docs/custom-ops.md`。其中一些附有建议："
        ),
    ),
    "supported": ("支持", "TensorFlow.js 具备这些算子。"),
}
# By the English advice, which errors give as well: one that is changed there and not here fails the page's test.
advice = {
    "at an edge it is cut off and the browser decodes; here it is not at one": (
        "在两端时会切掉，由浏览器解码；这里不在两端"
    ),
    "at an edge it is cut off and the browser encodes; here it is not at one": (
        "在两端时会切掉，由浏览器编码；这里不在两端"
    ),
    "TensorFlow.js draws other numbers: make the random tensor an input, or export without it "
    "(Keras' augmentation draws in SavedModels only: save a .keras file)": (
        "TensorFlow.js 生成的随机数不同：请把随机张量改为输入，或导出时去掉它"
        "（Keras 的数据增强只在 SavedModel 里生成随机数：请保存为 .keras 文件）"
    ),
    "do it in the page before the model, or export with ResizeBilinear": (
        "在页面里先于模型完成，或导出时改用 ResizeBilinear"
    ),
    'it counts words: cut there and feed the counts, or save the model with output_mode="int"': (
        '它统计词数：请在此处切断，直接输入计数，或以 output_mode="int" 保存模型'
    ),
    'it crosses columns: cut there and feed the numbers, or train with Hashing of the joined text ("a_x_b") instead': (
        '它交叉组合多列：请在此处切断，直接输入数字，或改用拼接文本（"a_x_b"）的 Hashing 训练'
    ),
    "export with dense tensors (tf.sparse.to_dense, RaggedTensor.to_tensor), as the model's input or inside it": (
        "以稠密张量导出（tf.sparse.to_dense、RaggedTensor.to_tensor），作为模型的输入或放在模型内部"
    ),
    "cut there and feed the numbers as text": "请在此处切断，以文本形式输入数字",
    "export with tf.signal.stft and tf.signal's mfccs, or cut there and make the features in the page": (
        "改用 tf.signal.stft 和 tf.signal 的 mfccs 导出，或在此处切断，由页面计算特征"
    ),
    "decision forests have JavaScript of their own: npm ydf-inference": (
        "决策森林有自己的 JavaScript：npm 的 ydf-inference"
    ),
    "compute it beforehand if it does not depend on the input, else leave it to the page with cut": (
        "如果与输入无关，请预先算好，否则用 cut 交给页面处理"
    ),
    "export the model in float32; precision is the build's to choose": "以 float32 导出模型；精度由构建来选择",
    "export a signature without the input pipeline": "导出不含输入管道的签名",
    "export for inference: pages cannot change weights": "按推理用途导出：页面不能改变权重",
}
