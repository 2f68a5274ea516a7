# What a package is in a profile: which of its outputs, and who wins where two have the same file.
#
# Enters: `lib`; then packages. Leaves: the same packages, of which a profile takes the commands only.
# `lib.hiPrio` is not used: on an output, newer versions of it give back the whole package, whose first
# output need not be the one with the commands.
{ lib }:
let
  at = priority: package:
    let chosen = lib.getBin package; in
    chosen // { meta = (chosen.meta or { }) // { inherit priority; }; };
in
{
  # Default priority: 5. The smaller number wins.
  inFront = at (-10);
  behind = at 10;
}
