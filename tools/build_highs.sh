#!/usr/bin/env bash
# Builds HiGHS (MIT) once, from the source distribution of its Python package, into a folder of its own.
#   tools/build_highs.sh PREFIX
# The result is installed in PREFIX, whole or not at all: an interrupted run starts over.
set -eu

version=1.16.0
sha256=83519368321b1ac0ed508b8562b335928b6fd249e2ab42ff0218491e1486d985
prefix=$1
[ -e "$prefix/lib/libhighs.a" ] && exit 0

work=$prefix.work
rm -rf "$work" && mkdir -p "$work"
cd "$work"
echo "Fetching HiGHS $version ..."
python3 -m pip download --quiet --no-deps --no-binary highspy --dest . "highspy==$version"
echo "$sha256  highspy-$version.tar.gz" | sha256sum --check --quiet
tar xzf "highspy-$version.tar.gz"
cd "highspy-$version"
# Left out of the archive, but named by its CMakeLists.txt.
mkdir -p app && touch app/CMakeLists.txt highs.pc.in

echo "Building HiGHS $version (once, about 7 minutes of one core) ..."
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$work/installed" \
  -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_TESTING=OFF -DBUILD_EXAMPLES=OFF \
  -DBUILD_CXX_EXE=OFF -DBUILD_SHARED_LIBS=OFF -DBUILD_SHARED_EXTRAS_LIB=OFF -DZLIB=OFF >configure.log 2>&1 ||
  { cat configure.log >&2; exit 1; }
# A line every 20 files: a log stays readable, a person sees that it moves.
NINJA_STATUS='[%f/%t] ' cmake --build build -j "${LOWTIDE_JOBS:-$(nproc)}" | awk 'NR % 20 == 0 { print; fflush() }'
cmake --install build >/dev/null
rm -rf "$prefix"
mv "$work/installed" "$prefix"
rm -rf "$work"
