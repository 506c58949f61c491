"""`entrepot purge`: delete what is stored."""

from entrepot.cli.context import ConfigOption, DataOption
from entrepot.cli.lazy import new_app
from entrepot.cli.operating import Operator
from entrepot.cli.targets import TargetArgument, print_keys

app = new_app()


@app.command()
def purge(target: TargetArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Delete what is stored under a name: it is fetched again when it is asked for. Digests stay remembered."""
    print_keys("purged", target, Operator(config, data).call("purge", target=target))
