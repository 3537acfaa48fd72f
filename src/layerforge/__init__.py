"""layerforge turns Python packages into AWS Lambda layers that are small, start fast and are known to load."""

__version__ = "0.1.0"
