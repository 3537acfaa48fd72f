"""The command line: the only module that prints and that knows exit codes."""
