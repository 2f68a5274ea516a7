"""``make bench``: what a run that changes nothing costs, beside its floor and its peers.

Nothing here is asserted and nothing is a test: seconds are of the machine that they were taken on,
and only the ratios of one run of this program mean something elsewhere.
"""
