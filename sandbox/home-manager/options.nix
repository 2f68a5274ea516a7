# The home-manager options that the layer and the test workspaces set: names, types and defaults as
# in home-manager; user units, environment.d and shell aliases end up in home.file.
{ config, lib, pkgs, homeRelease, ... }:
let
  since = lib.versionAtLeast homeRelease;
  inherit (lib) mkOption types;
  option = type: default: mkOption { inherit type default; };
  fileIn = directory: types.submodule ({ name, config, ... }: {
    options = {
      enable = option types.bool true;
      target = mkOption { type = types.str; default = name; apply = target: "${directory}${target}"; };
      text = option (types.nullOr types.lines) null;
      source = mkOption { type = types.path; };
      executable = option (types.nullOr types.bool) null;
      force = option types.bool false;
      onChange = option types.lines "";
    };
    config.source = lib.mkIf (config.text != null) (lib.mkDefault (pkgs.writeTextFile {
      name = "hm_file";
      inherit (config) text;
      executable = config.executable == true;
    }));
  });
  section = types.attrsOf (types.attrsOf (types.oneOf [ types.bool types.int types.str (types.listOf types.str) ]));
  shown = value: if value == true then "true" else if value == false then "false" else toString value;
  ini = sections: lib.concatStringsSep "\n" (lib.mapAttrsToList
    (name: keys: "[${name}]\n" + lib.concatLines (lib.mapAttrsToList (key: value: "${key}=${shown value}") keys))
    sections);
  shell = { enable = option types.bool false; shellAliases = option (types.attrsOf types.str) { }; };
  aliases = shellName: lib.concatLines
    (lib.mapAttrsToList (name: value: "alias ${name}=${lib.escapeShellArg value}") config.programs.${shellName}.shellAliases);
in
{
  options = {
    assertions = option (types.listOf types.unspecified) [ ];
    warnings = option (types.listOf types.str) [ ];
    home = {
      username = mkOption { type = types.str; };
      homeDirectory = mkOption { type = types.path; };
      stateVersion = mkOption { type = types.str; };
      packages = option (types.listOf types.package) [ ];
      sessionVariables = option
        (types.lazyAttrsOf (
          if since "26.05" then types.nullOr (types.oneOf [ types.str types.path types.int types.float types.bool ])
          else types.oneOf [ types.str types.path types.int types.float ]
        ))
        { };
      sessionVariablesExtra = option types.lines "";
      extraProfileCommands = option types.lines "";
      shellAliases = option (types.attrsOf types.str) { };
      file = option (types.attrsOf (fileIn "")) { };
      activation = option (types.attrsOf types.raw) { };
    };
    xdg = {
      configFile = option (types.attrsOf (fileIn ".config/")) { };
      dataFile = option (types.attrsOf (fileIn ".local/share/")) { };
    };
    systemd.user = {
      systemctlPath = option types.str "systemctl";
      slices = option (types.attrsOf section) { };
      services = option (types.attrsOf section) { };
      sessionVariables = option (types.attrsOf (types.either types.int types.str)) { };
    };
    programs = {
      bash = shell;
      zsh = shell;
      fish = shell;
      firefox.enable = option types.bool false;
      go = {
        enable = option types.bool false;
        env = option (types.attrsOf types.str) { };
      };
    } // lib.optionalAttrs (since "26.05") {
      cargo = {
        enable = option types.bool false;
        settings = option types.anything { };
      };
    };
    targets.genericLinux.enable = option types.bool false;
  };

  config = {
    programs = lib.genAttrs [ "bash" "zsh" "fish" ] (_: { shellAliases = config.home.shellAliases; });
    xdg.configFile = lib.mkMerge [
      (lib.mapAttrs' (name: unit: lib.nameValuePair "systemd/user/${name}.slice" { text = ini unit; }) config.systemd.user.slices)
      (lib.mapAttrs' (name: unit: lib.nameValuePair "systemd/user/${name}.service" { text = ini unit; }) config.systemd.user.services)
      (lib.mkIf (config.systemd.user.sessionVariables != { }) {
        "environment.d/10-home-manager.conf".text = lib.concatLines
          (lib.mapAttrsToList (name: value: "${name}=${toString value}") config.systemd.user.sessionVariables);
      })
      (lib.mkIf (config.programs.go.enable && config.programs.go.env != { }) {
        "go/env".text = lib.concatLines (lib.mapAttrsToList (name: value: "${name}=${value}") config.programs.go.env);
      })
      (lib.mkIf config.programs.fish.enable { "fish/config.fish".text = aliases "fish"; })
    ];
    home.file = lib.mkMerge [
      (lib.mapAttrs' (_: file: lib.nameValuePair file.target { inherit (file) enable source; }) config.xdg.configFile)
      (lib.mapAttrs' (_: file: lib.nameValuePair file.target { inherit (file) enable source; }) config.xdg.dataFile)
      (lib.mkIf config.programs.bash.enable { ".bashrc".text = aliases "bash"; })
      (lib.mkIf (config.programs.cargo.enable or false) {
        ".cargo/config.toml".text = builtins.toJSON config.programs.cargo.settings;
      })
      (lib.mkIf config.programs.zsh.enable { ".zshrc".text = aliases "zsh"; })
    ];
  };
}
