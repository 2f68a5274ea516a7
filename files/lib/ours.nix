# Set an option so that every other definition of it wins, and record which options were set.
#
# Enters: `lib`. Leaves:
#   priority  of every value of the layers: stronger than an option's default (1500), weaker than
#             mkDefault (1000). Two definitions of one priority collide, also equal ones where the type
#             is unique; so mkDefault would collide with the mkDefault of nixos-hardware or the user.
#   yielding  values -> these values at that priority
#   ours      setting -> values -> the definitions of these values at that priority, and the record of
#             which options they are (set.nix)
#   oursEach  the same for many settings of one option: settings -> its path -> (setting -> values). The
#             shape of a module must not depend on its arguments, or evaluation never ends.
#   theirs    options -> record -> per setting the options with a value of somebody else's, and the
#             files that define it
{ lib }:
let
  priority = 1250;
  isLeaf = value: !(builtins.isAttrs value) || lib.isDerivation value || value ? _type;
  leaves = path: value:
    if isLeaf value then [ path ]
    else lib.concatMap (name: leaves (path ++ [ name ]) value.${name}) (lib.attrNames value);
  yielding = value: if isLeaf value then lib.mkOverride priority value else lib.mapAttrs (_: yielding) value;

  # The option that a path leads to, and the rest of the path inside of its value.
  reach = at: rest:
    if lib.isOption at then { option = at; inherit rest; }
    else if rest != [ ] && at ? ${builtins.head rest} then reach at.${builtins.head rest} (lib.tail rest)
    else null;
  # The priorities of one definition of an option for a part of its value. A submodule may be a function,
  # which may define any part. What is stronger than a plain definition (100) replaces the whole value.
  spoken = strength: rest: value:
    if builtins.isFunction value || strength < 100 then [ strength ] else {
      override = spoken value.priority rest value.content;
      "if" = if value.condition then spoken strength rest value.content else [ ];
      merge = lib.concatMap (spoken strength rest) value.contents;
      order = spoken strength rest value.content;
    }.${if builtins.isAttrs value then value._type or "" else ""} or (
      if rest == [ ] then [ strength ]
      else if builtins.isAttrs value && value ? ${builtins.head rest}
      then spoken strength (lib.tail rest) value.${builtins.head rest}
      else [ ]
    );

  # A file is named by its place in the flake, because its directory in the store changes with each edit.
  shown = file: lib.last (builtins.match "(/nix/store/[^/]*/|.*/store/[a-z0-9]{32}-[^/]*/)?(.*)" (toString file));
  saying = options: path:
    let
      spot = reach options path;
      says = definition: lib.any (strength: strength < priority)
        (spoken spot.option.highestPrio spot.rest definition.value);
    in
    lib.optionals (spot != null) (lib.unique (map (definition: shown definition.file)
      (lib.filter says spot.option.definitionsWithLocations)));
in
{
  inherit priority yielding;

  ours = setting: values: yielding values // { workspaceTuning.set.${setting} = leaves [ ] values; };
  oursEach = ids: path: values:
    lib.setAttrByPath path (lib.mkMerge (map (id: yielding (values id)) ids))
    // { workspaceTuning.set = lib.genAttrs ids (id: leaves path (values id)); };

  theirs = options: set: lib.filterAttrs (_: found: found != [ ]) (lib.mapAttrs
    (_: paths: lib.concatMap
      (path:
        let files = saying options path; in
        lib.optional (files != [ ]) { option = lib.concatStringsSep "." path; inherit files; })
      paths)
    set);
}
