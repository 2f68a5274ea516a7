# What is known about single packages: which flags they must not get. Names are nixpkgs attributes.
{
  # No -O level is added. The level would stand behind the package's own one and win.
  noOptimizationLevel = {
    libgcrypt = "its random number generator stops the build unless it is compiled with -O0";
    glibc = "it compiles parts at fixed levels and selects its hot functions at run time anyway";
  };

  # No other flag than -march and -mtune is added, whoever asks for it.
  architectureOnly = {
    glibc = "-fno-semantic-interposition lets a failing dlopen end the process (seen on 2.36) and -fno-plt makes lazily bound symbols fatal";
  };

  # Never as a copy under a new name and never grafted: only the strategy `overlay`, where every
  # program is built against the same one.
  overlayOnly = {
    glibc = "a process has one libc; a second one beside it serves nobody, and a grafted one fails before it can print why";
  };

  # mold is built from these. As their linker it would need itself: evaluation never ends, or the
  # bootstrap, which takes no further build tools, stops.
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
