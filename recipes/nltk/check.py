"""What a function expects of NLTK: sentences and words with the data in the layer, stems, n-grams, a classifier."""

import importlib.metadata
import os
from collections import Counter
from pathlib import Path

import nltk
from nltk.metrics import edit_distance
from nltk.stem import PorterStemmer, SnowballStemmer
from nltk.tokenize import sent_tokenize, word_tokenize

TEXT = "Dr. Smith paid $3.50 for it. It was a bargain, wasn't it? Was it?"


def main() -> None:
    assert nltk.__version__ == importlib.metadata.version("nltk")
    data()
    tokens()
    words()
    classifier()
    grammar()


def data() -> None:
    """The variable leads to the layer's own data, and to nothing of a machine."""
    found = Path(nltk.data.find("tokenizers/punkt_tab/english/"))
    assert found.is_relative_to(os.environ["NLTK_DATA"])


def tokens() -> None:
    assert sent_tokenize(TEXT) == ["Dr. Smith paid $3.50 for it.", "It was a bargain, wasn't it?", "Was it?"]
    assert word_tokenize("It wasn't $3.50.") == ["It", "was", "n't", "$", "3.50", "."]


def words() -> None:
    assert [PorterStemmer().stem(word) for word in ("running", "caresses")] == ["run", "caress"]
    assert SnowballStemmer("german").stem("Häuser") == "haus"
    assert edit_distance("kitten", "sitting") == 3
    pairs = Counter(nltk.bigrams(["to", "be", "or", "not", "to", "be"]))
    assert pairs["to", "be"] == 2


def classifier() -> None:
    people = {"anna": "f", "eva": "f", "rita": "f", "otto": "m", "karl": "m", "max": "m"}
    names = [({"last": name[-1]}, kind) for name, kind in people.items()]
    model = nltk.NaiveBayesClassifier.train(names)
    assert model.classify({"last": "a"}) == "f"
    assert model.classify({"last": "o"}) == "m"


def grammar() -> None:
    rules = nltk.CFG.fromstring("S -> N V\nN -> 'dogs'\nV -> 'bark'")
    trees = list(nltk.ChartParser(rules).parse(["dogs", "bark"]))
    assert str(trees[0]) == "(S (N dogs) (V bark))"


main()
