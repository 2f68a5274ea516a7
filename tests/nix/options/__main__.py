"""Record what the named checkouts say of the options that the layers set."""

from tests.nix.options import main

main()
