"""A strict JSON Schema from a Kubernetes custom resource definition: Kubernetes itself drops a key that it does not
know, in silence."""

from pathlib import Path

import yaml


def strict_schema(path: Path, version: str = "v1") -> dict:
    """Of one version of the resource: no unknown keys anywhere, and metadata as an object."""
    versions = yaml.load(path.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["spec"]["versions"]
    schema = next(entry["schema"]["openAPIV3Schema"] for entry in versions if entry["name"] == version)
    return _strict(schema)


def _strict(schema: dict) -> dict:
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    strict = {key: schema[key] for key in ("type", "enum", "minimum", "maximum", "pattern") if key in schema}
    if "properties" in schema:
        properties = schema["properties"]
        strict["properties"] = {name: _strict(inner) for name, inner in properties.items()}
        strict["required"] = [name for name in schema.get("required", []) if "default" not in properties[name]]
        strict["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields", False))
    elif isinstance(schema.get("additionalProperties"), dict):
        strict["additionalProperties"] = _strict(schema["additionalProperties"])
    if "items" in schema:
        strict["items"] = _strict(schema["items"])
    return strict
