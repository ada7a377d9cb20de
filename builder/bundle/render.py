"""Text from templates: the loader, the ES package, the HTML snippet. The one module that imports jinja2."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import minify

from ..errors import ShardpressError
from ..packages import package_folder
from .modules import module_templates


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
    """Give ``loader.js``, minified.

    Args:
        index: as ``docs/format.md`` has it.
    """
    return _minify(render("loader.js.j2", config=index)).encode()


def render_worker() -> bytes:
    """Give the service worker's module for offline use, minified; it is the same for every bundle."""
    first, _, code = render("sw.js").partition("\n")
    return f"{first}\n{minify.string('application/javascript', code)}\n".encode()


def render_module(name: str) -> bytes:
    """Give a module that the loader imports at first need, minified; it is the same for every bundle."""
    first, _, code = render(module_templates[name]).partition("\n")
    return f"{first}\n{minify.string('application/javascript', _enclose(code))}\n".encode()


def render_package(
    index: Mapping[str, Any], models: Iterable[Mapping[str, Any]], name: str, version: str
) -> dict[str, bytes]:
    """Give the files of the ES package, by path.

    Args:
        index: as ``docs/format.md`` has it.
        models: for each ``{"name", "kind", "inputs", "outputs", "load", "stages", "labels"}``; inputs, outputs, stages
            and labels are lists of strings.
        name: the package's name.
        version: a version as npm takes it.
    """
    modules = list(module_templates)
    types = render_types(models).decode()
    scripts = {name: render(template) for name, template in module_templates.items()}

    def entry(form: str) -> str:
        return render("package/index.js.j2", config=index, modules=modules, form=form)

    texts = {
        "index.js": entry("module"),
        "inline.js": entry("inline"),
        "index.cjs": _as_commonjs(entry("commonjs")),
        "index.d.ts": types,
        "index.d.cts": types,
        **{f"{module}.js": script for module, script in scripts.items()},
        **{f"{module}.cjs": _as_commonjs(script) for module, script in scripts.items()},
        "package.json": render("package/package.json.j2", name=name, version=version, modules=modules),
    }
    return {path: text.encode() for path, text in texts.items()}


def render_types(models: Iterable[Mapping[str, Any]]) -> bytes:
    """Give the TypeScript declarations of a loader or package, see ``render_package``."""
    return render("package/index.d.ts.j2", models=list(models)).encode()


@functools.cache
def client_names() -> tuple[str, ...]:
    """Give the scripts by which pages of a development server stay up to date: templates, and files of a build, too."""
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


def template_folder() -> Path:
    """Give where the templates lie: in the package, or beside it in a checkout."""
    installed = package_folder / "templates"
    return installed if installed.is_dir() else package_folder.parent / "templates"


def _dump(value: Any, **_: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _minify(script: str) -> str:
    """Minify all but the lines up to the index, which tools have to find as it is."""
    before, mark, after = script.partition("const CONFIG=")
    index, _, code = after.partition("\n")
    lines = [line for line in before.splitlines() if line.startswith("/*!")]
    return "\n".join([*lines, mark + index, str(minify.string("application/javascript", _enclose(code))), ""])


def _enclose(module: str) -> str:
    """Put a module's code into a function, as only names of functions are made short."""
    names, body = _without_exports(module)
    return f"export const {{{names}}} = (() => {{\n{body}\nreturn {{{names}}};\n}})();\n"


def _as_commonjs(module: str) -> str:
    """Give a module without imports in the form that ``require`` takes."""
    names, body = _without_exports(module)
    return f'"use strict";\n{body}\nmodule.exports = {{ {names.replace(",", ", ")} }};\n'


def _without_exports(module: str) -> tuple[str, str]:
    """Split a module into the names that it exports, with commas between, and its code without the word."""
    names = ",".join(re.findall(r"^export (?:async )?(?:class|function|const) (\w+)", module, re.MULTILINE))
    return names, re.sub(r"^export ", "", module, flags=re.MULTILINE)
