# What an option is that a layer sets: type, default, and the strength of what stands there without the
# layer. Enters: what evaluate.nix leaves. Leaves: per option, by its path, three answers; null for an
# option that this release does not have.
{ lib, base, extended, more }:
let
  # The option that a path leads to; the rest of the path is inside of its value.
  reach = at: path:
    if lib.isOption at then at
    else if path != [ ] && at ? ${builtins.head path} then reach at.${builtins.head path} (lib.tail path)
    else null;
  named = at: path:
    if lib.isOption at || path == [ ] || !(at ? ${builtins.head path}) then [ ]
    else [ (builtins.head path) ] ++ named at.${builtins.head path} (lib.tail path);

  set = lib.concatLists (lib.attrValues extended.config.workspaceTuning.set);
  paths = lib.unique (map (named extended.options) (set ++ map (lib.splitString ".") more));
  # A default may be a function, a package, or refuse to be looked at.
  plain = value:
    if builtins.isFunction value then "a function"
    else if lib.isDerivation value then "a package"
    else if builtins.isList value then map plain value
    else if builtins.isAttrs value then lib.mapAttrs (_: plain) value
    else value;
  attempt = value:
    let tried = builtins.tryEval (builtins.deepSeq value value); in
    if tried.success then tried.value else "throws";
  describe = option:
    if option == null then null else {
      type = option.type.description;
      default = if option ? default then attempt (plain option.default) else "none";
      priority = option.highestPrio or null;
    };
in
lib.listToAttrs (map
  (path: lib.nameValuePair (lib.concatStringsSep "." path) (describe (reach base.options path)))
  paths)
