"""Screenshots of every page for the docs: ``python -m tests.portal.screenshots FOLDER``."""

import base64
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

from calls.errors import SanshengError
from portal.app import create_app
from portal.server import PortalServer
from portal.settings import PortalSettings
from sansheng.editions import Editions
from sansheng.settings import Settings
from scoring import calibration
from tests.peers.hotline import NOW, PASSWORD
from tests.portal.conftest import fill
from tests.portal.eyes import open_browser, sign_in, wait
from tests.portal.test_browser import board, heard
from warehouse.server import QueryServer
from warehouse.store import Warehouse

SHOTS = (
    ("", "/login", "login"),
    ("qachen", "/queue", "queue"),
    ("qachen", "/appeals", "appeals"),
    ("qachen", "/calls/call-00", "call"),
    ("qachen", "/calls", "calls"),
    ("qachen", "/search?words=社保", "search"),
    ("qachen", "/phrases", "phrases"),
    ("qachen", "/editions", "editions"),
    ("qachen", "/calibration", "calibration"),
    ("banzhang", "/overview?since=2026-11-24&until=2026-11-24", "overview"),
    ("banzhang", "/live", "live"),
    ("banzhang", "/tokens", "tokens"),
    ("wangli", "/me", "me"),
    ("wangli", "/second", "second"),
    ("root", "/admin/users", "users"),
    ("root", "/admin/audit", "audit"),
)
WIDE, PHONE = (1366, 768), (500, 844)


def shoot(browser: webdriver.Chrome, path: Path) -> None:
    """The whole page, when its scripts have drawn."""
    wait(browser, lambda b: b.execute_script("return document.readyState") == "complete")
    for box in browser.find_elements(By.CSS_SELECTOR, "#player"):
        wait(browser, lambda b, one=box: one.get_attribute("data-ready") == "yes")
    for box in browser.find_elements(By.CSS_SELECTOR, "[data-chart]"):
        wait(browser, lambda b, one=box: one.find_elements(By.CSS_SELECTOR, "svg path"))
    for box in browser.find_elements(By.CSS_SELECTOR, "#board"):
        wait(browser, lambda b, one=box: int(one.get_attribute("data-beats") or 0) >= 8)
    shot = browser.execute(
        "executeCdpCommand", {"cmd": "Page.captureScreenshot", "params": {"format": "png"}}
    )
    path.write_bytes(base64.b64decode(shot["value"]["data"]))


def edit(browser: webdriver.Chrome, url: str, out: Path) -> None:
    """A phrase is written, tried on the stored calls, and waits for a second person."""
    browser.get(url + "/editions")
    browser.find_element(By.CSS_SELECTOR, "a.button.primary").click()
    number = browser.current_url.rsplit("/", 1)[1]
    browser.get(f"{url}/editions/{number}/phrases/new")
    family = browser.find_element(By.CSS_SELECTOR, "option[value=F_off_duty]")
    family.click()
    browser.find_element(By.CSS_SELECTOR, "option[value=critical]").click()
    browser.find_element(By.NAME, "text").send_keys("请您带上身份证")
    browser.find_element(By.NAME, "examples").send_keys("请您带上身份证来")
    browser.find_element(By.NAME, "why").send_keys("月度修订：试一条新词")
    shoot(browser, out / "phrase.png")
    browser.find_element(By.CSS_SELECTOR, "button[value=save]").click()
    browser.find_element(By.ID, "start-trial").click()
    wait(browser, lambda b: b.find_element(By.CSS_SELECTOR, "[data-trial=done]"))
    wait(browser, lambda b: b.find_element(By.ID, "publish").is_enabled())
    browser.get(browser.current_url.split("#")[0])
    shoot(browser, out / "edition.png")


def main(out: Path) -> None:
    """Fill a hotline, serve it, and look at every page."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        data = Settings(data_dir=root / "data")
        warehouse = Warehouse.open(data.database)
        fill(warehouse, root / "data")
        queries = QueryServer(warehouse, data.socket)
        queries.start()
        settings = PortalSettings(port=0, sample_least=4)
        app = create_app(
            warehouse,
            settings,
            board=board,
            live_findings=heard(),
            calibration=calibration,
            editor=Editions(data),
            clock=lambda: NOW,
        )
        server = PortalServer(app, settings)
        url = server.start()
        browser = open_browser(root / "profile", WIDE)
        try:
            signed = ""
            for user, path, shot in SHOTS:
                if user != signed:
                    sign_in(browser, url, user, PASSWORD)
                    signed = user
                browser.get(url + path)
                shoot(browser, out / f"{shot}.png")
                if shot == "editions":
                    edit(browser, url, out)
            sign_in(browser, url, "wangli", PASSWORD)
            browser.set_window_size(*PHONE)
            for path, shot in (("/me", "me-phone"), ("/calls/call-00", "call-phone")):
                browser.get(url + path)
                shoot(browser, out / f"{shot}.png")
        finally:
            browser.quit()
            server.stop()
            queries.stop()
            warehouse.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except SanshengError as error:
        sys.exit(str(error))
