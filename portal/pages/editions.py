"""The workshop of phrases and rules: drafts, checks, back-tests, publication and its history."""

from typing import Annotated, Any

from fastapi import Form, Path, Request
from starlette.responses import Response

from calls.call import Channel
from calls.hit import Severity
from phrasebook.search import check_text
from portal import phrase_form
from portal.access import REVIEWERS, STAFF, Gate, Reach
from portal.desk import Desk, desk_of, go, page, person_of
from portal.editions import LONGEST_FILE, LONGEST_WHY, Editions
from portal.errors import RefusalError, not_found
from portal.phrase_form import PhraseForm
from portal.ports import BookKind, Files
from portal.trials import Trials

_LONGEST = 200
_LONGEST_LIST = 4000
_LONGEST_PATTERN = 1000
_MOST_LINES = 400
"""Lines of a difference that are shown."""
_MODES = ("phrase", "whole")
_POSITIONS = ("any", "first_agent_turn")
NEW = "new"
Number = Annotated[int, Path(ge=1, le=2**53)]
Word = Annotated[str, Form(max_length=_LONGEST)]
Why = Annotated[str, Form(min_length=1, max_length=LONGEST_WHY)]
Names = Annotated[list[str], Form(default_factory=list, max_length=50)]
Sentences = Annotated[str, Form(max_length=_LONGEST_LIST)]


def add(gate: Gate) -> None:
    """Add the routes of this module."""
    gate.add("GET", "/editions", editions, STAFF)
    gate.add("GET", "/editions/{edition_id}", edition, STAFF)
    gate.add("POST", "/editions/{edition_id}/try", try_sentence, STAFF)
    gate.add("GET", "/editions/{edition_id}/trial", trial, STAFF)
    gate.add("POST", "/editions/{edition_id}/trial", run_trial, REVIEWERS)
    gate.add("GET", "/editions/{edition_id}/phrases/{phrase_id}", phrase, STAFF)
    gate.add("POST", "/editions/{edition_id}/phrases/{phrase_id}", save_phrase, REVIEWERS)
    gate.add("GET", "/editions/{edition_id}/files/{name}", file, STAFF)
    gate.add("POST", "/editions/{edition_id}/files/{name}", save_file, REVIEWERS)
    gate.add("POST", "/editions/{edition_id}/publish", publish, REVIEWERS)
    gate.add("POST", "/editions/{edition_id}/consent", consent, STAFF)


def _workshop(request: Request) -> tuple[Desk, Editions, Trials]:
    desk = desk_of(request)
    if desk.editions is None or desk.trials is None:
        raise not_found()
    return desk, desk.editions, desk.trials


def _may_edit(request: Request) -> bool:
    person = person_of(request)
    return person.has(REVIEWERS) and person.reach == Reach()


def editions(request: Request) -> Response:
    """Both books: what is in use, the drafts, and every earlier edition."""
    _, books, _ = _workshop(request)
    context = {
        "books": [(kind, books.in_use(kind), books.latest(kind)) for kind in BookKind],
        "may_edit": _may_edit(request),
    }
    return page(request, "editions.html", context)


def edition(request: Request, edition_id: Number) -> Response:
    """One edition: its check, phrases, files, difference, back-test and publication."""
    return _edition_page(request, edition_id)


def _edition_page(request: Request, edition_id: int, **said: Any) -> Response:
    _, books, trials = _workshop(request)
    found, person = books.get(edition_id), person_of(request)
    checked = books.checked(found)
    lines = books.difference(found)
    context = {
        "edition": found,
        "checked": checked,
        "families": phrase_form.families(found.files),
        "family_names": _family_names(found.files),
        "lines": lines[:_MOST_LINES],
        "more_lines": max(0, len(lines) - _MOST_LINES),
        "vetoes": books.veto_changes(found),
        "trial": trials.of(edition_id),
        "may_edit": _may_edit(request),
        "may_consent": person.reach == Reach()
        and person.user_id not in (found.asked_by, found.made_by),
        "said": None,
        "text": "",
        "prev": "",
        **said,
    }
    return page(request, "edition.html", context)


def try_sentence(request: Request, edition_id: Number, text: Word, prev: Word = "") -> Response:
    """What an edition's phrasebook says of an agent's sentence; nothing of it is kept."""
    _, books, _ = _workshop(request)
    checked = books.checked(books.get(edition_id))
    if checked is None or checked.book is None:
        raise RefusalError(409, "edition_broken")
    hits = check_text(checked.book, Channel.AGENT, text, prev)
    return _edition_page(request, edition_id, said=hits, text=text, prev=prev)


def trial(request: Request, edition_id: Number) -> Response:
    """The back-test's part of the page, for the page to renew."""
    _, books, trials = _workshop(request)
    found = books.get(edition_id)
    last = trials.of(found.edition_id)
    context = {
        "edition": found,
        "trial": last,
        "may_edit": _may_edit(request),
        "family_names": _family_names(found.files),
    }
    answer = page(request, "_trial.html", context)
    if last is not None and last["state"] != "running":
        answer.headers["HX-Refresh"] = "true"
    return answer


