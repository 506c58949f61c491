"""Do something to a data directory: through the server that has it, else here, with the same parts."""

import os
from pathlib import Path

from entrepot.cli.context import load_settings
from entrepot.cli.control import Control
from entrepot.cli.ownership import own
from entrepot.config.load import data_directory


class Operator:
    """Loads the configuration once; each call finds the server anew."""

    def __init__(self, config: Path | None, data: Path | None) -> None:
        """Raises ConfigError."""
        self.loaded = load_settings(config, {"storage.directory": str(data)} if data else {})
        self.data = data_directory(self.loaded.settings, os.environ)

    def call(self, verb: str, **arguments: object) -> object:
        """What the verb answers. Raises Refusal or any of our errors."""
        control = Control.connect(self.data)
        if control is None:
            return self._work(verb, arguments)
        with control:
            return control.call(verb, **arguments)

    def _work(self, verb: str, arguments: dict[str, object]) -> object:
        # All the parts of a server take longer to load than a server takes to answer: only where they are needed.
        from entrepot.cli.drafting import answer

        descriptor = own(self.data, server=False)
        try:
            return answer(self.loaded, verb, arguments)
        finally:
            os.close(descriptor)
