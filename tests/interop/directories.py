"""What the checks of directories beside this file share."""
import pathlib
import sys


def main(check):
    """Calls check(directory), which tells what is wrong or nothing, for each argument; one line each, exit status 1 for a fault."""
    failed = False
    for name in sys.argv[1:]:
        problem = check(pathlib.Path(name))
        failed |= bool(problem)
        print(f"{name}: {problem or 'ok'}")
    sys.exit(failed)
