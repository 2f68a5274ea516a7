"""``make bench``: what a run that changes nothing costs, beside its floor and its peers.

These are no tests, and nothing is asserted: seconds depend on the machine, and only the ratios
within one run of this program can be compared with other machines.
"""
