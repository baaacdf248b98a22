"""Make the JSON schema of a page's payload, from the types of its records."""

from typing import Any

from msgspec.json import schema_components

from convscope.report.records import Payload, Playground


def payload_schema() -> dict[str, Any]:
    """Make the schema of `convscope report RUN --payload`; `$defs` also has the payload of the playground."""
    (payload, _), definitions = schema_components((Payload, Playground), ref_template="#/$defs/{name}")
    # msgspec requires the keys without a default. Of the others, a written file lacks only those with no default in the
    # schema, which are UNSET; so all others are required here.
    for definition in definitions.values():
        properties = definition.get("properties", {})
        optional = {key for key in properties if key not in definition["required"] and "default" not in properties[key]}
        definition["required"] = [key for key in properties if key not in optional]
    name = payload["$ref"].removeprefix("#/$defs/")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **definitions.pop(name),
        "$defs": definitions,
    }
