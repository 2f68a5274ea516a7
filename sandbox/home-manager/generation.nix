# home.activationPackage of the miniature: home-files, home-path, gen-version and a real `activate`.
{ config, lib, pkgs, ... }:
let
  inherit (lib) mkOption types;
  files = lib.filter (file: file.enable) (lib.attrValues config.home.file);
  # As home-manager's own: read once by a shell, however many profiles name it.
  variables = pkgs.writeTextFile {
    name = "hm-session-vars.sh";
    destination = "/etc/profile.d/hm-session-vars.sh";
    text = ''
      if [ -n "$__HM_SESS_VARS_SOURCED" ]; then return; fi
      export __HM_SESS_VARS_SOURCED=1
    '' + (lib.concatLines (lib.mapAttrsToList (name: value: "export ${name}=${lib.escapeShellArg (toString value)}") config.home.sessionVariables)) + config.home.sessionVariablesExtra;
  };
  entries = pkgs.writeText "hm-activation" (lib.concatLines (lib.mapAttrsToList (_: entry: entry.data) config.home.activation));
in
{
  options.home = {
    path = mkOption { type = types.package; };
    activationPackage = mkOption { type = types.package; };
  };
  options.miniature.log = mkOption { type = types.nullOr types.str; default = null; };

  config.home.path = pkgs.buildEnv { name = "home-manager-path"; paths = config.home.packages ++ [ variables ]; postBuild = config.home.extraProfileCommands; };
  config.home.activationPackage = pkgs.stdenv.mkDerivation {
    name = "home-manager-generation";
    files = map (file: "${file.target}=${file.source}") files;
    homePath = config.home.path;
    activation = ./activate.sh;
    log = toString config.miniature.log;
    inherit entries;
    buildCommand = ''
      mkdir -p "$out/bin" "$out/home-files" "$out/no-units"
      for entry in $files; do
        target=$out/home-files/''${entry%%=*}
        [ -d "''${target%/*}" ] || mkdir -p "''${target%/*}"
        ln -s "''${entry#*=}" "$target"
      done
      ln -s "$homePath" "$out/home-path"
      printf 1 > "$out/gen-version"
      printf miniature > "$out/hm-version"
      sed -e "s#@generation@#$out#" -e "s#@entries@#$entries#" -e "s#@log@#$log#" "$activation" > "$out/activate"
      chmod 755 "$out/activate"
      ln -s "$out/activate" "$out/bin/home-manager-generation"
    '';
  };
}
