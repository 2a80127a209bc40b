import pytest

from records.util import gpus


@pytest.mark.parametrize("count, visible, names", [
    (3, None, ["0", "1", "2"]), (2, "2,5", ["2", "5"]), (2, "3, 1 ,0", ["3", "1"]), (1, "GPU-89,1", ["GPU-89"]),
    (0, "", []), (0, None, [])])
def test_each_gpu_has_the_name_by_which_a_process_sees_it_alone(count, visible, names):
    assert gpus.names(count, visible) == names
