"""Run a pipeline with two worker processes: python piped_in_processes.py fork|spawn; prints what differs."""

import multiprocessing
import sys

import spacy

import textlrp
import textlrp.spacy_pipe

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    texts = textlrp.load_sample_posts("test").texts[:30]
    nlp = spacy.blank("en")
    nlp.add_pipe("textlrp", config={"model": "20newsgroups-cnn"})
    alone = list(nlp.pipe(texts, batch_size=8))  # starts threads in this process before it forks
    piped = list(nlp.pipe(texts, n_process=2, batch_size=8))
    pairs = list(zip(alone, piped, strict=True))
    same = [one._.explanation.to_json() == other._.explanation.to_json() for one, other in pairs]
    spans = [str(one.spans["textlrp"]) == str(other.spans["textlrp"]) for one, other in pairs]
    tokens = [[t._.relevance for t in one] == [t._.relevance for t in other] for one, other in pairs]
    print(len(pairs), all(same), all(spans), all(tokens))
