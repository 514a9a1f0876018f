"""An external bidirectional LSTM with packed sequences, explained from token ids."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import textlrp


class BiLSTM(nn.Module):
    """The last states of both directions and one dense layer; it does not depend on textlrp."""

    def __init__(self, words, classes, size=40, hidden=32):
        super().__init__()
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        self.lstm = nn.LSTM(size, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, classes)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embedding(ids), lengths, batch_first=True, enforce_sorted=False)
        _, (hidden, _) = self.lstm(packed)
        return self.out(torch.cat([hidden[-2], hidden[-1]], dim=1))


TEXTS = {
    "good": "a warm and funny film | they shine in every scene | not a dull minute in it | we laughed all day",
    "bad": "a cold and dull film | they sleep in every scene | not a funny minute in it | we yawned all day",
}


def main(epochs=60):
    torch.manual_seed(0)
    rows = [(text.split(), label) for label, texts in TEXTS.items() for text in texts.split(" | ")]
    vocabulary = {word: i for i, word in enumerate(sorted({word for words, _ in rows for word in words}), start=1)}
    model = BiLSTM(len(vocabulary) + 1, len(TEXTS))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    lengths = torch.tensor([len(words) for words, _ in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for row, (words, _) in enumerate(rows):
        ids[row, : len(words)] = torch.tensor([vocabulary[word] for word in words])
    labels = torch.tensor([list(TEXTS).index(label) for _, label in rows])
    for _ in range(epochs):
        loss = F.cross_entropy(model(ids, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    texts = ["a warm film", "we yawned in every dull scene", "not a good day"]
    wrapped = textlrp.wrap(model, tokenizer=str.split, vocabulary=vocabulary, classes=list(TEXTS), lengths=True)
    return textlrp.explain(wrapped, texts)


if __name__ == "__main__":
    for why in main():
        print(why)
