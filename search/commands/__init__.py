"""One verb a module: `add_arguments(parser)` and `run(arguments, settings) -> exit code`; its docstring is its help."""
