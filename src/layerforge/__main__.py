"""``python -m layerforge``."""

from layerforge.cli import main

if __name__ == "__main__":
    main()
