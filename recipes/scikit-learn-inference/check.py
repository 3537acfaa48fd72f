def main() -> None:
    pass


main()
