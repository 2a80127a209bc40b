"""What is used of TextBlob: the parts of speech and the singulars of Pattern, with their lexicon.

Two modules of the package are loaded by their files. To import the package imports NLTK, which nothing here uses:
0.2 s and 20 MB in every process.

De Smedt & Daelemans, "Pattern for Python", 2012 (https://textblob.readthedocs.io).
"""

import functools
import importlib.util
import types


@functools.cache
def _folder() -> str:
    spec = importlib.util.find_spec("textblob")
    (folder,) = spec.submodule_search_locations  # type: ignore[union-attr, misc]
    return folder


@functools.cache
def _module(file: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("textblob_part", f"{_folder()}/{file}")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


@functools.cache
def lexicon() -> dict[str, str]:
    """94,000 English words with the part of speech that each most often is (Penn Treebank's names)."""
    with open(f"{_folder()}/en/en-lexicon.txt", encoding="utf-8") as file:
        return dict(line.split(" ", 2)[:2] for line in map(str.strip, file) if line and not line.startswith(";;;"))


@functools.lru_cache(maxsize=1 << 15)  # more words than a million captions have; a bound for tables of nonsense
def part_of_speech(word: str) -> str:
    """What PatternTagger calls a word that stands alone: NN, NNS, VBG, JJ, …"""
    return _module("_text.py").find_tags([word], lexicon(), language="en")[0][1]


def singular(noun: str) -> str:
    """Pattern's singular of a plural noun."""
    return _module("en/inflect.py").singularize(noun)
