"""Lines of a TOML document."""

from entrepot.config.positions import lines_of

TEXT = '''\
# A comment, and nothing else.
top = 1

[server]
listen = "x"  # [not.a.table]
text = """
[looks.like] = "a table"
"""
hosts = [
  "a",  # one
  "b",
]
workers = 2

[upstreams."a.b"]
auth = { kind = "bearer", token_env = "T" }
deep.er.key = 1

[[rules]]
path = "one"
[[rules]]
path = "two"
[rules.inner]
x = 1
'''


def test_every_table_and_value_has_its_line() -> None:
    lines = lines_of(TEXT)
    assert lines["top",] == 2
    assert lines["server",] == 4
    assert lines["server", "listen"] == 5
    assert lines["server", "text"] == 6
    assert lines["server", "hosts"] == 9
    assert lines["server", "workers"] == 13
    assert lines["upstreams", "a.b", "auth", "token_env"] == 16
    assert lines["upstreams", "a.b", "deep", "er", "key"] == 17


def test_tables_in_an_array_are_told_apart() -> None:
    lines = lines_of(TEXT)
    assert lines["rules",] == 19
    assert lines["rules", 0, "path"] == 20
    assert lines["rules", 1, "path"] == 22
    assert lines["rules", 1, "inner", "x"] == 24


def test_text_in_quotes_is_no_table() -> None:
    assert ("looks", "like") not in lines_of(TEXT)


def test_an_array_of_many_lines_ends_where_it_ends() -> None:
    rules = "rules = [\n  { path = '/[a-z]' },\n  ['x]'], # one]\n  { path = ']' }\n] # two\n"
    lines = lines_of(f"{rules}next = 1\ninner = [\n]\nlast = 1\n")
    assert [lines[key,] for key in ("rules", "next", "inner", "last")] == [1, 6, 7, 9]
