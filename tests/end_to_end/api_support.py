"""Answers of the REST API held to docs/openapi.yaml."""
import re

import jsonschema
import yaml

import support
from serve_support import Client

OPENAPI = yaml.safe_load((support.ROOT / "docs" / "openapi.yaml").read_text())
BASE = "/api/v1"


def resolve(node):
    while isinstance(node, dict) and "$ref" in node:
        target = OPENAPI
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def plain(path):
    """The path of a route as OpenAPI writes it: a parameter that takes the rest has no sign of its own."""
    return path.replace("*}", "}")


def operation_of(method, path):
    """The description of a request, with the most literal path that fits."""
    fitting = []
    for pattern, item in OPENAPI["paths"].items():
        last = pattern.endswith("}")
        parts = re.split(r"(\{[a-z_]+\})", pattern)
        expression = "".join(".+" if part.startswith("{") and last and i == len(parts) - 2 and item.get("x-rest") else "[^/]+" if part.startswith("{") else re.escape(part)
                             for i, part in enumerate(parts))
        if re.fullmatch(expression, path):
            fitting.append((bool(item.get("x-rest")), pattern.count("{"), pattern, item))
    assert fitting, f"{path} is not described"
    item = min(fitting, key=lambda entry: entry[:2])[3]
    assert method.lower() in item, f"{method} {path} is not described"
    return item[method.lower()]


def validate(value, schema):
    """Against a schema of the description, whose references are into the whole document."""
    document = {**schema, "components": OPENAPI["components"], "$id": "https://lazaret.example/schemas/openapi.json"}
    jsonschema.Draft202012Validator(document).validate(value)


class Api(Client):
    """A client whose answers must be as described: status, content type, schema."""

    def call(self, method, path, body=None, headers=None, status=None):
        import json
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        answer = self.request(method, BASE + path, body=body, headers=headers)
        described = operation_of("GET" if method == "HEAD" else method, path.split("?")[0])
        responses = described["responses"]
        assert str(answer.status) in responses, f"{method} {path} answered {answer.status}, which is not described: {answer}"
        content = resolve(responses[str(answer.status)]).get("content", {})
        if method != "HEAD" and content:
            kind = answer.headers["Content-Type"].split(";")[0]
            assert kind in content, f"{method} {path} answered {kind}: {answer}"
            if "json" in kind:
                validate(answer.json(), content[kind]["schema"])
        elif method != "HEAD":
            assert not answer.body, f"{method} {path} has a body that is not described: {answer}"
        if status is not None:
            assert answer.status == status, f"{method} {path}: {answer}"
        return answer

    def items(self, path, limit=None):
        """All items of a list, page by page."""
        found, cursor = [], None
        while True:
            query = [f"limit={limit}"] if limit else []
            query += [f"cursor={cursor}"] if cursor else []
            page = self.call("GET", path + ("&" if "?" in path else "?") * bool(query) + "&".join(query), status=200).json()
            found += page["items"]
            cursor = page.get("next")
            if not cursor:
                return found
