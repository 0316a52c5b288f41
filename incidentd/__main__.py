"""`python -m incidentd`: the command `incidentd`, where it is not on the path."""

from incidentd.cli.main import main

if __name__ == "__main__":
    main()
