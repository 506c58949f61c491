"""YAML with line numbers, without objects of Python, and without a key that stands twice."""

from collections.abc import Iterator
from typing import Final

import yaml

from entrepot.config.importing.document import Document, Table
from entrepot.config.positions import Key
from entrepot.errors import ConfigError

MOST_NODES: Final = 100_000
"""No configuration has more; aliases of aliases of aliases do."""
DEEPEST: Final = 64
_PLAIN: Final = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


def read_yaml(text: str, name: str) -> Document | None:
    """None for what is no mapping. Raises ConfigError with the line, and without what stands there."""
    try:
        return _read(yaml.SafeLoader(text), name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}; correct this") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: not YAML; correct it") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: nested too deeply to be a configuration") from error


def _read(loader: yaml.SafeLoader, name: str) -> Document | None:
    node = loader.get_single_node()
    if not isinstance(node, yaml.MappingNode):
        return None
    reader = _Reader(loader, name)
    return Document(name, reader.table(node, ()), reader.lines)


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, name: str) -> None:
        self._loader, self._name, self._count = loader, name, 0
        self.lines: dict[Key, int] = {}

    def table(self, node: yaml.MappingNode, key: Key) -> Table:
        found: Table = {}
        for word, value in self._pairs(node):
            name = str(word.value)
            if name in found:
                raise self._error(word, f"{name!r} stands twice in one table; remove one of them")
            self.lines.setdefault((*key, name), word.start_mark.line + 1)
            found[name] = self._value(value, (*key, name))
        return found

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """A table's own keys; then what is merged into it (`<<`) and is not there yet."""
        own: set[str] = set()
        merged: list[yaml.Node] = []
        for word, value in node.value:
            if word.tag == "tag:yaml.org,2002:merge":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
            elif isinstance(word, yaml.ScalarNode):
                own.add(word.value)
                yield word, value
            else:
                raise self._error(word, "a key is a list or a table")
        for mapping in merged:
            if not isinstance(mapping, yaml.MappingNode):
                raise self._error(mapping, "only tables can be merged")
            yield from self._not_yet(mapping, own)

    def _not_yet(self, mapping: yaml.MappingNode, own: set[str]) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        self._spend(mapping, ())
        for word, value in list(self._pairs(mapping)):
            if word.value not in own:
                own.add(word.value)
                yield word, value

    def _value(self, node: yaml.Node, key: Key) -> object:
        self._spend(node, key)
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            raise self._error(node, "a tag that makes more of this than a table or a list; remove it")
        if isinstance(node, yaml.MappingNode):
            return self.table(node, key)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(item, (*key, number)) for number, item in enumerate(node.value)]
        # Octal numbers and words for true are YAML's business; objects are not made by this loader.
        value: object = self._loader.construct_object(node)
        return _joined(value) if isinstance(value, str) else value

    def _item(self, node: yaml.Node, key: Key) -> object:
        self.lines.setdefault(key, node.start_mark.line + 1)
        return self._value(node, key)

    def _spend(self, node: yaml.Node, key: Key) -> None:
        self._count += 1
        if self._count > MOST_NODES or len(key) > DEEPEST:
            raise self._error(node, "more than a configuration holds; are there aliases that contain themselves?")

    def _error(self, node: yaml.Node, reason: str) -> ConfigError:
        return ConfigError(f"{self._name}:{node.start_mark.line + 1}: {reason}")


def _joined(text: str) -> str:
    """JSON writes what lies beyond 16 bits as two halves, which are no characters alone."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
