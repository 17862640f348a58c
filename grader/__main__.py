"""python3 -m grader: see cli.py."""

import sys

if sys.version_info < (3, 11):
    print("socklab needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
    sys.exit(2)

try:
    from .cli import main
except KeyboardInterrupt:
    sys.exit(130)
except MemoryError:
    print("socklab: the grader failed: out of memory", file=sys.stderr)
    sys.exit(3)

sys.exit(main(sys.argv[1:], own_process=True))
