from records.sources.csv_layout import Layout
from records.sources.csv_records import GARBLED, UNCLOSED, parse, records

TWO = Layout(",", 2, 0, ((1, "caption"),), header_line=1)
THREE = Layout(",", 3, 0, ((1, "caption"),), header_line=1)


def read(text, layout=TWO):
    return [(number, fields) for number, _, _, fields in
            records(iter(enumerate(text.splitlines(keepends=True), 1)), layout)]


def test_parse_says_what_is_wrong():
    assert parse(['a.jpg, "a ""big"" dog"\n'], ",") == ["a.jpg", 'a "big" dog']
    assert parse(['a.jpg,"a dog\n'], ",") == UNCLOSED
    assert parse(['a.jpg,"a" dog,3\n'], ",") == GARBLED


def test_a_quoted_field_spans_lines_and_blank_ones_are_left_out():
    assert read('a.jpg,"one\ntwo"\n\nb.jpg,a cat\n') == [(1, ["a.jpg", "one\ntwo"]), (4, ["b.jpg", "a cat"])]


def test_an_open_quote_costs_its_own_row_only():
    assert read('a.jpg,"a dog,1\nb.jpg,a cat,2\nc.jpg,"a cow",3\n', THREE) == [
        (1, UNCLOSED), (2, ["b.jpg", "a cat", "2"]), (3, ["c.jpg", "a cow", "3"])]


def test_all_behind_the_name_is_the_caption_of_a_table_of_two_columns():
    assert read("a.jpg,a dog, a cat, a cow\n") == [(1, ["a.jpg", "a dog, a cat, a cow"])]


def test_a_line_that_is_too_long_is_said():
    ((number, _, _, fields),) = records(iter([(7, None)]), TWO)
    assert number == 7 and fields.startswith("line is longer than ")
