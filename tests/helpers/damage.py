"""Damage saved models at random, and check that :func:`textlrp.load` refuses each or returns a usable model."""

from __future__ import annotations

import copy
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from laws import score_gap
from toys import LABELS, READ, TEXTS, fitted, small

from textlrp.errors import ModelError
from textlrp.explainers.explain import explain
from textlrp.models.base import TextClassifier
from textlrp.models.estimators import load
from textlrp.models.saving import save_model

RULES = ("epsilon", "alpha2-beta1", "epsilon-gamma-box")
LAW_1 = {"float32": 1e-5, "float64": 1e-12}
BYTES = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I8": 1, "U8": 1, "I32": 4, "I64": 8, "F8_E4M3": 1, "BOOL": 1}
PLAIN = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I8": np.int8, "U8": np.uint8, "I32": np.int32,
         "I64": np.int64}  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3, 4, 5, 7, 24, 10**6, 2**40, 2**63, 2**70, -(2**63), 0.0, 0.5, -1.5, 1e308,
    1e999, float("nan"), "", "x", "words", "mean", "max", "spacy:../x", "spacy:lex_attrs", "a:b", "float64", "med",
    "\ud800", "a\0", [], {}, [1], [1, 1], [1, 2, 3], [0], ["headers"], ["med", "autos", "space"], {"pairs": 5},
    {"pairs": [[1]]}, {"pairs": [[[], 1]]}, {"callable": 5}, {"callable": "toys:small"}, {"a": {"b": {}}},
)  # fmt: skip
"""Replacements for a value of a config."""
NUMBERS = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30, 1e16, 6e4, 1e4, 100.0, -1.0, 0.0, 1e-30, 1e-45)
"""Replacements for a number in a tensor."""


class Parts:
    """The contents of a model folder: ``config`` and ``tensors`` {name: [dtype, shape, bytes]}."""

    def __init__(self, folder: Path) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        data = (folder / "model.safetensors").read_bytes()
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        self.tensors: dict[str, list[Any]] = {}
        for name, entry in header.items():
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            self.tensors[name] = [entry["dtype"], entry["shape"], data[begin:end]]
        self.in_header: Callable[[dict[str, Any]], Any] = lambda header: None
        self.in_config: Callable[[bytes], bytes] = lambda text: text
        self.in_file: Callable[[bytes], bytes] = lambda data: data

    def write(self, folder: Path) -> None:
        """Write both files with a correct checksum."""
        header, offset = {}, 0
        for name, (dtype, shape, data) in self.tensors.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
            offset += len(data)
        self.in_header(header)
        text = json.dumps(header).encode()
        data = len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in self.tensors.values())
        data = self.in_file(data)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(data)
        self.config["sha256"] = sha256(data).hexdigest()
        (folder / "config.json").write_bytes(self.in_config(json.dumps(self.config).encode()))

    def numbers(self, name: str) -> np.ndarray[Any, Any]:
        """Return the numbers of a tensor, to be changed and passed to :meth:`put`."""
        dtype, shape, data = self.tensors[name]
        return np.frombuffer(data, dtype=PLAIN[dtype]).reshape(shape).copy()

    def put(self, name: str, array: np.ndarray[Any, Any]) -> None:
        dtype = next(short for short, plain in PLAIN.items() if plain == array.dtype)
        self.tensors[name] = [dtype, list(array.shape), array.tobytes()]


Draw = np.random.Generator
Damage = Callable[[Parts, Draw], None]


def pick(draw: Draw, values: Any) -> Any:
    """Choose one value; numpy's ``choice`` would change its type."""
    values = list(values)
    return values[int(draw.integers(len(values)))]


def config_value(parts: Parts, draw: Draw) -> None:
    place: Any = parts.config
    key: Any = pick(draw, [*place, "options", "options", "options"])
    while isinstance(place[key], (dict, list)) and place[key] and draw.random() < 0.8:
        place = place[key]
        key = pick(draw, place if isinstance(place, dict) else range(len(place)))
    place[key] = copy.deepcopy(pick(draw, VALUES))


