"""``python -m solovirt`` is the ``solovirt`` command."""

from solovirt.cli.main import command

if __name__ == "__main__":
    command()
