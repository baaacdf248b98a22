"""Command names and choices that answer a typo with the closest name.

click does the same for options. Its hint for commands would import all of them, and it has none for choices.
"""

from typing import Any

import click

from convscope.base.spelling import did_you_mean


class HintingGroup(click.Group):
    """A group that names the closest command in the error for an unknown one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        # A mistyped option is click's own error.
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            ctx.fail(f"No such command {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class Choice(click.Choice[str]):
    """A choice that names the closest of its values in the error for another value."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        known = ", ".join(self.choices)
        return f"{value!r} is not one of {known}{did_you_mean(str(value), self.choices)}"
