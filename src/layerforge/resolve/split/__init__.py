"""From functions and the packages that they need to shared layers: the same answer for the same question."""
