"""The attribution methods that LRP is compared with, as frozen values with their options.

Letters: L words read, D dimensions of a word vector x_t, f_c the score of class c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textlrp.errors import OptionError
from textlrp.models.options import check_positive, check_whole, is_whole


def _check_seed(seed: Any) -> None:
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise OptionError(f"seed={seed!r} came; a whole number from 0 to 2**32 - 1 is wanted.")


def _check_samples(samples: Any, *, least: int) -> None:
    if not is_whole(samples) or samples < least:
        raise OptionError(f"samples={samples!r} came; a whole number >= {least} is wanted.")


class Method:
    """A frozen value: an attribution method with its options. ``name`` is what users and explanations call it."""

    __slots__ = ()

    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SquaredGradient(Method):
    """Sensitivity analysis: R_t = sum_d (∂f_c / ∂x_td)².

    Says where the score would change, not what speaks for the class: there is no sign. Sums to the squared length of
    the gradient. A squared gradient of a tf-idf value is shared over the words of its n-gram.
    Source: Simonyan et al. 2014 (arXiv 1312.6034); as in Arras et al. 2017.
    """

    name: ClassVar[str] = "squared-gradient"


@dataclass(frozen=True, slots=True)
class GradientTimesInput(Method):
    """R_t = sum_d x_td · ∂f_c / ∂x_td.

    Equals LRP-0 on nets of ReLU and max-pooling, and sums to the score less what LRP-0 absorbs there; elsewhere its
    sum means nothing. Source: Shrikumar et al. 2016 (arXiv 1605.01713).
    """

    name: ClassVar[str] = "gradient-x-input"


@dataclass(frozen=True, slots=True)
class IntegratedGradients(Method):
    """R_t = sum_d x_td · ∫ ∂f_c(α x) / ∂x_td dα for α from 0 to 1, by Gauss-Legendre with so many ``steps``.

    The baseline is zero vectors (no tf-idf value). Sums to f_c(x) − f_c(0) but for the ``unsummed`` remainder of the
    integral: none on linear models, about 1 / ``steps`` of the whole where ReLU and max-pooling bend the path.
    Source: Sundararajan et al. 2017 (arXiv 1703.01365).
    """

    steps: int = 50
    name: ClassVar[str] = "integrated-gradients"

    def __post_init__(self) -> None:
        check_whole("steps", self.steps)


@dataclass(frozen=True, slots=True)
class SmoothGrad(Method):
    """Gradient × input with the gradient a mean over ``samples`` of the inputs with Gaussian noise.

    ``noise`` is its standard deviation relative to the range (largest minus smallest number) of the inputs; unknown
    words get none. No sum is known. Source: Smilkov et al. 2017 (arXiv 1706.03825).
    """

    samples: int = 25
    noise: float = 0.1
    seed: int = 0
    name: ClassVar[str] = "smoothgrad"

    def __post_init__(self) -> None:
        check_whole("samples", self.samples)
        check_positive("noise", self.noise, zero=True)
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Deconvnet(Method):
    """Gradient × input where every ReLU lets positive signals back, whatever it let forward: g -> max(0, g).

    No sum is known. Without a ReLU it is gradient × input. Source: Zeiler and Fergus 2014 (arXiv 1311.2901).
    """

    name: ClassVar[str] = "deconvnet"


@dataclass(frozen=True, slots=True)
class GuidedBackprop(Method):
    """Gradient × input where every ReLU lets positive signals back, where it was active: g -> max(0, g) · [z > 0].

    No sum is known. Without a ReLU it is gradient × input. Source: Springenberg et al. 2015 (arXiv 1412.6806).
    """

    name: ClassVar[str] = "guided-backprop"


@dataclass(frozen=True, slots=True)
class Occlusion(Method):
    """R_t = f_c(text) − f_c(text without word t): its vector is zero, its position stays.

    The sum means nothing unless the score is a sum over words. Costs L passes; words that stand in for each other get
    little. Source: Zeiler and Fergus 2014 (arXiv 1311.2901); on words Li et al. 2016 (arXiv 1612.08220).
    """

    name: ClassVar[str] = "occlusion"


@dataclass(frozen=True, slots=True)
class CAM(Method):
    """Class activation map: a window at t gets M_c(t) = sum_f w_cf A_f(t) / W, shared equally over its known words.

    For a CNNClassifier with ``pooling="mean"`` alone; W windows of each width. Sums to f_c less the output's bias and
    the windows with no known word, both in the ledger. Source: Zhou et al. 2016 (arXiv 1512.04150), over time.
    """

    name: ClassVar[str] = "cam"


@dataclass(frozen=True, slots=True)
class GradCAM(Method):
    """Gradient-weighted class activation map, for a CNNClassifier; never negative, so nothing speaks against a class.

    Max-pooling: each known word of a filter's winning window gets max(0, ∂f_c / ∂p_f) · p_f of the pooled p_f
    (Grad-CAM-Text, Lertvittayakumjorn and Toni 2019, arXiv 1908.11355). Mean pooling: a window gets
    max(0, sum_f α_f A_f(t)) with α_f the mean of ∂f_c / ∂A_f over time, for each width on its own, shared equally
    over its known words (Selvaraju et al. 2017, arXiv 1610.02391). No sum is known.
    """

    name: ClassVar[str] = "grad-cam"


@dataclass(frozen=True, slots=True)
class Random(Method):
    """Uniform in [−1, 1): what any method must beat. Decided by seed, class, the document's id and its text."""

    seed: int = 0
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Lime(Method):
    """The weights of a ridge regression of the score on which words were kept, in ``samples`` thinned-out texts.

    Fitted by lime's own ``LimeBase``, with the sampling, distance and kernel of its ``LimeTextExplainer`` at
    ``bow=False``; every position is a feature, a word left out is the zero vector. The intercept is the ``baseline``;
    the rest of the score, which the regression misses, is ``unsummed``. Needs the extra ``baselines``.
    Source: Ribeiro et al. 2016 (arXiv 1602.04938).
    """

    samples: int = 1000
    seed: int = 0
    name: ClassVar[str] = "lime"

    def __post_init__(self) -> None:
        _check_samples(self.samples, least=2)
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Shap(Method):
    """Owen values: what a word adds to the score, averaged over orders that keep neighbors together.

    Reckoned by shap's own ``PartitionExplainer`` over a balanced tree of positions, with at most about ``samples``
    thinned-out texts; where these end, a group's value is shared equally over its words. Sums to f_c(text) − f_c(no
    word), which is the ``baseline``. Needs the extra ``baselines``. Source: Lundberg and Lee 2017 (arXiv 1705.07874).
    """

    samples: int = 500
    seed: int = 0
    name: ClassVar[str] = "shap"

    def __post_init__(self) -> None:
        _check_samples(self.samples, least=4)
        _check_seed(self.seed)
