"""Read an export by the reader of the tool that it is for, and print what the tool found as JSON.

    python tests/helpers/annotation_tools.py TOOL FILE

``TOOL`` and the packages that it needs:

- ``label-studio``: ``label-studio-sdk``
- ``argilla``: ``argilla`` and ``argilla-server``
- ``doccano``: ``doccano``, without most of what it requires
- ``conll``: ``conllu``
- ``prodigy``: ``spacy``, because Prodigy itself is not on PyPI; it builds spaCy documents from its tasks

Prints a list with an object for each document: ``text``, ``spans`` as [start, end, label] in code points and, if the
tool has them, ``classes`` and ``relevance``. The exit code is 3 if a package is not installed. It imports no textlrp,
so that it runs in an environment with the versions of other packages that the tool needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

NOT_INSTALLED = 3


def label_studio(path: Path) -> list[dict[str, Any]]:
    """Validate each task against the labeling configuration, with Label Studio's SDK."""
    from label_studio_sdk.label_interface import LabelInterface
    from label_studio_sdk.label_interface.objects import TaskValue

    interface = LabelInterface(path.with_suffix(".xml").read_text(encoding="utf-8"))
    interface.validate()
    found = []
    for task in json.loads(path.read_text(encoding="utf-8")):
        TaskValue(**task)
        assert interface.validate_task({"data": task["data"]})
        (prediction,) = task["predictions"]
        problems = interface.validate_prediction(prediction, return_errors=True)
        assert problems == [], problems
        regions = [region["value"] for region in prediction["result"]]
        spans = [[each["start"], each["end"], each["labels"][0]] for each in regions if "labels" in each]
        classes = [label for each in regions for label in each.get("choices", ())]
        found.append({"text": task["data"]["text"], "spans": spans, "classes": classes})
    return found


def argilla(path: Path) -> list[dict[str, Any]]:
    """Read the records as ``dataset.records.from_json`` does, and validate them as Argilla's server does."""
    from argilla.records._io import JsonIO

    records = JsonIO._records_from_json(path)
    found = []
    for record in records:
        model = record.api_model()
        values = {suggestion.question_name: suggestion for suggestion in model.suggestions}
        _check_as_argilla_server(model.fields, values)
        spans = values["relevance"].value if "relevance" in values else []
        classes = values["class"].value if "class" in values else []
        found.append(
            {
                "text": record.fields["text"],
                "spans": [[span["start"], span["end"], span["label"]] for span in spans],
                "classes": classes if isinstance(classes, list) else [classes],
            }
        )
    return found


def _check_as_argilla_server(fields: dict[str, Any], values: dict[str, Any]) -> None:
    from argilla_server.api.schemas.v1.questions import LabelSelectionQuestionSettings, SpanQuestionSettings
    from argilla_server.api.schemas.v1.suggestions import SuggestionCreate
    from argilla_server.models.database import Record
    from argilla_server.validators.suggestions import SuggestionCreateValidator

    record = Record(fields=fields)
    for name, suggestion in values.items():
        several = isinstance(suggestion.value, list)
        labels = {each["label"] for each in suggestion.value} if several else {suggestion.value}
        options = [{"value": label, "text": label, "description": None} for label in sorted(labels)]
        settings = (
            SpanQuestionSettings(type="span", field="text", options=options, allow_overlapping=True)
            if several
            else LabelSelectionQuestionSettings(type="label_selection", options=options)
        )
        created = SuggestionCreate(
            question_id=UUID(int=0), value=suggestion.value, score=suggestion.score, agent=suggestion.agent
        )
        assert name == ("relevance" if several else "class")
        SuggestionCreateValidator.validate(created, settings, record)


def doccano(path: Path) -> list[dict[str, Any]]:
    """Run doccano's own reader, parser and makers; only its database models are replaced."""
    import importlib.util

    for name in ("pandas", "pyexcel", "chardet", "seqeval", "pydantic"):
        __import__(name)
    spec = importlib.util.find_spec("backend")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("doccano")
    sys.path.insert(0, spec.submodule_search_locations[0])
    for name in ("examples", "projects", "label_types", "labels"):
        sys.modules[name] = ModuleType(name)
        sys.modules[f"{name}.models"] = MagicMock()
    from data_import.pipeline.data import TextData
    from data_import.pipeline.label import SpanLabel
    from data_import.pipeline.makers import LabelMaker
    from data_import.pipeline.parsers import JSONLParser
    from data_import.pipeline.readers import FileName, Reader

    reader = Reader([FileName(str(path), path.name, path.name)], JSONLParser(encoding="utf_8"))
    found = []
    for batch in reader.batch(1000):
        maker = LabelMaker("label", SpanLabel)
        labels = maker.make(batch)
        assert maker.errors == []
        for row in batch.to_dict(orient="records"):
            row.pop("#line_number")
            row.pop("label")
            data = TextData.parse(**row)
            units = data.text.encode("utf-16-le")  # doccano's page counts as JavaScript does
            spans = [
                [
                    *(len(units[: 2 * n].decode("utf-16-le")) for n in (label.start_offset, label.end_offset)),
                    label.label,
                ]
                for label in labels
                if label.example_uuid == data.uuid
            ]
            found.append({"text": data.text, "spans": spans, "relevance": data.meta["relevance"]})
    assert reader.errors == []
    return found


def conll(path: Path) -> list[dict[str, Any]]:
    """Parse the file with ``conllu``; the spans are all words, with their form as label."""
    import conllu

    found: list[dict[str, Any]] = []
    with path.open(encoding="utf-8") as file:
        for sentence in conllu.parse_incr(file):
            if "newdoc id" in sentence.metadata:
                found.append({"text": "", "spans": [], "relevance": []})
            document = found[-1]
            document["text"] += sentence.metadata["text"]
            for number, word in enumerate(sentence, start=1):
                assert word["id"] == number
                document["spans"].append([int(word["textlrp:start"]), int(word["textlrp:end"]), word["form"]])
                document["relevance"].append([float(value) for value in word["textlrp:relevance"].split("|")])
    return found


def prodigy(path: Path) -> list[dict[str, Any]]:
    """Build a spaCy document from the tokens of each task, and the spans on it."""
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

    found = []
    for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
        task = json.loads(line)
        words, spaces = zip(*((token["text"], token["ws"]) for token in task["tokens"]), strict=True)
        document = Doc(Vocab(), words=words, spaces=spaces)
        spans = []
        for span in task["spans"]:
            made = document.char_span(span["start"], span["end"], label=span["label"])
            assert made is not None
            assert (made.start, made.end) == (span["token_start"], span["token_end"] + 1)
            spans.append([made.start_char, made.end_char, made.label_])
        relevance = [span["relevance"] for span in task["spans"]]
        found.append({"text": document.text, "spans": spans, "classes": task["accept"], "relevance": relevance})
    return found


TOOLS = {
    "label-studio": label_studio,
    "argilla": argilla,
    "doccano": doccano,
    "conll": conll,
    "prodigy": prodigy,
}

if __name__ == "__main__":
    try:
        documents = TOOLS[sys.argv[1]](Path(sys.argv[2]))
    except ModuleNotFoundError as missing:
        print(f"{missing.name or missing} is not installed", file=sys.stderr)
        sys.exit(NOT_INSTALLED)
    print(json.dumps(documents))
