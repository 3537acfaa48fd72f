"""The lines that attach a layer to functions, one file a tool."""
