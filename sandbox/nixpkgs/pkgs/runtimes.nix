# Language runtimes of the miniature package set, with the differences between releases.
final: prev:
let
  inherit (prev) lib release;
  since = version: lib.versionAtLeast release version;
  python =
    { stdenv
    , openssl
    , sqlite
    , zlib
    , bzip2
    , xz
    , libffi
    , expat
    , self
    , pythonAttr
    , pname
    , version
    , enableOptimizations ? false
    , reproducibleBuild ? false
    , enableLTO ? true
    , enableNoSemanticInterposition ? true
    }:
      assert reproducibleBuild -> !enableOptimizations;
      stdenv.mkDerivation {
        inherit pname version;
        __structuredAttrs = since "26.05";
        buildInputs = [ openssl sqlite zlib bzip2 xz libffi expat ];
        configureFlags = lib.optional enableLTO "--with-lto" ++ lib.optional enableOptimizations "--enable-optimizations";
        env.NIX_CFLAGS_COMPILE = lib.optionalString enableNoSemanticInterposition "-fno-semantic-interposition";
        commands = "python3";
        passthru = rec {
          inherit pythonAttr;
          interpreter = "${self}/bin/python3";
          pkgs = { python = self; };
          withPackages = _: self;
        };
        meta.mainProgram = "python3";
      };
  go = version: final.stdenv.mkDerivation { pname = "go"; inherit version; __structuredAttrs = true; env.GOARCH = "amd64"; commands = "go gofmt"; meta.mainProgram = "go"; };
  slim = final.stdenv.mkDerivation {
    pname = "nodejs-slim";
    version = "24.18.0";
    __structuredAttrs = true;
    buildInputs = [ final.openssl final.libuv final.zlib final.nghttp2 ];
    commands = "node";
    meta.mainProgram = "node";
  };
in
{
  python313 = final.callPackage python { pname = "python3"; version = "3.13.11"; self = final.python313; pythonAttr = "python313"; };
  python314 = final.callPackage python { pname = "python3"; version = "3.14.3"; self = final.python314; pythonAttr = "python314"; };
  python3 = if since "26.11" then final.python314 else final.python313;

  nodejs-slim_24 = slim;
  nodejs_24 =
    if since "26.05" then
      final.callPackage
        ({ symlinkJoin, nodejs-slim }: symlinkJoin { pname = "nodejs"; inherit (nodejs-slim) version passthru; name = "nodejs-${nodejs-slim.version}"; paths = [ nodejs-slim ]; meta.mainProgram = "node"; })
        { nodejs-slim = final.nodejs-slim_24; }
    else
      final.callPackage ({ stdenv, openssl }: stdenv.mkDerivation { pname = "nodejs"; version = "24.11.1"; buildInputs = [ openssl ]; commands = "node npm"; meta.mainProgram = "node"; }) { };
  nodejs = final.nodejs_24;

  rustc = final.stdenv.mkDerivation { pname = "rustc-wrapper"; version = "1.95.0"; commands = "rustc"; };
  cargo = final.stdenv.mkDerivation { pname = "cargo"; version = "1.95.0"; commands = "cargo"; };
  go = if since "26.05" then go "1.26.3" else go "1.25.9";
  # A Rust and a Go program, as leaves.
  ripgrep = final.stdenv.mkDerivation { pname = "ripgrep"; version = "15.1.0"; buildInputs = [ final.pcre2 ]; nativeBuildInputs = [ final.rustc final.cargo ]; commands = "rg"; meta.mainProgram = "rg"; };
  fd = final.stdenv.mkDerivation { pname = "fd"; version = "10.4.0"; nativeBuildInputs = [ final.rustc final.cargo ]; commands = "fd"; meta.mainProgram = "fd"; env.NIX_RUSTFLAGS = "-C strip=symbols"; };
  fzf = final.stdenv.mkDerivation { pname = "fzf"; version = "0.70.0"; nativeBuildInputs = [ final.go ]; env.CGO_ENABLED = "0"; commands = "fzf"; meta.mainProgram = "fzf"; };
}
  # Releases that still have the plan's Go: reached its end of life in February 2026.
  // (if lib.versionAtLeast release "26.05" then { } else { go_1_24 = go "1.24.13"; })
