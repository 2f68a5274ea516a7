# Put packages into a profile: a remade package takes the place of the user's, an added package yields.
#
# Enters: `lib`; then packages. `lib.lowPrio` is not used: on an output, newer versions of it give back
# the whole package, whose first output need not be the one with the commands.
{ lib }:
{
  # `made` with the priority that the user gave to `package`, which it was made from.
  inPlaceOf = package: made: made // {
    meta = made.meta or { } // lib.optionalAttrs (package ? meta.priority) { inherit (package.meta) priority; };
  };
  # Default priority: 5. The smaller number wins, so whatever the user has under the same name.
  behind = package:
    let chosen = lib.getBin package; in
    chosen // { meta = (chosen.meta or { }) // { priority = 10; }; };
}
