"""`python -m convscope` is the command `convscope`."""

from convscope.cli import main

if __name__ == "__main__":
    main(prog_name="convscope")
