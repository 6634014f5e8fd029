"""A real browser for these tests: headless Chromium that reaches nothing but the server."""

from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = (
    "--headless",
    "--no-sandbox",
    # A container's shared memory may be too small for a page.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)
WAIT_S = 15


def open_browser(profile: Path, size: tuple[int, int] = (1366, 768)) -> webdriver.Chrome:
    """Start Chromium with an empty profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option(
        "prefs", {"download.default_directory": str(profile / "downloads")}
    )
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    return webdriver.Chrome(options=options, service=service)


def wait(browser: webdriver.Chrome, what: Any) -> Any:
    """Wait until ``what(browser)`` holds."""
    gone = (NoSuchElementException, StaleElementReferenceException)
    waiting = WebDriverWait(browser, WAIT_S, poll_frequency=0.05, ignored_exceptions=gone)
    return waiting.until(what)


def sign_in(browser: webdriver.Chrome, url: str, user_id: str, password: str) -> None:
    """Sign in through the form, as a new person at the browser."""
    browser.get(url + "/login")
    browser.delete_all_cookies()
    browser.get(url + "/login")
    browser.find_element(By.NAME, "user_id").send_keys(user_id)
    browser.find_element(By.NAME, "password").send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "button.primary").click()
    wait(browser, lambda b: "/login" not in b.current_url)


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What the browser's console complains of: broken scripts, CSP, missing files."""
    return [
        f"{entry['level']}: {entry['message']}"
        for entry in browser.execute("getLog", {"type": "browser"})["value"]
        if entry["level"] in ("SEVERE", "WARNING")
    ]
