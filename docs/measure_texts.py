"""The texts of docs/reference/measures.md: what each measure asks and does not tell. ``measures.py`` writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class MeasureText(NamedTuple):
    """What a measure asks, how it is computed, how to read it, what it does not tell, and its source.

    :data:`FUNCTIONS` has the function of each measure.
    """

    asks: str
    computed: str
    read: str
    not_told: str
    source: str = ""


FUNCTIONS: Mapping[str, str] = {
    "deletion": "deletion_curve",
    "eraser": "eraser_scores",
    "naopc": "normalized_aopc",
    "soft": "soft_erasure",
    "vectors": "explanatory_power",
    "pointing": "pointing_game",
    "words": "class_words",
    "sanity": "efficient_mprt",
    "cascade": "randomization_check",
    "stability": "stability",
    "ledger": "ledger_shares",
    "errors": "likely_label_errors",
    "planted": "find_planted",
    "roar": "recursive_roar",
    "planted-errors": "planted_label_errors",
}
"""By measure: the function of :mod:`textlrp.evaluation` that computes it. The others have none."""

MEASURE_TEXTS: Mapping[str, MeasureText] = {
    "deletion": MeasureText(
        "Does the prediction change when the most relevant words are deleted, and return when they are inserted?",
        "Words are deleted one at a time, in order of their relevance, up to 50 of each document. The model "
        "classifies the document again after each step. The area under the accuracy curve is the mean accuracy over "
        "the steps. “random” is the mean over random orders, “reversed” the reverse of the method's own order. Five "
        "protocols differ in the documents (correctly or incorrectly classified), the class that is explained, and "
        "what happens to a deleted word: its vector becomes zero, it is removed, or words are inserted into an "
        "empty text.",
        "A smaller area is better where accuracy should fall, a larger one where it should rise. Compare methods on "
        "one model: the area depends on the model and on the length of the documents. The shaded part of a curve "
        "deletes no larger share of the words than word dropout did in training. The curves count words and not "
        "shares, so the shaded part ends where 95% of the documents are still within that share, and a short "
        "document leaves it earlier than a long one. Models without word dropout have no shaded part.",
        "Beyond the shaded part, texts are unlike those of training. A prediction can then change because the text "
        "is strange and not because the deleted words were important. All methods have this problem equally, so "
        "differences between methods are safer than the curves themselves. Also, a method that uses the deletion "
        "itself, such as occlusion, has an advantage.",
        "Arras et al. 2017; Samek et al. 2017",
    ),
    "eraser": MeasureText(
        "How much does the probability drop without the most relevant words, and how much of it do they carry alone?",
        "The most relevant 1%, 5%, 10%, 20% and 50% of a document's words are deleted (comprehensiveness), or only "
        "they are kept (sufficiency). Both are the decrease of the predicted class's probability, averaged over the "
        "five shares. A model without probabilities is measured by its score.",
        "High comprehensiveness means that the words are necessary, low sufficiency that they are enough.",
        "Both have no fixed scale: a confident model loses less probability than an uncertain one, whatever the "
        "explanations. Do not compare models by them. Deleted words make texts that training did not have.",
        "DeYoung et al. 2020",
    ),
    "naopc": MeasureText(
        "How close is an explanation to the best order of deletion that this model allows?",
        "For each document, the area of comprehensiveness over all shares of deleted words is scaled from the worst "
        "order (0) to the best order (1). The two limits are found by beam search, for linear models exactly.",
        "Higher is better, and values of two models can be compared in one table, because each is relative to its "
        "own limits.",
        "Beam search can miss the best order, so values can be slightly too high. The best order for deletion need "
        "not be what people call an explanation.",
        "Edin et al. 2025",
    ),
    "soft": MeasureText(
        "Are comprehensiveness and sufficiency the same if words are weakened in proportion to their relevance, and "
        "not deleted?",
        "Each element of a word's vector is set to zero at random, with a probability that grows (comprehensiveness) "
        "or falls (sufficiency) with the relevance of the word.",
        "High soft comprehensiveness and high soft sufficiency are better, as the section of the page states.",
        "It uses the size of relevance and not only its order, so it also measures how a method scales its values.",
        "Zhao and Aletras 2023",
    ),
    "vectors": MeasureText(
        "Do relevant words represent the class of a document?",
        "A document vector is the sum of its word vectors, weighted by relevance. Documents are classified by their "
        "K nearest neighbors, over ten random halves. The explanatory power index (EPI) is the accuracy at the best "
        "K. Each weighting is compared with TF-IDF weights over the same documents and halves.",
        "A higher EPI is better. It is evidence for explanations only if it is significantly higher than with TF-IDF "
        "weights, which need no explanation; where TF-IDF does as well, the page states so and makes no claim.",
        "It does not tell whether the relevance of a single word is right. It uses the predicted class, so it also "
        "rises with the accuracy of the model.",
        "Arras et al. 2017",
    ),
    "pointing": MeasureText(
        "Does the most relevant word point to the right sentence?",
        "A hybrid document joins ten sentences of different documents. The model classifies it. It is a hit if the "
        "most relevant word is in a sentence of a document of the predicted class.",
        "A higher share of hits is better. Compare it with random words, which hit by chance.",
        "Only the single most relevant word counts. A sentence can contain words of another class than its document, "
        "so even a perfect method can miss.",
        "Poerner, Roth and Schütze 2018",
    ),
    "rationales": MeasureText(
        "Do people mark the same words? (`--rationales FILE`; needs no corpus)",
        "Words are ranked by relevance and compared with the words that people marked: average precision, AUROC, "
        "pointing and intersection over union, by word, by occurrence and by sentence. Three baselines use no model.",
        "Higher is better. Compare with the baselines, not only with random relevance.",
        "Agreement is plausibility and not faithfulness. If it is low, either the explanation is poor, or the model "
        "uses other words than people do, and only the other measures tell which.",
        "DeYoung et al. 2020",
    ),
    "words": MeasureText(
        "Which words does each class depend on?",
        "The relevance of each word for the predicted class, summed over all documents explained for it.",
        "Look for names, hosts and signatures near the top: they are shortcuts that the model learned.",
        "A sum over documents hides words that matter in few of them. It is not a score: there is no better or "
        "worse.",
        "Arras et al. 2017",
    ),
    "sanity": MeasureText(
        "Does the explanation depend on what the model learned?",
        "The weights of the model are randomized, and the documents are explained again for the same classes.",
        "Explanations that depend on the weights change. The page states which values are better.",
        "It can only fail a method and not prove that one is right: random explanations pass.",
        "Adebayo et al. 2018; Hedström et al. 2024",
    ),
    "cascade": MeasureText(
        "Does the explanation change layer by layer when weights are randomized?",
        "As the sanity check, but layers are randomized one after the other from the output, and explanations are "
        "compared by rank correlation.",
        "A rank correlation near 0 is better.",
        "The correlation also falls because of noise in low relevance, which is why this form of the test is "
        "criticized. It is measured only on request.",
        "Adebayo et al. 2018",
    ),
    "stability": MeasureText(
        "Do two models give the same explanation? (`--against MODEL`)",
        "Both models explain the same documents for the same classes. The rank correlation of the words and the "
        "share of common words among the ten most relevant are averaged over documents.",
        "Higher agreement is better for models that were trained in the same way with another seed.",
        "Models of the same accuracy can use different words, so low agreement can be a fact about the models.",
    ),
    "ledger": MeasureText(
        "How much of the score is not on words?",
        "The relevance of words plus the parts absorbed by biases, the stabilizer and ignored words equals the "
        "score. Each part is given as a share of the sum of all absolute values.",
        "Small shares mean that the words receive most of the score.",
        "It does not tell whether the words that receive it are the right ones.",
        "Bach et al. 2015",
    ),
    "errors": MeasureText(
        "Which labels of the corpus may be wrong?",
        "Documents are ranked by the score of the given label minus the best other score, lowest first. The page "
        "lists the words that oppose the given label most in the contrast of the two labels.",
        "Read the words and decide: either the label is wrong, or the model is.",
        "It is of little use for documents that the model was trained on: it has learned their labels, wrong or not.",
        "Northcutt et al. 2021",
    ),
    "planted-errors": MeasureText(
        "How well do scores and relevance find wrong labels? (trains models; only with `--measure planted-errors`)",
        "5% of the labels are replaced by random other labels. The model is trained anew without each fifth of the "
        "documents, and ranks that fifth by suspicion: by its scores (margin, self-confidence), and by relevance "
        "(net relevance of the given label, share of relevance that opposes it).",
        "AUROC is the probability that a planted error is ranked above another document; precision is the share of "
        "planted errors among as many most suspicious documents. Higher is better.",
        "Planted errors are random. Real ones are between similar labels, and harder to find. Precision also counts "
        "real errors of the corpus as mistakes.",
        "Northcutt et al. 2021",
    ),
    "planted": MeasureText(
        "Does an explanation mark words that the model must be using? (trains models; only with `--planted`)",
        "Made-up words that tell the label are planted into documents, and the model is trained on them. Where the "
        "model took the bait, precision is the share of planted words among the most relevant ones.",
        "Higher is better, and 1 is perfect: here the words that the model uses are known.",
        "Planted words are simple and rare. A method that finds them can miss what a model learned from real text.",
        "Bastings et al. 2022",
    ),
    "roar": MeasureText(
        "Is the information about the class in the most relevant words? (trains models; only on request)",
        "The most relevant words of all documents are masked, the model is trained anew, and this is repeated. RACU "
        "is the area between the accuracy curve of random masking and that of the method.",
        "Higher is better. Training on masked texts makes them normal, so strange texts are no excuse here.",
        "It measures where the data have information, and not only what the first model used. Words that carry the "
        "same information make every method look worse.",
        "Madsen et al. 2022",
    ),
}
"""The measures in the order of the page."""

START = """# Measure explanations

