"""What a function expects of spaCy: tokens, rules, a pipeline that is trained and saved, every model that is there."""

import importlib.metadata
import random
import tempfile

import spacy
from spacy.matcher import Matcher, PhraseMatcher
from spacy.tokens import DocBin
from spacy.training import Example

TEXTS = [("I like apples", "FRUIT"), ("We eat pears", "FRUIT"), ("You buy plums", "FRUIT"), ("They sell figs", "FRUIT")]


def main() -> None:
    assert spacy.__version__ == importlib.metadata.version("spacy")
    tokens()
    rules()
    training()
    for name in spacy.util.get_installed_models():
        model(name)


def tokens() -> None:
    english = spacy.blank("en")
    assert [token.text for token in english("Don't pay $3.50!")] == ["Do", "n't", "pay", "$", "3.50", "!"]
    english.add_pipe("sentencizer")
    document = english("One sentence. Another one.")
    assert [sentence.text for sentence in document.sents] == ["One sentence.", "Another one."]
    assert [token.text for token in spacy.blank("fr")("L'été")] == ["L'", "été"]
    stored = DocBin(docs=[document]).to_bytes()
    assert [doc.text for doc in DocBin().from_bytes(stored).get_docs(english.vocab)] == [document.text]


def rules() -> None:
    english = spacy.blank("en")
    matcher = Matcher(english.vocab)
    matcher.add("price", [[{"ORTH": "$"}, {"LIKE_NUM": True}]])
    document = english("It costs $ 20 in Berlin")
    assert [document[start:end].text for _, start, end in matcher(document)] == ["$ 20"]
    phrases = PhraseMatcher(english.vocab, attr="LOWER")
    phrases.add("city", [english("berlin")])
    assert len(phrases(document)) == 1
    ruler = english.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "CITY", "pattern": "Berlin"}])
    assert [(entity.text, entity.label_) for entity in english("In Berlin").ents] == [("Berlin", "CITY")]


def training() -> None:
    random.seed(0)
    spacy.util.fix_random_seed(0)
    pipeline = spacy.blank("en")
    pipeline.add_pipe("ner").add_label("FRUIT")
    examples = []
    for text, label in TEXTS:
        start = text.rindex(" ") + 1
        examples.append(Example.from_dict(pipeline.make_doc(text), {"entities": [(start, len(text), label)]}))
    optimizer = pipeline.initialize(lambda: examples)
    for _ in range(30):
        pipeline.update(examples, sgd=optimizer)
    with tempfile.TemporaryDirectory() as folder:
        pipeline.to_disk(folder)
        again = spacy.load(folder)
    assert [entity.text for entity in again("I like apples").ents] == ["apples"]


def model(name: str) -> None:
    pipeline = spacy.load(name)
    document = pipeline("Emmanuel Macron habite à Paris et travaille avec Anna.")
    assert {token.pos_ for token in document} >= {"PROPN", "PUNCT"}
    assert "Paris" in {entity.text for entity in document.ents}
    if pipeline.meta["lang"] == "fr":
        assert [token.lemma_ for token in document if token.pos_ == "VERB"] == ["travailler"]


main()
