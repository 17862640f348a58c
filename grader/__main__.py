"""python3 -m grader: see cli.py."""

import sys

if sys.version_info < (3, 11):
    print("socklab needs Python 3.11 or newer; this is " + sys.version.split()[0], file=sys.stderr)
    sys.exit(2)

from .cli import main

sys.exit(main(sys.argv[1:]))
