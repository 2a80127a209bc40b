import pytest

from tagger.serving.host_check import refusal


@pytest.mark.parametrize("host", [None, "localhost", "LOCALHOST:8501", "a.localhost:1", "127.0.0.1:8501", "10.0.0.7",
                                  "[::1]:8501", "photos.example:8501", "photos.example."])
def test_addresses_and_known_names(host):
    assert refusal(host, None, {"photos.example"}) is None
    assert refusal("any.example", "http://any.example", {"*"}) is None


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", ":8501", "[x",
                                  "evil.example#localhost", "localhost@evil.example", "2130706433.example"])
def test_names_that_are_not_known(host):
    assert "is not known as" in refusal(host, None, {"photos.example"})


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:9", "http://localhost",
                                    "http://localhost:8501.evil.example"])
def test_pages_of_others(origin):
    assert "may not ask this server" in refusal("localhost:8501", origin, {"photos.example"})


def test_its_own_page_and_those_of_hosts_that_are_allowed():
    assert refusal("localhost:8501", "http://localhost:8501", ()) is None
    assert refusal("localhost:8501", "https://photos.example", {"photos.example"}) is None
