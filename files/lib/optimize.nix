# Adds flags to packages without losing one that the package sets itself.
#
# Enters: a package and the flags to add. Leaves: the package with the flags appended where it keeps
# such flags already. There are three places (pkgs/stdenv/generic/make-derivation.nix in nixpkgs):
#
#   nowhere        the flags go into `env`, which reaches the builder with and without
#                  structured attributes
#   in `env`       appended there; a variable must not be in `env` and at top level: that throws
#   at top level   appended there; the value can be a string or a list
#
# The compiler wrapper puts NIX_CFLAGS_COMPILE after the flags of the package's own build files, for C
# and C++, so its -O is the last one and wins. The wrapper never prints the flags: read them back with
# `package.NIX_CFLAGS_COMPILE`.
{ lib }:
let
  words = value: lib.filter (word: word != "")
    (if builtins.isList value then map toString value else [ (toString value) ]);
  join = current: added: lib.concatStringsSep " " (words current ++ added);

  # `overrideAttrs` with the one changed place; everything else stays as the package has it.
  append = variable: added: package: package.overrideAttrs (old:
    if old ? ${variable} then { ${variable} = join old.${variable} added; }
    else { env = (old.env or { }) // { ${variable} = join (old.env.${variable} or "") added; }; });
in
rec {
  inherit append;

  # C and C++: flags for every compiler call of the build.
  mkOptimized = append "NIX_CFLAGS_COMPILE";

  # Rust: rustc's wrapper adds NIX_RUSTFLAGS to each call. RUSTFLAGS would switch off the flags that a
  # project keeps in its own .cargo/config.toml.
  mkOptimizedRust = targetCpu: append "NIX_RUSTFLAGS" [ "-C" "target-cpu=${targetCpu}" ];

  # Go: the instruction set level of one program. A level replaces another one, it is never appended.
  mkOptimizedGo = goamd64: package: package.overrideAttrs (old:
    if old ? GOAMD64 then { GOAMD64 = goamd64; }
    else { env = (old.env or { }) // { GOAMD64 = goamd64; }; });

  # mold, for copies that nothing of mold's own closure depends on: the wrapped linker among the build
  # tools, and the flag for the compiler driver. NIX_LDFLAGS="-fuse-ld=mold" is not the way: GNU ld
  # ignores it, and gcc then looks for an `ld.mold` that the build does not have.
  withMold = mold: package: append "NIX_CFLAGS_LINK" [ "-fuse-ld=mold" ]
    (package.overrideAttrs (old: { nativeBuildInputs = (old.nativeBuildInputs or [ ]) ++ [ mold ]; }));
}
