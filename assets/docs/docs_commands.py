"""The reference of the command line, from click's own commands."""

from __future__ import annotations

import click
from docs_wording import cell, say, translated


def commands(language: str) -> str:
    """Return a section for the build and one for each command.

    Args:
        language: of all but names; in English an option is said to do what ``--help`` says.
    """
    from builder.cli.main import cli

    context = click.Context(cli, info_name="shardpress")
    title = "构建" if language == "zh" else "Build"
    parts = [_section(f"{title} {{ #build }}", context, language)]
    for name in sorted(cli.commands):
        command = cli.commands[name]
        below = click.Context(command, info_name=name, parent=context)
        parts.append(_section(f"`{name}` {{ #{name} }}", below, language))
    return "\n\n".join(parts)


def _section(heading: str, context: click.Context, language: str) -> str:
    command = context.command
    usage = command.get_usage(context).removeprefix("Usage: ")
    text = translated((command.help or "").replace("\b", ""), language)
    head, line = (
        f"| {say('option', language)} | {say('by default', language)} | {say('meaning', language)} |",
        "|---|---|---|",
    )
    rows = [
        f"| {_names(one)} | {_default(one)} | {cell(translated(one.help or '', language))} |"
        for one in command.get_params(context)
        if isinstance(one, click.Option) and not one.hidden
    ]
    return "\n".join([f"## {heading}", "", text, "", "```text", usage, "```", "", head, line, *rows])


def _names(option: click.Option) -> str:
    value = "" if option.is_flag or option.count else f" {option.make_metavar(click.Context(click.Command('')))}"
    return cell(
        ", ".join(
            f"`{name}{value if name.startswith('--') else ''}`" for name in [*option.opts, *option.secondary_opts]
        )
    )


def _default(option: click.Option) -> str:
    if option.is_flag or option.count or not isinstance(option.default, str | int | float) or option.default == "":
        return f"`{option.default}`" if type(option.default).__name__ == "PosixPath" else ""
    return f"`{option.default}`"
