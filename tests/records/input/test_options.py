import pytest

from flags.errors import UserError
from records.input.options import InputOptions


def test_hosts_share_the_rows_of_a_batch():
    options = [InputOptions(batch_size=12, host=host, hosts=3) for host in range(3)]
    assert [one.rows for one in options] == [slice(0, 4), slice(4, 8), slice(8, 12)]
    assert options[1].rows_per_host == 4 and InputOptions(batch_size=5).rows == slice(0, 5)


@pytest.mark.parametrize(("batch_size", "hosts"), [(0, 1), (-4, 2), (5, 2)])
def test_a_batch_that_cannot_be_shared(batch_size, hosts):
    with pytest.raises(UserError, match=f"--batch_size={batch_size}: {hosts} hosts cannot share it evenly"):
        InputOptions(batch_size=batch_size, hosts=hosts)
