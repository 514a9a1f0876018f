"""The attribution methods other than LRP, as frozen values with their options.

Open it for the definition and the source of a method, and for its options.

Letters: L words the model reads, D dimensions of a word vector x_t, f_c the score of class c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textlrp.errors import OptionError
from textlrp.models.options import check_positive, check_whole, is_whole


def _check_seed(seed: Any) -> None:
    if not is_whole(seed) or not 0 <= seed < 2**32:
        raise OptionError(f"seed must be a whole number from 0 to 2**32 - 1; got {seed!r}. Pass seed=0.")


def _check_samples(samples: Any, *, least: int, default: int) -> None:
    if not is_whole(samples) or samples < least:
        raise OptionError(
            f"samples must be a whole number of at least {least}; got {samples!r}. Pass samples={default}."
        )


class Method:
    """A frozen attribution method with its options; ``name`` identifies it for users and in explanations."""

    __slots__ = ()

    name: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SquaredGradient(Method):
    """Sensitivity analysis: R_t = sum_d (∂f_c / ∂x_td)².

    Shows where the score is sensitive, not which words support the class: relevance has no sign. Sums to the squared
    norm of the gradient. The squared gradient of a tf-idf value is distributed over the words of its n-gram. Source:
    Simonyan et al. 2014 (arXiv 1312.6034); as in Arras et al. 2017.
    """

    name: ClassVar[str] = "squared-gradient"


@dataclass(frozen=True, slots=True)
class GradientTimesInput(Method):
    """R_t = sum_d x_td · ∂f_c / ∂x_td.

    Equals LRP-0 on nets of ReLU and max pooling, and there sums to the score minus what LRP-0 absorbs. On other
    models the sum has no meaning. Source: Shrikumar et al. 2016 (arXiv 1605.01713).
    """

    name: ClassVar[str] = "gradient-x-input"


@dataclass(frozen=True, slots=True)
class IntegratedGradients(Method):
    """R_t = sum_d x_td · ∫ ∂f_c(α x) / ∂x_td dα for α from 0 to 1, by Gauss-Legendre quadrature with ``steps`` nodes.

    The baseline input is zero vectors (for a pipeline: no tf-idf value). A transformer's is the padding token b, and
    the path leads from b to x. Sums to f_c(x) − f_c(0) except for the ``unsummed`` remainder of the integral: 0 on
    linear models, about 1 / ``steps`` of the total where ReLU and max pooling make the integrand discontinuous.
    Source: Sundararajan et al. 2017 (arXiv 1703.01365).
    """

    steps: int = 50
    name: ClassVar[str] = "integrated-gradients"

    def __post_init__(self) -> None:
        check_whole("steps", self.steps)


@dataclass(frozen=True, slots=True)
class SmoothGrad(Method):
    """Gradient × input, where the gradient is the mean over ``samples`` copies of the input with Gaussian noise.

    ``noise`` is the standard deviation relative to the range (largest minus smallest number) of the inputs. Unknown
    words get no noise. The sum has no known meaning. Source: Smilkov et al. 2017 (arXiv 1706.03825).
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
    """Gradient × input, where every ReLU passes positive gradients only, active or not: g -> max(0, g).

    The sum has no known meaning. Without a ReLU it equals gradient × input. Source: Zeiler and Fergus 2014 (arXiv
    1311.2901).
    """

    name: ClassVar[str] = "deconvnet"


@dataclass(frozen=True, slots=True)
class GuidedBackprop(Method):
    """Gradient × input, where every active ReLU passes positive gradients only: g -> max(0, g) · [z > 0].

    The sum has no known meaning. Without a ReLU it equals gradient × input. Source: Springenberg et al. 2015 (arXiv
    1412.6806).
    """

    name: ClassVar[str] = "guided-backprop"


@dataclass(frozen=True, slots=True)
class Occlusion(Method):
    """R_t = f_c(text) − f_c(text without word t). The vector of word t is set to zero; its position stays.

    The sum has no meaning unless the score is a sum over words. Costs L forward passes. Words that can replace each
    other get little relevance. Source: Zeiler and Fergus 2014 (arXiv 1311.2901); for words Li et al. 2016 (arXiv
    1612.08220).
    """

    name: ClassVar[str] = "occlusion"


