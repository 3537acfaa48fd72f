"""All that is said of a layer: manifest, SBOM, page, advice, differences. In: layers and verdicts. Out: files."""
