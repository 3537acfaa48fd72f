"""What a layer takes where it runs: cold starts, imports, a package's own tests. In: a zip, an engine. Out: figures."""
