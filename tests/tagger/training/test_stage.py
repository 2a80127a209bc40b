from tagger.training.stage import announce


def test_stages_have_headings_where_there_are_several(capsys):
    announce(2, 4, "the backbone learns from photos", "runs/x/pixels")
    announce(1, 1, "the merge model learns the captions", "runs/x")
    assert capsys.readouterr() == ("", "stage 2 of 4: the backbone learns from photos (runs/x/pixels)\n")
