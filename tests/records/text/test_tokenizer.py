import os
import subprocess
import sys

import pytest

from records.text.tokenizer import tags, words
from tests.conftest import ROOT

DEMO_CAPTIONS = ROOT / "tagger" / "demo_data" / "captions.token.txt"


@pytest.mark.parametrize(("caption", "expected"), [
    ("A dog's well-worn ball, isn't it?", ["a", "dog's", "well-worn", "ball", "isn't", "it"]),
    ("Two dogs . Two cats !", ["two", "dogs", "two", "cats"]),
    ("'quoted' -- and 'tis a trailing-", ["quoted", "and", "tis", "a", "trailing"]),
    ("a 4-year-old in 2nd place #1", ["a", "4-year-old", "in", "2nd", "place", "1"]),
    ("snake_case <end> a|b", ["snake", "case", "end", "a", "b"]),
    ("", []),
    ("?! … —", []),
    ("The dog\u2019s non\u2011slip mat", ["the", "dog's", "non-slip", "mat"]),
    ("Café ÉCOLE", ["café", "école"]),
    ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
    ("Собака бежит", ["собака", "бежит"]),
    ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zerowidth"]),
    ("a dog \U0001f436\ufe0f runs 1\ufe0f\u20e3", ["a", "dog", "runs", "1"]),
])
def test_words(caption, expected):
    assert words(caption) == expected


def test_equal_text_in_different_unicode_forms_gives_equal_words():
    assert words("e\u0301cole") == words("\u00c9COLE") == ["\u00e9cole"]


def test_tags_are_nouns_verbs_and_adjectives_in_caption_order_each_once():
    assert tags("A black dog runs on the green grass with a black ball.") == [
        "black", "dog", "runs", "green", "grass", "ball"]
    assert tags("on the of with") == []
    assert tags("") == tags("...") == []


def test_tags_of_single_words_are_those_that_the_tagger_gives_whole_captions():
    """That TextBlob's tagger looks at no word's neighbours is what makes asking it once per word right."""
    from textblob.en.taggers import PatternTagger

    captions = [line.split("\t")[1] for line in DEMO_CAPTIONS.read_text().splitlines()]
    captions += ["have to be run", "the run of the dogs", "Σκύλος ΟΔΟΣ İstanbul 3 4-year-old 2nd www x-ing"]
    assert len(captions) > 50
    for caption in captions:
        tagged = PatternTagger().tag(" ".join(words(caption)), tokenize=False)
        assert tags(caption) == list(dict.fromkeys(
            word for word, kind in tagged if kind.startswith(("NN", "VB", "JJ"))))


def test_every_tag_is_a_word_of_the_caption():
    for caption in ("A dog's well-worn ball, isn't it?", "Man/woman riding bike & smiling", "The Café\u2019s OLD sign",
                    "slash/NN/tagged words_here", "&slash; 3/4 cup", "日本語 dog", "a" * 2000):
        assert set(tags(caption)) <= set(words(caption))


def test_long_captions_are_tagged():
    assert tags("the dog runs " * 5_000) == ["dog", "runs"]


def test_tagger_needs_no_download(tmp_path):
    """TextBlob's other taggers fetch NLTK corpora into the home folder; this one must work without any."""
    code = ("import os, sys\n"
            "sys.addaudithook(lambda event, _: event in ('socket.connect', 'socket.getaddrinfo') and os._exit(3))\n"
            "from records.text.tokenizer import tags; print(tags('two dogs run fast'))")
    environment = {**os.environ, "HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['dogs', 'run']"
    assert not list(tmp_path.iterdir())


def test_tagger_does_not_import_nltk():
    """It takes longer than to check a thousand photos, in every process of make_records."""
    code = "import sys; from records.text.tokenizer import tags; tags('a dog'); print('nltk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
