#!/bin/sh
# Build packages twice from Debian's sources, to have a pair for tasks/measure.py without Nix.
#
# usage: make-pair.sh DIRECTORY [FLAG]...      (default: -march=x86-64-v3 -mtune=generic -O3)
#
# DIRECTORY/stock holds them as their own build files make them, DIRECTORY/optimized with the flags
# behind the package's own in every call of the compiler, which is where the optimized copies of the
# layers have them too. Needs Debian, a C compiler, make, perl, tclsh and dpkg-dev; takes some
# minutes. Where Go is installed, its gofmt is built at GOAMD64 v1 and v3. Nothing outside DIRECTORY
# is written. Prints the versions and what was built.
set -eu
[ "$#" -gt 0 ] || { sed -n 's/^# \{0,1\}//p' "$0" && exit 64; }
mkdir -p -- "$1"
directory=$(cd "$1" && pwd)
shift
[ "$#" -gt 0 ] || set -- -march=x86-64-v3 -mtune=generic -O3
jobs=$(nproc)
# shellcheck source=/dev/null
. /etc/os-release

mkdir -p "$directory/sources" "$directory/lists/partial" "$directory/compilers"
cd "$directory/sources"
printf 'deb-src http://deb.debian.org/debian %s main\n' "$VERSION_CODENAME" >../sources.list
apt_get() {
    apt-get -qq -o APT::Sandbox::User= -o Dir::Etc::SourceList="$directory/sources.list" \
        -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$directory/lists" "$@"
}
[ -n "$(ls "$directory/lists/"*Sources* 2>/dev/null)" ] || apt_get update
packages='libzstd bzip2 xz-utils lz4 zlib pcre2 sqlite3 openssl'
for package in $packages; do
    [ -n "$(ls -d "$package"-[0-9]*/ 2>/dev/null)" ] || apt_get source "$package" >/dev/null 2>&1
done

# compiler NAME [FLAG]...: a cc that puts the flags behind all others.
compiler() {
    name=$1
    shift
    {
        printf '#!/bin/sh\nexec gcc "$@"'
        if [ "$#" -gt 0 ]; then printf " '%s'" "$@"; fi
        printf '\n'
    } >"$directory/compilers/$name"
    chmod +x "$directory/compilers/$name"
}
compiler stock
compiler optimized "$@"

# make_one PACKAGE OUT: the package in this directory, with the compiler $CC, into OUT.
make_one() {
    case $1 in
        libzstd) make -j"$jobs" -C programs zstd && cp programs/zstd "$2/bin" ;;
        bzip2)
            # Linked with the library itself: a shared one would be the system's, twice the same.
            make -j"$jobs" CC="$CC" libbz2.a bzip2.o && "$CC" -o "$2/bin/bzip2" bzip2.o libbz2.a
            ;;
        lz4)
            make -j"$jobs" -C lib liblz4.a && make -C programs lz4 LDFLAGS=-L../lib &&
                cp programs/lz4 "$2/bin"
            ;;
        xz-utils)
            ./configure --disable-shared --disable-nls && make -j"$jobs" -e && cp src/xz/xz "$2/bin"
            ;;
        zlib) ./configure && make -j"$jobs" && cp -P libz.so* "$2/lib" ;;
        pcre2)
            ./configure --enable-jit --disable-shared && make -j"$jobs" -e pcre2grep &&
                cp pcre2grep "$2/bin"
            ;;
        sqlite3)
            ./configure --disable-shared --disable-tcl --enable-fts5 --disable-readline &&
                make -j"$jobs" sqlite3 && cp sqlite3 "$2/bin"
            ;;
        openssl)
            ./Configure linux-x86_64 no-shared no-tests --prefix="$2" &&
                make -j"$jobs" build_programs && cp apps/openssl "$2/bin"
            ;;
    esac
}
for which in stock optimized; do
    out=$directory/$which
    mkdir -p "$out/bin" "$out/lib"
    CC=$directory/compilers/$which
    export CC
    # The sources are patched, so make would like to run autoconf again.
    export ACLOCAL=: AUTOCONF=: AUTOMAKE=: AUTOHEADER=:
    for package in $packages; do
        [ ! -e "$out/$package.built" ] || continue
        source=$(ls -d "$package"-[0-9]*/)
        rm -rf "$directory/work"
        cp -a "$source" "$directory/work"
        (cd "$directory/work" && make_one "$package" "$out") >"$out/$package.log" 2>&1 ||
            { tail -n 20 "$out/$package.log" && echo "$package: not built; see $out/$package.log" && exit 1; }
        touch "$out/$package.built"
        echo "$which: $source"
    done
done
rm -rf "$directory/work"

if command -v go >/dev/null; then
    for which in stock optimized; do
        case $which in stock) level=v1 ;; optimized) level=v3 ;; esac
        GOAMD64=$level CGO_ENABLED=0 GOCACHE=$directory/cache \
            go build -o "$directory/$which/bin/gofmt" cmd/gofmt
        ln -sfn "$(go env GOROOT)/src" "$directory/$which/src"
        echo "$which: gofmt of $(go env GOVERSION) at GOAMD64=$level"
    done
fi
echo "MEASURE_STOCK=$directory/stock MEASURE_OPTIMIZED=$directory/optimized"