This page is written by `python docs/measures.py`.

<!--- invisible-code-block: python
from doc_fixtures import save_model, write_tickets
save_model("model/"), write_tickets("test.csv")
--->

```bash
textlrp evaluate model/ test.csv --column body --label queue -o out
```

writes `out/index.html` for people and `out/results.json` for programs. If the run is stopped, the same command
continues from the last finished stage.

| question | measure | name for `--measure` | function of `textlrp.evaluation` |
|---|---|---|---|
QUESTIONS

In Python, `textlrp.evaluation.evaluate` runs all measures. The [reference](api/evaluation.md) documents the function
of each one. Agreement with human rationales has no function of its own there: use `evaluate` or `--rationales`.

## Verdicts

Every method is compared with the first one, LRP unless you choose another, on the same documents. (Weightings of
document vectors are compared with TF-IDF, rankings of label errors with the margin of the scores.) A row has:

- **The difference** of the means and its 95% bootstrap interval over documents. The interval is not corrected for the
  number of methods.
- **p**, from a paired permutation test: if the two methods were equally good, the sign of each document's difference
  would be random. 9,999 random sign flips show how often a mean difference as large arises then. In `results.json`,
  `p_value` is this number, and `p_corrected` is the same after Holm's correction for all rows of the table. Without a
  correction, one of ten equally good methods would often seem better by chance.
