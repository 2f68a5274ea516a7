# Trivial builders of the miniature package set: text files, scripts, joins.
final: prev:
let
  inherit (prev) lib;
  run = name: env: buildCommand: final.stdenvNoCC.mkDerivation (env // { inherit name buildCommand; });
in
{
  runtimeShell = "/bin/sh";
  runCommand = run;
  runCommandLocal = run;
  runCommandWith = { name, derivationArgs ? { }, ... }: run name derivationArgs;

  writeTextFile = { name, text, executable ? false, destination ? "", ... }:
    run name { inherit text destination; mode = if executable then "755" else "644"; } ''
      target=$out$destination
      [ -z "$destination" ] || mkdir -p "''${target%/*}"
      printf '%s' "$text" > "$target"
      [ "$mode" = 644 ] || chmod "$mode" "$target" # Nix takes all other modes for 444
    '';
  writeText = name: text: final.writeTextFile { inherit name text; };
  writeTextDir = path: text:
    final.writeTextFile { name = baseNameOf path; inherit text; destination = "/${path}"; };
  writeScript = name: text: final.writeTextFile { inherit name text; executable = true; };
  writeShellScript = name: text: final.writeScript name "#!/bin/sh\n${text}";
  writeScriptBin = name: text:
    final.writeTextFile { inherit name text; executable = true; destination = "/bin/${name}"; };
  writeShellScriptBin = name: text: final.writeScriptBin name "#!/bin/sh\n${text}" // {
    meta.mainProgram = name;
  };

  # `@name@` in a file, replaced by the value of `name`.
  replaceVars = file: replacements: final.writeScript (baseNameOf file)
    (builtins.replaceStrings (map (name: "@${name}@") (lib.attrNames replacements)) (map toString (lib.attrValues replacements))
      (builtins.readFile file));

  # A tree of links to the files of all `paths`; the first path that has a file wins.
  symlinkJoin = { name ? "${pname}-${version}", pname ? name, version ? "", paths, postBuild ? "", meta ? { }, passthru ? { }, nativeBuildInputs ? [ ], ... }:
    final.stdenvNoCC.mkDerivation {
      inherit name pname version meta passthru nativeBuildInputs;
      paths = map toString paths;
      buildCommand = ''
        mkdir -p "$out"
        directories=$NIX_BUILD_TOP/directories
        for path in $paths; do
          (cd "$path" && find . -type d) > "$directories"
          (cd "$out" && xargs -d '\n' mkdir -p -- < "$directories")
          while read -r directory; do
            set --
            for file in "$path/$directory"/* "$path/$directory"/.[!.]*; do
              if [ -d "$file" ] && [ ! -L "$file" ]; then continue; fi
              if [ ! -e "$file" ] && [ ! -L "$file" ]; then continue; fi
              [ -e "$out/$directory/''${file##*/}" ] || set -- "$@" "$file"
            done
            [ "$#" = 0 ] || ln -s -t "$out/$directory" -- "$@"
          done < "$directories"
        done
      '' + postBuild;
    };

  # As symlinkJoin, but two packages of equal priority with the same file are an error.
  buildEnv = { name, paths, ignoreCollisions ? false, pathsToLink ? [ "/" ], postBuild ? "", ... }:
    let
      priority = package: toString (package.meta.priority or 5);
      ordered = builtins.sort (a: b: (a.meta.priority or 5) < (b.meta.priority or 5)) paths;
    in
    final.stdenv.mkDerivation {
      inherit name;
      paths = map (package: "${priority package}:${toString package}") ordered;
      buildCommand = ''
        mkdir -p "$out"
        taken=$NIX_BUILD_TOP/taken
        : > "$taken"
        for entry in $paths; do
          priority=''${entry%%:*}; path=''${entry#*:}
          (cd "$path" && find . ! -type d ! -path './nix-support/*') > "$NIX_BUILD_TOP/files"
          set --
          directory=.
          while read -r file; do
            if [ -e "$out/$file" ]; then
              if [ "$(readlink -f "$out/$file")" != "$(readlink -f "$path/$file")" ] && grep -qxF "$priority $file" "$taken"; then
                echo "error: collision between $(readlink -f "$out/$file") and $path/$file" >&2
                exit 1
              fi
              continue
            fi
            echo "$priority $file" >> "$taken"
            if [ "''${file%/*}" != "$directory" ]; then
              [ "$#" = 0 ] || ln -s -t "$out/$directory" -- "$@"
              set --
              directory=''${file%/*}
              [ -d "$out/$directory" ] || mkdir -p "$out/$directory"
            fi
            set -- "$@" "$path/$file"
          done < "$NIX_BUILD_TOP/files"
          [ "$#" = 0 ] || ln -s -t "$out/$directory" -- "$@"
        done
      '' + postBuild;
    };

  makeWrapper = final.stdenv.mkDerivation { name = "make-wrapper"; buildCommand = "mkdir -p $out"; };
  makeShellWrapper = final.makeWrapper;
  # The options' manual, empty: evaluating it would take longer than everything else.
  nixosOptionsDoc = _: lib.genAttrs [ "optionsJSON" "optionsCommonMark" "optionsNix" ] (_: final.emptyDirectory);
  emptyDirectory = run "empty-directory" { } "mkdir -p $out";
  # Every format takes any value and writes JSON: what is written is never read by a test.
  formats = lib.genAttrs [ "json" "toml" "yaml" "ini" "iniWithGlobalSection" "gitIni" "keyValue" "javaProperties" "libconfig" "lua" "xml" "elixirConf" "pythonVars" "hocon" "kdl" "cdn" "plist" "php" "nixConf" "systemd" ]
    (_: _: {
      type = lib.types.anything;
      lib.types.atom = lib.types.anything;
      generate = name: value: final.writeText name (builtins.toJSON value);
    });
  stdenvAdapters.useMoldLinker = stdenv: stdenv;
}
