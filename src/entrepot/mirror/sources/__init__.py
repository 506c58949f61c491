"""Where the selections of an order come from: purls, bills of materials, lock files."""
