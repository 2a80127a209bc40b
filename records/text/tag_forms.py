"""The tag that a word of a caption counts for: its base form, or none.

    tag_of("dogs")      'dog'          tag_of("running")   'run'
    tag_of("people")    'person'       tag_of("is")        None

Pattern's lexicon decides: of several possible base forms the one that it lists is taken. What English does by no rule
is in the tables below. Words are looked at alone, as the part-of-speech tagger does (records.text.tokenizer).
"""

import functools
from collections.abc import Sequence

from records.text.pattern import lexicon, part_of_speech, singular

MERGED, AS_WRITTEN = "merged", "as_written"

# Nouns, verbs and adjectives that nobody would look for a photo by: auxiliaries; verbs that say nothing without an
# object (a man *wearing* …, *looking at* …); places and amounts that say nothing without a noun (*next* to, in *front*
# of, a *large* …); words that hold of every photo (*picture*). By base form.
LIGHT = frozenset("""
    be am is are was were been being have has had do does did done can will would could may might must shall should
    get got give go come make take put try use keep let seem appear look see say show start begin stop turn stay wear
    hold set need want like prepare attempt perform participate enjoy surround cover locate
    other others next same such own many several few more most much less various different another each every some any
    dressed haired colored overlook reach
    all both first second third last single multiple only certain able ready due
    front back top bottom side middle edge end left right past nearby distance background foreground center area part
    place way kind type sort piece number lot set couple pair something someone anything anyone everything everyone
    nothing thing object item one two three view picture photo photograph image shot scene whilst while
    it's that's there's
    little small large big huge tiny long short high low new good great full half
    """.split())

# Plurals that are names of their own, and nouns and adjectives that only look like forms of another word.
_OWN = frozenset("""
    shorts pants jeans trunks tights overalls pajamas glasses sunglasses goggles binoculars headphones earphones
    clothes woods stairs rapids bleachers fireworks gymnastics athletics scissors pliers christmas claus santa-claus
    bagpipes dreadlocks handlebars sports news series species gas bus lens
    building clothing railing wedding painting parking ceiling lighting landing evening morning string spring swing
    ring wing king thing sling bowling boxing fencing rowing fishing shopping training meeting opening crossing
    bathing advertising interesting striking flaming incoming outstanding stocking pudding bedding housing sibling
    duckling being red bed speed breed sled shed seed weed feed naked crowded wooded
    aged parked skinned sized shaped sleeved wheeled hooded spotted checkered
    """.split())

_IRREGULAR = dict(pair.split(":") for pair in """
    people:person ran:run sat:sit stood:stand held:hold caught:catch threw:throw thrown:throw rode:ride
    ridden:ride lay:lie laid:lie lain:lie lies:lie lying:lie laying:lie lays:lie wore:wear worn:wear swam:swim
    swum:swim flew:fly flown:fly ate:eat eaten:eat fell:fall fallen:fall drove:drive driven:drive broke:break
    broken:break wrote:write written:write bent:bend sang:sing sung:sing drank:drink led:lead fed:feed
    feeding:feed dug:dig hung:hang slept:sleep knelt:kneel spun:spin swung:swing swinging:swing swings:swing
    built:build shook:shake shaken:shake took:take taken:take made:make seen:see saw:see shown:show given:give
    gave:give gone:go went:go came:come got:get left:leave hit:hit bit:bite bitten:bite blew:blow blown:blow
    drew:draw drawn:draw fought:fight sold:sell bought:buy brought:bring read:read lit:light stuck:stick
    swept:sweep tying:tie dying:die older:old oldest:old younger:young youngest:young smaller:small smallest:small
    larger:large largest:large bigger:big biggest:big longer:long taller:tall tallest:tall higher:high leaves:leaf
    scarves:scarf using:use used:use ordering:order ordered:order died:die
    brownies:brownie hoodies:hoodie selfies:selfie onesies:onesie smoothies:smoothie beanies:beanie talkies:talkie
    quiches:quiche shelves:shelf hooves:hoof thieves:thief elves:elf
    """.split())

_VOWELS = frozenset("aeiou")


@functools.lru_cache(maxsize=1 << 15)
def tag_of(word: str, forms: str = MERGED) -> str | None:
    """The tag that a noun, verb or adjective of a caption counts for; None for one that is too light to be a tag.

    Args:
      word: as records.text.tokenizer.words gives it.
      forms: MERGED for the base form, AS_WRITTEN for the word itself.
    """
    base = base_form(word)
    if word in LIGHT or base in LIGHT:
        return None
    return base if forms == MERGED else word


def base_form(word: str) -> str:
    """The singular of a noun, the infinitive of a verb; any other word as it is."""
    if word in _OWN:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    first, hyphen, last = word.rpartition("-")
    if hyphen:  # of compounds only plurals change: t-shirts, but not snow-covered
        return f"{first}-{_singular(last)}" if _is_plural(last) else word
    kind = part_of_speech(word)
    if word.endswith("ing") and kind[:2] in ("VB", "NN"):
        return _infinitive(word[:-3], word)
    if word.endswith("ed") and kind in ("VBD", "VBN", "VB"):
        return _infinitive(word[:-2], word)
    return _singular(word) if _is_plural(word) else word


def _is_plural(word: str) -> bool:
    """Whether it ends as plurals do, or third persons, or is an irregular plural."""
    if part_of_speech(word) in ("NNS", "NNPS", "VBZ"):
        return True
    return len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is", "'s")) and (
        word[:-1] in lexicon())


def _singular(word: str) -> str:
    """Without the s of a plural or of a third person; a word that the lexicon has, where there is one."""
    candidates = [singular(word)]
    if word.endswith("ies"):
        first = word[:-1] if len(word) < 5 or candidates[0] == word[:-1] else word[:-3] + "y"
        candidates = [first, word[:-3] + "y", word[:-1], *candidates]  # pie, tie and die are no py
    elif word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        candidates = [word[:-2], *candidates, word[:-1]]  # ache
    elif word.endswith("uses") and not word.endswith("ouses"):
        candidates = [word[:-1] if word[:-1] in lexicon() else word[:-2], *candidates]  # walrus
    elif word.endswith("s") and not word.endswith("ss"):
        candidates.insert(0, word[:-1])
    return _known(candidates) or (candidates[0] if len(candidates) > 1 else word)


def _known(candidates: Sequence[str]) -> str | None:
    """The first of some words that the lexicon has; one that is a plural there only where none else is a tag."""
    known = [candidate for candidate in candidates if candidate in lexicon()]
    singulars = (word for word in known if lexicon()[word][:2] in ("NN", "VB", "JJ") and lexicon()[word][-1] != "S")
    return next(singulars, known[0] if known else None)


def _infinitive(stem: str, word: str) -> str:
    """The verb of a participle, from what is left of it without ing or ed."""
    doubled = len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS
    candidates = [stem, stem[:-1], stem + "e"] if doubled else [stem, stem + "e"]
    short = len(stem) > 1 and stem[-1] not in _VOWELS | {"w", "x", "y"} and stem[-2] in _VOWELS and (
        len(stem) == 2 or stem[-3] not in _VOWELS)
    if short or stem.endswith(("c", "v", "u", "dg", "rs", "ns")):  # riding: rid would have been doubled
        candidates = candidates if doubled else candidates[::-1]
    if stem.endswith("i") and word.endswith("ed"):
        candidates.insert(0, stem[:-1] + "y")
    if not (_VOWELS | {"y"}) & set(stem):  # sing, bring: no ending at all
        return word
    return _known(candidates) or word
