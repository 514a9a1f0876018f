"""Tiny Hugging Face classifiers with random weights, and fast tokenizers built in memory. Nothing is downloaded.

Import this module only after ``pytest.importorskip("transformers")``.

    model = tiny_classifier("bert", seed=3, dtype=torch.float64, attention="eager")
    tokenizer = tiny_tokenizer("bert")
    model(**tokenizer("the cat sat", return_tensors="pt")).logits      # (1, 3)

``ARCHITECTURES`` names the models. All their biases and normalization parameters are random, and not 0 or 1 as in a
new model. The ids that :func:`tiny_tokenizer` makes fit the embeddings of the model of the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE, Unigram, WordPiece
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

LABELS = ("sports", "politics", "science")
LENGTH = 64
"""The largest number of pieces that a model reads, special tokens included."""

TEXTS = (
    "The cat sat on the mat, and the dog barked.",
    "Scientists unexpectedly discovered water on a distant planet in 2024!",
    "An unbelievable goal: the match ended 3-2 after extra time.",
    "Parliament rejected the government's proposal on Monday morning.",
    "naïve café owners, e-mail addresses and 😀 emoji",
    "short",
)
"""Example texts; the pieces of the tokenizers are the beginnings of their words, so that many have several pieces."""


class Architecture(NamedTuple):
    """A model type of transformers: options of its configuration, its kind of tokenizer, and its attention."""

    model_type: str
    options: Mapping[str, Any]
    tokenizer: str
    sdpa: bool = True


_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
_BERT = {**_SMALL, "max_position_embeddings": LENGTH}
_OFFSET = {**_SMALL, "max_position_embeddings": LENGTH + 2, "type_vocab_size": 1}
"""RoBERTa counts positions from 2 on."""
_DECODER = {**_SMALL, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": LENGTH}

ARCHITECTURES: dict[str, Architecture] = {
    "bert": Architecture("bert", _BERT, "wordpiece"),
    "distilbert": Architecture(
        "distilbert",
        {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24, "max_position_embeddings": LENGTH},
        "wordpiece",
    ),
    "roberta": Architecture("roberta", _OFFSET, "bytes"),
    "xlm-roberta": Architecture("xlm-roberta", _OFFSET, "unigram"),
    "electra": Architecture("electra", {**_BERT, "embedding_size": 12}, "wordpiece"),
    "albert": Architecture("albert", {**_BERT, "embedding_size": 12}, "unigram"),
    "mpnet": Architecture("mpnet", {**_SMALL, "max_position_embeddings": LENGTH + 2}, "wordpiece", sdpa=False),
    "deberta-v2": Architecture(
        "deberta-v2",
        {
            **_BERT,
            "relative_attention": True,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 8,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
            "position_biased_input": False,
            "type_vocab_size": 0,
            "max_relative_positions": -1,
            "pooler_hidden_size": 16,
        },
        "unigram",
        sdpa=False,
    ),
    "modernbert": Architecture(
        "modernbert",
        {**_BERT, "num_hidden_layers": 3, "local_attention": 8, "global_attn_every_n_layers": 3},
        "bytes",
    ),
    "xlnet": Architecture("xlnet", {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24}, "unigram", sdpa=False),
    "convbert": Architecture(
        "convbert", {**_BERT, "embedding_size": 12, "conv_kernel_size": 3, "head_ratio": 1}, "wordpiece", sdpa=False
    ),
    "roformer": Architecture("roformer", {**_BERT, "embedding_size": 16}, "wordpiece", sdpa=False),
    "squeezebert": Architecture(
        "squeezebert",
        {
            **_BERT,
            "embedding_size": 16,
            "q_groups": 2,
            "k_groups": 2,
            "v_groups": 2,
            "intermediate_groups": 2,
            "output_groups": 2,
        },
        "wordpiece",
        sdpa=False,
    ),
    "mobilebert": Architecture(
        "mobilebert",
        {
            **_BERT,
            "embedding_size": 12,
            "intra_bottleneck_size": 8,
            "num_feedforward_networks": 2,
            "true_hidden_size": 8,
        },
        "wordpiece",
    ),
    "big_bird": Architecture("big_bird", {**_BERT, "attention_type": "original_full"}, "unigram", sdpa=False),
    "gpt2": Architecture(
        "gpt2", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 24, "n_positions": LENGTH}, "plain-bytes"
    ),
    "llama": Architecture("llama", _DECODER, "plain-bytes"),
    "qwen2": Architecture(
        "qwen2", {key: value for key, value in _DECODER.items() if key != "head_dim"}, "plain-bytes"
    ),
    "qwen3": Architecture("qwen3", _DECODER, "plain-bytes"),
}
"""The models by name; ``sdpa`` is False where transformers offers eager attention only."""

ATTENTION = tuple(
    (name, attention)
    for name, architecture in ARCHITECTURES.items()
    for attention in ("eager", "sdpa")
    if attention == "eager" or architecture.sdpa
)
"""Each architecture with each implementation of attention that it has."""


def tiny_classifier(
    name: str, *, seed: int = 0, dtype: torch.dtype = torch.float64, attention: str | None = None, **options: Any
) -> PreTrainedModel:
    """Return an ``AutoModelForSequenceClassification`` in eval mode with random weights and biases.

    It has the 3 classes :data:`LABELS`. ``options`` replace options of the configuration.
    """
    architecture = ARCHITECTURES[name]
    tokenizer = tiny_tokenizer(name)
    config = AutoConfig.for_model(
        architecture.model_type,
        **{
            **architecture.options,
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "cls_token_id": tokenizer.cls_token_id,
            "sep_token_id": tokenizer.sep_token_id,
            "id2label": dict(enumerate(LABELS)),
            "label2id": {label: number for number, label in enumerate(LABELS)},
            **options,
        },
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_config(config, attn_implementation=attention)
    randomize(model, seed=seed)
    return model.to(dtype).eval()


def randomize(module: torch.nn.Module, *, seed: int = 0) -> None:
    """Give all parameters random values: weights and biases around 0, factors of normalization layers around 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            values = torch.randn(parameter.shape, generator=generator)
            factor = parameter.dim() == 1 and name.endswith("weight")
            width = 1 if parameter.dim() < 2 else parameter.shape[-1]
            parameter.copy_(1 + 0.3 * values if factor else values * (0.3 if parameter.dim() < 2 else width**-0.5))


