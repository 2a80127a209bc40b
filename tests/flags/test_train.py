from flags.train import Train


def test_no_backbone_learns_by_default_or_when_told_so():
    assert Train(records_dir="r", run_dir="d").train_backbone == ""
    assert Train(records_dir="r", run_dir="d", train_backbone="none").train_backbone == ""
    assert Train(records_dir="r", run_dir="d", train_backbone="all").train_backbone == "all"
