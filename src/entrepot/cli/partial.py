"""Commands whose work may be done in part: 0 it is complete, 2 it is, with errors, 1 nothing is done (policy §7)."""

from typing import TYPE_CHECKING, Any, Final

import typer
from typer.core import TyperGroup

from entrepot.errors import EntrepotError

if TYPE_CHECKING:
    from typer._click import Context, Parameter

COMPLETE: Final = 0
NOTHING_DONE: Final = 1
WITH_ERRORS: Final = 2


class NothingDone(EntrepotError):
    """Ends the process with status 1: for these commands 2 says that there are errors beside what is done."""


class PartialGroup(TyperGroup):
    """Does something with its own arguments, unless the first of them is a command below it."""

    allow_interspersed_args = True

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        try:
            if not args or args[0] not in self.commands:
                return super().parse_args(ctx, args)
            super().parse_args(ctx, [])
        except typer.TyperException as error:
            raise NothingDone(error.format_message()) from error
        # As the base class leaves it behind where the group itself takes no arguments.
        ctx._protected_args, ctx.args = args[:1], args[1:]
        return ctx.args

    def get_params(self, ctx: "Context") -> list["Parameter"]:
        """Without arguments where a command below shows how it is called."""
        found = super().get_params(ctx)
        return found if ctx.command is self else [one for one in found if one.param_type_name != "argument"]

    def invoke(self, ctx: "Context") -> Any:
        try:
            return super().invoke(ctx)
        except (EntrepotError, typer.TyperException) as error:
            text = error.format_message() if isinstance(error, typer.TyperException) else str(error)
            raise NothingDone(text) from error
