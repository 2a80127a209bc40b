"""More tables of public tools: encodings, dialogues, data sets, annotations; read right, or refused by a true line."""

import json

import pytest

from tests.records.sources.tables import BOTH, DOG, KEYWORDS, Case, check_read, check_refused, lines

BIG = ("p1.jpg", "a big dog")
URL = "image name is a URL, not a file under --images"
RENAME = "rename the columns, or add such a line"


def one(**fields):
    """JSON lines of one object."""
    return lines(json.dumps(fields))


def dialogue(*turns, **fields):
    return [{**fields, "conversations": [{"from": role, "value": text} for role, text in turns]}]


READ = {
    # encodings, line ends, quoting
    "TSV with BOM and CRLF": Case(b"\xef\xbb\xbfimage\tcaption\r\np1.jpg\ta red dog\r\np2.jpg\ta white cat\r\n", BOTH),
    "UTF-16 without BOM, tabs": Case("image\tcaption\np1.jpg\ta red dog\n".encode("utf-16-le"), [DOG]),
    "JSON lines in UTF-16": Case(one(image="p1.jpg", caption="a red dog").encode("utf-16"), [DOG]),
    "JSON in big-endian UTF-16": Case(b"\xfe\xff" + json.dumps([dict(image=DOG[0], text=DOG[1])]).encode("utf-16-be"),
                                      [DOG]),
    "token file in UTF-16": Case("p1.jpg#0\ta red dog\n".encode("utf-16"), [DOG]),
    "token file with BOM and CRLF": Case(b"\xef\xbb\xbfp1.jpg#0\ta red dog\r\np1.jpg#1\ta big dog\r\n", [DOG, BIG]),
    "descriptions with BOM": Case(b"\xef\xbb\xbf1000268201_693b08cb0e a red dog\r\n",
                                  [("1000268201_693b08cb0e", "a red dog")]),
    "JSON lines with BOM, CRLF, blank lines": Case(b"\xef\xbb\xbf\r\n" + one(image=DOG[0], caption=DOG[1]).encode(),
                                                   [DOG]),
    "Unicode text with quotes": Case('image\tcaption\r\np1.jpg\t"a ""red"" dog"\r\n'.encode("utf-16"),
                                     [("p1.jpg", 'a "red" dog')]),
    "a line break in a quoted caption, CRLF": Case('image,caption\r\np1.jpg,"a red\r\ndog"\r\n', [DOG]),
    "a tab in a caption": Case("image,caption\np1.jpg,a\tred dog\n", [DOG]),
    "commas in a TSV": Case("image\tcaption\np1.jpg\ta dog, red, big\n", [("p1.jpg", "a dog, red, big")]),
    "commas between semicolons": Case('image;caption\np1.jpg;a dog, red\np2.jpg;"a; b"\n',
                                      [("p1.jpg", "a dog, red"), ("p2.jpg", "a; b")]),
    "commas at all ends": Case("image,caption,\np1.jpg,a red dog,\np2.jpg,a white cat,\n", BOTH),
    "bars without a header": Case("p1.jpg|a red dog\np2.jpg|a white cat\n", BOTH),
    # headers
    "capitals, caption first": Case("TEXT,IMAGE_PATH\na red dog,p1.jpg\n", [DOG]),
    "img,comment": Case("img,comment\np1.jpg,a red dog\n", [DOG]),
    "filename;caption": Case("filename;caption\np1.jpg;a red dog\n", [DOG]),
    "open_clip": Case("filepath\ttitle\np1.jpg\ta red dog\n", [DOG]),
    "sentence1, sentence2": Case("image,sentence1,sentence2\np1.jpg,a red dog,a big dog\n", [DOG, BIG]),
    "an author's name beside": Case("name,image,caption\nBob,p1.jpg,a red dog\n", [DOG]),
    "the file in `name`": Case("id,name,caption\n1,p1.jpg,a red dog\n", [DOG]),
    "a URL beside the file": Case("image_url,filename,caption\nhttps://e.org/1.jpg,p1.jpg,a red dog\n", [DOG]),
    "COCO's ids beside the caption's": Case("id,image_id,caption\n12,391895,a red dog\n", [("391895", "a red dog")]),
    "a label beside the caption": Case("image,label,caption\np1.jpg,dog,a red dog\n", [DOG]),
    # missing values
    "NaN and null": Case("image,caption\np1.jpg,NaN\np1.jpg,null\np1.jpg,None\np1.jpg,#N/A\np1.jpg,a red dog\n", [DOG],
                         ["caption is missing"] * 4),
    "a keyword called None": Case("image,label\np1.jpg,None\np2.jpg,nan\n", [("p1.jpg", ("None",))],
                                  ["caption is missing"]),
    "NaN in JSON": Case('[{"image":"p1.jpg","caption":NaN},{"image":"p1.jpg","caption":"a red dog"}]', [DOG],
                        ["caption is not text"]),
    # splits
    "any column of nothing but splits": Case("image,caption,phase\np1.jpg,a red dog,TRAIN\np2.jpg,a white cat,Val\n",
                                             BOTH, splits=["train", "validation"]),
    "a class called train": Case("image,label,caption\np1.jpg,train,a red dog\np2.jpg,train,a white cat\n", BOTH,
                                 splits=[None, None]),
    "mappings under splits": Case({"train": {"p1.jpg": ["a red dog"]}, "test": {"p2.jpg": ["a white cat"]}}, BOTH,
                                  splits=["train", "test"]),
    # data sets
    "Flickr30k": Case("image_name| comment_number| comment\np1.jpg| 0| a red dog\np1.jpg| 1| a dog , big\n",
                      [DOG, ("p1.jpg", "a dog , big")]),
    "Flickr30k on Kaggle": Case("image_name,comment_number,comment\np1.jpg,0, a red dog\n", [DOG]),
    "Flickr30k on Hugging Face": Case(
        'raw,sentids,split,filename,img_id\n"[""a red dog"", ""a big dog""]","[0, 1]",train,p1.jpg,0\n', [DOG, BIG],
        splits=["train", "train"]),
    "NoCaps": Case({"info": {}, "licenses": [], "images": [{"id": 0, "open_images_id": "0013", "file_name": "p1.jpg"}],
                    "annotations": [{"image_id": 0, "id": 0, "caption": "a red dog"}]}, [DOG]),
    "TextCaps": Case({"data": [{"image_id": "54", "image_name": "54", "image_path": "train/54.jpg", "set_name": "val",
                                "caption_str": "a red dog", "reference_strs": ["a red dog"]}]},
                     [("train/54.jpg", "a red dog")], splits=["validation"]),
    "localized narratives": Case(one(dataset_id="open_images", image_id="p1", annotator_id=1, caption="a red dog",
                                     timed_caption=[{"utterance": "a"}], traces=[[{"x": 1}]]), [("p1", "a red dog")]),
    "Visual Genome's objects": Case([{"image_id": 1, "objects": [{"names": ["dog"]}, {"names": ["red ball"]}]}],
                                    [("1", ("dog", "red ball"))]),
    "MiniGPT-4": Case({"annotations": [{"image_id": "2", "caption": "a red dog"}]}, [("2", "a red dog")]),
    "BLIP": Case([{"image": "val2014/p1.jpg", "caption": ["a red dog", "a big dog"], "image_id": "coco_1"}],
                 [("val2014/p1.jpg", "a red dog"), ("val2014/p1.jpg", "a big dog")]),
    "COCO with other keys": Case({"images": [{"id": 1, "filename": "p1.jpg"}],
                                  "annotations": [{"image_id": "1", "captions": ["a red dog", "a big dog"]}]},
                                 [DOG, BIG]),
    "COCO from Windows": Case({"images": [{"id": 1, "file_name": "train\\p1.jpg"}],
                               "annotations": [{"image_id": 1, "caption": "a red dog"}]},
                              [("train/p1.jpg", "a red dog")]),
    # dialogues
    "LLaVA, a dialogue about text": Case(
        dialogue(("human", "hi"), ("gpt", "hello there"), id="t") + dialogue(("gpt", "a red dog"), image="p1.jpg"),
        [DOG], ["object names no image"]),
    "LLaVA, several answers": Case(dialogue(("human", "<image>"), ("gpt", "a red dog"), ("human", "?"),
                                            ("gpt", "a big dog"), image="p1.jpg"), [DOG, BIG]),
    "Qwen-VL": Case(dialogue(("user", "Picture 1: <img>p1.jpg</img>\nSay it"), ("assistant", "a red dog"), id="7"),
                    [DOG]),
    "messages in parts": Case(one(messages=[
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "p1.jpg"}}, {"text": "say"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a red dog"}]}]), [DOG]),
    # tags and classes
    "Danbooru's table": Case("filename,tags\np1.jpg,1girl long_hair\n", [("p1.jpg", ())]),
    "Gelbooru's posts": Case([{"id": 1, "tags": "1girl solo", "image": "p1.jpg", "file_url": "https://e.org/1.jpg"}],
                             [("p1.jpg", ())]),
    "a mapping of classes to photos": Case({"dog": ["p1.jpg"], "red ball": ["p1.jpg"], "cat": ["p2.jpg"]},
                                           [("p1.jpg", ("dog",)), ("p1.jpg", ("red ball",)), ("p2.jpg", ("cat",))]),
    "Food-101": Case({"apple_pie": ["apple_pie/1005649"], "ramen": ["ramen/23"]},
                     [("apple_pie/1005649", ("apple_pie",)), ("ramen/23", ("ramen",))]),
    "yes and no": Case("image,dog,red ball,cat\np1.jpg,yes,yes,no\np2.jpg,no,no,yes\n", KEYWORDS),
    "Scalabel": Case([{"name": "p1.jpg", "labels": [{"category": "dog"}, {"category": "red ball"}]},
                      {"name": "p2.jpg", "labels": [{"category": "cat"}]}], KEYWORDS),
    # others
    "DreamBooth's prompts": Case(one(file_name="p1.jpg", prompt="a red dog"), [DOG]),
    "BERT's markers": Case("image,caption\np1.jpg,[CLS] a red dog [SEP]\n", [DOG]),
    "an object under two keys": Case({"data": {"captions": [{"image": "p1.jpg", "caption": "a red dog"}]}}, [DOG]),
}
REFUSED = {
    "Latin-1": Case("image,caption\np1.jpg,un café\n".encode("latin-1"), bad=["caption is not UTF-8: byte 0xE9"]),
    "JSON in Latin-1": Case('[{"image":"p1.jpg","caption":"café"}]'.encode("latin-1"), error="save it as UTF-8"),
    "Shift-JIS": Case("image,caption\np1.jpg,赤い犬\n".encode("shift-jis"), bad=["caption is not UTF-8"]),
    "LAION": Case("SAMPLE_ID,URL,TEXT,HEIGHT\n1,https://e.org/1.jpg,a dog,1\n", bad=[URL]),
    "CC12M": Case("https://e.org/1.jpg\ta red dog\n", bad=[URL]),
    "CC3M": Case("a red dog\thttps://e.org/1.jpg\n", error="by a URL; download the photos, and name their files"),
    "AutoML": Case("TRAIN,gs://b/p1.jpg,dog\n", error="by a URL; download the photos"),
    "SageMaker's manifest": Case(one(**{"source-ref": "s3://b/p1.jpg", "class": 1}), bad=[URL]),
    "WIT": Case("language\timage_url\tcaption_reference_description\nen\thttps://e.org/1\ta dog\n", error=RENAME),
    "columns of languages": Case("image,caption_en,caption_de\np1.jpg,a dog,ein Hund\n", error=RENAME),
    "names in French": Case("fichier;légende\np1.jpg;un chien\n", error=RENAME),
    "names in Chinese": Case("图片,描述\np1.jpg,a red dog\n", error=RENAME),
    "numbers as names": Case("0,1\np1.jpg,a red dog\n", error=RENAME),
    "a photo before and one after": Case("before,after,caption\np1.jpg,p2.jpg,a dog\n", error=RENAME),
    "two photos in an object": Case(dialogue(("gpt", "two pets"), image=["p1.jpg", "p2.jpg"], id="p1"),
                                    bad=["object names several images"]),
    "base64": Case(one(image="/9j/4AAQSkZJRgABAQAAAQABAAD" + "/2wBDAAUDBAQEAwUE" * 9, text="a dog"),
                   bad=["image name is no name but the photo itself in base64"]),
    "COCO's panoptic masks": Case({"images": [{"id": 1, "file_name": "p1.jpg"}],
                                   "annotations": [{"image_id": 1, "segments_info": []}]}, bad=["caption is not text"]),
    "absolute names of another machine": Case({"images": [{"id": 1, "file_name": "/data/coco/p1.jpg"}],
                                               "annotations": [{"image_id": 1, "caption": "a dog"}]},
                                              bad=["image name leads outside --images"]),
    "VQA": Case([{"image": "p1.jpg", "question": "What?", "answers": [{"answer": "dog"}]}], error="no captions in"),
    "columns of two lengths": Case({"images": ["p1.jpg", "p2.jpg"], "captions": ["a dog"]},
                                   error="images has 2 entries and captions 1"),
    "lists of class numbers": Case({"p1.jpg": [1], "p2.jpg": [3]}, bad=["caption is not text"] * 2),
    "a comma after each object": Case('{"image":"p1.jpg","caption":"a"},\n{"image":"p2.jpg","caption":"b"},\n',
                                      error="a second JSON value follows the first; write one array"),
    "Python's quotes": Case("[{'image': 'p1.jpg', 'caption': 'a dog'}]", error="enclosed in double quotes"),
    "a zip of a table": Case("zip", error="a zip file.*unpack it", name="t.zip"),
    "a Parquet file without its word": Case(b"PAR1" + bytes(99), error="--captions=parquet:.* reads it"),
    "a tar without its word": Case(b"a.jpg".ljust(257, b"\0") + b"ustar\0" + bytes(200),
                                   error="--captions=webdataset:.* reads it"),
    "xz": Case(b"\xfd7zXZ\0", error="an xz file.*unpack it"),
}


def test_there_are_sixty_and_more():
    assert len(READ) + len(REFUSED) >= 60


@pytest.mark.parametrize("name", READ)
def test_more_tables_are_read(tmp_path, name):
    check_read(tmp_path, READ[name])


@pytest.mark.parametrize("name", REFUSED)
def test_more_tables_that_cannot_be_read_say_what_to_change(tmp_path, name):
    check_refused(tmp_path, REFUSED[name])
