from records.sources import BadRow, Row, detect, open_source


def test_token_file(tmp_path):
    path = tmp_path / "Flickr8k.token.txt"
    path.write_bytes("\ufeffa.jpg#0\tA dog .\r\na.jpg#1\t\r\n\r\nno tab here\r\nb#c.jpg.1#12\tTwo\tcats\r\n"
                     "#0\tno name\r\nc.jpg\tno number\r\nd.jpg#3\tlast".encode())
    assert detect(str(path)) == "flickr"
    rows = list(open_source(str(path), "auto", ""))
    assert [row for row in rows if isinstance(row, Row)] == [
        Row("a.jpg", "A dog .", "Flickr8k.token.txt:1"), Row("b#c.jpg.1", "Two cats", "Flickr8k.token.txt:5"),
        Row("d.jpg", "last", "Flickr8k.token.txt:8")]
    form = "line is not of the form name#number<TAB>caption"
    assert [row for row in rows if isinstance(row, BadRow)] == [
        BadRow("Flickr8k.token.txt:2", "a.jpg", "caption is empty"),
        BadRow("Flickr8k.token.txt:4", "no tab here", form),
        BadRow("Flickr8k.token.txt:6", "", "image name is empty"), BadRow("Flickr8k.token.txt:7", "c.jpg", form)]


def test_descriptions(tmp_path):
    path = tmp_path / "descriptions.txt"
    path.write_text("1000268201_693b08cb0e child in pink dress\n\n1000268201_693b08cb0e startseq girl endseq\nalone\n"
                    "1001773457_577c3a7d70\tblack dog\n")
    (tmp_path / "1000268201_693b08cb0e.jpg").touch()
    assert detect(str(path)) == "descriptions"
    rows = list(open_source(str(path), "auto", str(tmp_path)))
    assert [row for row in rows if isinstance(row, Row)] == [
        Row("1000268201_693b08cb0e.jpg", "child in pink dress", "descriptions.txt:1"),
        Row("1000268201_693b08cb0e.jpg", "girl", "descriptions.txt:3"),
        Row("1001773457_577c3a7d70", "black dog", "descriptions.txt:5")]
    assert rows[2] == BadRow("descriptions.txt:4", "alone", "line is not of the form name caption")
