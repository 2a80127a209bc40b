"""TFRecord framing: the bytes that TensorFlow's own writer makes, and damage found where it is."""

import io

import pytest
import tensorflow as tf

from records.format.tfrecord import Damage, frame, spans, walk

RECORDS = [b"first", b"", b"\x00" * 1000, bytes(range(256)) * 40]


def test_frames_are_the_bytes_of_tensorflows_writer(tmp_path):
    path = str(tmp_path / "written")
    with tf.io.TFRecordWriter(path) as writer:
        for record in RECORDS:
            writer.write(record)
    with open(path, "rb") as file:
        assert file.read() == b"".join(map(frame, RECORDS))


def test_walk_yields_what_was_framed_with_its_offsets():
    found = list(walk(io.BytesIO(b"".join(map(frame, RECORDS)))))
    assert [data for _, data in found] == RECORDS
    assert [offset for offset, _ in found] == [0, 21, 37, 1053]


@pytest.mark.parametrize(("position", "record", "offset", "problem"), [
    (3, 0, 0, "length"), (9, 0, 0, "length"), (13, 0, 0, "data"), (18, 0, 0, "data"), (22, 1, 21, "length"),
    (500, 2, 37, "data"), (1060, 3, 1053, "length")])
def test_a_changed_byte_is_found_in_its_record(position, record, offset, problem):
    data = bytearray(b"".join(map(frame, RECORDS)))
    data[position] ^= 0x10
    for reads in (walk, lambda file: spans(file, 30), lambda file: spans(file, 1 << 20)):
        with pytest.raises(Damage, match=f"checksum of the .*{problem}") as caught:
            list(reads(io.BytesIO(bytes(data))))
        assert (caught.value.record, caught.value.offset) == (record, offset)


def test_a_cut_inside_a_record_is_found_and_one_between_records_is_not():
    data = b"".join(map(frame, RECORDS))
    boundaries = {0, 21, 37, 1053, len(data)}
    for length in range(len(data)):
        if length in boundaries:
            list(walk(io.BytesIO(data[:length])))  # which is why the manifest holds sizes and hashes
            list(spans(io.BytesIO(data[:length]), 1000))
        else:
            with pytest.raises(Damage, match="the file ends"):
                list(walk(io.BytesIO(data[:length])))
            with pytest.raises(Damage, match="the file ends"):
                list(spans(io.BytesIO(data[:length]), 1000))


@pytest.mark.parametrize("size", [1, 20, 1000, 1 << 20])
def test_spans_hold_the_records_whatever_their_size(size):
    found = list(spans(io.BytesIO(b"".join(map(frame, RECORDS))), size, padding=3))
    assert [span.data[start:end] for span in found
            for start, end in zip(span.starts, span.ends, strict=True)] == RECORDS
    assert [span.first for span in found] == [sum(len(other.starts) for other in found[:i]) for i in range(len(found))]
    assert {span.data[-3:] for span in found} == {bytes(3)} and all(span.starts for span in found)
