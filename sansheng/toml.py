"""A TOML file into a settings model, with errors that name file, key and the nearest known key."""

import difflib
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from calls.errors import SettingsError

M = TypeVar("M", bound=BaseModel)


def load_model(path: Path, model: type[M]) -> M:
    """Read ``path`` into ``model``; anything wrong is one SettingsError with the way to mend it."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"{path} does not exist", remedy="check --config") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML file: {error}", remedy="mend that line") from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise _translate(path, model, error) from error


def _translate(path: Path, model: type[BaseModel], error: ValidationError) -> SettingsError:
    first = error.errors(include_input=False, include_url=False)[0]
    place = first["loc"]
    key = ".".join(str(part) for part in place)
    if first["type"] == "extra_forbidden":
        known = _keys_beside(model, place)
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.4)
        prefix = "".join(f"{part}." for part in place[:-1])
        remedy = f"did you mean {prefix}{near[0]}?" if near else f"known keys: {', '.join(known)}"
        return SettingsError(f"{path}: unknown key {key}", remedy=remedy)
    return SettingsError(f"{path}: {key}: {first['msg']}", remedy="mend the value")


def _keys_beside(model: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """The keys that are known where the unknown one stands."""
    here: type[BaseModel] | None = model
    for part in place[:-1]:
        field = here.model_fields.get(str(part)) if here else None
        if field is not None:
            here = _model_in(field.annotation)
    return sorted(here.model_fields) if here else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings model in an annotation: itself, or the items of a list or mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for arg in get_args(annotation) if (m := _model_in(arg))), None)
