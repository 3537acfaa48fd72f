import sklearn


def main() -> None:
    pass


main()
