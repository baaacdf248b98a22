"""The JSON schema of the payload of a page, from the types of its records."""

from typing import Any

from msgspec.json import schema_components

from convscope.report.records import Payload, Playground


def payload_schema() -> dict[str, Any]:
    """Return the schema of `convscope report RUN --payload`; `$defs` also has the payload of the page of no run."""
    (payload, _), definitions = schema_components((Payload, Playground), ref_template="#/$defs/{name}")
    for definition in definitions.values():  # what is written has all keys but those that have no default either
        properties = definition.get("properties", {})
        optional = {key for key in properties if key not in definition["required"] and "default" not in properties[key]}
        definition["required"] = [key for key in properties if key not in optional]
    name = payload["$ref"].removeprefix("#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions.pop(name),
        "$defs": definitions,
    }
