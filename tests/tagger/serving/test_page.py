"""The page in a real browser: pip install selenium, and chromium with its driver; run with  -m browser."""

import pathlib
import shutil

import pytest

from tests.records.inputs import PHOTOS
from tests.tagger.serving.server import server

selenium = pytest.importorskip("selenium")
from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = pytest.mark.browser

# Makes a File of the page's own pixels and drops it, as a mouse would.
_DROP = """
const done = arguments[0];
const canvas = document.createElement("canvas");
canvas.width = 64; canvas.height = 48;
canvas.getContext("2d").fillRect(0, 0, 64, 48);
canvas.toBlob((blob) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([blob], "dropped.png", {type: "image/png"}));
  document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
  done();
});
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--window-size=1100,1000", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Named, because Selenium would otherwise look for one on the internet.
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def address(demo):
    with server(demo[0] / "export") as address:
        yield address


def finished(browser, count):
    """The cards on the page, newest first, when there are `count` with their time."""
    WebDriverWait(browser, 60).until(lambda _: sum(
        bool(node.text) for node in browser.find_elements(By.CSS_SELECTOR, ".time")) == count)
    return browser.find_elements(By.CSS_SELECTOR, ".card")


def test_photos_chosen_and_dropped_get_captions_tags_and_times(browser, address, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    browser.get(address)
    chosen = [PHOTOS[3], PHOTOS[0], broken]
    browser.find_element(By.ID, "file").send_keys("\n".join(map(str, chosen)))
    cards = finished(browser, 3)
    assert [card.find_element(By.CLASS_NAME, "name").text for card in cards] == [
        path.name for path in reversed(chosen)]
    for card in cards[1:]:
        assert card.find_element(By.CLASS_NAME, "caption").text not in ("", "Looking…")
        assert len(card.find_elements(By.CSS_SELECTOR, ".tags li")) == 10
        assert card.find_element(By.CLASS_NAME, "time").text.endswith(" ms")
        assert card.find_element(By.TAG_NAME, "img").get_property("naturalWidth") > 0
    assert "not an image" in cards[0].find_element(By.CLASS_NAME, "caption").text
    shot = pathlib.Path(tmp_path) / "page.png"
    browser.save_screenshot(str(shot))
    assert shot.stat().st_size > 20_000

    browser.execute_async_script(_DROP)
    cards = finished(browser, 4)
    assert cards[0].find_element(By.CLASS_NAME, "name").text == "dropped.png"
    assert not [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_server_that_is_gone_is_said(browser, demo, tmp_path):
    with server(demo[0] / "export") as address:
        browser.get(address)
    browser.find_element(By.ID, "file").send_keys(str(PHOTOS[0]))
    WebDriverWait(browser, 30).until(lambda _: browser.find_elements(By.CSS_SELECTOR, ".caption.bad"))
