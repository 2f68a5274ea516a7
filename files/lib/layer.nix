# What the flakes of both layers share: finding the user's configuration, and the marker.
#
# Enters: the evaluated flake `base`, the profile. Leaves: functions; messages that name what exists.
{ base, profile }:
let
  quoted = names: builtins.concatStringsSep ", " (map builtins.toJSON names);
in
{
  # The first of `names` that base.<kind> has.
  pick = kind: names: option:
    let
      offered = base.${kind} or { };
      found = builtins.filter (name: offered ? ${name}) names;
      exist = builtins.attrNames offered;
    in
    if found != [ ] then offered.${builtins.head found}
    else
      throw ("workspace-tuning: the flake given as `base` has no ${kind}.${quoted names}. "
        + (if exist == [ ] then "It has no ${kind} at all: is ${option} set to the right flake?"
      else "It has ${quoted exist}: set the workspace's host and user to one of them."));
}
