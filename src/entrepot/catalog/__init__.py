"""Where facts live: schema, queries and migrations of the catalog."""
