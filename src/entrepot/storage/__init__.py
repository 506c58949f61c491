"""Where bytes live: a directory of this machine, or memory."""
