"""`python -m relay.cli …`, where no console script is installed."""

from relay.cli.group import main

if __name__ == "__main__":
    main()
