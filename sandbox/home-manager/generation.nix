# home.activationPackage of the miniature: home-files, home-path, gen-version and a real `activate`.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  files = lib.filter (file: file.enable)
    (lib.concatMap lib.attrValues [ config.home.file config.xdg.configFile config.xdg.dataFile ]);
  variables = pkgs.writeText "hm-session-vars.sh"
    (lib.concatLines (lib.mapAttrsToList (name: value: "export ${name}=${lib.escapeShellArg (toString value)}") config.home.sessionVariables));
  entries = pkgs.writeText "hm-activation" (lib.concatLines (lib.mapAttrsToList (_: entry: entry.data) config.home.activation));
in
{
  options.home = {
    path = mkOption { type = types.package; };
    activationPackage = mkOption { type = types.package; };
  };
  options.miniature.log = mkOption { type = types.nullOr types.str; default = null; };

  config.home.path = pkgs.buildEnv { name = "home-manager-path"; paths = config.home.packages; };
  config.home.activationPackage = pkgs.stdenv.mkDerivation {
    name = "home-manager-generation";
    files = map (file: "${file.target}=${file.source}") files;
    homePath = config.home.path;
    activation = ./activate.sh;
    log = toString config.miniature.log;
    inherit variables entries;
    buildCommand = ''
      mkdir -p "$out/bin" "$out/home-files" "$out/no-units"
      for entry in $files; do
        mkdir -p "$out/home-files/$(dirname "''${entry%%=*}")"
        ln -s "''${entry#*=}" "$out/home-files/''${entry%%=*}"
      done
      ln -s "$homePath" "$out/home-path"
      mkdir -p "$out/session"
      ln -s "$variables" "$out/session/hm-session-vars.sh"
      printf 1 > "$out/gen-version"
      printf miniature > "$out/hm-version"
      sed -e "s#@generation@#$out#" -e "s#@entries@#$entries#" -e "s#@log@#$log#" "$activation" > "$out/activate"
      chmod 755 "$out/activate"
      ln -s "$out/activate" "$out/bin/home-manager-generation"
    '';
  };
}
