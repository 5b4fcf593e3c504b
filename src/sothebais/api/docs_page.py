"""``/api/docs``: the operations as a plain page, written by the house itself. No script, and nothing from elsewhere."""

from html import escape
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
STYLE_PATH = "/api/docs.css"
STYLE = """\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2.5rem;border-bottom:1px solid}
article{margin:1.25rem 0}
h3{margin:0;font-size:1rem}
code,h3{font-family:ui-monospace,monospace}
p{margin:.25rem 0}
ul{margin:.25rem 0;padding-left:1.25rem}
"""


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    by_tag: dict[str, list[str]] = {}
    for path, operations in sorted(document["paths"].items()):
        for method in METHODS:
            if operation := operations.get(method):
                by_tag.setdefault((operation.get("tags") or ["others"])[0], []).append(
                    _operation(method, path, operation)
                )
    sections = "".join(f"<section><h2>{escape(tag)}</h2>{''.join(found)}</section>" for tag, found in by_tag.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<title>{escape(info["title"])}: API</title><link rel="stylesheet" href="{STYLE_PATH}"></head><body>'
        f"<h1>{escape(info['title'])}: API {escape(info['version'])}</h1><p>{escape(info.get('description', ''))}</p>"
        '<p>The whole document, for programs: <a href="/api/openapi.json">/api/openapi.json</a></p>'
        f"{sections}</body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(one['name'])}</code> ({escape(one['in'])}"
        f"{', required' if one.get('required') else ''}) {escape(one.get('description', ''))}</li>"
        for one in operation.get("parameters", ())
    )
    answers = "".join(
        f"<li><code>{escape(str(status))}</code> {escape(answer.get('description', ''))}</li>"
        for status, answer in sorted(operation.get("responses", {}).items())
    )
    return (
        f"<article><h3>{method.upper()} {escape(path)}</h3><p><strong>{escape(operation.get('summary', ''))}</strong></p>"
        f"<p>{escape(operation.get('description', ''))}</p><ul>{parameters}</ul><ul>{answers}</ul></article>"
    )
