# Put packages into a profile: a remade package takes the place of the user's, an added package yields.
#
# Enters: `lib`; then packages. `lib.lowPrio` is not used: newer versions of it turn an output into the
# whole package, whose first output may lack the commands.
{ lib }:
{
  # `made`, which was made from `package`, with the priority that the user gave to `package`.
  inPlaceOf = package: made: made // {
    meta = made.meta or { } // lib.optionalAttrs (package ? meta.priority) { inherit (package.meta) priority; };
  };
  # Default priority: 5. The smaller number wins, so the user's own file of the same name does.
  behind = package:
    let chosen = lib.getBin package; in
    chosen // { meta = (chosen.meta or { }) // { priority = 10; }; };
}
