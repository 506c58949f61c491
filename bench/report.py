def write_report() -> None:
    pass
