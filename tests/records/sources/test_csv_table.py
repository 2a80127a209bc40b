import re

import pytest

from flags.errors import UserError
from records.sources import BadRow, Row, open_source


def read(tmp_path, text, images=""):
    path = tmp_path / "t.csv"
    path.write_text(text, newline="", encoding="utf-8")
    return list(open_source(str(path), "csv", str(images)))


def pairs(rows):
    return [(row.image, row.caption) if isinstance(row, Row) else row.reason.partition(":")[0] for row in rows]


def test_quotes_and_commas(tmp_path):
    rows = read(tmp_path, 'image,caption\na.jpg,"A dog, a ""big"" one"\n"b,c.jpg",a cat\nd.jpg,it\'s a 5" pipe\n')
    assert pairs(rows) == [("a.jpg", 'A dog, a "big" one'), ("b,c.jpg", "a cat"), ("d.jpg", 'it\'s a 5" pipe')]


def test_a_caption_may_span_lines_inside_quotes(tmp_path):
    rows = read(tmp_path, 'image,caption\r\na.jpg,"a dog\r\n\r\nruns"\r\nb.jpg,a cat\r\n')
    assert rows == [Row("a.jpg", "a dog runs", "t.csv:2"), Row("b.jpg", "a cat", "t.csv:5")]


@pytest.mark.parametrize("header", [
    "image,caption", "Image Name,Comment", "filename,text", "FILE_NAME,Caption", "file,description",
    "image_id,sentence", "img,tags", "Photo,keywords", "\ufeffimage,caption", '"image","caption"'])
def test_column_names(tmp_path, header):
    assert pairs(read(tmp_path, f"{header}\na.jpg,a dog\n")) == [("a.jpg", "a dog")]


def test_other_columns_are_ignored_and_order_is_free(tmp_path):
    rows = read(tmp_path, "id,split,caption,width,filename\n1,val,a dog,640,a.jpg\n2,train,a cat,640,b.jpg\n")
    assert rows == [Row("a.jpg", "a dog", "t.csv:2", "validation"), Row("b.jpg", "a cat", "t.csv:3", "train")]


def test_flickr30k_results_table(tmp_path):
    rows = read(tmp_path, 'image_name| comment_number| comment\n1.jpg| 0| Two "young" guys .\n1.jpg| 1| "Guys" , both\n'
                          "2.jpg| 4   A dog runs .\n3.jpg| 0| A cat .\n")
    assert pairs(rows) == [("1.jpg", 'Two "young" guys .'), ("1.jpg", '"Guys" , both'), "number of fields is wrong",
                           ("3.jpg", "A cat .")]
    assert rows[2].where == "t.csv:4"


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_delimiters(tmp_path, delimiter):
    text = "image,caption\na.jpg,one dog\n".replace(",", delimiter)
    assert pairs(read(tmp_path, text)) == [("a.jpg", "one dog")]


def test_a_table_without_header(tmp_path):
    assert pairs(read(tmp_path, "a.jpg,a dog\nb.PNG,a cat\n")) == [("a.jpg", "a dog"), ("b.PNG", "a cat")]
    assert pairs(read(tmp_path, "a.jpg\ta dog, brown\n")) == [("a.jpg", "a dog, brown")]


def test_wrong_number_of_fields_is_the_rows_own_fault(tmp_path):
    rows = read(tmp_path, "image,caption,width\na.jpg,a dog, running,640\nb.jpg\nc.jpg,a cat,640,,\nd.jpg,one,640\n")
    assert pairs(rows) == ["number of fields is wrong"] * 2 + [("c.jpg", "a cat"), ("d.jpg", "one")]
    assert rows[0] == BadRow("t.csv:2", "a.jpg",
                             "number of fields is wrong: 4 instead of 3; a caption with ',' in it needs quotes")


def test_with_two_columns_the_rest_of_the_line_is_the_caption(tmp_path):
    rows = read(tmp_path, 'image,caption\na.jpg,a dog, running\nb.jpg\nc.jpg,a cat,,\n"d,e.jpg",one, two\n'
                          'f.jpg,"Hi, you" he says\ng.jpg,"a "big" dog, brown"\n')
    assert pairs(rows) == [("a.jpg", "a dog, running"), "number of fields is wrong", ("c.jpg", "a cat"),
                           ("d,e.jpg", "one, two"), ("f.jpg", '"Hi, you" he says'), ("g.jpg", 'a "big" dog, brown')]
    assert pairs(read(tmp_path, "caption,image\na dog, running,a.jpg\n")) == [("a.jpg", "a dog, running")]


