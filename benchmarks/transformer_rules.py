"""Choose the default LRP rule for transformers, on validation posts, without using the test posts.

The classifier is a frozen sentence encoder (mean pooling) with a logistic head, trained on part of the training posts
of 20 Newsgroups, headers ignored. Other training posts, each cut at 128 word pieces and classified correctly, are
explained for their predicted class by each method. Words are removed most relevant first, in steps of 5% up to 50% of
the words, and three values are averaged over the steps; lower is better for all:

- kept: whether the predicted class is still the same;
- probability: the probability of the class;
- score: the pre-softmax score of the class.

The intervals are those of the paired difference to the first rule of the table (bootstrap over posts, 95%). The last
column is the agreement with leaving one word out: the rank correlation, over the words of a post, of relevance with
the fall of the score when the word is removed.

    python benchmarks/transformer_rules.py ENCODER         # about 50 minutes on one core; --posts 30 for a quick look

ENCODER is the folder of a sentence encoder, such as all-MiniLM-L6-v2.
"""

import argparse
import time

import numpy as np
import torch
from scipy.stats import spearmanr

import textlrp
from textlrp.evaluation.intervals import bootstrap_interval, paired_interval

PIECES = 128
STEPS = np.arange(1, 11) / 20  # shares of the words removed: 5% to 50%
METHODS = {
    "CP-LRP": {"rule": "cp-lrp"},
    "AttnLRP": {"rule": "attnlrp"},
    "gradient × input": {"method": "gradient-x-input"},
    "integrated gradients from [PAD], 50 steps": {"method": "IntegratedGradients(steps=50)"},
}
MEASURES = ("kept", "probability", "score")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="folder of a sentence encoder")
    parser.add_argument("--training", type=int, default=2000, help="number of training posts")
    parser.add_argument("--posts", type=int, default=300, help="number of correctly classified validation posts")
    parser.add_argument("--leave-one-out", type=int, default=100, help="number of posts for the last column")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    posts = textlrp.load_20newsgroups("train").documents
    order = np.random.default_rng(options.seed).permutation(len(posts))
    training = [posts[n] for n in order[: options.training]]
    model = textlrp.EncoderClassifier(encoder=options.encoder, windows=False).fit(
        training, [post.label for post in training]
    )
    chosen = validation_posts(model, (posts[n] for n in order[options.training :]), options.posts)
    print(f"{len(chosen)} correctly classified validation posts, {PIECES} word pieces at most\n")

    results, relevances = {}, {}
    for name, how in METHODS.items():
        start = time.process_time()
        relevances[name] = [why.relevance[0] for why in textlrp.explain(model, chosen, **how)]
        seconds = (time.process_time() - start) / len(chosen)
        results[name] = (removed(model, chosen, relevances[name]), seconds)
    for name, function in (
        ("integrated gradients from zero vectors, 50 steps", integrated_gradients_from_zero),
        ("attention rollout", rollout),
    ):
        start = time.process_time()
        relevances[name] = function(options.encoder, model, chosen)
        seconds = (time.process_time() - start) / len(chosen)
        results[name] = (removed(model, chosen, relevances[name]), seconds)
    random = [random_relevance(model, chosen, seed) for seed in (options.seed, options.seed + 1)]
    results["random order, mean of 2"] = (np.mean([removed(model, chosen, each) for each in random], axis=0), 0.0)
    relevances["random order, mean of 2"] = random[0]

    some = chosen[: options.leave_one_out]
    falls = leave_one_out(model, some)
    first = next(iter(results))
    print("| method | " + " | ".join(MEASURES) + " | leave-one-out | CPU seconds a post |\n|---|" + "---|" * 5)
    for name, (found, seconds) in results.items():
        cells = []
        for place in range(len(MEASURES)):
            cell = f"{found[:, place].mean():.3f}"
            if name != first:
                low, high = paired_interval(found[:, place], results[first][0][:, place])
                cell += f" [{low:+.3f}, {high:+.3f}]"
            cells.append(cell)
        agreement = [spearmanr(values, fall)[0] for values, fall in zip(relevances[name], falls, strict=False)]
        low, high = bootstrap_interval(agreement)
        cells.append(f"{np.mean(agreement):.2f} [{low:.2f}, {high:.2f}]")
        print(f"| {name} | " + " | ".join(cells) + f" | {seconds:.2f} |")


