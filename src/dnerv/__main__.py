"""`python -m dnerv` is the command line."""

from dnerv.cli import main

if __name__ == "__main__":
    main()
