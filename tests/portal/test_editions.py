"""The workshop: drafts with their faults, forms, back-test, consent, publication, rolling back."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI

from portal.access import Role
from portal.accounts import Accounts
from portal.phrase_form import families, find, guarded, new_id, remove, save
from portal.ports import BookKind, Trial
from portal.trials import Trials
from sansheng.editions import Editions
from sansheng.settings import Settings, in_use
from scoring import rules
from tests.peers.hotline import NOW, PASSWORD
from tests.portal.conftest import Client
from warehouse.server import QueryServer
from warehouse.store import Warehouse

Visit = Callable[..., Client]
FILE = "forbidden_f_off_duty.toml"


@pytest.fixture
def queries(warehouse: Warehouse, editor: Editions) -> Iterator[None]:
    """What the service runs beside the portal: back-tests ask it for the stored calls."""
    server = QueryServer(warehouse, editor.settings.socket)
    server.start()
    yield
    server.stop()


@pytest.fixture
def second(warehouse: Warehouse) -> str:
    """Another QA reviewer of every team."""
    Accounts(warehouse, clock=lambda: NOW).add(
        "qali", "李质检", frozenset({Role.QA}), password=PASSWORD, must_change=False
    )
    return "qali"


def start(client: Client, kind: BookKind = BookKind.PHRASES) -> int:
    """The edition in use, as the workshop's first page links it."""
    found = re.findall(r'<a class="button primary push" href="/editions/(\d+)"', page(client))
    return int(found[list(BookKind).index(kind)])


def page(client: Client, path: str = "") -> str:
    answer = client.get(f"/editions{path}")
    assert answer.status_code == 200
    return answer.text


def written(client: Client, path: str, **form: str) -> int:
    """Send a form that makes an edition; its number."""
    answer = client.post(path, data={"csrf": client.token(), "why": "月度修订", **form})
    assert answer.status_code == 303, answer.text
    return int(re.findall(r"/editions/(\d+)", answer.headers["location"])[0])


def phrase_form(text: str, **more: str) -> dict[str, str]:
    return {
        "family": "F_off_duty",
        "text": text,
        "severity": "major",
        "mode": "phrase",
        **more,
    }


def tried(app: FastAPI, client: Client, number: int) -> str:
    assert client.submit(f"/editions/{number}/trial", action="start") == 303
    trials: Trials = app.state.desk.trials
    running = trials._running
    if running is not None and running.thread is not None:
        running.thread.join(60)
    return page(client, f"/{number}/trial")


def test_a_phrase_is_written_tried_published_and_rolled_back(
    app: FastAPI, visit: Visit, warehouse: Warehouse, editor: Editions, queries: None
) -> None:
    client = visit("qachen")
    first = start(client)
    before = app.state.desk.book.version
    number = written(
        client,
        f"/editions/{first}/phrases/new",
        **phrase_form("中午有人上班吗", examples="中午有人上班吗"),
    )
    text = page(client, f"/{number}")
    assert 'id="sound"' in text
    assert "+text = &#34;中午有人上班吗&#34;" in text
    assert client.submit(f"/editions/{number}/publish") == 409
    assert 'data-trial="done"' in tried(app, client, number)
    assert client.submit(f"/editions/{number}/publish") == 303
    assert in_use(editor.settings).phrasebook.path is not None
    now = app.state.desk.book.version
    assert now != before
    assert now in page(client)
    assert any(p.text == "中午有人上班吗" for p in app.state.desk.book.phrases)
    assert client.submit(f"/editions/{first}/publish") == 303
    assert app.state.desk.book.version == before
    told = warehouse.rows(
        "SELECT action, actor FROM audit WHERE action LIKE 'edition%' OR action LIKE 'backtest%'"
    )
    assert [(row["action"], row["actor"]) for row in told] == [
        ("edition_saved", "qachen"),
        ("backtest_started", "qachen"),
        ("edition_published", "qachen"),
        ("edition_rolled_back", "qachen"),
    ]


def test_what_touches_a_veto_needs_a_second_person(
    app: FastAPI, visit: Visit, second: str, queries: None, editor: Editions
) -> None:
    client = visit("qachen")
    number = written(
        client,
        f"/editions/{start(client)}/phrases/new",
        **phrase_form("你烦不烦人哪", severity="critical"),
    )
    tried(app, client, number)
    assert client.submit(f"/editions/{number}/publish") == 303
    assert in_use(editor.settings) == editor.settings
    assert client.submit(f"/editions/{number}/consent", verdict="yes") == 403
    assert visit("qateam2").submit(f"/editions/{number}/consent", verdict="yes") == 403
    other = visit(second)
    assert "你烦不烦人哪" in page(other, f"/{number}")
    assert other.submit(f"/editions/{number}/consent", verdict="yes") == 303
    assert in_use(editor.settings) != editor.settings
    assert other.submit(f"/editions/{number}/consent", verdict="yes") == 409


