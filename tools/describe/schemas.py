"""JSON schemas of the wire models, as a description shows them: by short names, saying what the wire does."""

import re
from collections.abc import Iterable
from typing import Any, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from realtime_asr.dialects.openai_frames import Told

Json: TypeAlias = dict[str, Any]
_REFERENCE = "#/components/schemas/"


def schemas(models: Iterable[type[BaseModel]]) -> Json:
    """Of these models and all they are made of, by name."""
    told = [(model, "serialization" if issubclass(model, Told) else "validation") for model in models]
    _, found = models_json_schema(
        told,  # type: ignore[arg-type]  # mypy widens the literals
        ref_template=_REFERENCE + "{model}",
        schema_generator=_AsOnTheWire,
    )
    return dict(sorted((_short(name), _renamed(schema)) for name, schema in found["$defs"].items()))


def reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REFERENCE + name(model)}


def name(model: type[BaseModel]) -> str:
    return _short(f"{model.__module__}.{model.__qualname__}".replace(".", "__"))


class _AsOnTheWire(GenerateJsonSchema):
    """What we tell is always all there, but for what is left out when it is null.

    What clients send has no default of null or nothing: what they do not mention stays as it is.
    """

    def __init__(self, *, by_alias: bool, ref_template: str, union_format: Any = None) -> None:
        del union_format  # pydantic's is a pair of schemas where one with two types says the same
        super().__init__(by_alias, ref_template, union_format="primitive_type_array")
