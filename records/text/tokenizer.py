"""Captions as words, and the words of a caption that are tags.

    words("A dog's well-worn ball, isn't it?")   ['a', "dog's", 'well-worn', 'ball', "isn't", 'it']
    tags("A black dog runs on the green grass")  ['black', 'dog', 'runs', 'green', 'grass']

A word is a run of letters and digits of any script, with apostrophes and hyphens allowed inside. Scripts that
put no spaces between words (Chinese, Japanese, Thai) come out as one word per run: segment such captions first.
"""

import re
import unicodedata
from collections.abc import Iterable

from records.text.pattern import part_of_speech

# Vowel signs and accents that have no precomposed letter belong to the word they are in (Hindi, Arabic, Yoruba);
# Python's \w leaves them out. Variation selectors (U+FE00…) only choose between pictures of an emoji.
_MARKS = "".join(
    chr(code) for code in range(0x300, 0x10000)
    if unicodedata.category(chr(code)) in ("Mn", "Mc") and not 0xFE00 <= code <= 0xFE0F)
_RUN = rf"[^\W_](?:[^\W_]|[{_MARKS}])*"
_WORD = re.compile(rf"{_RUN}(?:['-]{_RUN})*")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*")
# Typographic forms of ' and - become the plain ones; soft hyphens and zero-width characters cannot be seen.
_PLAIN = str.maketrans({"\u2019": "'", "\u02bc": "'", "\uff07": "'", "\u2010": "-", "\u2011": "-",
                        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")})
_TAG_PREFIXES = ("NN", "VB", "JJ")  # Penn Treebank: nouns, verbs and adjectives in all their forms


def words(caption: str) -> list[str]:
    """The normalised words of a caption: lower case, NFC, punctuation dropped, in order, repeats kept."""
    if caption.isascii():
        return _ASCII_WORD.findall(caption.lower())
    # Lower case first: "İ".lower() is a letter and a combining dot, which NFC then joins where it can.
    return _WORD.findall(unicodedata.normalize("NFC", caption.translate(_PLAIN).lower()))


def _is_tag(word: str) -> bool:
    return part_of_speech(word).startswith(_TAG_PREFIXES)


def tags(caption: str) -> list[str]:
    """The nouns, verbs and adjectives among `words(caption)`, in caption order, each once."""
    return tags_among(words(caption))


def tags_among(caption_words: Iterable[str]) -> list[str]:
    """Like `tags`, for the words of a caption that is tokenised already.

    The tagger is TextBlob's PatternTagger (https://textblob.readthedocs.io), whose lexicon comes with the package.
    It is given our words instead of the raw caption: every tag is then a word of the caption; on Flickr8k 99.98 % of
    the tags stay the same. It looks at no word's neighbours, so that each word is asked about once: a caption then
    takes a tenth of the time.
    """
    return list(dict.fromkeys(filter(_is_tag, caption_words)))
