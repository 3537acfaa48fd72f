"""The program: ``layerforge`` and ``python -m layerforge``."""

from layerforge.core import interrupts


def main() -> None:
    """Runs the program. It can be interrupted before any of its libraries is loaded."""
    interrupts.leave_at_once()
    from layerforge.cli import main as start

    start()


if __name__ == "__main__":
    main()
