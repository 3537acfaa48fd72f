"""From finished zips to layer versions in every Region, each exactly once. In: zips. Out: ARNs. Talks to AWS."""
