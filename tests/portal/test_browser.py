"""A real Chromium on a real server: people at their work, nothing reached but the server."""

import io
import re
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from openpyxl import load_workbook
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from calls.hit import Severity, Status
from portal.app import create_app
from portal.live_findings import LiveFindings
from portal.ports import Board, LiveCall, LiveFinding, TapHealth
from portal.server import PortalServer
from portal.settings import PortalSettings
from sansheng.editions import Editions
from scoring import calibration
from tests.peers.hotline import NOW, PASSWORD
from tests.portal import eyes
from tests.portal.eyes import complaints, open_browser, wait
from warehouse.store import Warehouse

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = {
    "qachen": (
        "/queue",
        "/appeals",
        "/calibration",
        "/overview",
        "/calls",
        "/calls/call-00",
        "/search?words=下班",
        "/phrases",
        "/editions",
        "/editions/1",
        "/editions/1/phrases/F168",
        "/editions/1/files/book.toml",
    ),
    "wangli": ("/me", "/calls", "/calls/call-00", "/search?words=下班", "/second"),
    "banzhang": ("/overview", "/live", "/tokens"),
    "root": ("/admin/users", "/admin/audit", "/password", "/calls"),
    "": ("/login",),
}
REACHABLE = (
    "[...document.querySelectorAll('a[href], button, input, select, textarea, summary')]"
    ".filter((e) => !e.disabled && e.type !== 'hidden' && e.checkVisibility()"
    " && !e.closest('fieldset[disabled]'))"
)
"""What a mouse can use, in the words of the browser."""
PARTS_OF_A_DATE = 4
"""Stops of the tab key within a date field."""
NO_PAGES = {
    *("/", "/health", "/api/v1/openapi.json", "/live/events", "/editions/{edition_id}/trial"),
    *("/overview.xlsx", "/monthly.xlsx", "/monthly.pdf", "/calls.xlsx"),
    *("/calls/{call_id}/audio", "/calls/{call_id}/peaks"),
    *("/oidc/login", "/oidc/callback"),
}
"""What a browser loads besides pages."""


def board() -> Board:
    """Two calls under way and a deaf tap."""
    return Board(
        calls=(
            LiveCall(call_id="x", agent="1001", state="ringing", since=NOW - timedelta(seconds=17)),
            LiveCall(call_id="y", agent="2001", state="talking", since=NOW - timedelta(seconds=75)),
        ),
        taps=(TapHealth(name="tap-1", hears=True), TapHealth(name="tap-2", hears=False)),
    )


def heard() -> LiveFindings:
    """A critical phrase in the second of the calls under way, a minute into it."""
    live = LiveFindings()
    live.tell(
        LiveFinding(
            call_id="y",
            agent="2001",
            family="F_off_duty",
            severity=Severity.CRITICAL,
            status=Status.REVIEW,
            at_ms=62_000,
            heard_at=NOW - timedelta(seconds=3),
        )
    )
    return live


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    opened = open_browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.quit()


@pytest.fixture
def url(warehouse: Warehouse, editor: Editions) -> Iterator[str]:
    settings = PortalSettings(port=0, sample_least=4)
    app: FastAPI = create_app(
        warehouse,
        settings,
        board=board,
        live_findings=heard(),
        calibration=calibration,
        editor=editor,
        clock=lambda: NOW,
    )
    server = PortalServer(app, settings)
    yield server.start()
    server.stop()


@pytest.fixture
def enter(browser: webdriver.Chrome, url: str) -> Callable[[str, str], None]:
    """Sign somebody in and open a page; what the pages before complained of is forgotten."""
    browser.set_window_size(1366, 768)
    complaints(browser)

    def come_in(user_id: str, path: str) -> None:
        if user_id:
            eyes.sign_in(browser, url, user_id, PASSWORD)
        else:
            browser.delete_all_cookies()
        browser.get(url + path)

    return come_in


Enter = Callable[[str, str], None]


def find(browser: webdriver.Chrome, css: str) -> webdriver.remote.webelement.WebElement:
    return browser.find_element(By.CSS_SELECTOR, css)


def player_ready(browser: webdriver.Chrome) -> None:
    wait(browser, lambda b: find(b, "#player").get_attribute("data-ready") == "yes")


def press(browser: webdriver.Chrome, key: str) -> None:
    webdriver.ActionChains(browser).send_keys(key).perform()


def now_shown(browser: webdriver.Chrome) -> float:
    minutes, seconds = find(browser, "#now").text.split(":")
    return int(minutes) * 60 + float(seconds)


