"""One file per package ecosystem; pure, and strangers to one another."""
