from records.beam.grouping import gathered, once, spread, stable_hash


def test_values_are_ordered_by_their_source_and_counted_once():
    assert once([(2, "b"), (1, "a"), (2, "b")]) == [(1, "a"), (2, "b")]


def test_batches_of_a_step_are_the_values_of_the_next():
    batches = [dict(spread(source, entries, 2)) for source, entries in (
        ("b", [(4, "fourth"), (1, "first")]), ("a", [(2, "second"), (0, "zeroth")]))]
    assert [batch[0] for batch in batches] == [("b", ["fourth"]), ("a", ["second", "zeroth"])]
    assert batches[0][1] == ("b", ["first"]) and 1 not in batches[1]
    tried_again = [batches[0][0], batches[1][0], batches[0][0]]
    assert list(gathered(tried_again)) == ["second", "zeroth", "fourth"]


def test_the_hash_is_that_of_every_process_and_version():
    assert stable_hash("dog.jpg") == stable_hash(b"dog.jpg") == 3913895878567093081
    assert 0 <= stable_hash("\udcff") < 2**63
