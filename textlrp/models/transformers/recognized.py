"""Recognize models of Hugging Face by the names of their classes, without an import of transformers or torch."""

from __future__ import annotations


def is_hugging_face(model: object) -> bool:
    """Whether this is a model or a pipeline of transformers, or a model of PEFT or of Optimum around one."""
    bases = (("transformers", "PreTrainedModel"), ("peft", "PeftModel"), ("optimum", "OptimizedModel"))
    return is_pipeline(model) or any(has_base(model_inside(model), *base) for base in bases)


def is_pipeline(model: object) -> bool:
    """Whether this is a pipeline of transformers."""
    return has_base(model, "transformers", "Pipeline")


def model_inside(model: object) -> object:
    """Return the model inside the wrappers that ``torch.compile`` and ``DataParallel`` put around it."""
    while True:
        if has_base(model, "torch", "OptimizedModule"):
            model = vars(model)["_modules"]["_orig_mod"]
        elif has_base(model, "torch", "DataParallel") or has_base(model, "torch", "DistributedDataParallel"):
            model = vars(model)["_modules"]["module"]
        else:
            return model


def has_base(model: object, package: str, name: str) -> bool:
    """Whether the class of a model, or one that it inherits from, is the class ``name`` of a package."""
    return any(each.__name__ == name and each.__module__.partition(".")[0] == package for each in type(model).__mro__)