@dataclass(frozen=True, slots=True)
class CAM(Method):
    """Class activation map: a window at t gets M_c(t) = sum_f w_cf A_f(t) / W.

    It is distributed equally over the known words of the window. Only for a CNNClassifier with ``pooling="mean"``;
    each width has W windows. Sums to f_c minus the output bias and minus the windows without a known word; the ledger
    has both. Source: Zhou et al. 2016 (arXiv 1512.04150), applied over time.
    """

    name: ClassVar[str] = "cam"


@dataclass(frozen=True, slots=True)
class GradCAM(Method):
    """Gradient-weighted class activation map, for a CNNClassifier. Never negative: no word opposes a class.

    Max pooling: each known word of a filter's winning window gets max(0, ∂f_c / ∂p_f) · p_f, where p_f is the pooled
    value. Source: Grad-CAM-Text, Lertvittayakumjorn and Toni 2019 (arXiv 1908.11355).

    Mean pooling: a window of one width gets max(0, sum_f α_f A_f(t)) over the filters f of that width, where α_f is
    the mean of ∂f_c / ∂A_f over time. It is distributed equally over the window's known words. Source: Selvaraju et
    al. 2017 (arXiv 1610.02391).

    The sum over words has no known meaning.
    """

    name: ClassVar[str] = "grad-cam"


@dataclass(frozen=True, slots=True)
class Random(Method):
    """Random baseline: uniform in [−1, 1). Any useful method must be better.

    The values depend only on the seed, the class, and the id and text of the document.
    """

    seed: int = 0
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Lime(Method):
    """The weights of a ridge regression that predicts the score from which words are present.

    It is fitted on the text and ``samples`` - 1 copies with random words left out, by lime's ``LimeBase`` with the
    sampling, distance and kernel of ``LimeTextExplainer(bow=False)``: every position is a feature, and a word that is
    left out is the zero vector. The intercept is the ledger entry ``baseline``; the rest of the score that the
    regression does not explain is ``unsummed``. Needs the extra ``baselines``. Source: Ribeiro et al. 2016 (arXiv
    1602.04938).
    """

    samples: int = 1000
    seed: int = 0
    name: ClassVar[str] = "lime"

    def __post_init__(self) -> None:
        _check_samples(self.samples, least=2, default=1000)
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class Shap(Method):
    """Owen values: how much a word adds to the score, averaged over orders that keep neighbors together.

    Computed by shap's ``PartitionExplainer`` over a balanced tree of word positions, with about ``samples`` masked
    texts at most. If that is not enough, the value of a group is distributed equally over its words. Sums to
    f_c(text) minus the score of the empty text, which is the ledger entry ``baseline``. Needs the extra
    ``baselines``. Source: Lundberg and Lee 2017 (arXiv 1705.07874).
    """

    samples: int = 500
    seed: int = 0
    name: ClassVar[str] = "shap"

    def __post_init__(self) -> None:
        _check_samples(self.samples, least=4, default=500)
        _check_seed(self.seed)


@dataclass(frozen=True, slots=True)
class KernelShap(Method):
    """Shapley values: how much a word adds to the score, averaged over all orders of adding the words.

    Estimated by shap's ``KernelExplainer``: a regression that predicts the score from which words are present, with
    Shapley weights, on ``samples`` + 2 J texts of J words in which random words are left out. With all subsets of the
    words among them (up to 11 words by default), the values are exact. Sums to f_c(text) minus the score of the empty
    text, which is the ledger entry ``baseline``. Needs the extra ``baselines``. Source: Lundberg and Lee 2017 (arXiv
    1705.07874), section 4.1.
    """

    samples: int = 2048
    seed: int = 0
    name: ClassVar[str] = "kernel-shap"

    def __post_init__(self) -> None:
        _check_samples(self.samples, least=4, default=2048)
        _check_seed(self.seed)