def test_a_refused_edition_may_be_asked_for_again(
    app: FastAPI, visit: Visit, second: str, queries: None
) -> None:
    client, other = visit("qachen"), visit(second)
    number = written(
        client,
        f"/editions/{start(client)}/phrases/new",
        **phrase_form("你烦不烦人哪", severity="critical"),
    )
    tried(app, client, number)
    assert client.submit(f"/editions/{number}/publish") == 303
    assert client.submit(f"/editions/{number}/publish") == 409
    assert other.submit(f"/editions/{number}/consent", verdict="no") == 303
    assert "未通过" in page(client, f"/{number}")
    assert client.submit(f"/editions/{number}/publish") == 303


@pytest.mark.parametrize(
    ("kind", "name", "old", "new", "told"),
    [
        (BookKind.PHRASES, FILE, "severity", "seveirty", "line 13: unknown key seveirty: did you"),
        (BookKind.PHRASES, FILE, 'mode = "phrase"', "mode = phrase", "is no TOML"),
        (BookKind.RULES, "rules.toml", "mos_min", "mos_mni", "did you mean line.mos_min?"),
    ],
)
def test_a_fault_is_kept_with_its_line_and_cannot_be_published(
    visit: Visit, kind: BookKind, name: str, old: str, new: str, told: str, editor: Editions
) -> None:
    client = visit("qachen")
    first = start(client, kind)
    text = editor.files(kind)[name].replace(old, new, 1)
    number = written(client, f"/editions/{first}/files/{name}", text=text)
    found = re.search(r'id="fault".*?<code>(.*?)</code>', page(client, f"/{number}"), re.S)
    assert found is not None
    assert found[1].startswith(name)
    assert told in found[1]
    assert "/tmp" not in found[1]
    assert client.submit(f"/editions/{number}/publish") == 409
    assert client.submit(f"/editions/{number}/trial", action="start") == 409
    assert client.submit(f"/editions/{number}/try", text="您好") == 409


def test_an_example_that_does_not_hold_stops_the_publication(
    app: FastAPI, visit: Visit, queries: None
) -> None:
    client = visit("qachen")
    number = written(
        client,
        f"/editions/{start(client)}/phrases/new",
        **phrase_form(
            "到点了别打了", examples="到点了别打了\n祝您生活愉快", harmless="到点了别打了"
        ),
    )
    text = page(client, f"/{number}")
    assert 'id="missed"' in text
    assert "到点了别打了：祝您生活愉快" in text
    assert "到点了别打了：到点了别打了" in text
    tried(app, client, number)
    assert client.submit(f"/editions/{number}/publish") == 409


def test_rules_are_edited_as_text_and_count_from_then_on(
    app: FastAPI, visit: Visit, queries: None, editor: Editions
) -> None:
    client = visit("qachen")
    first = start(client, BookKind.RULES)
    text = editor.files(BookKind.RULES)["rules.toml"]
    text = text.replace('version = "2026', 'version = "2027', 1)
    text = text.replace("[greeting]\non = true\nweight = 10", "[greeting]\non = true\nweight = 40")
    number = written(client, f"/editions/{first}/files/rules.toml", text=text.replace("\n", "\r\n"))
    shown = tried(app, client, number)
    assert 'data-trial="done"' in shown
    assert client.submit(f"/editions/{number}/publish") == 303
    now = rules.load(in_use(editor.settings).scoring.path)
    assert now.version.startswith("2027")
    assert now.file.greeting.weight == 40


def test_the_back_test_tells_call_by_call(
    app: FastAPI, visit: Visit, queries: None, editor: Editions
) -> None:
    client = visit("qachen")
    number = written(
        client,
        f"/editions/{start(client)}/phrases/new",
        **phrase_form("请您带上身份证", severity="minor"),
    )
    shown = tried(app, client, number)
    assert "12 / 12" in shown
    assert re.search(r'id="changes".*?call-\d\d.*?请您带上身份证', shown, re.S)


class Slow:
    """An editor whose back-test goes on until it is stopped."""

    def __init__(self, editor: Editions) -> None:
        self.files, self.check, self.publish = editor.files, editor.check, editor.publish
        self.closed = False

    def backtest(self, kind: BookKind, files: object) -> Iterator[Trial]:
        done = 0
        try:
            while True:
                done += 1
                yield Trial(total=10**9, done=done)
        finally:
            self.closed = True