- **The verdict**: significantly better or worse if the corrected p is at most 0.05. The interval of a row can exclude
  0 while the verdict is “not significant”, because only the verdict is corrected.
- **d**, the standardized difference (Cohen's d_z): the mean difference divided by its standard deviation over
  documents. With thousands of documents a tiny difference is significant; d tells whether it is large (0.2 is small,
  0.5 medium, 0.8 large).

A difference of at most 0.00001 of the values counts as 0, because models compute in single precision. Fewer than 20
documents get no verdict and no interval: the row shows “too few documents (n=3)”. A difference that is
the same in every document gets no verdict either, because its bootstrap interval has no width. The tests and
intervals are about documents like those of the corpus; they do not contain the chance in training. Train with several
seeds to see that.

## Measures

"""
END = """
## Results

- `python benchmarks/arras2017.py` repeats the experiments of Arras et al. 2017 on 20 Newsgroups and lists the results
  next to those of the paper: [arras2017.md](../results/arras2017.md).
- `python benchmarks/choose_rule.py` compares rules on validation posts. It is the reason why `epsilon` is the default
  rule.
- `python benchmarks/pointing.py` asks whose most relevant word is in a sentence of the predicted class, on validation
  posts and then on test posts: [pointing.md](../results/pointing.md). The average of three CNNs, which is one CNN
  (`CNNClassifier.averaged`), points better than each of them and is more accurate.
- `python benchmarks/label_errors.py` asks whether relevance finds wrong labels better than the margin of the scores.
  On 1,500 test posts (5 seeds, 5% of the labels wrong, bag of words trained on the other folds), it does not: the
  margin has the highest AUROC and precision at the number of planted errors. Relevance is still what shows *why* a
  label is suspicious. A model that was trained on the wrong labels finds fewer of them.

| ranking | AUROC (sd over seeds) | difference from margin | precision (sd) | difference from margin |
|---|---|---|---|---|
| margin | 0.975 (0.004) | | 0.661 (0.031) | |
| self-confidence | 0.972 (0.005) | −0.004 | 0.637 (0.049) | −0.024 |
| net relevance | 0.967 (0.005) | **−0.008** | 0.600 (0.065) | −0.061 |
| opposing share | 0.959 (0.007) | **−0.017** | 0.595 (0.062) | −0.067 |
| opposing share of the contrast | 0.968 (0.004) | **−0.007** | 0.603 (0.022) | −0.059 |

**Bold**: significantly worse. Differences are paired over the 375 planted errors of all seeds.

On all 18,846 posts (`--part all --seeds 1 --documents 0 --folds 3`), the margin has an AUROC of 0.994 and a precision
of 0.825. The best ranking by relevance, the opposing share of the contrast, has 0.992 (significantly worse) and 0.798
(no significant difference).

- `python benchmarks/planted_shortcuts.py --groups 4 --limit 1600` plants shortcuts into 1,600 training posts of four
  newsgroups, in 5% of the posts of a label (three labels, seeds 0 to 2), and asks which methods rank the planted
  words first. The precision is a mean over the cases in which the model learned the shortcut. Gradient × input has
  the values of LRP, and a random order has 0.02 to 0.08. Bags of words and of embeddings do not read the order of
  words.

| planted | model | learned | LRP (sd) | integrated gradients | occlusion | Grad-CAM | squared gradient | TF-IDF |
|---|---|---|---|---|---|---|---|---|
| a word | bag of words | 9 of 9 | 1.000 (0.000) | 1.000 | – | – | 0.975 | 0.013 |
| a word | bag of embeddings | 9 of 9 | 1.000 (0.000) | 1.000 | – | – | 0.053 | 0.025 |
| a word | CNN | 9 of 9 | 1.000 (0.000) | 1.000 | 0.999 | 0.999 | 0.995 | 0.004 |
| two words together | bag of words | 9 of 9 | 0.868 (0.168) | 0.868 | – | – | 0.796 | 0.019 |
| two words together | bag of embeddings | 9 of 9 | 0.815 (0.108) | 0.815 | – | – | 0.062 | 0.044 |
| two words together | CNN | 6 of 9 | 0.732 (0.149) | 0.732 | 0.722 | 0.573 | 0.556 | 0.027 |
| two words in order | CNN | 9 of 9 | 0.944 (0.115) | 0.947 | 0.975 | 0.960 | 0.880 | 0.011 |

LRP finds nearly every single planted word; the squared gradient misses them in a bag of embeddings, and TF-IDF misses
them everywhere. No method finds both of two words that tell the label only together in every post. For ordered pairs,
occlusion and Grad-CAM have a higher mean than LRP. With the options of the bundled CNN and all 20 newsgroups
(`textlrp evaluate 20newsgroups-cnn 20newsgroups --planted --repeats 1 -o out`), LRP has 1.000 for a word, 0.994 for
two words together and 0.998 for two words in order; no other method is significantly better.

- `python benchmarks/roar.py --limit 600` is recursive ROAR with ten steps on 600 training and 600 test posts of four
  newsgroups, a bag of words and one seed. Its 38 trainings took 12 minutes next to other work. Accuracy without
  masked words is 0.807:

| method | RACU | 10% masked | 20% | 30% | 50% | 70% | 90% |
|---|---|---|---|---|---|---|---|
| LRP, gradient × input | 22.7% | 0.505 | 0.355 | 0.488 | 0.803 | 0.787 | 0.383 |
| integrated gradients | 20.7% | 0.505 | 0.352 | 0.468 | 0.815 | 0.813 | 0.443 |
| squared gradient | −11.7% | 0.870 | 0.903 | 0.853 | 0.798 | 0.780 | 0.422 |
| random | | 0.802 | 0.793 | 0.790 | 0.738 | 0.657 | 0.515 |

A fifth of the words, chosen by LRP, contains nearly all that tells the class. The curve rises again because the words
are masked by their relevance for the true label: later models recognize a class by the words that it still has.

- `python benchmarks/aopc_search.py` computes the normalized AOPC of seven orders for all test posts with the bundled
  CNN and a beam width of 5 in 9 minutes on two cores. A search that scores each candidate by a forward pass, all
  candidates of a step in one batch, takes longer (median of 5 posts each):

| known words | textlrp, s | a pass per candidate, s | ratio |
|---|---|---|---|
| 25 | 0.005 | 0.15 | 28 |
| 50 | 0.012 | 0.63 | 54 |
| 100 | 0.025 | 3.90 | 158 |
| 200 | 0.043 | 22.72 | 533 |
"""
