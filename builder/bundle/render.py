"""Text from templates: the loader, the ES package, the HTML snippet. The one module that imports jinja2."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2

from ..errors import ShardpressError
from .modules import module_templates, packaged
from .scripts import script, scripts, template_folder


def render(template: str, **values: Any) -> str:
    """Fill in a template.

    Args:
        template: its path below ``templates/``.
        values: what the template names; a missing one is an error.

    Raises:
        ShardpressError: the template does not exist, or asks for a value that was not given or is no JSON.
    """
    try:
        return _environment().get_template(template).render(values)
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise ShardpressError(
            f"the template cannot be filled in ({type(error).__name__}: {error})",
            code="SP-904",
            where=f"templates/{template}",
            hint="Install shardpress again",
        ) from error


def render_loader(index: Mapping[str, Any]) -> bytes:
    """Return ``loader.js``, minified.

    Args:
        index: as ``docs/format.md`` has it.
    """
    return render("loader.js.j2", config=index, code=script("loader.js")).encode()


def render_worker() -> bytes:
    """Return the service worker's module for offline use, minified; it is the same for every bundle."""
    return script("sw.js").encode()


def render_module(name: str) -> bytes:
    """Return a module that the loader imports at first need, minified; it is the same for every bundle."""
    return script(f"modules/{name}.js").encode()


def render_modules() -> dict[str, bytes]:
    """Return all such modules by name."""
    made = scripts()  # once: a checkout reads all sources each time, to see whether they have changed
    return {name: made[f"modules/{name}.js"].encode() for name in module_templates}


def render_package(
    index: Mapping[str, Any], models: Iterable[Mapping[str, Any]], name: str, version: str
) -> dict[str, bytes]:
    """Return the files of the ES package, by path.

    Args:
        index: as ``docs/format.md`` has it.
        models: for each ``{"name", "kind", "inputs", "outputs", "load", "stages", "labels", "answer",
            "hears", "thread"}``; inputs, outputs, stages and labels are lists of strings,
            answer is a kind or None, hears whether it takes sounds.
        name: the package's name.
        version: a version as npm takes it.
    """
    types = render_types(models).decode()
    form = "package/index.js.j2"
    made = scripts()
    texts = {
        "index.js": render(form, config=index, code=made["package/index.js"], strict=False),
        "inline.js": render(form, config=index, code=made["package/inline.js"], strict=False),
        "index.cjs": render(form, config=index, code=made["package/index.cjs"], strict=True),
        "index.d.ts": types,
        "index.d.cts": types,
        **{file: made[f"package/{file}"] for one in packaged for file in (f"{one}.js", f"{one}.cjs")},
        "package.json": render("package/package.json.j2", name=name, version=version, modules=list(packaged)),
    }
    return {path: text.encode() for path, text in texts.items()}


def render_types(models: Iterable[Mapping[str, Any]]) -> bytes:
    """Return the TypeScript declarations of a loader or package, see ``render_package``."""
    return render("package/index.d.ts.j2", models=list(models)).encode()


@functools.cache
def client_names() -> tuple[str, ...]:
    """Return the scripts that keep pages of a development server up to date: templates, and files of a build, too."""
    return tuple(f"dev/{path.name}" for path in sorted((template_folder() / "dev").glob("*.js")))


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder(), encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html", "html.j2")),
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<%=",
        variable_end_string="%>",
        comment_start_string="<%#",
        comment_end_string="%>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # The index keeps the order of its keys.
    environment.policies["json.dumps_function"] = _dump
    environment.policies["json.dumps_kwargs"] = {}
    return environment


def _dump(value: Any, **_: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
