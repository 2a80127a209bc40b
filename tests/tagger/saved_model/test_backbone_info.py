from records.format.manifest import BackboneInfo
from tagger.saved_model import backbone_info

INFO = BackboneInfo("resnet50", "imagenet", "0" * 64, 2048, 224, "caffe", "float32")


def test_written_and_read(tmp_path):
    backbone_info.write(tmp_path, INFO)
    assert backbone_info.read(tmp_path) == INFO


def test_exports_of_before_and_damaged_files_say_nothing(tmp_path):
    assert backbone_info.read(tmp_path) is None
    backbone_info.write(tmp_path, INFO)
    for text in ("{", '{"name": "resnet50"}', "[]"):
        (tmp_path / "assets.extra" / "backbone.json").write_text(text)
        assert backbone_info.read(tmp_path) is None
