"""``python -m spatial_de``: the command line where its script is not on the path."""

from spatial_de.cli import main

if __name__ == "__main__":
    main()
