"""JSON schemas of the wire models, as a description shows them: by short names, saying what the wire does."""

import json
import re
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from realtime_asr.dialects.openai_frames import Told

Json: TypeAlias = dict[str, Any]


class Schemas:
    """Of these models, and of all they are made of."""

    def __init__(self, *models: type[BaseModel]) -> None:
        references, found = models_json_schema(
            [(model, _mode(model)) for model in models],
            ref_template="#/components/schemas/{model}",
            union_format="primitive_type_array",
            schema_generator=_AsOnTheWire,
        )
        self._references = {model: _renamed(reference) for (model, _), reference in references.items()}
        self.by_name = dict(sorted(_renamed(found["$defs"]).items()))

    def __getitem__(self, model: type[BaseModel]) -> Json:
        """A reference to the model's schema."""
        return self._references[model]

    def any_of(self, models: Iterable[type[BaseModel]]) -> Json:
        return {"anyOf": [self[model] for model in models]}


def _mode(model: type[BaseModel]) -> JsonSchemaMode:
    return "serialization" if issubclass(model, Told) else "validation"


class _AsOnTheWire(GenerateJsonSchema):
    """Leaves out what only Python needs to know."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        return value

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return {key: value for key, value in super().model_schema(schema).items() if key != "title"}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        # Of a client, null and nothing stand for "not mentioned", and that changes no setting.
        # Of ours no default says anything: we always tell.
        if self.mode == "serialization" or not schema.get("default"):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        described = super().model_field_schema(schema)
        return _not_null(described) if "serialization_exclude_if" in schema else described

    def field_is_required(
        self,
        field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField,
        total: bool,  # noqa: FBT001  the signature is pydantic's
    ) -> bool:
        if self.mode == "serialization":
            return "serialization_exclude_if" not in field
        return super().field_is_required(field, total)

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        """Of one: older versions of JSON schema have no word for the rest."""
        match super().tuple_schema(schema):
            case {"prefixItems": [only], **rest}:
                return {**rest, "items": only}
            case described:
                return described

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """The types, each a constant, tell the members apart; AsyncAPI and OpenAPI differ about the rest."""
        described = super().tagged_union_schema(schema)
        described.pop("discriminator")
        return described


def _not_null(schema: JsonSchemaValue) -> JsonSchemaValue:
    """Left out instead."""
    match schema:
        case {"type": [str(kind), "null"]}:
            return {**schema, "type": kind}
        case {"anyOf": [dict(told), {"type": "null"}]}:
            return told
    raise ValueError(schema)


_NAMED_TWICE: Final = re.compile(r"realtime_asr__dialects__openai_(ga|beta)__")


def _renamed(schema: Json) -> Json:
    """Pydantic tells models of one name apart by their modules; a reader by the dialect."""
    short = _NAMED_TWICE.sub(lambda module: module[1].capitalize(), json.dumps(schema))
    renamed: Json = json.loads(short)
    return renamed
