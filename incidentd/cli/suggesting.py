"""A group of commands that are loaded when they run: it still knows all their names."""

from __future__ import annotations

import click


class SuggestingGroup(click.Group):
    """Names the nearest command to one that does not exist; click does that only for commands already loaded."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with every name to choose from."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            names = self.list_commands(ctx)
            raise click.NoSuchCommand(error.command_name, possibilities=names, ctx=ctx) from None
