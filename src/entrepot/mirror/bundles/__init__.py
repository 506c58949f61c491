"""Bundles: what a store holds, in one signed file, for stores that no network reaches."""
