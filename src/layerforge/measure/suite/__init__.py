"""A package's own tests as proof of a layer: what fails on the layer alone is a finding."""
