# Flags that single packages must not get. Names are nixpkgs attributes.
{
  # No -O level is added: it would come after the package's own level and win.
  noOptimizationLevel = {
    libgcrypt = "its random number generator stops the build unless it is compiled with -O0";
    glibc = "it compiles parts at fixed levels and selects its hot functions at run time anyway";
  };

  # Only -march and -mtune are added, whatever else is asked for.
  architectureOnly = {
    glibc = "-fno-semantic-interposition lets a failing dlopen end the process (seen on 2.36) and -fno-plt makes lazily bound symbols fatal";
  };

  # No copy under a new name and no graft: only the strategy `overlay`, where every program is built
  # against the same library.
  overlayOnly = {
    glibc = "a process has one libc; a second one beside it serves nobody, and a grafted one fails before it can print why";
  };

  # mold is built from these packages. As their linker, mold would need itself: evaluation would never
  # end, or the bootstrap, which takes no further build tools, would stop.
  inMoldClosure = [
    "zstd"
    "zlib"
    "openssl"
    "sqlite"
    "nghttp2"
    "libssh2"
    "expat"
    "libuv"
    "libxml2"
    "glibc"
    "bzip2"
    "xz"
    "pcre2"
  ];
}
