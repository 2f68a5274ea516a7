# Let systemd-oomd watch the user's own slices. Settings: memory.oomd
{ lib, workspaceTuning, ... }:
let
  inherit (workspaceTuning) settings;
  inherit (import ./lib/ours.nix { inherit lib; }) oursEach;
  ids = lib.filter (id: settings.${id} ? userSlices) (lib.attrNames settings);
  section = values: "[Slice]\n"
    + lib.concatStrings (lib.mapAttrsToList (name: text: "${name}=${text}\n") values);
  name = id: builtins.replaceStrings [ "." ] [ "-" ] id;
in
{
  # Default: "auto", which does nothing. Drop-ins, so that the units stay systemd's own.
  config = oursEach ids [ "xdg" "configFile" ] (id: lib.mapAttrs'
    (slice: values: lib.nameValuePair "systemd/user/${slice}.slice.d/60-${name id}.conf" {
      text = section values;
    })
    settings.${id}.userSlices);
}