def config_key(parts: Parts, draw: Draw) -> None:
    place = parts.config if draw.random() < 0.5 else parts.config["options"]
    key = pick(draw, place)
    match draw.integers(3):
        case 0:
            del place[key]
        case 1:
            place[key + "x"] = place.pop(key)
        case _:
            place[pick(draw, ["more", "self", "weights_"])] = 1


def config_number(parts: Parts, draw: Draw) -> None:
    shapes = parts.config["shapes"]
    name = pick(draw, shapes)
    if shapes[name]:
        shapes[name][0] = max(0, shapes[name][0] + int(draw.integers(-2, 3)))
    if draw.random() < 0.5:
        parts.config[pick(draw, ["documents", "vocabulary_documents"])] = int(draw.integers(-3, 30))


def config_text(parts: Parts, draw: Draw) -> None:
    place = int(draw.integers(400))
    byte = bytes([int(draw.integers(256))])
    edits: list[Callable[[bytes], bytes]] = [
        lambda text: text[: place * 2],
        lambda text: text[:place] + byte + text[place + 1 :],
        lambda text: b'{"kind": "svm", ' + text[1:],
        lambda text: text[:-1] + b', "more": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        lambda text: text[:-1] + b', "more": ' + b"[" * 200_000 + b"}",
        lambda text: text[:-1] + b', "more": ' + b"9" * 5000 + b"}",
        lambda text: text[:-1] + b', "more": {"a": NaN}}',
        lambda text: text[:-1] + b', "more": {"a": 1e999}}',
        lambda text: text[:-1] + b', "more": {"a": "\\ud800"}}',
        lambda text: b"\xef\xbb\xbf" + text,
        lambda text: b"\xff\xfe" + text,
    ]
    parts.in_config = pick(draw, edits)


