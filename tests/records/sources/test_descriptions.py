from records.sources import BadRow, Row
from records.sources.descriptions import matches, read
from records.sources.table import Table


def table(tmp_path, text):
    (tmp_path / "d.txt").write_text(text)
    return Table(str(tmp_path / "d.txt"), "")


def test_name_and_caption(tmp_path):
    one = table(tmp_path, "1000268201_693b08cb0e child in pink dress\n\nb.jpg\ta dog\n1000268201_693b08cb0e\n")
    assert list(read(one)) == [
        Row("1000268201_693b08cb0e", "child in pink dress", "d.txt:1"), Row("b.jpg", "a dog", "d.txt:3"),
        BadRow("d.txt:4", "1000268201_693b08cb0e", "line is not of the form name caption")]


def test_sentences_are_no_descriptions(tmp_path):
    assert matches(table(tmp_path, "a.jpg a dog\nb.jpg a cat\n"))
    assert matches(table(tmp_path, "1000268201_693b08cb0e a dog\n1001773457_577c3a7d70 a cat\n"))
    assert not matches(table(tmp_path, "Once upon a time\nthere was a dog\n"))
