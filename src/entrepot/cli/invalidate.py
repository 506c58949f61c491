"""`entrepot invalidate`: have upstream asked again."""

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.targets import TargetArgument, print_keys

app = new_app()


@app.command()
def invalidate(target: TargetArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Mark what is stored as expired: upstream is asked whether it changed before it is used again."""
    print_keys("invalidated", target, Operator(config, data).call("invalidate", target=target))
