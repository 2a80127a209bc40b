from tagger.reporting.markup import Html, document, join, tag


def test_texts_are_escaped_in_content_and_attributes_and_markup_made_here_is_not():
    assert tag("p", "<b> & ", tag("i", 3), None, ["x", ("y",)], class_='a"b') == (
        '<p class="a&quot;b">&lt;b&gt; &amp; <i>3</i>xy</p>')
    assert join(tag("br"), "<") == "<br>&lt;" and isinstance(join(), Html)
    assert tag("text", text_anchor="end", hidden=None) == '<text text-anchor="end"></text>'


def test_what_is_put_together_from_markup_is_text_again():
    """Only tag and join make markup: strings that merely hold some are escaped."""
    assert tag("p", f"{tag('b')}") == "<p>&lt;b&gt;&lt;/b&gt;</p>"


def test_half_a_character_does_not_break_a_page():
    assert "a?b" in document("a\ud800b", "", "text").encode().decode()
