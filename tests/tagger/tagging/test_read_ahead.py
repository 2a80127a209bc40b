import threading

import pytest

from tagger.tagging.read_ahead import answered


def test_answers_in_order_batches_within_a_shard():
    batches = []

    def compute(contents):
        batches.append(contents)
        return [2 * content for content in contents]

    photos = [(0, 1), (0, 2), (0, 3), (1, 4), (1, 5), (2, 6)]
    answers = list(answered(photos, lambda photo: 10 * photo, compute, batch_size=2))
    assert answers == [((shard, photo), 10 * photo, 20 * photo) for shard, photo in photos]
    assert sorted(batches) == [[10, 20], [30], [40, 50], [60]]


def test_no_more_is_read_than_a_few_batches_ahead():
    read = []
    photos = ((0, number) for number in range(10_000))
    for (_, photo), _, _ in answered(photos, lambda photo: read.append(photo) or photo, list, batch_size=4):
        assert max(read) - photo < 32
        if photo == 1000:
            break


def test_what_a_thread_raises_is_raised_and_the_threads_end():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(answered([(0, 1), (0, 0)], lambda photo: 1 // photo, list, batch_size=1))
    assert threading.active_count() == before


def test_a_batch_of_large_files_ends_early():
    sizes = []

    def compute(contents):
        sizes.append(len(contents))
        return contents

    list(answered([(0, number) for number in range(5)], lambda _: bytes(100 << 20), compute, batch_size=32))
    assert sorted(sizes) == [1, 2, 2]