def validation_posts(model, posts, count):
    """The first ``count`` posts that the model classifies correctly when they are cut at :data:`PIECES` pieces."""
    chosen = []
    for post in posts:
        reading = model.encode([post]).readings[0]
        positions = reading.positions
        if len(set(positions.tolist())) < 20:  # too few words to remove 5% of them
            continue
        text = post.text
        if len(positions) > PIECES - 2:  # two special tokens
            text = text[: int(reading.tokens.spans[positions[PIECES - 2], 0])]
        cut = textlrp.Document(post.id, text, post.label, post.skip)
        if model.predict([cut])[0] == post.label:
            chosen.append(cut)
        if len(chosen) == count:
            return chosen
    return chosen


def removed(model, posts, relevances):
    """(N, 3) the measures of each post, averaged over the steps, when words are removed most relevant first."""
    rows = []
    for post, relevance in zip(posts, relevances, strict=True):
        batch = model.encode([post])
        positions = batch.readings[0].positions
        words = np.unique(positions)
        order = words[np.argsort(-relevance[words], kind="stable")]
        keeps = [~np.isin(positions, order[: max(1, round(share * len(words)))]) for share in STEPS]
        scores = scores_of(model, batch, keeps)
        predicted = int(model.scores(batch)[0].argmax())
        probability = torch.softmax(torch.from_numpy(scores), dim=1).numpy()
        values = (scores.argmax(axis=1) == predicted, probability[:, predicted], scores[:, predicted])
        rows.append([np.mean(each) for each in values])
    return np.array(rows)


def scores_of(model, batch, keeps):
    """Scores (S, C) of one text with different sets of pieces removed."""
    return model.scores(batch.select([0] * len(keeps)), keep=np.array(keeps))


def leave_one_out(model, posts):
    """For each post, the fall of the predicted class's score when a word is removed, (T,); 0 for ignored words."""
    found = []
    for post in posts:
        batch = model.encode([post])
        positions = batch.readings[0].positions
        words = np.unique(positions)
        whole = model.scores(batch)[0]
        without = scores_of(model, batch, [positions != word for word in words])
        fall = np.zeros(len(batch.readings[0].tokens))
        fall[words] = whole.max() - without[:, whole.argmax()]
        found.append(fall)
    return found


def random_relevance(model, posts, seed):
    """Uniform random relevance of each word."""
    generator = np.random.default_rng(seed)
    return [generator.random(len(model.encode([post]).readings[0].tokens)) for post in posts]


def integrated_gradients_from_zero(encoder, model, posts, steps=50):
    """Integrated gradients (Sundararajan et al. 2017) along the line from zero vectors, by the midpoint rule."""
    alphas = (torch.arange(steps) + 0.5) / steps
    found = []
    for post in posts:
        batch = model.encode([post])
        predicted = int(model.scores(batch)[0].argmax())
        point = model.input_point(batch, 0)
        start = torch.zeros_like(point.inputs)
        start[[0, -1]] = point.inputs[[0, -1]].detach()  # the special tokens stay
        change = point.inputs.detach() - start
        gradient = torch.zeros_like(change)
        for alpha in alphas:
            vectors = (start + alpha * change)[None].requires_grad_()
            score = point.forward(vectors)[0, predicted]
            gradient += torch.autograd.grad(score, vectors)[0][0]
        pieces = point.to_words((gradient * change / steps).sum(dim=1)[None])[0].numpy()
        relevance = np.zeros(len(batch.readings[0].tokens))
        np.add.at(relevance, batch.readings[0].positions, pieces)
        found.append(relevance)
    return found


def rollout(encoder, model, posts):
    """Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928), averaged over the positions that are pooled."""
    from transformers import AutoModel, AutoTokenizer

    bert = AutoModel.from_pretrained(encoder, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    found = []
    for post in posts:
        batch = model.encode([post])
        ids = [tokenizer.cls_token_id, *batch.text(0).tolist(), tokenizer.sep_token_id]
        with torch.no_grad():
            layers = bert(input_ids=torch.tensor([ids]), output_attentions=True).attentions
        whole = torch.eye(len(ids))
        for weights in layers:
            whole = (0.5 * weights[0].mean(dim=0) + 0.5 * torch.eye(len(ids))) @ whole
        relevance = np.zeros(len(batch.readings[0].tokens))
        np.add.at(relevance, batch.readings[0].positions, whole.mean(dim=0)[1:-1].numpy())
        found.append(relevance)
    return found


if __name__ == "__main__":
    main()
