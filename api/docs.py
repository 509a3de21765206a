"""The OpenAPI document as one readable page, without scripts: it works offline and under any policy."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--accent:#1f7a8c}
body{background:Canvas;color:CanvasText;font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1.5rem}
h1{margin:.2em 0}h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
h3{font-family:ui-monospace,monospace;margin:0}
section{border:1px solid var(--line);border-radius:.5rem;padding:1rem;margin:1rem 0}
.verb{background:var(--accent);color:#fff;border-radius:.25rem;padding:.05rem .5rem;font-size:.8em;margin-right:.5rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0;display:block;overflow-x:auto}
td,th{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
code,pre{font-family:ui-monospace,monospace;background:var(--soft);border-radius:.25rem;padding:.1rem .3rem}
pre{padding:.75rem;overflow-x:auto;white-space:pre-wrap}a{color:inherit}
"""


def _type(schema: dict[str, Any]) -> str:
    """A schema in few words, with links to named ones."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if "const" in schema:
        return f"<code>{escape(str(schema['const']))}</code>"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    name = schema.get("format") or schema.get("type", "any")
    limits = [f"{sign} {schema[key]}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in schema]
    return escape(" ".join([str(name), *limits]))


def _rows(cells: Sequence[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    if not cells:
        return ""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in cells)
    return f"<table><tr>{head}</tr>{body}</table>"


def _example(operation: dict[str, Any]) -> str:
    """The examples of body and answer, where there are some."""
    found = []
    for title, content in (
        ("body", operation.get("requestBody", {}).get("content", {})),
        *((f"answer {status}", answer.get("content", {})) for status, answer in operation["responses"].items()),
    ):
        for media in content.values():
            if "example" in media:
                text = escape(json.dumps(media["example"], indent=2, ensure_ascii=False))
                found.append(f"<details><summary>Example {title}</summary><pre>{text}</pre></details>")
    return "".join(found)


def _call(verb: str, path: str, operation: dict[str, Any]) -> str:
    """The operation as a command line."""
    shown = path.replace("{cell_id}", "882a100d65fffff")
    body = " -X " + verb if verb != "GET" else ""
    if "security" in operation:
        body += " -H 'Authorization: Bearer TOKEN'"
    if "requestBody" in operation:
        body += " -H 'Content-Type: application/json' -d @body.json"
    return f"<pre>curl{body} http://127.0.0.1:5000{escape(shown)}</pre>"


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    parameters = [
        (
            f"<code>{escape(item['name'])}</code>",
            _type(item["schema"]),
            escape(str(item["schema"].get("default", ""))),
            escape(item["description"]),
        )
        for item in operation["parameters"]
    ]
    answers = []
    for status, answer in sorted(operation["responses"].items()):
        shapes = [_type(media["schema"]) for media in answer.get("content", {}).values()]
        answers.append((f"<code>{status}</code>", escape(answer["description"]), ", ".join(shapes)))
    link = f' <a href="{escape(path)}">try it</a>' if "{" not in path and verb == "GET" else ""
    return (
        f'<section id="{escape(operation["operationId"])}"><h3><span class="verb">{verb}</span>{escape(path)}</h3>'
        f"<p><b>{escape(operation['summary'])}</b>{link}</p><p>{escape(operation['description'])}</p>"
        f"{_rows(parameters, ('parameter', 'type', 'default', 'meaning'))}"
        f"{_rows(answers, ('status', 'meaning', 'shape'))}"
        f"{_call(verb, path, operation)}{_example(operation)}"
        "</section>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    fields = [
        (f"<code>{escape(field)}</code>", _type(shape), escape(shape.get("description", "")))
        for field, shape in schema.get("properties", {}).items()
    ]
    text = f"<p>{escape(schema.get('description', ''))}</p>"
    body = _rows(fields, ("field", "type", "meaning")) if fields else f"<p>{_type(schema)}</p>"
    return f'<section id="{escape(name)}"><h3>{escape(name)}</h3>{text}{body}</section>'


def page(document: dict[str, Any]) -> str:
    """HTML of the whole document."""
    info = document["info"]
    operations = "".join(
        _operation(verb.upper(), path, one) for path, item in document["paths"].items() for verb, one in item.items()
    )
    schemas = "".join(_schema(name, item) for name, item in sorted(document["components"]["schemas"].items()))
    intro = "".join(f"<p>{escape(part)}</p>" for part in info["description"].split("\n\n"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(info['title'])} API</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(info['title'])} API <small>{escape(info['version'])}</small></h1>{intro}"
        '<p>For programs: <a href="/api/openapi.json"><code>/api/openapi.json</code></a> (OpenAPI 3.1). '
        "Errors are problem details (RFC 9457).</p>"
        f"<h2>Endpoints</h2>{operations}<h2>Shapes</h2>{schemas}</body></html>"
    )
