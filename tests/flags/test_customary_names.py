from flags.customary_names import CUSTOMARY
from flags.flag_files import names
from flags.modes import MODES


def test_what_is_hinted_at_exists():
    own = set().union(*(names(mode.load_flags()) for mode in MODES.values()))
    assert {flag for flags in CUSTOMARY.values() for flag in flags} <= own