def test_an_agent_hears_appeals_and_reads_the_decision(
    browser: webdriver.Chrome, enter: Enter, warehouse: Warehouse
) -> None:
    enter("wangli", "/calls")
    find(browser, "tbody a[data-row-link]").click()
    player_ready(browser)
    heard = "SELECT count(*) AS many FROM audit WHERE action = 'play_audio'"
    assert warehouse.rows(heard) == [{"many": 0}]
    find(browser, "mark[data-finding='0']").click()
    wait(browser, lambda b: now_shown(b) > 12.2)
    press(browser, " ")
    wait(browser, lambda b: find(b, "#player").get_attribute("data-state") == "paused")
    find(browser, "#appeal-form summary").click()
    find(browser, "#mark-here").click()
    assert float(find(browser, "#mark-start").get_attribute("value") or 0) > 12
    assert warehouse.rows(heard)[0]["many"] >= 1
    find(browser, "#appeal-form textarea").send_keys("我是在复述来电人的话")
    find(browser, "#appeal-form button.primary").click()
    wait(browser, lambda b: "待处理" in find(b, "#appeals").text)

    enter("qachen", "/appeals")
    find(browser, "input[name=answer]").send_keys("听过录音，申诉成立")
    find(browser, "button[value=uphold]").click()
    wait(browser, lambda b: "没有待处理的申诉" in b.page_source)

    enter("wangli", "/calls/call-00")
    assert "听过录音，申诉成立" in find(browser, "#appeals").text
    assert [e.text for e in browser.find_elements(By.CSS_SELECTOR, ".scores dd")] == [
        "85",
        "–",
        "100",
    ]
    assert complaints(browser) == []


def test_a_reviewer_clears_the_queue_by_keys_alone(
    browser: webdriver.Chrome, enter: Enter, warehouse: Warehouse
) -> None:
    enter("qachen", "/queue")
    left = int(find(browser, "#left").get_attribute("data-left") or 0)
    assert left >= 10
    keys = ["o", *"a" * (left - 2), "s"]
    for place, key in enumerate(keys):
        wait(browser, lambda b, n=left - place: find(b, f"#left[data-left='{n}']"))
        if place == 0:
            press(browser, "c")
            press(browser, "复述来电人")
            press(browser, Keys.ENTER)
        press(browser, key)
    wait(browser, lambda b: "今天的队列已清空" in b.page_source)
    rows = warehouse.rows("SELECT decision, comment FROM reviews ORDER BY review_id")
    assert [row["decision"] for row in rows] == [
        "overrule",
        *["agree"] * (left - 2),
        "skip",
    ]
    assert rows[0]["comment"] == "复述来电人"
    assert complaints(browser) == []


def test_audio_plays_seeks_loops_and_changes_speed(browser: webdriver.Chrome, enter: Enter) -> None:
    enter("qachen", "/calls/call-00")
    player_ready(browser)
    press(browser, "f")
    wait(browser, lambda b: now_shown(b) > 11.7)
    # Slow, so that a browser that is late does not go far beyond the loop's end.
    press(browser, "[")
    assert find(browser, "#speed").get_attribute("value") == "0.75"
    press(browser, "l")
    assert find(browser, "#loop").get_attribute("aria-pressed") == "true"
    seen = [now_shown(browser)]

    def went_back(opened: webdriver.Chrome) -> bool:
        seen.append(now_shown(opened))
        return seen[-1] < max(seen) - 0.5

    wait(browser, went_back)
    assert max(seen) < 14.2
    wait(browser, lambda b: find(b, "#lines li.now:last-child"))
    press(browser, "l")
    press(browser, "]")
    press(browser, "]")
    assert find(browser, "#speed").get_attribute("value") == "1.25"
    press(browser, Keys.ARROW_LEFT)
    wait(browser, lambda b: now_shown(b) < 12)
    find(browser, "#lines li:nth-child(2) button.jump").click()
    wait(browser, lambda b: 2.5 < now_shown(b) < 6.4)
    regions = browser.execute_script(
        "return document.querySelector('#wave > div').shadowRoot"
        ".querySelectorAll('[part~=region]').length"
    )
    assert regions == 1
    assert complaints(browser) == []


def test_a_supervisor_sees_the_figures_and_takes_the_excel(
    browser: webdriver.Chrome, enter: Enter, url: str
) -> None:
    enter("banzhang", "/overview?since=2026-11-24&until=2026-11-24")
    wait(browser, lambda b: b.find_element(By.TAG_NAME, "body").get_attribute("data-charts") == "3")
    assert all(
        box.find_elements(By.CSS_SELECTOR, "svg path")
        for box in browser.find_elements(By.CSS_SELECTOR, "[data-chart]")
    )
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in browser.get_cookies())
    address = find(browser, "#excel").get_attribute("href") or ""
    asked = urllib.request.Request(address, headers={"Cookie": cookies})
    with urllib.request.urlopen(asked) as answer:
        book = load_workbook(io.BytesIO(answer.read()))
    figures = {row[0].value: row[1].value for row in book["总览"].iter_rows(min_row=2)}
    assert f"{figures['三声接听率'] * 100:.1f}%" == find(browser, "#three").text
    assert str(figures["来电"]) == find(browser, "#calls").text == "12"
    assert complaints(browser) == []


