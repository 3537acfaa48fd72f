"""Real cold starts of a layer in the runtime's image: how long they take, what they hold in memory, what they cost.

``measure`` runs a function again and again, each time in a fresh container and with the layer read from disk.
Everything else turns what came out into figures: ``figures`` counts, ``prices`` charges, ``imports`` weighs the
modules that the time went to, ``data`` writes it all down, and ``picture`` draws it.
"""

from layerforge.coldstart.cold import Reading
from layerforge.coldstart.data import as_data, subject_names
from layerforge.coldstart.facts import LARGEST_MB, SMALLEST_MB, Function, Lambda, Order, Sample, Series, Subject
from layerforge.coldstart.figures import Spread, ratio, spread, warnings
from layerforge.coldstart.functions import default_modules, of_file, of_imports
from layerforge.coldstart.prices import Prices, cost, prices
from layerforge.coldstart.running import Measured, measure

__all__ = [
    "LARGEST_MB",
    "SMALLEST_MB",
    "Function",
    "Lambda",
    "Measured",
    "Order",
    "Prices",
    "Reading",
    "Sample",
    "Series",
    "Spread",
    "Subject",
    "as_data",
    "cost",
    "default_modules",
    "measure",
    "of_file",
    "of_imports",
    "prices",
    "ratio",
    "spread",
    "subject_names",
    "warnings",
]
