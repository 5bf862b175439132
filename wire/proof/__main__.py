"""Verify a proof: `python -m wire.proof FILE --key centre.key.pub`."""

import sys

from wire.proof.command import main

if __name__ == "__main__":
    sys.exit(main())
