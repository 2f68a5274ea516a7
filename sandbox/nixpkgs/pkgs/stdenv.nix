# stdenv of the miniature package set: `mkDerivation` with nixpkgs' rules for `env`.
#
# * `env` and the top level must not name the same variable: evaluation throws.
# * Values of `env` are strings, booleans, integers or derivations; top-level values may be lists.
# * With `__structuredAttrs` only `env` reaches the builder's environment.
# * A march in the platform makes every build ask for the system feature `gccarch-<march>`.
{ lib, hostPlatform, config }:
final: prev:
let
  builder = ./builder.sh;

  refuse = attributes:
    let
      name = attributes.pname or attributes.name;
      unfree = (attributes.meta or { }).unfree or false;
      allowed = config.allowUnfree || config.allowUnfreePredicate { pname = name; };
    in
    unfree && !allowed;

  checkedEnv = attributes: env:
    let overlap = builtins.attrNames (builtins.intersectAttrs env attributes); in
    if overlap != [ ] then
      throw "The `env` attribute set cannot contain any attributes passed to derivation. The following attributes are overlapping: ${lib.concatStringsSep ", " overlap}"
    else
      lib.mapAttrs
        (name: value:
          if builtins.isString value || builtins.isBool value || builtins.isInt value || (value ? outPath) then value
          else throw "The `env` attribute set can only contain derivation, string, boolean or integer attributes. The `${name}' attribute is of type ${builtins.typeOf value}.")
        env;

  mkDerivationWith = hasCC: stdenv: given:
    let
      attributes = if builtins.isFunction given then lib.fix given else given;
      name = attributes.name or "${attributes.pname}-${attributes.version}";
      structured = attributes.__structuredAttrs or false;
      notForTheBuilder = [ "env" "meta" "passthru" "pname" "version" "name" "__structuredAttrs" "outputs" ];
      plain = removeAttrs attributes notForTheBuilder;
      env = checkedEnv attributes (attributes.env or { });
      # With structured attributes a compiler variable at top level stays with the build script.
      reaching = if structured then removeAttrs plain [ "NIX_CFLAGS_COMPILE" "NIX_CFLAGS_LINK" ] else plain;
      drv = derivation (reaching // env // {
        inherit name;
        inherit (hostPlatform) system;
        builder = "/bin/sh";
        args = [ "-e" builder ];
        outputs = attributes.outputs or [ "out" ];
        PATH = "/run/current-system/sw/bin:/usr/bin:/bin";
        inherit stdenv;
      } // lib.optionalAttrs (hostPlatform ? gcc.arch) {
        requiredSystemFeatures = [ "gccarch-${hostPlatform.gcc.arch}" ];
      });
      more = (attributes.passthru or { }) // {
        inherit name;
        passthru = attributes.passthru or { };
        pname = attributes.pname or attributes.name;
        version = attributes.version or "";
        meta = { name = name; platforms = [ hostPlatform.system ]; outputsToInstall = [ (if lib.elem "bin" (attributes.outputs or [ ]) then "bin" else "out") ]; } // attributes.meta or { };
        stdenv = final.stdenv // { inherit hasCC; };
        drvAttrs = plain // env;
        overrideAttrs = change: mkDerivationWith hasCC stdenv (
          let
            old = attributes;
            step = if builtins.isFunction change then change else _: change;
            changes = let first = step old; in if builtins.isFunction first then lib.fix (self: step (old // self) old) else first;
          in
          old // changes
        );
      };
      outputs = lib.genAttrs (attributes.outputs or [ "out" ])
        (output: drv.${output} // more // paths drv.${output} // { outputSpecified = true; outputName = output; });
      package = drv // more // outputs;
      # An unfree package and its outputs can be looked at, but neither built nor linked.
      guarded = value: if refuse attributes then throw "Package '${name}' has an unfree license, refusing to evaluate." else value;
      paths = one: { outPath = guarded one.outPath; drvPath = guarded one.drvPath; };
    in
    package // paths drv // { inherit attributes; };

  # What the packages of the early stages are built with: nothing of the set itself.
  bootstrapTools = derivation {
    name = "bootstrap-tools";
    inherit (hostPlatform) system;
    builder = "/bin/sh";
    args = [ "-c" "echo bootstrap > $out" ];
  };
  toolchain = derivation {
    name = "stdenv-linux";
    inherit (hostPlatform) system;
    builder = "/bin/sh";
    args = [ "-c" "echo $inputs > $out" ];
    inputs = map toString [ final.glibc final.zlib final.bzip2 final.xz final.pcre2 ];
  };
in
{
  stdenv = {
    mkDerivation = mkDerivationWith true toolchain;
    hasCC = true;
    inherit hostPlatform;
    buildPlatform = hostPlatform;
    targetPlatform = hostPlatform;
    isLinux = true;
    isDarwin = false;
    shell = "/bin/sh";
    cc.cc.version = "15.2.0";
    inherit toolchain;
    outPath = toolchain.outPath;
    drvPath = toolchain.drvPath;
    type = "derivation";
    name = "stdenv-linux";
  };
  # Joins and scripts are made with this one: they compile nothing.
  stdenvNoCC = final.stdenv // { mkDerivation = mkDerivationWith false toolchain; hasCC = false; };
  # A package that the final stdenv is made of.
  mkBootstrapDerivation = mkDerivationWith true bootstrapTools;
  inherit (final.stdenv) hostPlatform;
}
