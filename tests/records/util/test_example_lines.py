from records.util.example_lines import choose, example_line, remark


def test_what_is_left_out_is_counted_and_tags_come_once():
    line = example_line("train", "dog.jpg", ["A dog.", "B.", "C.", "D.", "E."], ["dog", "run", "dog"])
    assert line == '  train  dog.jpg: "A dog.", "B.", "C." (+2 more); tags: dog, run'
    assert example_line("test", "a", ["x" * 200], []).endswith('xx…"; tags: none')


def test_words_that_the_vocabulary_lacks_are_named_and_explained():
    lacking = example_line("test", "a.jpg", ["A red kite."], ["red"], ["kite", "kite"])
    assert lacking == '  test  a.jpg: "A red kite."; tags: red; <unk>: kite'
    assert remark([lacking])[0].startswith("(words after <unk> come too rarely in train")
    assert remark([example_line("test", "a.jpg", ["A red kite."], ["red"])]) == []


def test_one_of_each_split_then_more_of_the_first():
    assert choose([["a", "b", "c"], ["x", "y"]]) == ["a", "b", "x"]
    assert choose([["a", "b", "c", "d"]]) == ["a", "b", "c"]
    assert choose([["a"], ["x"], ["y"], ["z"]]) == ["a", "x", "y"]
    assert choose([[], ["x"]]) == ["x"]
