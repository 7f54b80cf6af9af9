"""The JSON schema of a configuration file, for editors, made from the sections.

It knows types, bounds and names, not the checks across keys: what it accepts may still be
refused when it is loaded. Keys of the Go cc-relay that only give a warning are left out.
"""

from typing import Any, Final

from relay.config.schema.collections import Part, Parts
from relay.config.schema.file import FileSection
from relay.config.schema.section import Section, described
from relay.config.schema.setting import JsonSchema, Setting
from relay.secret import Secret

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> JsonSchema:
    """The schema of the whole file."""
    return {"$schema": _DIALECT, "title": "cc-relay configuration", **_section(FileSection)}


def _section(section: type[Section]) -> JsonSchema:
    settings = list(described(section).settings())
    schema: JsonSchema = {
        "type": "object",
        "description": section.summary(),
        "properties": {name: _setting(setting) for name, setting in settings},
        "additionalProperties": False,
    }
    required = [name for name, setting in settings if _is_required(setting)]
    return {**schema, "required": required} if required else schema


def _is_required(setting: Setting[Any]) -> bool:
    if isinstance(setting, Part):
        return any(_is_required(inner) for _, inner in described(setting.section).settings())
    return setting.required


def _setting(setting: Setting[Any]) -> JsonSchema:
    if isinstance(setting, Part):
        return _or_nothing(_section(setting.section))
    if isinstance(setting, Parts):
        return _or_nothing({"type": "array", "items": _section(setting.section)})
    part: JsonSchema = {"description": setting.doc, **setting.json_schema()}
    default = setting.load_default
    if setting.required or default is None or callable(default) or isinstance(default, Secret):
        return part
    return {**part, "default": list(default) if isinstance(default, tuple) else default}


def _or_nothing(schema: JsonSchema) -> JsonSchema:
    """A section whose keys are all commented out is null."""
    return {**schema, "type": [schema["type"], "null"]}