def test_a_quote_never_closed_costs_one_row_and_not_the_file(tmp_path):
    text = 'image,caption\na.jpg,a dog\nb.jpg,"a cat\n' + "".join(f"c{n}.jpg,row {n}\n" for n in range(500))
    rows = read(tmp_path, text)
    assert pairs(rows)[:3] == [("a.jpg", "a dog"), "quote is opened and never closed", ("c0.jpg", "row 0")]
    assert len(rows) == 502
    assert [row.where for row in rows[1:4]] == ["t.csv:3", "t.csv:4", "t.csv:5"]


def test_two_stray_quotes_do_not_join_what_is_between_them(tmp_path):
    rows = read(tmp_path, 'image,caption\na.jpg,"a dog\nb.jpg,a cat\nc.jpg,"a cow\nd.jpg,an ox\n')
    assert pairs(rows) == ["quote is opened and never closed", ("b.jpg", "a cat"), "quote is opened and never closed",
                           ("d.jpg", "an ox")]


def test_stray_quote_at_the_last_line(tmp_path):
    assert pairs(read(tmp_path, 'image,caption\na.jpg,a dog\nb.jpg,"a cat')) == [
        ("a.jpg", "a dog"), "quote is opened and never closed"]


def test_text_after_a_closing_quote_is_kept_when_the_fields_are_clear(tmp_path):
    rows = read(tmp_path, 'image,caption,n\na.jpg,"Hi" says the dog,1\nb.jpg,"Hi, you" he says,2\n')
    assert pairs(rows) == [("a.jpg", '"Hi" says the dog'), "text follows a closing quote"]
    assert rows[1].image == "b.jpg"


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_a_stray_quote_costs_its_own_row_when_another_follows_rows_later(tmp_path, separator):
    lines = ["image,caption", 'p1.jpg,"a stray one', "p2.jpg,a box", 'p3.jpg,a board of 12"', 'p4.jpg,"a', 'hut"',
             'p5.jpg,"a dog, and', 'a cat, too"', '77,"a bee', "78,a wasp", '79,an ant"']
    rows = read(tmp_path, "\n".join(re.sub(r"^(\S+?),", rf"\1{separator}", line) for line in lines))
    assert pairs(rows) == ["quote is opened and never closed", ("p2.jpg", "a box"), ("p3.jpg", 'a board of 12"'),
                           ("p4.jpg", "a hut"), ("p5.jpg", "a dog, and a cat, too"),
                           "quote is opened and never closed", ("78", "a wasp"), ("79", 'an ant"')]


def test_a_stray_quote_where_the_photo_comes_last(tmp_path):
    rows = read(tmp_path, 'caption,image\n"a stray one,p1.jpg\na box,p2.jpg\na hut",p3.jpg\n"a dog\nruns",p4.jpg\n')
    assert pairs(rows) == ["quote is opened and never closed", ("p2.jpg", "a box"), ("p3.jpg", 'a hut"'),
                           ("p4.jpg", "a dog runs")]


def test_a_space_before_a_quote_does_not_count(tmp_path):
    rows = read(tmp_path, 'image, caption\na.jpg, "a dog, brown"\nb.jpg, "a cat,\n white"\nc.jpg, "open\n')
    assert pairs(rows) == [("a.jpg", "a dog, brown"), ("b.jpg", "a cat, white"), ("c.jpg", '"open')]


def test_backslashes_before_quotes(tmp_path):
    """As Spark, MySQL and others write them."""
    rows = read(tmp_path, r'''image,caption
a.jpg,"a box, with \"yes\" on it"
b.jpg,"he said \"hi\""
c.jpg,"a \\ b, \"c\""
d.jpg,"ends in \"
''')
    assert pairs(rows) == [("a.jpg", 'a box, with "yes" on it'), ("b.jpg", 'he said "hi"'), ("c.jpg", 'a \\ b, "c"'),
                           ("d.jpg", "ends in \\")]


def test_the_separator_that_excel_is_told(tmp_path):
    assert pairs(read(tmp_path, "sep=;\nimage;caption\na.jpg;a dog; brown\n")) == [("a.jpg", "a dog; brown")]
    assert pairs(read(tmp_path, "sep=^\nimage^caption\na.jpg^a dog\n")) == [("a.jpg", "a dog")]


def test_bars_in_quoted_captions_of_a_bar_table(tmp_path):
    rows = read(tmp_path, 'image_name| comment_number| comment\na.jpg| 0| "a sign | two words"\nb.jpg| 0| a box\n')
    assert pairs(rows) == [("a.jpg", "a sign | two words"), ("b.jpg", "a box")]


@pytest.mark.parametrize("header", [
    "caption_0,caption_1", "caption1,caption2", "caption,caption_2", "Comment 1,Comment 2", "caption,caption.1",
    "Caption #1,Caption #2", "caption,caption"])
