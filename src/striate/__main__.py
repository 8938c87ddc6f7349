"""``python -m striate``: the program, where its script is not on the PATH."""

from striate.cli.start import run

if __name__ == "__main__":
    run()
