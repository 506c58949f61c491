"""What can be replaced: one small Protocol or base class each."""