def test_a_back_test_is_stopped_and_another_waits(app: FastAPI, visit: Visit) -> None:
    desk = app.state.desk
    slow = desk.trials.editor = Slow(desk.trials.editor)
    client = visit("qachen")
    first, other = start(client), start(client, BookKind.RULES)
    assert client.submit(f"/editions/{first}/trial", action="start") == 303
    assert client.submit(f"/editions/{other}/trial", action="start") == 409
    running = desk.trials._running
    assert 'data-trial="running"' in page(client, f"/{first}/trial")
    assert client.submit(f"/editions/{first}/trial", action="stop") == 303
    running.thread.join(30)
    assert slow.closed
    assert 'data-trial="stopped"' in page(client, f"/{first}/trial")


def test_files_changed_by_hand_are_an_edition_of_their_own(
    visit: Visit, editor: Editions, warehouse: Warehouse
) -> None:
    client = visit("qachen")
    first = start(client, BookKind.RULES)
    files = dict(editor.files(BookKind.RULES))
    files["rules.toml"] = files["rules.toml"].replace('version = "2026', 'version = "2028', 1)
    editor.publish(BookKind.RULES, files)
    assert start(client, BookKind.RULES) != first
    assert "（来自文件）" in page(client)


def test_an_edition_is_another_folder_and_the_link_moves_whole(editor: Editions) -> None:
    settings = editor.settings
    editor.publish(BookKind.RULES, editor.files(BookKind.RULES))
    first = in_use(settings).scoring.path
    changed = dict(editor.files(BookKind.RULES))
    changed["rules.toml"] += "# one more line\n"
    editor.publish(BookKind.RULES, changed)
    second = in_use(settings).scoring.path
    assert first is not None
    assert second is not None
    assert first.parent != second.parent
    assert first.read_text() + "# one more line\n" == second.read_text()
    assert [p.name for p in settings.published_dir.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["..%2F..%2Fbook.toml", "no.toml", "%2Fetc%2Fpasswd"])
def test_a_file_that_is_no_part_of_the_edition_is_nowhere(visit: Visit, name: str) -> None:
    client = visit("qachen")
    first = start(client)
    assert client.get(f"/editions/{first}/files/{name}").status_code == 404
    form = {"text": "x", "why": "x"}
    assert client.submit(f"/editions/{first}/files/{name}", **form) == 404


def test_one_teams_reviewer_looks_but_does_not_change(visit: Visit) -> None:
    client = visit("qateam2")
    first = start(client)
    assert "phrases/new" not in page(client, f"/{first}")
    form = {"why": "x", **phrase_form("别打了")}
    assert client.submit(f"/editions/{first}/phrases/new", **form) == 403
    assert client.submit(f"/editions/{first}/trial", action="start") == 403
    assert client.submit(f"/editions/{first}/publish") == 403


def files_of(kind: BookKind = BookKind.PHRASES) -> dict[str, str]:
    return dict(Editions(Settings()).files(kind))


def test_a_form_changes_its_phrase_and_keeps_every_comment() -> None:
    files = files_of()
    form = find(files, "F168")
    after = save(files, replace(form, text="我要下班喽"), guarded(files, form.family))
    lines = [
        (old, new)
        for old, new in zip(files[FILE].splitlines(), after[FILE].splitlines(), strict=True)
        if old != new
    ]
    assert lines == [('text = "我要下班啦"', 'text = "我要下班喽"')]
    assert {**after, FILE: ""} == {**files, FILE: ""}
    assert save(files, form, guarded(files, form.family)) == files


def test_a_phrase_moves_to_another_family_and_can_be_removed() -> None:
    files = files_of()
    form = replace(find(files, "F168"), family="E_busy", exclude=r"下班\d")
    moved = save(files, form, guarded(files, "E_busy"))
    assert find(moved, "F168") == form
    assert len([p for f in families(moved) for p in f.phrases if p.phrase_id == "F168"]) == 1
    gone = remove(moved, "F168")
    assert "F168" not in {p.phrase_id for f in families(gone) for p in f.phrases}
    assert new_id(gone) == "site-1"


def test_guards_are_taken_from_a_family_and_given_back() -> None:
    files = files_of()
    form = find(files, "F168")
    wanted = guarded(files, form.family) - {"polite"}
    without = save(files, form, wanted)
    assert guarded(without, form.family) == wanted
    assert "polite" in guarded(without, "E_busy")
    again = save(without, form, wanted | {"polite"})
    assert "polite" in guarded(again, form.family)
