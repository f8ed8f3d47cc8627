"""Mechanism without policy: files, processes, git, text, the codec of the wire. It imports types, errors and folders alone."""