def test_captions_in_several_columns(tmp_path, header):
    rows = read(tmp_path, f"file_name,{header}\na.jpg,a dog,the dog\nb.jpg,a cat,\nc.jpg,an ox\nd.jpg,,\n")
    assert pairs(rows) == [("a.jpg", "a dog"), ("a.jpg", "the dog"), ("b.jpg", "a cat"), ("c.jpg", "an ox"),
                           "caption is empty"]
    assert rows[1].where == "t.csv:2 caption 1"


def test_keywords_in_several_columns_are_of_one_photo(tmp_path):
    rows = read(tmp_path, "image,tag1,tag2\na.jpg,traffic light,bus\nb.jpg,cat,\n")
    assert [row.keywords for row in rows] == [("traffic light", "bus"), ("cat",)]


def test_a_list_in_a_cell(tmp_path):
    lists = ["[\"a red box\", \"one box\"]", "['a red box', 'one box']", "['a red box' 'one box']",
             "{'a red box'; 'one box'}", "[['a', 'red', 'box'], ['one', 'box']]",
             "[{'caption': 'a red box'}, {'raw': 'one box'}]"]
    for text in lists:
        quoted = text.replace('"', '""')
        assert pairs(read(tmp_path, f'filename,raw\na.jpg,"{quoted}"\n')) == [
            ("a.jpg", "a red box"), ("a.jpg", "one box")], text
    assert pairs(read(tmp_path, "image,caption\na.jpg,\"['a', 'red', 'box']\"\n")) == [("a.jpg", "a red box")]
    assert pairs(read(tmp_path, "image,caption\na.jpg,[1] a dog\nb.jpg,(a dog)\n")) == [
        ("a.jpg", "[1] a dog"), ("b.jpg", "(a dog)")]
    assert pairs(read(tmp_path, "image,caption\na.jpg,\"['a dog', 'a c\"\n")) == [
        "caption is a list that cannot be read"]


def test_a_file_name_is_preferred_to_a_url(tmp_path):
    rows = read(tmp_path, "image,caption,file_name\nhttps://example.org/1,a dog,a.jpg\n")
    assert pairs(rows) == [("a.jpg", "a dog")]
    rows = read(tmp_path, "image,caption\nhttps://example.org/a.jpg,a dog\n")
    assert pairs(rows) == ["image name is a URL, not a file under --images"]


def test_without_a_header_the_caption_may_come_first(tmp_path):
    assert pairs(read(tmp_path, "a dog\ta.jpg\na cat\tb.png\n")) == [("a.jpg", "a dog"), ("b.png", "a cat")]


def test_captions_that_the_table_itself_rejects(tmp_path):
    rows = read(tmp_path, "image,caption,is_rejected,is_precanned\na.jpg,a dog,False,False\nb.jpg,nothing,True,0\n"
                          "c.jpg,no idea,0,1\n")
    assert pairs(rows) == [("a.jpg", "a dog"), "caption is marked is_rejected", "caption is marked is_precanned"]


def test_fields_of_the_wildest_length(tmp_path):
    rows = read(tmp_path, f"image,caption\na.jpg,{'dog ' * 5_000}\nb.jpg,{'x' * 500_000}\nc.jpg,a cat\n")
    assert len(rows[0].caption.split()) == 5_000
    assert pairs(rows)[1:] == ["row is no CSV", ("c.jpg", "a cat")]


def test_names_without_suffix_are_completed_from_the_files(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for name in ("one.jpg", "two.png", "three"):
        (images / name).write_bytes(b"")
    rows = read(tmp_path, "image_id,caption\none,a dog\none,a cat\ntwo,a cow\nthree,an ox\nfour,none\n", images)
    assert [row.image for row in rows] == ["one.jpg", "one.jpg", "two.png", "three", "four"]


@pytest.mark.parametrize("text", ["a,b,c\n1,2,3\n", "image\na.jpg\n", "caption\na dog\n", "just a sentence\n"])
def test_missing_columns_are_named(tmp_path, text):
    with pytest.raises(UserError) as error:
        read(tmp_path, text)
    assert text.split("\n")[0] in str(error.value)
    assert "image,caption" in str(error.value)


@pytest.mark.parametrize("header, cell, keywords", [
    ("caption", "a dog, a cat", None), ("tags", "dog cat", ()), ("Labels", "dog, cat", ()),
    ("label", "dog cat", ("dog cat",)), ("Class", "7", ("7",)), ("category", "dog; cat", ())])
def test_columns_of_keywords_and_of_one_keyword(tmp_path, header, cell, keywords):
    assert read(tmp_path, f'image,{header}\na.jpg,"{cell}"\n') == [Row("a.jpg", cell, "t.csv:2", None, keywords)]
