"""Attribution methods as frozen values: names, options, parsing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from cases import every

from textlrp.errors import OptionError, RuleError
from textlrp.explainers import methods
from textlrp.explainers.method_table import METHODS, as_method
from textlrp.explainers.methods import IntegratedGradients, Lime, Random, Shap, SmoothGrad

NAMES = [
    "squared-gradient", "gradient-x-input", "integrated-gradients", "smoothgrad", "deconvnet", "guided-backprop",
    "occlusion", "cam", "grad-cam", "random", "lime", "shap", "kernel-shap",
]  # fmt: skip


def test_each_method_documents_its_sum_and_source() -> None:
    assert list(METHODS) == NAMES
    for name, entry in METHODS.items():
        assert entry.value.name == name
        assert entry.description
        assert entry.sums_to
        documented = (type(entry.value).__doc__ or "").lower()
        assert "sum" in documented or name == "random"
        assert "arxiv" in documented or name == "random"


@every("name", NAMES)
def test_a_method_is_a_frozen_value_whose_repr_can_be_pasted(name: str) -> None:
    method = METHODS[name].value
    assert eval(repr(method), vars(methods)) == method
    assert hash(method) == hash(type(method)())
    for option in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, option.name, 3)
    assert as_method(method) is method
    assert as_method(name) == as_method(name.replace("-", "_")) == method


def test_options_are_part_of_the_value() -> None:
    assert repr(Lime(samples=50, seed=3)) == "Lime(samples=50, seed=3)"
    assert Random(1) != Random(2)
    assert as_method("input_t_gradient").name == "gradient-x-input"


@every(
    "method, message",
    [
        ("grad-cams", r"^method must be one of lrp, squared-.*; got 'grad-cams'\. The closest name is 'grad-cam'\.$"),
        ("LRP2", r"The closest name is 'lrp'\.$"),
        ("deeplift", r"got 'deeplift'\.$"),  # no name is similar
        ("", r"got ''"),
        (Lime, r"^method must be a name or a method object; got <class .*Lime'>\. Pass 'lime' or Lime\(\)"),
        (None, r"must be a name or a method object; got None"),
    ],
)
def test_an_unknown_method_is_refused_with_the_closest_name(method: Any, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        as_method(method)


@every(
    "kind, options",
    [
        (IntegratedGradients, {"steps": 0}),
        (IntegratedGradients, {"steps": 2.5}),
        (SmoothGrad, {"samples": 0}),
        (SmoothGrad, {"noise": -0.1}),
        (SmoothGrad, {"noise": float("nan")}),
        (SmoothGrad, {"seed": -1}),
        (Random, {"seed": 2**32}),
        (Random, {"seed": "0"}),
        (Lime, {"samples": 1}),
        (Lime, {"seed": None}),
        (Shap, {"samples": 3}),
        (Shap, {"seed": 0.5}),
    ],
)
def test_an_option_out_of_its_range_is_refused(kind: Any, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=rf"^{name} must be .*; got "):
        kind(**options)


@every("name", METHODS)
def test_a_method_is_parsed_from_its_repr(name: str) -> None:
    assert as_method(repr(METHODS[name].value)) == METHODS[name].value
    assert as_method("Lime(samples=77, seed=3)") == Lime(samples=77, seed=3)
