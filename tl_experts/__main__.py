"""`python -m tl_experts`: the command line."""

from tl_experts.cli.commands import main

if __name__ == "__main__":
    main()