def run_trial(request: Request, edition_id: Number, action: Word) -> Response:
    """Start a back-test, or stop it."""
    _, books, trials = _workshop(request)
    found = books.get(edition_id)
    if not _may_edit(request):
        raise RefusalError(403, "forbidden")
    match action:
        case "start":
            trials.start(person_of(request), found)
        case "stop":
            trials.stop(person_of(request), found.edition_id)
        case _:
            raise RefusalError(422, "bad_request")
    return go(request, f"/editions/{edition_id}#trial")


def phrase(request: Request, edition_id: Number, phrase_id: str) -> Response:
    """A phrase as a form; ``new`` is an empty one."""
    _, books, _ = _workshop(request)
    found = books.get(edition_id)
    families = [f for f in phrase_form.families(found.files) if f.phrases]
    if phrase_id == NEW:
        form = PhraseForm(
            phrase_id=NEW,
            family=families[0].family if families else "",
            text="",
            severity=Severity.MAJOR,
            mode=_MODES[0],
            position=_POSITIONS[0],
            exclude="",
            examples=(),
            harmless=(),
        )
    else:
        form = phrase_form.find(found.files, phrase_id)
    context = {
        "edition": found,
        "form": form,
        "families": families,
        "guards": phrase_form.guards(found.files),
        "guarded": phrase_form.guarded(found.files, form.family),
        "severities": list(Severity),
        "modes": _MODES,
        "positions": _POSITIONS,
        "may_edit": _may_edit(request),
    }
    return page(request, "phrase.html", context)


def save_phrase(
    request: Request,
    edition_id: Number,
    phrase_id: str,
    why: Why,
    guards: Names,
    guards_of: Word = "",
    family: Word = "",
    text: Word = "",
    severity: Word = "",
    mode: Word = "",
    position: Word = "any",
    exclude: Annotated[str, Form(max_length=_LONGEST_PATTERN)] = "",
    examples: Sentences = "",
    harmless: Sentences = "",
    action: Word = "save",
) -> Response:
    """Keep a changed, new or removed phrase as a new edition.

    Guards belong to the family that the form showed; one that moves to another leaves its guards.
    """
    _, books, _ = _workshop(request)
    found = books.get(edition_id)
    if action == "remove":
        files = phrase_form.remove(found.files, phrase_id)
    else:
        if (
            not text.strip()
            or severity not in set(Severity)
            or mode not in _MODES
            or position not in _POSITIONS
        ):
            raise RefusalError(422, "bad_request")
        form = PhraseForm(
            phrase_id=phrase_form.new_id(found.files) if phrase_id == NEW else phrase_id,
            family=family,
            text=text.strip(),
            severity=severity,
            mode=mode,
            position=position,
            exclude=exclude.strip(),
            examples=_lines(examples),
            harmless=_lines(harmless),
        )
        if phrase_id != NEW:
            phrase_form.find(found.files, phrase_id)
        shown = guards_of == family
        wanted = set(guards) if shown else phrase_form.guarded(found.files, family)
        files = phrase_form.save(found.files, form, wanted)
    return go(request, f"/editions/{books.save(person_of(request), found, files, why)}")


def file(request: Request, edition_id: Number, name: str) -> Response:
    """A file of an edition as text, at the line of its fault if it has one."""
    _, books, _ = _workshop(request)
    found = books.get(edition_id)
    if name not in found.files:
        raise not_found()
    context = {
        "edition": found,
        "name": name,
        "text": found.files[name],
        "longest": LONGEST_FILE,
        "may_edit": _may_edit(request),
    }
    return page(request, "edition_file.html", context)


def save_file(
    request: Request,
    edition_id: Number,
    name: str,
    text: Annotated[str, Form(max_length=LONGEST_FILE)],
    why: Why,
) -> Response:
    """Keep a changed text as a new edition, readable or not; a fault is shown with its line."""
    _, books, _ = _workshop(request)
    found = books.get(edition_id)
    if name not in found.files:
        raise not_found()
    plain = text.replace("\r\n", "\n")
    if not plain.endswith("\n"):
        plain += "\n"
    number = books.save(person_of(request), found, {**found.files, name: plain}, why)
    broken = books.get(number).fault
    return go(request, f"/editions/{number}/files/{name}" if broken else f"/editions/{number}")


def publish(request: Request, edition_id: Number) -> Response:
    """Publish a tried edition, or ask for consent; an earlier one comes back."""
    _, books, trials = _workshop(request)
    found = books.get(edition_id)
    books.ask(person_of(request), found, tried=trials.tried(edition_id))
    return go(request, f"/editions/{edition_id}")


def consent(request: Request, edition_id: Number, verdict: Word) -> Response:
    """A second person's word on what changes a veto."""
    if verdict not in ("yes", "no"):
        raise RefusalError(422, "bad_request")
    _, books, _ = _workshop(request)
    books.decide(person_of(request), books.get(edition_id), consent=verdict == "yes")
    return go(request, f"/editions/{edition_id}")


def _family_names(files: Files) -> dict[str, str]:
    return {family.family: family.name for family in phrase_form.families(files)}


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
