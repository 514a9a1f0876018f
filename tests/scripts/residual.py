"""An external CNN with BatchNorm and a residual block, explained from token ids."""

import torch
import torch.nn.functional as F
from torch import nn

import textlrp


class ResidualCNN(nn.Module):
    """Convolution, BatchNorm and ReLU, twice, with a shortcut; it does not depend on textlrp."""

    def __init__(self, words, classes, size=32):
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.conv1 = nn.Conv1d(size, size, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm1d(size)
        self.conv2 = nn.Conv1d(size, size, 3, padding=1)
        self.norm2 = nn.BatchNorm1d(size)
        self.head = nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(size, classes))

    def forward(self, ids):
        x = self.embedding(ids).permute(0, 2, 1)
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return self.head(F.relu(x + y))


TEXTS = {
    "travel": "the night train to the sea leaves at nine | we crossed the hills by bus | book a cabin on the ferry",
    "cooking": "fry the onions until they are soft | salt the water and boil the pasta | a warm soup for the evening",
    "garden": "prune the roses in spring | the soil is dry and the hedge is high | plant the onions by the wall",
}


def main(epochs=80):
    torch.manual_seed(0)
    rows = [(text.split(), k) for k, texts in enumerate(TEXTS.values()) for text in texts.split(" | ")]
    vocabulary = {word: i for i, word in enumerate(sorted({word for words, _ in rows for word in words}))}
    longest = max(len(words) for words, _ in rows)
    ids = torch.tensor([[vocabulary[w] for w in (words * longest)[:longest]] for words, _ in rows])
    labels = torch.tensor([k for _, k in rows])
    model = ResidualCNN(len(vocabulary), len(TEXTS))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        loss = F.cross_entropy(model(ids), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    texts = ["fry the onions in the evening", "the bus to the hedge by the sea", "boil the roses"]
    wrapped = textlrp.wrap(model, tokenizer=str.split, vocabulary=vocabulary, classes=list(TEXTS))
    return textlrp.explain(wrapped, texts)


if __name__ == "__main__":
    for why in main():
        print(why)
