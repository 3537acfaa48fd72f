"""SBOMs in CycloneDX 1.6: of a layer that was just built, and of any zip from what lies in it."""
