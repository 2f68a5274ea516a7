# Libraries of the miniature package set: outputs, flags and dependencies as far as the layers see them.
# The first five are built before the final stdenv and are part of it, as in nixpkgs.
final: prev:
let
  inherit (prev) lib;
  early = attributes: final.mkBootstrapDerivation attributes;
  library = attributes: final.stdenv.mkDerivation ({ version = "1.0"; outputs = [ "out" "dev" ]; } // attributes);
in
{
  # The flag string is there and empty; one variable of every type that `env` allows.
  glibc = early {
    pname = "glibc";
    version = "2.42";
    outputs = [ "out" "bin" "dev" ];
    env = { NIX_CFLAGS_COMPILE = ""; NIX_NO_SELF_RPATH = true; BASH_SHELL = "/bin/sh"; is64bit = 1; };
  };
  # The one flag that keeps the bootstrap compiler's libgcc out of the closure.
  zlib = early { pname = "zlib"; version = "1.3.2"; outputs = [ "out" "dev" "static" ]; env.NIX_CFLAGS_COMPILE = "-static-libgcc"; };
  bzip2 = early { pname = "bzip2"; version = "1.0.8"; outputs = [ "bin" "dev" "out" "man" ]; commands = "bzip2 bunzip2 bzcat"; };
  xz = early { pname = "xz"; version = "5.8.3"; outputs = [ "bin" "dev" "out" "man" "doc" ]; commands = "xz unxz xzcat"; };
  pcre2 = early { pname = "pcre2"; version = "10.47"; outputs = [ "bin" "dev" "out" "doc" "man" "devdoc" ]; commands = "pcre2test pcre2grep"; };

  zstd = library { pname = "zstd"; version = "1.5.7"; outputs = [ "bin" "dev" "man" "out" ]; commands = "zstd unzstd zstdcat"; };
  lz4 = library { pname = "lz4"; version = "1.10.0"; outputs = [ "dev" "lib" "man" "out" ]; commands = "lz4 unlz4"; };
  snappy = library { pname = "snappy"; };
  brotli = library { pname = "brotli"; outputs = [ "out" "dev" "lib" ]; commands = "brotli"; };
  # Structured attributes: only `env` reaches the build.
  openssl = library { pname = "openssl"; version = "3.6.2"; outputs = [ "bin" "dev" "out" "man" ]; __structuredAttrs = true; commands = "openssl"; };
  libgpg-error = library { pname = "libgpg-error"; };
  libgcrypt = library { pname = "libgcrypt"; version = "1.12.4"; outputs = [ "bin" "lib" "dev" "info" "out" ]; buildInputs = [ final.libgpg-error ]; commands = "hmac256 mpicalc"; };
  libsodium = library { pname = "libsodium"; version = "1.0.22"; };
  sqlite = lib.lowPrio (final.callPackage
    ({ stdenv, zlib, interactive ? false }: library {
      pname = "sqlite";
      version = "3.53.1";
      outputs = [ "bin" "dev" "man" "doc" "out" ];
      buildInputs = [ zlib ];
      inherit interactive;
      commands = "sqlite3";
      env.NIX_CFLAGS_COMPILE = toString (map (option: "-DSQLITE_${option}") [
        "ENABLE_COLUMN_METADATA"
        "ENABLE_DBSTAT_VTAB"
        "ENABLE_JSON1"
        "ENABLE_FTS3"
        "ENABLE_FTS3_PARENTHESIS"
        "ENABLE_FTS3_TOKENIZER"
        "ENABLE_FTS4"
        "ENABLE_FTS5"
        "ENABLE_GEOPOLY"
        "ENABLE_MATH_FUNCTIONS"
        "ENABLE_PERCENTILE"
        "ENABLE_PREUPDATE_HOOK"
        "ENABLE_RBU"
        "ENABLE_RTREE"
        "ENABLE_SESSION"
        "ENABLE_STMT_SCANSTATUS"
        "ENABLE_UNLOCK_NOTIFY"
        "SOUNDEX"
        "SECURE_DELETE"
        "MAX_VARIABLE_NUMBER=250000"
        "MAX_EXPR_DEPTH=10000"
      ]);
    })
    { });
  # The same library with a command that has line editing.
  sqlite-interactive = (final.sqlite.override { interactive = true; }).bin;
  expat = library { pname = "expat"; commands = "xmlwf"; };
  nghttp2 = library { pname = "nghttp2"; outputs = [ "out" "dev" "lib" ]; buildInputs = [ final.zlib ]; commands = "nghttp"; };
  libssh2 = library { pname = "libssh2"; buildInputs = [ final.openssl final.zlib ]; };
  curlMinimal = final.callPackage
    ({ stdenv, openssl, zlib, nghttp2, zstd, brotli, libssh2, brotliSupport ? false, zstdSupport ? false }:
      stdenv.mkDerivation {
        pname = "curl";
        version = "8.19.0";
        outputs = [ "bin" "dev" "out" "man" "devdoc" ];
        __structuredAttrs = true;
        commands = "curl";
        buildInputs = [ openssl zlib nghttp2 libssh2 ] ++ final.lib.optional brotliSupport brotli ++ final.lib.optional zstdSupport zstd;
      })
    { };
  curl = final.curlMinimal.override { brotliSupport = true; zstdSupport = true; };
  libevent = library { pname = "libevent"; buildInputs = [ final.openssl ]; };
  libuv = library { pname = "libuv"; };
  libjpeg_turbo = library { pname = "libjpeg-turbo"; outputs = [ "bin" "dev" "out" "man" "doc" ]; commands = "cjpeg djpeg"; };
  libpng = library { pname = "libpng"; buildInputs = [ final.zlib ]; };
  libwebp = library { pname = "libwebp"; buildInputs = [ final.libpng final.libjpeg_turbo final.giflib ]; commands = "cwebp dwebp"; };
  giflib = library { pname = "giflib"; commands = "gifbuild"; };
  freetype = library { pname = "freetype"; buildInputs = [ final.libpng final.zlib final.bzip2 final.brotli ]; env = { CC_BUILD = "cc"; CFLAGS = "-O2"; }; };
  fontconfig = library { pname = "fontconfig"; outputs = [ "bin" "dev" "lib" "out" ]; buildInputs = [ final.freetype final.expat ]; commands = "fc-list fc-cache"; };
  harfbuzz = library { pname = "harfbuzz"; buildInputs = [ final.freetype ]; };
  libxml2 = library { pname = "libxml2"; outputs = [ "bin" "dev" "out" ]; buildInputs = [ final.zlib ]; commands = "xmllint"; };
  jansson = library { pname = "jansson"; };
  libffi = library { pname = "libffi"; };
  # Flags at top level, the old way: as a list and as a string.
  oldstyle-list = library { pname = "oldstyle-list"; NIX_CFLAGS_COMPILE = [ "-DTOP" "-DLIST" ]; };
  oldstyle-string = library { pname = "oldstyle-string"; NIX_CFLAGS_COMPILE = "-DTOP"; };

  # mold needs libraries of the plan's own list: a library that needs mold needs itself.
  cmake = final.stdenv.mkDerivation { pname = "cmake"; version = "4.2"; buildInputs = [ final.curlMinimal final.expat final.libuv final.bzip2 final.xz final.zstd final.zlib ]; };
  mold-unwrapped = final.stdenv.mkDerivation { pname = "mold"; version = "2.40"; nativeBuildInputs = [ final.cmake ]; buildInputs = [ final.zlib final.zstd final.openssl final.libxml2 final.sqlite final.nghttp2 final.libssh2 ]; };
  mold = final.stdenv.mkDerivation { pname = "mold-wrapper"; version = "2.40"; unwrapped = final.mold-unwrapped; commands = "mold"; };
}