# ---- tokenizers


@cache
def tiny_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """Return a fast tokenizer of the kind that the architecture has; a kind may be given instead of a name."""
    kind = ARCHITECTURES[name].tokenizer if name in ARCHITECTURES else name
    return _TOKENIZERS[kind]()


def _beginnings(tokens: Iterable[str], sizes: Sequence[int]) -> list[str]:
    """The first characters of each token, sorted: the pieces of these tokenizers that are longer than a character."""
    return sorted({token[:size] for token in tokens for size in sizes if len(token) >= size})


def _wordpiece() -> PreTrainedTokenizerFast:
    """As BERT: lower case, pieces with ##, [CLS] text [SEP]."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = [word for text in TEXTS for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
    letters = sorted({letter for word in words for letter in word if letter.isascii()})
    pieces = [*letters, *(f"##{letter}" for letter in letters), *_beginnings(words, (2, 3, 4))]
    tokenizer = Tokenizer(WordPiece(_numbered([*special, *pieces]), unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, splitter, decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=LENGTH,
    )


def _bytes() -> PreTrainedTokenizerFast:
    """As RoBERTa: byte-level BPE, <s> text </s>."""
    return _byte_level(
        processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    )


def _plain_bytes() -> PreTrainedTokenizerFast:
    """As GPT-2: byte-level BPE without special tokens around the text."""
    return _byte_level(processors.ByteLevel(trim_offsets=True))


def _byte_level(post_processor: Any) -> PreTrainedTokenizerFast:
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = [word for text in TEXTS for word, _ in splitter.pre_tokenize_str(text)]
    merged = sorted(_beginnings(words, (2, 3, 4)), key=len)
    pieces = [*_SENTENCE, *sorted(pre_tokenizers.ByteLevel.alphabet()), *merged]
    tokenizer = Tokenizer(BPE(_numbered(pieces), [(piece[:-1], piece[-1]) for piece in merged]))
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoders.ByteLevel()
    tokenizer.post_processor = post_processor
    return _sentence_tokenizer(tokenizer)


def _unigram() -> PreTrainedTokenizerFast:
    """As XLM-R, ALBERT and DeBERTa: SentencePiece's unigram pieces with ▁ in front of words, <s> text </s>."""
    splitter = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    words = [word for text in TEXTS for word, _ in splitter.pre_tokenize_str(text)]
    letters = sorted({letter for word in words for letter in word if letter.isascii() or letter == "▁"})
    scored = [(piece, -2.0 - len(piece) / 8) for piece in _beginnings(words, (2, 3, 4))]
    pieces = [*((token, 0.0) for token in _SENTENCE), *((letter, -5.0) for letter in letters), *scored]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=_SENTENCE.index("<unk>")))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.NFKC(), splitter
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _sentence_tokenizer(tokenizer)


_SENTENCE = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""The first ids of RoBERTa, XLM-R and their like."""


def _sentence_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        cls_token="<s>",
        sep_token="</s>",
        mask_token="<mask>",
        model_max_length=LENGTH,
    )


def _numbered(pieces: Iterable[str]) -> dict[str, int]:
    return {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}


_TOKENIZERS: dict[str, Callable[[], PreTrainedTokenizerFast]] = {
    "wordpiece": _wordpiece,
    "bytes": _bytes,
    "plain-bytes": _plain_bytes,
    "unigram": _unigram,
}