def tensor_dtype(parts: Parts, draw: Draw) -> None:
    entry = parts.tensors[pick(draw, parts.tensors)]
    if draw.random() < 0.5 and entry[0] in PLAIN:  # the same numbers in another format
        other = pick(draw, PLAIN)
        with np.errstate(all="ignore"):
            entry[2] = np.frombuffer(entry[2], dtype=PLAIN[entry[0]]).astype(PLAIN[other]).tobytes()
        entry[0] = other
        return
    other = pick(draw, [*BYTES, "BF16", "F8_E4M3", "X"])
    size = int(np.prod(entry[1])) * BYTES.get(other, 4)
    entry[0], entry[2] = other, (entry[2] * (size // max(len(entry[2]), 1) + 1))[:size]


def tensor_shape(parts: Parts, draw: Draw) -> None:
    name = pick(draw, parts.tensors)
    entry = parts.tensors[name]
    dtype, shape, data = entry
    match draw.integers(5):
        case 0:
            entry[1] = [1, *shape]
        case 1:
            entry[1] = [int(np.prod(shape))]
        case 2:
            entry[1] = shape[::-1]
        case 3:
            axis = int(draw.integers(len(shape)))
            longer = [*shape]
            longer[axis] = max(0, longer[axis] + int(draw.choice([-3, -1, 1, 2])))
            size = int(np.prod(longer)) * BYTES.get(dtype, 4)
            entry[1:] = [longer, (data * 3)[:size].ljust(size, b"\0")]
        case _:
            entry[1:] = [[*shape[:-1], 0], b""]
    if draw.random() < 0.6 and name in parts.config["shapes"]:  # a careful attacker also changes the config
        parts.config["shapes"][name] = entry[1]


def tensor_set(parts: Parts, draw: Draw) -> None:
    name, other = pick(draw, parts.tensors), pick(draw, parts.tensors)
    match draw.integers(5):
        case 0:
            del parts.tensors[name]
        case 1:
            parts.tensors[pick(draw, ["more", "embedding", "embedding.q8", "keys2", "conv9.bias"])] = parts.tensors[
                name
            ]
        case 2:
            parts.tensors[name], parts.tensors[other] = parts.tensors[other], parts.tensors[name]
        case 3:
            parts.tensors[name][2] = parts.tensors[other][2]
        case _:
            parts.tensors[name + "x"] = parts.tensors.pop(name)


def tensor_values(parts: Parts, draw: Draw) -> None:
    name = pick(draw, [name for name, (dtype, _, data) in parts.tensors.items() if dtype in PLAIN and data])
    array = parts.numbers(name)
    flat = array.reshape(-1)
    places = slice(None) if draw.random() < 0.3 else draw.integers(len(flat), size=int(draw.integers(1, 4)))
    with np.errstate(all="ignore"):
        match draw.integers(4):
            case 0:
                flat[places] = np.array(flat[places] * pick(draw, [-1.0, 1e4, 1e10, 1e20])).astype(array.dtype)
            case 1 if array.dtype.kind in "iu":
                flat[places] = pick(draw, [np.iinfo(array.dtype).min, np.iinfo(array.dtype).max, 0, 1, 10, 100])
            case 2:
                flat[:] = np.frombuffer(draw.bytes(flat.nbytes), dtype=array.dtype)
            case _:
                flat[places] = np.array(pick(draw, NUMBERS)).astype(array.dtype)
    parts.put(name, array)


def vocabulary(parts: Parts, draw: Draw) -> None:
    words = parts.tensors["vocabulary.words"][2].split(b"\n")
    place = int(draw.integers(len(words)))
    counts = parts.numbers("vocabulary.counts")
    match draw.integers(6):
        case 0:
            words[place] = b"\xff\xed\xa0\x80"
        case 1:
            words[place] = words[place - 1]
        case 2:
            words.pop(place)
        case 3:
            words.insert(place, b"another")
        case 4:
            counts[place] = pick(draw, [-1, 10**9, 0, 24, 25])
        case _:  # remove a word from the vocabulary, but not from the weights
            words.pop(place)
            counts = np.delete(counts, place)
    data = b"\n".join(words)
    parts.tensors["vocabulary.words"] = ["U8", [len(data)], data]
    parts.put("vocabulary.counts", counts)


def header_lies(parts: Parts, draw: Draw) -> None:
    name = pick(draw, parts.tensors)
    by = int(draw.integers(1, 9))
    edits: list[Callable[[dict[str, Any]], Any]] = [
        lambda header: header[name].update(data_offsets=[header[name]["data_offsets"][0] + by, 10**12]),
        lambda header: header[name].update(data_offsets=[0, len(parts.tensors[name][2])]),
        lambda header: header[name].update(shape=[2**62, 2**62]),
        lambda header: header[name].update(shape=[-1]),
        lambda header: header[name].update(shape=["3"]),
        lambda header: header[name].pop("dtype"),
        lambda header: header.update({name: 5}),
        lambda header: header.update({"__metadata__": {"a": 5}}),
        lambda header: header.update({"__metadata__": {"a": "b"}}),
    ]
    parts.in_header = pick(draw, edits)


def file_bytes(parts: Parts, draw: Draw) -> None:
    share, place, byte = draw.random(), int(draw.integers(2000)), bytes([int(draw.integers(256))])
    edits: list[Callable[[bytes], bytes]] = [
        lambda data: data[: int(share * len(data))],
        lambda data: data[: int(share * 9)],
        lambda data: data + byte * int(1 + share * 9),
        lambda data: data[:place] + byte + data[place + 1 :],
        lambda data: (2**40).to_bytes(8, "little") + data[8:],
        lambda data: (2**64 - 1).to_bytes(8, "little") + data[8:],
        lambda data: (int.from_bytes(data[:8], "little") - 1).to_bytes(8, "little") + data[8:],
        lambda data: len(b"[1]").to_bytes(8, "little") + b"[1]",
        lambda data: b"",
    ]
    parts.in_file = pick(draw, edits)


DAMAGES: tuple[Damage, ...] = (
    config_value, config_value, config_value, config_key, config_number, config_text, tensor_dtype, tensor_shape,
    tensor_set, tensor_values, tensor_values, tensor_values, vocabulary, header_lies, file_bytes,
)  # fmt: skip


def sound_folders(place: Path) -> list[Path]:
    """Save small models of all kinds, complete and compressed."""
    folders = []
    for variant, dtype, compress in (
        ("cnn-max", "float32", False), ("cnn-max", "float32", True), ("cnn-mean", "float64", False),
        ("boe", "float32", False), ("boe", "float32", True), ("svm", "float32", False), ("svm", "float64", True),
    ):  # fmt: skip
        folder = place / f"{variant}-{dtype}-{compress}"
        folders.append(save_model(fitted(variant, dtype), folder, compress=compress))
    subwords = small("boe", subwords=(2, 3), buckets=20).fit(TEXTS, LABELS)
    folders.append(save_model(subwords, place / "boe-subwords"))
    for analyzer, compress in (("both", False), ("char_wb", True)):
        characters = characters_model(analyzer)
        folders.append(save_model(characters, place / f"svm-{analyzer}", compress=compress))
    return folders


def characters_model(analyzer: str) -> TextClassifier:
    """A small bag of words with character n-grams."""
    return small("svm", analyzer=analyzer, char_ngrams=(2, 3), punctuation=True).fit(TEXTS, LABELS)


def check_usable(model: TextClassifier) -> None:
    """Assert that all results of a model are finite and that relevance plus absorbed is the score."""
    predicted, decided = model.predict(READ), model.decision_function(READ)
    assert len(predicted) == len(decided) == len(READ)
    assert set(predicted.tolist()) <= set(model.classes_.tolist())
    assert np.isfinite(decided).all()
    if hasattr(model, "predict_proba"):
        assert np.isfinite(model.predict_proba(READ)).all()
    phrases = 3 if model.kind == "cnn" and getattr(model, "pooling", "") == "max" else 0
    for rule in RULES:
        for explanation in explain(model, READ, target="all", rule=rule, phrases=phrases if rule == "epsilon" else 0):
            sizes = np.abs(explanation.relevance).sum(axis=1, dtype=np.float64)
            for entry in explanation.ledger.values():
                sizes = sizes + np.abs(entry)
            assert np.isfinite(explanation.scores).all()
            assert np.isfinite(sizes).all()
            assert score_gap(explanation) <= LAW_1[model.dtype], (rule, explanation.document_id)
            assert all(np.isfinite(phrase.relevance).all() for phrase in explanation.phrases)


def outcome(folder: Path) -> str:
    """Load a folder: "refused", "usable", or a description of anything else. Warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = load(folder)
        except ModelError as refusal:
            sentence = str(refusal)
            readable = len(sentence) < 700 and "\n" not in sentence and sentence.endswith((".", ").", ".)"))
            return "refused" if readable else f"an unreadable refusal: {sentence[:300]!r}"
        except BaseException as other:  # noqa: BLE001
            return f"load raised {other!r}"
        try:
            check_usable(model)
        except BaseException as other:  # noqa: BLE001
            return f"loaded, then {other!r}"
        return "usable"


def damage_many(place: Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Damage models ``count`` times; return the number of each outcome, and a line on each unexpected one."""
    folders = sound_folders(place)
    for folder in folders:
        assert outcome(folder) == "usable"
    ends: Counter[str] = Counter(refused=0, usable=0)
    others = []
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        parts = Parts(folders[number % len(folders)])
        damages = [pick(draw, DAMAGES) for _ in range(1 + (draw.random() < 0.2))]
        for damage in damages:
            try:
                damage(parts, draw)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration):
                break  # the first damage removed what the second one would change
        parts.write(place / "damaged")
        end = outcome(place / "damaged")
        if end in ends:
            ends[end] += 1
        else:
            others.append(f"{number} ({folders[number % len(folders)].name}, {damages}): {end}")
    return ends, others


def summary(ends: Counter[str], others: list[str]) -> str:
    """The line with the number of each outcome."""
    count = ends.total() + len(others)
    return (
        f"{count} damaged folders: {ends['refused']} refused by ModelError, {ends['usable']} exactly usable, "
        f"{len(others)} other"
    )
