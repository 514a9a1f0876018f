"""An external CNN with several filter widths, explained from token ids."""

import re

import torch
import torch.nn.functional as F
from torch import nn

import textlrp


class KimCNN(nn.Module):
    """Branches of several widths, as in Kim 2014; it does not depend on textlrp."""

    def __init__(self, words, classes, size=50, filters=40, widths=(1, 2, 3)):
        super().__init__()
        self.embed = nn.Embedding(words, size, padding_idx=0)
        self.branches = nn.ModuleList(nn.Conv1d(size, filters, width) for width in widths)
        self.widest = max(widths)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(filters * len(widths), classes)

    def forward(self, ids):
        x = self.embed(ids).transpose(1, 2)
        if x.shape[2] < self.widest:
            x = F.pad(x, (0, self.widest - x.shape[2]))
        pooled = [F.relu(conv(x)).max(dim=2)[0] for conv in self.branches]
        return self.fc(self.dropout(torch.cat(pooled, dim=1)))


def tokenize(text):
    return re.findall(r"[a-z]+", text.lower())


def main(epochs=8):
    torch.manual_seed(0)
    train, test = textlrp.load_sample_posts("train"), textlrp.load_sample_posts("test")
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for text in train.texts:
        for word in tokenize(text):
            vocabulary.setdefault(word, len(vocabulary))
    model = KimCNN(len(vocabulary), len(train.label_names))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for text, label in zip(train.texts, train.labels, strict=True):
            ids = torch.tensor([[vocabulary[word] for word in tokenize(text)]])
            loss = F.cross_entropy(model(ids), torch.tensor([train.label_names.index(label)]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    wrapped = textlrp.wrap(model, tokenizer="words", vocabulary=lambda word: vocabulary.get(word.lower()),
                           unknown=1, classes=train.label_names)  # fmt: skip
    return textlrp.explain(wrapped, test.texts[:10])


if __name__ == "__main__":
    for why in main():
        print(why)
