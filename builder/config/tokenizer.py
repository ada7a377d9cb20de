"""The table ``[models.NAME.tokenizer]``, which a rung of a ladder may have of its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .table import Table


class TokenizerConfig(Table, frozen=True):
    """The table ``[models.NAME.tokenizer]``: how ``run`` makes inputs of texts."""

    file: Annotated[
        str,
        Meta(
            description="tokenizer.json of Hugging Face's tokenizers.", min_length=1, examples=["models/tokenizer.json"]
        ),
    ]
    ids: Annotated[
        str, Meta(description="Input that takes the ids; by itself the one that is named so.", examples=["input_ids"])
    ] = ""
    mask: Annotated[
        str, Meta(description="Input that tells ids from what fills up, if there is one.", examples=["attention_mask"])
    ] = ""
    types: Annotated[
        str,
        Meta(
            description="Input that tells the first text of two from the second, if any.", examples=["token_type_ids"]
        ),
    ] = ""
