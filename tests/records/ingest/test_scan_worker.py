import google_crc32c

from records.images.validation import PixelHash
from records.ingest.database_tables import ImageTask, LookAlike
from records.ingest.scan_worker import check_chunk, hash_chunk
from tests.records.images.bad_images import encoded, photo


def test_what_is_found_in_photos_and_captions(tmp_path):
    jpeg, bmp = encoded(photo(), "JPEG"), encoded(photo(), "BMP")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "b.bmp").write_bytes(bmp)
    (tmp_path / "c.jpg").write_bytes(jpeg[:100])
    tasks = [ImageTask(1, "a.jpg", ((5, "Two dogs run!"), (9, "a b c d e"))), ImageTask(2, "b.bmp", ()),
             ImageTask(3, "c.jpg", ()), ImageTask(4, "d.jpg", ())]
    a, b, c, d = check_chunk(tasks, str(tmp_path), max_words=4)
    assert (a.reason, a.height, a.width, a.reencode) == (None, *photo().size[::-1], False)
    assert a.file_crc32c == google_crc32c.value(jpeg) and a.eighth_crc32c and a.pixel_crc32c is None
    assert a.texts == ((5, "two dogs run", "dogs run", None),
                       (9, "", "", "caption is too long: 5 words, --max_words_per_caption is 4"))
    assert b.reencode and b.pixel_crc32c and b.eighth_crc32c is None and b.stored_bytes != len(bmp)
    assert c.image == 3 and c.reason.startswith(("photo", "JPEG")) and d.reason == "photo does not exist: 'd.jpg'"


def test_the_hash_of_pixels_does_not_depend_on_the_format(tmp_path):
    photos = []
    for number, form in enumerate(("PNG", "BMP")):
        data = encoded(photo(), form)
        (tmp_path / form).write_bytes(data)
        photos.append(LookAlike(number, form, google_crc32c.value(data)))
    (first, one), (second, other) = hash_chunk(photos, str(tmp_path), PixelHash.SHA256)
    assert (first, second) == (0, 1) and one == other and len(one) == 32