def test_the_live_board_counts_rings_and_tells_a_deaf_tap(
    browser: webdriver.Chrome, enter: Enter
) -> None:
    enter("banzhang", "/live")
    wait(browser, lambda b: int(find(b, "#board").get_attribute("data-beats") or 0) >= 2)
    text = find(browser, "#board").text
    assert "第 4 声" in text
    assert "王丽" in text
    assert find(browser, "#ringing").text == "1"
    assert "tap-2 · 听不到" in text
    assert "以下班/午休为由拒接待 · 1:02 · 待核" in find(browser, "#calls").text
    wait(browser, lambda b: "通话中疑似严重禁语 赵敏" in find(b, "#alerts").text)
    assert "录音接入听不到 tap-2 · 0 分钟前 · 未恢复" in find(browser, "#alerts").text
    assert complaints(browser) == []


def test_every_page_of_the_app_is_looked_at(app: FastAPI) -> None:
    shown = {path.split("?")[0] for paths in PAGES.values() for path in paths}
    patterns = {r.path for r in app.state.gate.rules if r.method == "GET" and r.scope is None}
    seen = {
        pattern
        for pattern in patterns
        if any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path) for path in shown)
    }
    assert patterns - seen == NO_PAGES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_open_to_all_and_fits_and_stays_on_the_site(
    browser: webdriver.Chrome, enter: Enter, url: str, theme: str
) -> None:
    """Axe finds nothing serious, nothing is wider than 1366 pixels, all comes from here."""
    script = AXE.read_text(encoding="utf-8")
    found: list[tuple[str, ...]] = []
    for user, paths in PAGES.items():
        enter(user, paths[0])
        if theme == "dark":
            browser.add_cookie({"name": "theme", "value": "dark"})
        for path in paths:
            browser.get(url + path)
            assert find(browser, "html").get_attribute("data-theme") in (theme, "auto")
            found += [(path, t) for t in complaints(browser) if "403 (Forbidden)" not in t]
            browser.execute_script(script)
            result = browser.execute_async_script(
                "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})"
                ".then(arguments[arguments.length - 1])"
            )
            found += [
                (path, v["id"], v["nodes"][0]["html"][:160])
                for v in result["violations"]
                if v["impact"] in ("serious", "critical")
            ]
            if wider(browser) > 0:
                found.append((path, "wider than the window"))
            found += [(path, name) for name in loaded(browser) if not name.startswith(url)]
            complaints(browser)
    assert found == []


def wider(browser: webdriver.Chrome) -> int:
    """By how many pixels the page is wider than the window."""
    wide: int = browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wide


def loaded(browser: webdriver.Chrome) -> list[str]:
    """The addresses of everything that the page loaded."""
    names: list[str] = browser.execute_script(
        "return performance.getEntriesByType('resource').map((e) => e.name)"
    )
    return names


@pytest.mark.parametrize("path", PAGES["wangli"])
def test_agents_pages_fit_a_telephone(
    browser: webdriver.Chrome, enter: Enter, url: str, path: str
) -> None:
    enter("wangli", path)
    browser.set_window_size(500, 844)
    browser.get(url + path)
    assert wider(browser) <= 0


@pytest.mark.parametrize("user", PAGES)
def test_the_tab_key_reaches_everything(
    browser: webdriver.Chrome, enter: Enter, url: str, user: str
) -> None:
    enter(user, PAGES[user][0])
    for path in PAGES[user]:
        browser.get(url + path)
        browser.execute_script(
            "window.reached = new Set();"
            "document.addEventListener('focusin', (e) => window.reached.add(e.target));"
            "document.activeElement?.blur();"
        )
        many = browser.execute_script(f"return {REACHABLE}.length")
        dates = len(browser.find_elements(By.CSS_SELECTOR, "input[type=date]"))
        keys = webdriver.ActionChains(browser)
        for _ in range(many + dates * PARTS_OF_A_DATE + 5):
            keys.send_keys(Keys.TAB)
        keys.perform()
        left = browser.execute_script(
            f"return {REACHABLE}.filter((e) => !window.reached.has(e)).map((e) => e.outerHTML)"
        )
        assert left == [], path


def test_the_first_page_is_light(browser: webdriver.Chrome, enter: Enter, url: str) -> None:
    for user, path in (("qachen", "/queue"), ("wangli", "/calls")):
        enter(user, path)
        browser.execute("executeCdpCommand", {"cmd": "Network.clearBrowserCache", "params": {}})
        browser.get(url + path)
        wait(browser, lambda b: b.execute_script("return document.readyState") == "complete")
        sizes = browser.execute_script(
            "return [...performance.getEntriesByType('navigation'),"
            " ...performance.getEntriesByType('resource')].map((e) => [e.name, e.transferSize])"
        )
        assert all(name.startswith(url) for name, _ in sizes)
        pages = sum(size for name, size in sizes if "/audio" not in name)
        assert pages <= 300_000
